"""What the pages of one application share: its blueprint, the task list, and where problems are corrected.

The topic is one blueprint, ``applications``; its pages live in the modules ``application_*``, and the module
``applications`` gathers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, g, redirect, request, url_for

from portal.applications.drafts import sections
from portal.applications.drafts.sections import Place, Section, place_of
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Participant, ParticipantRole, State
from portal.applications.papers.attachments import asked
from portal.applications.partners.confidential import hidden_parts
from portal.applications.policy import Part
from portal.applications.rules import EDITABLE
from portal.applications.sealing.vault import SEALED
from portal.applications.signatures.signing import confirmation
from portal.applications.submissions.submission import Standing, standing
from portal.core.db import session
from portal.core.errors import Conflict, Problem, Refused
from portal.core.formats import format_date, format_time
from portal.core.language import N_, Message
from portal.identity.policy import Permission, allowed, authorize
from portal.tenders.ruleset import Giver, RuleSet, Text
from portal.web.language import locale, say
from portal.web.problem_json import speaks_json
from portal.web.sessions import SAFE
from portal.web.templating import localised

blueprint = Blueprint("applications", __name__, url_prefix="/applications")

PROJECT_DOCUMENTS: Final = N_("Documents of the project")
OWN_DOCUMENTS: Final = N_("Documents of the organisation")
PARTICIPANTS: Final = N_("Participants")
UNFINISHED: Final = frozenset({"required", "too_few", "unanswered", "undated"})
"""Problems of what is not there yet; all others are errors."""


@dataclass(frozen=True, slots=True)
class Task:
    """A line of the task list; ``state`` is one of done, in_progress, not_started, optional, error."""

    label: str
    href: str
    state: str
    current: bool
    section: str
    participant_id: UUID | None

    def get(self, name: str) -> Any:
        return getattr(self, name)


def opened(application_id: UUID) -> Dossier:
    """The application, for those who may read it."""
    dossier = load(session(), application_id, permit=partial(authorize, g.actor, Permission.APPLICATION_VIEW))
    _keep_confidential(dossier)
    _keep_sealed(dossier)
    return dossier


WHEN_SEALED: Final = frozenset({"sealed", "receipt", "receipt_pdf", "withdraw", "history", "messages_page"})
"""Pages of a sealed application; all others are about what nobody can read until the opening."""


def _keep_sealed(dossier: Dossier) -> None:
    """Instead of other pages the reader of a sealed application gets the one that says what there is."""
    endpoint = (request.endpoint or "").removeprefix("applications.")
    if dossier.application.state != State.SEALED or endpoint in WHEN_SEALED:
        return
    if request.method in SAFE and not speaks_json():
        abort(redirect(url_for("applications.sealed", application_id=dossier.application.id), 303))
    raise Conflict(SEALED)


ABOUT_A_PART: Final = frozenset(
    {"remove_participant", "leave", "resend", "lead", "part_people", "sign", "manifest", "signed_content"}
)
"""Pages about a participant that show none of its figures, or have a rule of their own; all others are closed to those
who may not see them."""
OF_ALL_PARTS: Final = frozenset(
    {
        "all_documents",
        "compare_versions",
        "estimate_page",
        "export_file",
        "export_state",
        "exported",
        "finance",
        "paper",
        "tables_file",
    }
)
"""Pages that lay out the figures of all participants: closed to those who may not see all of them."""
CONFIDENTIAL: Final = N_("By the rules of this tender, this participant's figures are shown to fewer people.")


def hidden(dossier: Dossier) -> frozenset[UUID]:
    """The participants whose figures the reader may not see."""
    return hidden_parts(g.actor, dossier.application, dossier.rules)


def require_seen(dossier: Dossier, participant_id: UUID | None) -> None:
    """Refuse the figures of a participant that keeps them from the reader. Raises :class:`Refused`."""
    if participant_id in hidden(dossier):
        raise Refused(CONFIDENTIAL)


def _keep_confidential(dossier: Dossier) -> None:
    endpoint = (request.endpoint or "").removeprefix("applications.")
    participant_id = (request.view_args or {}).get("participant_id")
    if participant_id is not None and endpoint not in ABOUT_A_PART:
        require_seen(dossier, participant_id)
    elif endpoint in OF_ALL_PARTS and hidden(dossier):
        raise Refused(N_("This page shows the figures of all participants, and not all of them are shown to you."))


def editable(dossier: Dossier, participant_id: UUID | None) -> bool:
    """Whether the reader may change this part now."""
    if dossier.application.state not in EDITABLE:
        return False
    obj: Any = dossier.application
    if participant_id is not None:
        obj = Part(dossier.application, dossier.participant(participant_id))
    return allowed(g.actor, Permission.APPLICATION_EDIT, obj)


def wording(text: Text | Message | str) -> str:
    """A text of the rule set or of a room in the language of the page."""
    return text[locale()] if isinstance(text, Text) else say(text)


def section_url(dossier: Dossier, name: str, participant_id: UUID | str | None, **arguments: Any) -> str:
    """The page of a section, of the documents, or of the participants."""
    base = {"application_id": dossier.application.id, **arguments}
    if name == "participants":
        return url_for("applications.participants", **base)
    if name == "confirmation":
        return url_for("applications.confirm", **base)
    if name == "overview":
        return url_for("applications.overview", **base)
    if participant_id is not None:
        base["participant_id"] = participant_id
    endpoint = "documents" if name == "documents" else "section"
    if endpoint == "section":
        base["name"] = name
    return url_for(f"applications.{'part_' if participant_id else ''}{endpoint}", **base)


def anchor(place: Place, rules: RuleSet) -> str:
    """The id of the input that a problem is about, on the page of its section; of a row, its first cell."""
    definition = sections.BY_NAME.get(place.section)
    if not place.key:
        return "main"
    if definition is not None and definition.grid is not None:
        grid = definition.grid(rules)
        whole_row = place.key in {row.code for row in grid.rows}
        key = grid.key(place.key, grid.columns[0]) if whole_row else place.key
        return f"{place.section}-{key.replace('.', '-')}"
    return f"{place.key}-file" if place.section == "documents" else place.key


def where(dossier: Dossier, field: str) -> str:
    """The address at which a problem or a rule's ``field`` is corrected."""
    if field == "corrections":
        return url_for("applications.corrections_page", application_id=dossier.application.id)
    place = place_of(field)
    participant_id = _whose(dossier, place)
    if place.section in ("participants", "confirmation", "overview"):
        return section_url(dossier, place.section, None)
    return section_url(dossier, place.section, participant_id, missing=1) + f"#{anchor(place, dossier.rules)}"


def hrefs(dossier: Dossier, problems: Iterable[Problem]) -> dict[str, str]:
    """Field -> address, for the list of problems."""
    return {problem.field: where(dossier, problem.field) for problem in problems}


def labelled(dossier: Dossier, problems: Iterable[Problem], *, names: bool = True) -> list[Problem]:
    """The problems with what they are about in front, for lists that stand apart from their fields.

    ``names``: also whose part it is, and which section; not needed on the section's own page.
    """
    secret = {str(key) for key in hidden(dossier)}
    return [Problem(item.code, item.field, _with_place(dossier, _discreet(item, secret), names)) for item in problems]


def _discreet(problem: Problem, secret: set[str]) -> Problem:
    """The problem without its figures, where they are another's secret."""
    if place_of(problem.field).participant_id not in secret:
        return problem
    return Problem(problem.code, problem.field, N_("Something is missing or wrong; its own people see what."))


def _with_place(dossier: Dossier, problem: Problem, names: bool) -> Message:
    about = _about(dossier, problem.field, names)
    return N_("%(about)s: %(problem)s", about=about, problem=problem.message) if about else problem.message


def _about(dossier: Dossier, field: str, with_names: bool) -> str:
    """The question, or the section and whose it is; "" where the message says it all."""
    place = place_of(field)
    definition = sections.BY_NAME.get(place.section)
    whose = ""
    if place.participant_id and with_names:
        part = next((row for row in dossier.accepted if str(row.id) == place.participant_id), None)
        whose = localised(part.organisation, "name") if part else ""
    names = [whose] if whose else []
    if definition is not None:
        if with_names and (definition.grid or not place.key):
            names.append(say(definition.title))
        asks = question_of(dossier, definition, place.key)
        names.append(f"«{asks}»" if asks and definition.fields is not None else asks)
    return ", ".join(name for name in names if name)


def question_of(dossier: Dossier, definition: Section, key: str) -> str:
    """What a field asks: its label, or row and column of its table."""
    if definition.fields is not None:
        name = key.partition(".")[0]
        found = (item for item in definition.fields(dossier.rules) if item.name == name)
        return next((wording(item.label) for item in found), "")
    assert definition.grid is not None
    row, _dot, column = key.partition(".")
    titles = [wording(item.title) for item in definition.grid(dossier.rules).rows if item.code == row and row]
    return ", ".join([*titles, column or (row if not titles else "")]).strip(", ")


def _whose(dossier: Dossier, place: Place) -> UUID | None:
    """The participant whose page it is; project-wide sums are first looked for in the reader's own part."""
    if place.participant_id is not None:
        try:
            return UUID(place.participant_id)
        except ValueError:
            return dossier.initiator.id
    definition = sections.BY_NAME.get(place.section)
    paper = dossier.rules.document(place.key) if place.section == "documents" else None
    if not (definition is not None and definition.each) and not (paper and paper.giver is Giver.EACH):
        return None
    own = own_parts(dossier)
    return (own[0] if own else dossier.initiator).id


def own_parts(dossier: Dossier) -> list[Participant]:
    """The parts of the organisations that the reader acts for."""
    return [part for part in dossier.accepted if g.actor.acts_for(part.organisation_id)]


def seen(dossier: Dossier) -> frozenset[UUID]:
    """The participants whose figures the reader may see; the fund sees all."""
    return frozenset(part.id for part in dossier.accepted) - hidden(dossier)


def problems_by_place(dossier: Dossier, problems: Iterable[Problem]) -> dict[tuple[str, UUID | None], list[Problem]]:
    """The problems of each page."""
    found: dict[tuple[str, UUID | None], list[Problem]] = {}
    for problem in problems:
        place = place_of(problem.field)
        found.setdefault((place.section, _whose(dossier, place)), []).append(problem)
    return found


class Tasks:
    """The task lists of one application for the present reader."""

    def __init__(
        self, dossier: Dossier, stands: Standing | None = None, current: tuple[str, UUID | None] | None = None
    ) -> None:
        self.dossier = dossier
        self.standing = stands or standing(dossier)
        self.current = current
        self._problems = problems_by_place(dossier, self.standing.problems)

    def project(self) -> list[Task]:
        """The sections of the project as a whole."""
        return [
            self._task("participants", None, say(PARTICIPANTS)),
            *(self._section(item, None) for item in sections.PROJECT if item.present(self.dossier.rules)),
            self._task("documents", None, say(PROJECT_DOCUMENTS)),
        ]

    def part(self, participant: Participant) -> list[Task]:
        """The sections of one participant."""
        return [
            *(self._section(item, participant.id) for item in sections.EACH if item.present(self.dossier.rules)),
            self._task("documents", participant.id, say(OWN_DOCUMENTS)),
        ]

    def mine(self) -> list[Task]:
        """What the reader's organisations fill in."""
        own = own_parts(self.dossier)
        initiates = any(part.role == ParticipantRole.INITIATOR for part in own)
        return [*(self.project() if initiates else []), *(task for part in own for task in self.part(part))]

    def following(self, name: str, participant_id: UUID | None) -> str:
        """Where "Save and continue" leads: the next of the reader's own sections, else the overview."""
        mine = self.mine()
        for task, successor in pairwise(mine):
            if (task.section, task.participant_id) == (name, participant_id):
                return successor.href
        return section_url(self.dossier, "overview", None)

    def place(self, name: str, participant_id: UUID | None) -> tuple[int, int]:
        """Which of the reader's sections this is, and of how many; (0, 0) for another's."""
        mine = [(task.section, task.participant_id) for task in self.mine()]
        return (mine.index((name, participant_id)) + 1, len(mine)) if (name, participant_id) in mine else (0, 0)

    def problems(self, name: str, participant_id: UUID | None) -> list[Problem]:
        """What is wrong or missing on one page."""
        return self._problems.get((name, participant_id), [])

    def _section(self, section: Section, participant_id: UUID | None) -> Task:
        return self._task(section.name, participant_id, say(section.title))

    def _task(self, name: str, participant_id: UUID | None, label: str) -> Task:
        return Task(
            label=label,
            href=section_url(self.dossier, name, participant_id),
            state=self._state(name, participant_id),
            current=self.current == (name, participant_id),
            section=name,
            participant_id=participant_id,
        )

    def _state(self, name: str, participant_id: UUID | None) -> str:
        problems = self.problems(name, participant_id)
        if not self._started(name, participant_id):
            definition = sections.BY_NAME.get(name)
            return "optional" if definition is not None and definition.optional else "not_started"
        if any(problem.code not in UNFINISHED for problem in problems):
            return "error"
        return "in_progress" if problems else "done"

    def _started(self, name: str, participant_id: UUID | None) -> bool:
        if name == "participants":
            return len(self.dossier.accepted) + len(self.dossier.invited) > 1
        if name == "documents":
            giver = Giver.EACH if participant_id else Giver.PROJECT
            given = (self.dossier.attached(participant_id, item.code) for item in asked(self.dossier.rules, giver))
            return any(given)
        return (participant_id, name) in self.dossier.sections


def saved_text(dossier: Dossier, participant_id: UUID | None, name: str) -> str:
    """When the section was last saved: ``14:32``, with the date where that was another day; "" for never."""
    saved = dossier.saved_at(participant_id, name)
    return "" if saved is None else clock_words(saved, dossier.intake.now, dossier.zone)


def clock_words(instant: datetime, now: datetime, zone: ZoneInfo) -> str:
    """``14:32`` of today, with the date in front of it where it was another day."""
    day, time = instant.astimezone(zone).date(), format_time(instant, zone)
    return time if day == now.astimezone(zone).date() else f"{format_date(day, locale())}, {time}"


def confirmations(dossier: Dossier) -> Mapping[UUID, str]:
    """Participant -> where it stands with its signature, a value of ``signing.Confirmation``."""
    return {part.id: confirmation(dossier, part) for part in dossier.accepted}

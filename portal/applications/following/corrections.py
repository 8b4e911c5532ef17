"""Requests for correction: what may be asked about, what is answered, and whether anything changed there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.drafts.sections import BY_NAME, EACH, PROJECT, Section, place_of
from portal.applications.drafts.values import Kind, tidy
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Correction, CorrectionRequest, State, Submission
from portal.applications.policy import Part
from portal.applications.service import authorize_edit
from portal.applications.submissions import changes
from portal.applications.submissions.changes import Change
from portal.audit.service import record
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_, Message
from portal.identity.policy import Actor, Permission, allowed, authorize
from portal.tenders.ruleset import Giver, RuleSet, Text

MAX_NOTE: Final = 1_000
MAX_EXPLANATION: Final = 4_000
MAX_REQUESTS: Final = 50
RULE: Final = "rule."
"""What stands before the code of an eligibility rule that is about no field of its own."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer asks: at which place, and what is wrong there."""

    field: str
    note: str


@dataclass(frozen=True, slots=True)
class Target:
    """A place that can be asked about; ``group`` is the section, with whose part it is."""

    field: str
    label: Message | Mapping[str, str]
    group: Message


def targets(package: Mapping[str, Any], rules: RuleSet) -> list[Target]:
    """Every place of a frozen package that can be asked about: sections, fields, rows of tables, documents."""
    found = list(_project_targets(rules))
    for part in package.get("participants") or ():
        organisation = part.get("organisation") or {}
        whose = {locale: str(organisation.get(f"name_{locale}") or "") for locale in ("ru", "en")}
        found += _part_targets(str(part["id"]), whose, rules)
    return found


def _project_targets(rules: RuleSet) -> Iterator[Target]:
    for section in PROJECT:
        if section.present(rules):
            yield Target(section.name, N_("The whole section"), section.title)
            yield from _inside(section, section.prefix(), section.title, rules)
    yield from _papers("documents", N_("Documents of the project"), (Giver.PROJECT,), rules)
    yield Target("participants", N_("The circle of participants"), N_("Participants"))


def _part_targets(participant_id: str, whose: Mapping[str, str], rules: RuleSet) -> Iterator[Target]:
    for section in EACH:
        if section.present(rules):
            group = N_("%(whose)s: %(what)s", whose=whose, what=section.title)
            yield Target(section.prefix(participant_id).rstrip("."), N_("The whole section"), group)
            yield from _inside(section, section.prefix(participant_id), group, rules)
    group = N_("%(whose)s: %(what)s", whose=whose, what=N_("Documents"))
    givers = tuple(giver for giver in Giver if giver is not Giver.PROJECT)
    yield from _papers(f"participant.{participant_id}.documents", group, givers, rules)


def _inside(section: Section, prefix: str, group: Message, rules: RuleSet) -> Iterator[Target]:
    if section.fields is not None:
        for field in section.fields(rules):
            if field.kind is not Kind.FILE:
                yield Target(prefix + field.name, _words(field.label), group)
    if section.grid is not None:
        for row in section.grid(rules).rows:
            if row.code:
                title = N_("%(code)s. %(title)s", code=row.code, title=_words(row.title))
                yield Target(prefix + row.code, title, group)


def _papers(prefix: str, group: Message, givers: Sequence[Giver], rules: RuleSet) -> Iterator[Target]:
    for paper in rules.papers:
        if paper.giver in givers:
            title = N_("%(code)s. %(title)s", code=paper.code, title=paper.title.both())
            yield Target(f"{prefix}.{paper.code}", title, group)


def _words(text: Text | Message) -> Message | Mapping[str, str]:
    return text.both() if isinstance(text, Text) else text


def check(wishes: Iterable[Wish], package: Mapping[str, Any], rules: RuleSet) -> list[Problem]:
    """What is wrong with what an officer asks: an unknown place, no note, too long; ``request-<place>`` each."""
    known = {target.field for target in targets(package, rules)}
    problems = []
    for place, wish in enumerate(wishes):
        field = f"request-{place}"
        if wish.field not in known:
            problems.append(Problem("unknown_place", field, N_("Choose from the list what is to be corrected.")))
        if not wish.note.strip():
            problems.append(Problem("no_note", f"{field}-note", N_("Write what is to be corrected there.")))
        elif len(wish.note) > MAX_NOTE:
            message = N_("the note has more than %(limit)s characters.", limit=MAX_NOTE)
            problems.append(Problem("too_long", f"{field}-note", message))
        if place >= MAX_REQUESTS:
            message = N_("Ask for no more than %(limit)s corrections.", limit=MAX_REQUESTS)
            problems.append(Problem("too_many", field, message))
            break
    return problems


def write(session: Session, application_id: UUID, submission: Submission, wishes: Iterable[Wish]) -> int:
    """Keep the requests of a return, those about one place together. The caller has checked and authorised.

    Returns how many there are.
    """
    notes: dict[str, list[str]] = {}
    for wish in wishes:
        notes.setdefault(wish.field, []).append(tidy(wish.note).strip())
    parts = {str(part["id"]) for part in submission.snapshot.get("participants") or ()}
    for position, (field, said) in enumerate(notes.items()):
        whose = place_of(field).participant_id
        session.add(
            CorrectionRequest(
                application_id=application_id,
                submission_id=submission.id,
                participant_id=UUID(whose) if whose in parts else None,
                field=field,
                position=position,
                note="\n".join(dict.fromkeys(said)),
            )
        )
    session.flush()
    return len(notes)


def requests_of(session: Session, application_id: UUID) -> list[CorrectionRequest]:
    """All requests of an application in the order of the officer's list; an application is returned once."""
    statement = (
        select(CorrectionRequest)
        .where(CorrectionRequest.application_id == application_id)
        .order_by(CorrectionRequest.position)
    )
    return list(session.scalars(statement))


def answer(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    request_id: UUID,
    choice: str,
    explanation: str,
) -> CorrectionRequest:
    """Say what was done about a request: ``changed``, or ``explained`` why not. It may be answered anew.

    Raises :class:`NotFound`, :class:`Refused` for those who may not write that part, :class:`Conflict` once the
    application is with the fund, :class:`Problems`.
    """
    dossier = load(session, application_id, lock=True)
    authorize(actor, Permission.APPLICATION_VIEW, dossier.application)
    row = session.get(CorrectionRequest, request_id, with_for_update=True)
    if row is None or row.application_id != application_id:
        raise NotFound
    _authorize_answer(actor, dossier, row)
    if dossier.application.state != State.RETURNED:
        raise Conflict(N_("Requests are answered while the application is returned for correction."))
    explanation = tidy(explanation).strip()
    problems = []
    if choice not in set(Correction):
        problems.append(Problem("no_answer", "answer", N_("Say whether you have changed it, or explain why not.")))
    elif choice == Correction.EXPLAINED and not explanation:
        problems.append(Problem("no_explanation", "explanation", N_("Explain why it stays as it is.")))
    if len(explanation) > MAX_EXPLANATION:
        message = N_("The explanation has more than %(limit)s characters.", limit=MAX_EXPLANATION)
        problems.append(Problem("too_long", "explanation", message))
    if problems:
        raise Problems(problems)
    answered_at = now(session)  # asked first: a query in between would flush half an answer
    row.answer, row.explanation = choice, explanation
    row.answered_at, row.answered_by = answered_at, actor.user_id
    changed = {"request": row.id, "field": row.field, "answer": choice}
    record(session, actor, "applications:correction:answer", "application", application_id, changed)
    session.flush()
    return row


def may_answer(actor: Actor, dossier: Dossier, row: CorrectionRequest) -> bool:
    """Whether the actor's organisation fills in the place that the request is about, and it can be changed now."""
    part = next((part for part in dossier.accepted if part.id == row.participant_id), None)
    obj = dossier.application if part is None else Part(dossier.application, part)
    return dossier.application.state == State.RETURNED and allowed(actor, Permission.APPLICATION_EDIT, obj)


def _authorize_answer(actor: Actor, dossier: Dossier, row: CorrectionRequest) -> None:
    """The people of the part; of one that has left, the initiator's."""
    present = {part.id for part in dossier.accepted}
    authorize_edit(actor, dossier, row.participant_id if row.participant_id in present else None)


def concerns(field: str, path: str) -> bool:
    """Whether the change of ``path`` is what a request about ``field`` asked for: the place itself, or inside it."""
    if field.startswith(RULE):
        return False
    wanted, changed = place_of(field), place_of(path)
    if wanted.section == "participants" and not wanted.participant_id:
        return changed.section == "participants"
    if (wanted.section, wanted.participant_id) != (changed.section, changed.participant_id):
        return False
    return wanted.key in ("", changed.key) or changed.key.startswith(f"{wanted.key}.")


def split(found: Iterable[Change], rows: Sequence[CorrectionRequest]) -> list[tuple[Change, CorrectionRequest | None]]:
    """Each change with the request that asked for it, or None for one that nobody asked for."""
    return [(change, next((row for row in rows if concerns(row.field, change.path)), None)) for change in found]


def unsettled(session: Session, dossier: Dossier) -> list[Problem]:
    """What stands in the way of sending a correction: requests without an answer, or "changed" without a change."""
    application = dossier.application
    if application.state != State.RETURNED:
        return []
    rows = requests_of(session, application.id)
    if not rows:
        return []
    returned = session.get_one(Submission, rows[0].submission_id)
    found = changes.compare(returned.snapshot, dossier.package.content)
    problems = []
    for row in rows:
        about = {"what": label_of(row.field, returned.snapshot, dossier.rules)}
        if row.answer is None:
            message = N_("%(what)s: the officer's request is not answered yet.", **about)
            problems.append(Problem("unanswered", "corrections", message))
        elif (
            row.answer == Correction.CHANGED
            and not row.field.startswith(RULE)
            and not any(concerns(row.field, change.path) for change in found)
        ):
            message = N_("%(what)s: you answered that it is changed, but nothing has changed there.", **about)
            problems.append(Problem("unchanged", "corrections", message))
    return problems


def label_of(field: str, package: Mapping[str, Any], rules: RuleSet) -> Message:
    """A place in words: section, with whose part it is, and what in it."""
    if field.startswith(RULE):
        code = field.removeprefix(RULE)
        rule = next((item for item in rules.eligibility if item.code == code), None)
        return N_("%(code)s. %(title)s", code=code, title=rule.title.both() if rule else "")
    target = next((item for item in targets(package, rules) if item.field == field), None)
    if target is None:
        return Message("%(field)s", {"field": field})
    if field in BY_NAME or place_of(field).key == "":
        return target.group
    return N_("%(group)s, %(what)s", group=target.group, what=target.label)

"""The history of an application in human words, from the audit trail: for the fund, and for those who take part.

Applicants read what their own people did and what the fund did openly; who of the fund it was, who reviews, and what
is decided before its publication stays out (:func:`for_applicants`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from portal.applications.drafts.sections import BY_NAME
from portal.audit.models import AuditEvent
from portal.core.language import N_, Message

FUND: Final = N_("The fund")
PORTAL: Final = N_("The portal")
OFFICER: Final = N_("Programme officer")

_OWN: Final[Mapping[str, Message]] = {
    "applications:application:start": N_("Draft started"),
    "applications:application:submit": N_("Application submitted"),
    "applications:application:withdraw": N_("Application withdrawn"),
    "applications:participant:invite": N_("Partner invited"),
    "applications:participant:accept": N_("Invitation accepted"),
    "applications:participant:decline": N_("Invitation declined"),
    "applications:participant:remove": N_("Partner left out"),
    "applications:participant:leave": N_("Partner left the project"),
    "applications:participant:confirm": N_("Part confirmed"),
    "applications:participant:sign": N_("Signed"),
    "applications:signature:void": N_("A signature became void, because what was signed has changed"),
    "applications:attachment:attach": N_("Document attached"),
    "applications:attachment:remove": N_("Document removed"),
    "applications:attachment:replace": N_("Document replaced"),
    "awards:offer:answer": N_("Offer of a part of the subsidy answered"),
    "applications:correction:answer": N_("Request of the officer answered"),
    "applications:section:save": N_("Section saved"),
}
"""What people of the participants do."""

_FUND: Final[Mapping[str, Message]] = {
    "applications:application:open": N_("Opened together with all sealed applications"),
    "applications:application:admit": N_("Formal check passed: the application goes to the experts"),
    "applications:application:return": N_("Returned for correction"),
    "applications:application:refuse": N_("Not admitted"),
    "applications:message:close": N_("Correspondence closed"),
    "awards:offer:send": N_("A part of the subsidy offered"),
    "awards:offer:withdraw": N_("Offer of a part of the subsidy withdrawn"),
    "awards:offer:expire": N_("The offer of a part of the subsidy was not answered in time"),
}
"""What the fund does openly."""

_DECISIONS: Final[Mapping[str, Message]] = {
    "applications:application:award": N_("Project supported"),
    "applications:application:reserve": N_("Project put on the reserve list"),
    "applications:application:decline": N_("Project not supported"),
}
"""What applicants read once the results are published."""

_STAFF: Final[Mapping[str, Message]] = {
    "applications:attachment:download": N_("Document downloaded"),
    "applications:attachment:view": N_("Document viewed"),
    "review:formal_check:save": N_("Formal check saved"),
    "review:formal_check:admit": N_("Formal check: admitted"),
    "review:formal_check:return": N_("Formal check: returned"),
    "review:formal_check:refuse": N_("Formal check: refused"),
    "review:assignment:assign": N_("Reviewer assigned"),
    "review:assignment:revoke": N_("Assignment of a reviewer taken back"),
    "review:assignment:declare_none": N_("Reviewer declared no conflict of interest"),
    "review:assignment:declare_conflict": N_("Reviewer declared a conflict of interest"),
    "review:assignment:stop": N_("Review closed by the portal for a conflict of interest"),
    "review:conflict:find": N_("Conflict of interest found"),
    "review:conflict:end": N_("Conflict of interest is over"),
    "review:conflict:rule": N_("Possible conflict of interest decided"),
    "review:copies:make": N_("Copies of the files made for reviewers"),
    "review:copies:allow": N_("Files let through to the reviewers"),
    "review:remark:add": N_("Remark in the discussion of reviews"),
    "review:inquiry:ask": N_("Question of a reviewer to the applicant"),
    "review:inquiry:pass_on": N_("Question of a reviewer passed on"),
    "review:inquiry:decline": N_("Question of a reviewer declined"),
    "review:inquiry:answer": N_("Answer given to the reviewers"),
    "review:review:save": N_("Review saved"),
    "review:review:return": N_("Review returned to its reviewer"),
    "review:review:submit": N_("Review handed in"),
}

_ALL: Final = {**_OWN, **_FUND, **_DECISIONS, **_STAFF}
_MESSAGE: Final = "applications:message:send"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a history. ``times``: how often the same was done by the same person in a row."""

    at: datetime
    who: Message | str
    what: Message
    details: list[tuple[Message, Any]]
    times: int = 1


def applicants_tags(*, published: bool) -> list[str]:
    """The tags of the trail that applicants may read, for the query."""
    return [*_OWN, *_FUND, _MESSAGE, *(_DECISIONS if published else ())]


def for_applicants(events: Iterable[AuditEvent]) -> list[Line]:
    """Events that were read by :func:`applicants_tags`, as lines without the fund's names; repetitions in one."""
    lines = [Line(event.at, _openly(event), _what(event), _details(event)) for event in events]
    return _together(lines)


def for_staff(
    events: Iterable[AuditEvent], names: Mapping[str, Message | str], experts: Mapping[str, Message] | None = None
) -> list[Line]:
    """The same with names and details, for those of the fund who may read the reviews.

    ``names``: the reviewers of :func:`reviewers_in` by their keys. ``experts``: what those who review are called for a
    reader who may not know who they are, whatever they did.
    """
    lines = []
    for event in events:
        details = _details(event)
        if "reviewer" in event.changes:
            details.append((N_("Reviewer"), names.get(str(event.changes["reviewer"]), "—")))
        who = (experts or {}).get(event.actor.removeprefix("user:")) or _name(event)
        lines.append(Line(event.at, who, _what(event), details))
    return _together(lines)


def reviewers_in(events: Iterable[AuditEvent]) -> set[UUID]:
    """The keys of the reviewers that events name."""
    return {UUID(str(event.changes["reviewer"])) for event in events if event.changes.get("reviewer")}


def _openly(event: AuditEvent) -> Message | str:
    if event.tag in _FUND or event.tag in _DECISIONS:
        return FUND
    if event.tag == _MESSAGE and event.changes.get("for_fund"):
        return OFFICER
    return _name(event)


def _name(event: AuditEvent) -> Message | str:
    return PORTAL if event.actor.startswith("system:") else event.actor_name


def _what(event: AuditEvent) -> Message:
    if event.tag == _MESSAGE:
        return N_("Message to the participants") if event.changes.get("for_fund") else N_("Message to the fund")
    if event.tag.startswith("applications:section:"):
        section = BY_NAME.get(str(event.changes.get("section")))
        if section is not None:
            return N_("Section saved: %(section)s", section=section.title)
    found = _ALL.get(event.tag)
    return found if found is not None else N_("Change recorded: %(tag)s", tag=event.tag)


_LABELS: Final[Mapping[str, Message]] = {
    "number": N_("Registration number"),
    "round": N_("Version"),
    "sha256": N_("SHA-256"),
    "due_on": N_("Due"),
    "reasons": N_("Reasons"),
    "code": N_("Document"),
    "name": N_("File"),
    "answer": N_("Answer"),
}
_ANSWERS: Final = {
    "changed": N_("Changed"),
    "explained": N_("Explained"),
    "yes": N_("Yes"),
    "no": N_("No"),
    "none": N_("None"),
}


def _details(event: AuditEvent) -> list[tuple[Message, Any]]:
    """What is worth telling of an event's facts; the digest of a paper is not."""
    found: list[tuple[Message, Any]] = []
    for name, label in _LABELS.items():
        value = event.changes.get(name)
        if value in (None, "", []) or (name == "sha256" and event.tag.startswith("applications:attachment:")):
            continue
        if name == "due_on":
            value = Message("%(day)s", {"day": date.fromisoformat(str(value))})
        if name == "answer":
            value = _ANSWERS.get(str(value), value)
        if name == "sha256":
            value = f"{str(value)[:16]}…"
        found.append((label, ", ".join(map(str, value)) if isinstance(value, list) else value))
    return found


def _together(lines: list[Line]) -> list[Line]:
    """Lines in a row that say the same of the same person as one, with the newest time."""
    merged = []
    for _key, group in groupby(lines, key=lambda line: (str(line.who), str(line.what), str(line.details))):
        same = list(group)
        merged.append(Line(same[0].at, same[0].who, same[0].what, same[0].details, len(same)))
    return merged

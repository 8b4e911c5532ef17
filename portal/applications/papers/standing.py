"""How it stands with the documents of an application: what is given, checked, dated, and still young enough.

An extract or a certificate counts for a number of days from its date of issue (``max_age_days`` of the rule set);
it must do so on the day of submission. In a correction, what was there at the first submission stays valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from portal.applications.following.dossier import Dossier
from portal.applications.models import Attachment, State
from portal.applications.papers.attachments import wanted
from portal.core.errors import Problem
from portal.core.language import N_
from portal.documents.models import Scan
from portal.tenders.ruleset import DocumentRequirement

SOON: Final = timedelta(days=7)


class PaperState(StrEnum):
    """The state of one file, or of a document by the worst of its files; the worst comes first."""

    REFUSED = "refused"
    EXPIRED = "expired"
    UNDATED = "undated"
    PENDING = "pending"
    EXPIRING = "expiring"
    GIVEN = "given"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Validity:
    """Until which day a file counts, and whether that is enough. ``None`` where it counts without end."""

    until: date | None
    state: PaperState


def validity(dossier: Dossier, requirement: DocumentRequirement, item: Attachment) -> Validity:
    """Whether the file counts on the day by which it is measured, and for how long it will."""
    if requirement.max_age_days is None:
        return Validity(None, PaperState.GIVEN)
    if item.issued_on is None:
        return Validity(None, PaperState.UNDATED)
    until = item.issued_on + timedelta(days=requirement.max_age_days)
    measured = _measured_on(dossier, item)
    if until < measured:
        return Validity(until, PaperState.EXPIRED)
    closes = dossier.application.tender.closes_at
    last = closes.astimezone(dossier.zone).date() if closes else measured
    waiting = measured == dossier.today
    if waiting and (until < last or until < dossier.today + SOON):
        return Validity(until, PaperState.EXPIRING)
    return Validity(until, PaperState.GIVEN)


def _measured_on(dossier: Dossier, item: Attachment) -> date:
    application = dossier.application
    kept = application.state not in (State.DRAFT, State.WITHDRAWN)
    if kept and application.received_at is not None and item.created_at <= application.received_at:
        return application.received_at.astimezone(dossier.zone).date()
    return dossier.today


def file_state(dossier: Dossier, requirement: DocumentRequirement, item: Attachment) -> PaperState:
    """The state of one file."""
    if item.file.scan == Scan.REFUSED:
        return PaperState.REFUSED
    found = validity(dossier, requirement, item).state
    if item.file.scan == Scan.PENDING and found not in (PaperState.EXPIRED, PaperState.UNDATED):
        return PaperState.PENDING
    return found


def document_state(dossier: Dossier, requirement: DocumentRequirement, participant_id: UUID | None) -> PaperState:
    """The worst state of the files given as a document; MISSING where there is none."""
    order = list(PaperState)
    states = [file_state(dossier, requirement, item) for item in dossier.attached(participant_id, requirement.code)]
    return min(states, key=order.index, default=PaperState.MISSING)


def problems(dossier: Dossier) -> Iterator[Problem]:
    """What about the given files keeps the application from submission; undated ones are told by completeness."""
    for owner in (None, *(part.id for part in dossier.accepted)):
        for requirement in wanted(dossier, owner):
            yield from _of_document(dossier, requirement, owner)


def _of_document(dossier: Dossier, requirement: DocumentRequirement, owner: UUID | None) -> Iterator[Problem]:
    field = f"participant.{owner}.documents.{requirement.code}" if owner else f"documents.{requirement.code}"
    for item in dossier.attached(owner, requirement.code):
        match file_state(dossier, requirement, item):
            case PaperState.REFUSED:
                message = N_(
                    "%(name)s was refused by the virus check (%(found)s). Remove it, or replace it by a clean file.",
                    name=item.file.name,
                    found=item.file.scan_note or "",
                )
                yield Problem("refused", field, message)
            case PaperState.PENDING:
                message = N_("%(name)s is still being checked for viruses. Wait a minute.", name=item.file.name)
                yield Problem("pending", field, message)
            case PaperState.EXPIRED:
                message = N_(
                    "%(name)s was valid until %(day)s: on the day of submission it may be at most %(days)s days old."
                    " Replace it by a new one.",
                    name=item.file.name,
                    day=validity(dossier, requirement, item).until,
                    days=requirement.max_age_days,
                )
                yield Problem("expired", field, message)
            case _:
                pass

"""Saving field by field: two people on one section lose nothing, whichever way their saves are mixed.

Whoever saves sends only the fields that they changed, each with the mark of the text it was based on
(:func:`mark_of`). A field that holds another text by now is a :class:`Clash`, for that field alone; everything
else is kept. A text that is there already is no clash, so a save may be sent again after a lost answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications.drafts.sections import BY_NAME, Section
from portal.applications.drafts.values import Kind, longest, tidy
from portal.applications.following.dossier import Dossier
from portal.applications.models import Section as Row
from portal.applications.submissions.package import requested
from portal.audit import service as audit
from portal.core.errors import NotFound, Problem
from portal.core.language import N_
from portal.identity.policy import Actor

_MARK: Final = 16


@dataclass(frozen=True, slots=True)
class Change:
    """What a person made of a field.

    ``base``: the mark of the text it was made from. ``sent``: texts of the same person that were sent before
    and never answered; one of them may have arrived, and then it is no one else's.
    """

    value: str
    base: str
    sent: tuple[str, ...] = ()

    def knew(self, current: str) -> bool:
        """Whether the person has seen the present text of the field."""
        return mark_of(current) == self.base or any(kept(text) == current for text in self.sent)


@dataclass(frozen=True, slots=True)
class Clash:
    """A field that somebody else changed meanwhile to something different; nothing was written to it."""

    key: str
    yours: str
    theirs: str
    by: UUID | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a save: the section's row as it is now, the fields written, and those that were not."""

    dossier: Dossier
    row: Row | None
    written: tuple[str, ...]
    clashes: tuple[Clash, ...]
    problems: tuple[Problem, ...]


def mark_of(text: str) -> str:
    """The mark of a kept text: 64 bits of its SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]


def kept(text: str) -> str:
    """The text as a section keeps it; what is only space is nothing."""
    plain = tidy(text)
    return plain if plain.strip() else ""


def definition_of(section: str, participant_id: UUID | None) -> Section:
    """The section of a place. Raises :class:`NotFound` where the place has no such section."""
    definition = BY_NAME.get(section)
    if definition is None or definition.each is not (participant_id is not None):
        raise NotFound
    return definition


def merge(
    definition: Section, dossier: Dossier, participant_id: UUID | None, changes: Mapping[str, Change]
) -> tuple[dict[str, str], list[Clash], list[Problem]]:
    """What of the changes is to be written, where they clash, and which texts are too long."""
    row = dossier.sections.get((participant_id, definition.name))
    before: Mapping[str, str] = row.data if row else {}
    fresh: dict[str, str] = {}
    clashes: list[Clash] = []
    problems: list[Problem] = []
    for key, kind in definition.keys(dossier.rules):
        change = changes.get(key)
        if change is None:
            continue
        text, current = kept(change.value), before.get(key, "")
        problem = too_long(definition, participant_id, key, kind, text)
        if text == current:
            continue
        if problem is not None:
            problems.append(problem)
        elif change.knew(current):
            fresh[key] = text
        else:
            by, at = author_of(row, key)
            clashes.append(Clash(key, change.value, current, by, at))
    return fresh, clashes, problems


def merged(before: Mapping[str, str], fresh: Mapping[str, str]) -> dict[str, str]:
    """The section's data with the fresh texts in it; empty ones are not kept."""
    return {key: text for key, text in {**before, **fresh}.items() if text}


def too_long(definition: Section, participant_id: UUID | None, key: str, kind: Kind, text: str) -> Problem | None:
    """The problem of a text that is longer than its field keeps."""
    if len(text) <= longest(kind):
        return None
    message = N_(
        "This text has %(length)s characters; no more than %(limit)s can be kept.",
        length=len(text),
        limit=longest(kind),
    )
    return Problem("too_long", definition.prefix(participant_id) + key, message)


def author_of(row: Row | None, key: str) -> tuple[UUID | None, datetime | None]:
    """Who gave a field its present text, and when; where that was not noted, who saved the section last."""
    if row is None:
        return None, None
    stamp = row.stamps.get(key)
    if stamp is None:
        return row.saved_by, row.saved_at
    return UUID(stamp["by"]), datetime.fromisoformat(stamp["at"])


def write(
    session: Session,
    actor: Actor,
    dossier: Dossier,
    definition: Section,
    participant_id: UUID | None,
    data: dict[str, str],
    changed: Collection[str],
) -> Row:
    """Write a section whose application is locked, with who changed which field, and audit it."""
    row = put(session, actor, dossier, definition, participant_id, data, changed)
    session.flush()
    return row


def put(
    session: Session,
    actor: Actor,
    dossier: Dossier,
    definition: Section,
    participant_id: UUID | None,
    data: dict[str, str],
    changed: Collection[str],
) -> Row:
    """The same, to be flushed with what else the caller writes."""
    assert actor.user_id is not None
    row = dossier.sections.get((participant_id, definition.name))
    if row is None:
        row = Row(
            application_id=dossier.application.id,
            participant_id=participant_id,
            name=definition.name,
            data={},
            stamps={},
        )
        session.add(row)
    stamp: Any = {"by": str(actor.user_id), "at": dossier.intake.now.isoformat()}
    row.data = data
    row.stamps = {**row.stamps, **dict.fromkeys(changed, stamp)}
    row.saved_by = actor.user_id
    row.saved_at = dossier.intake.now
    dossier.sections = {**dossier.sections, (participant_id, definition.name): row}
    _repeat_for_lists(dossier, definition, row)
    audit.record(
        session,
        actor,
        "applications:section:save",
        "application",
        dossier.application.id,
        {"section": definition.name, "participant": participant_id, "fields": sorted(changed)},
    )
    return row


def _repeat_for_lists(dossier: Dossier, definition: Section, row: Row) -> None:
    """Titles and the requested total stand in the application's row too, for the lists."""
    application = dossier.application
    if definition.name == "product":
        application.title_ru = row.data.get("name_ru", "").strip()
        application.title_en = row.data.get("name_en", "").strip()
    if definition.name == "subsidy":
        application.requested_total = requested(dossier.typed, application.participants, dossier.rules)

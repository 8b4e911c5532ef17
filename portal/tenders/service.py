"""What an administrator does with tenders: prepare and publish. What comes after is in ``amendments``.

Every verb locks the tender's row ``FOR UPDATE``. Submitting an application holds the same row ``FOR SHARE``,
so that an extension, a cancellation and a submission have one order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

import portal.tenders.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Stale
from portal.core.language import N_, Message
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders import joint_limits, seal_queries
from portal.tenders import rules as life
from portal.tenders.models import Programme, RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rules import TenderStatus
from portal.tenders.ruleset import RuleSet, from_json, rules_digest, settled, to_json
from portal.tenders.values import (
    UNSTORABLE,
    ProgrammeValues,
    TenderValues,
    storable,
)

_REFUSALS: Final[Mapping[str, Message]] = {
    "edit": N_("A published tender and its rules are frozen. They can be read, but no longer changed."),
    "publish": N_("This tender has been published already, or it was cancelled."),
    "amend": N_("Only a published tender without results can be amended."),
    "cancel": N_("A tender with published results, or a cancelled one, cannot be cancelled."),
    "decide": N_("Results can be published only after intake has closed."),
}


def create_programme(session: Session, actor: Actor, *, values: ProgrammeValues) -> Programme:
    """A new funding programme. Problems: texts, code taken."""
    authorize(actor, Permission.TENDER_EDIT)
    _refuse(_programme_problems(session, values, None))
    row = Programme(**asdict(values))
    session.add(row)
    session.flush()
    record(session, actor, "tenders:programme:create", "programme", row.id, asdict(values))
    return row


def edit_programme(
    session: Session, actor: Actor, programme_id: UUID, *, values: ProgrammeValues, expected_version: int
) -> Programme:
    """Change names and code of a programme."""
    row = session.get(Programme, programme_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    authorize(actor, Permission.TENDER_EDIT, row)
    expect(row.version, expected_version)
    _refuse(_programme_problems(session, values, row))
    changes = _set(row, asdict(values))
    session.flush()
    record(session, actor, "tenders:programme:edit", "programme", row.id, changes)
    return row


def _programme_problems(session: Session, values: ProgrammeValues, row: Programme | None) -> list[Problem]:
    found = values.problems()
    taken = session.scalar(select(Programme.id).where(Programme.code == values.code))
    if taken is not None and (row is None or taken != row.id):
        found.append(Problem("taken", "code", N_("There is a programme of this code already.")))
    return found


def create_tender(
    session: Session,
    actor: Actor,
    *,
    programme_id: UUID,
    values: TenderValues,
    tracks: Mapping[Track, UUID | None],
) -> Tender:
    """A tender in preparation with its tracks; each gets the official rules (None) or a copy of a rule set.

    Problems: all of the form at once, code taken, no track, a source that is gone or of another track.
    """
    authorize(actor, Permission.TENDER_EDIT)
    found = _tender_problems(session, values, None)
    if session.get(Programme, programme_id) is None:
        found.append(Problem("unknown", "programme", N_("Choose a programme.")))
    if not tracks:
        found.append(Problem("required", "tracks", N_("Choose at least one track.")))
    sources = {track: _source(session, track, key, found) for track, key in tracks.items()}
    _refuse(found)
    row = Tender(programme_id=programme_id, **values.columns())
    session.add(row)
    session.flush()
    for track, source in sources.items():
        session.add(TenderTrack(tender_id=row.id, track=track, rule_set_id=_new_rules(session, row, track, source)))
    row.joint_limits = _copied_limits(session, list(sources.values()))
    session.flush()
    changes = {**asdict(values), "tracks": {track: key or "official" for track, key in tracks.items()}}
    record(session, actor, "tenders:tender:create", "tender", row.id, changes)
    return row


def edit_tender(
    session: Session, actor: Actor, tender_id: UUID, *, values: TenderValues, expected_version: int
) -> Tender:
    """Change a tender in preparation. Conflict when it was published, Stale when somebody else changed it."""
    row = locked(session, actor, tender_id, "edit")
    expect(row.version, expected_version)
    _refuse(_tender_problems(session, values, row))
    changes = _set(row, values.columns())
    session.flush()
    record(session, actor, "tenders:tender:edit", "tender", row.id, changes)
    return row


def _tender_problems(session: Session, values: TenderValues, row: Tender | None) -> list[Problem]:
    found = values.problems()
    taken = session.scalar(select(Tender.id).where(Tender.code == values.code))
    if taken is not None and (row is None or taken != row.id):
        found.append(Problem("taken", "code", N_("There is a tender of this code already.")))
    return found


def add_track(
    session: Session, actor: Actor, tender_id: UUID, *, track: Track, copy_of: UUID | None = None
) -> TenderTrack:
    """Give a tender in preparation another track."""
    row = locked(session, actor, tender_id, "edit")
    found: list[Problem] = []
    if track in _tracks(session, row):
        found.append(Problem("taken", "track", N_("The tender has this track already.")))
    source = _source(session, track, copy_of, found)
    _refuse(found)
    held = TenderTrack(tender_id=row.id, track=track, rule_set_id=_new_rules(session, row, track, source))
    session.add(held)
    _touch(row)
    session.flush()
    record(session, actor, "tenders:track:add", "tender", row.id, {"track": track, "copy_of": copy_of})
    return held


def remove_track(session: Session, actor: Actor, tender_id: UUID, *, track: Track) -> None:
    """Take a track with its rules off a tender in preparation; one has to stay."""
    row = locked(session, actor, tender_id, "edit")
    held = _tracks(session, row)
    if track not in held:
        raise NotFound
    if len(held) == 1:
        raise Problems.one("last", "track", N_("A tender needs at least one track."))
    rules = held[track].rule_set_id
    session.delete(held[track])
    session.flush()
    session.delete(session.get_one(RuleSetVersion, rules))
    _touch(row)
    session.flush()
    record(session, actor, "tenders:track:remove", "tender", row.id, {"track": track})


def replace_rules(
    session: Session,
    actor: Actor,
    rule_set_id: UUID,
    *,
    copy_of: UUID | None,
    expected_version: int,
) -> RuleSetVersion:
    """Start the rules of a track anew: from the official rulebook (None) or as a copy of another rule set."""
    tender, row = _locked_rules(session, actor, rule_set_id)
    expect(row.version, expected_version)
    found: list[Problem] = []
    source = _source(session, Track(row.track), copy_of, found)
    _refuse(found)
    rules = from_json(source.content) if source else life.official_rules(Track(row.track), tender.year)
    row.copied_from = source.id if source else None
    _write(row, rules)
    _touch(tender)
    session.flush()
    record(session, actor, "tenders:rules:replace", "rule_set", row.id, {"copy_of": copy_of or "official"})
    return row


def edit_rules(
    session: Session, actor: Actor, rule_set_id: UUID, *, content: object, expected_version: int
) -> RuleSetVersion:
    """Write the whole rule set (JSON of ``ruleset.to_json``). Problems: all faults of shape, else of content.

    Conflict when frozen, Stale when somebody else changed it. The audit trail keeps the digests of both.
    """
    tender, row = _locked_rules(session, actor, rule_set_id)
    expect(row.version, expected_version)
    rules = from_json(content)
    if not storable(content):
        raise Problems.one("unstorable", "", UNSTORABLE)
    if rules.track != row.track:
        raise Problems.one("other_track", "track", N_("These rules belong to another track."))
    before = rules_digest(row.content)
    _write(row, rules)
    _touch(tender)
    session.flush()
    changes = {"tender": tender.code, "before": before, "after": rules_digest(row.content)}
    record(session, actor, "tenders:rules:edit", "rule_set", row.id, changes)
    return row


def edit_joint_limits(
    session: Session, actor: Actor, tender_id: UUID, *, content: object, expected_version: int
) -> Tender:
    """Write all limits over the tracks of a tender in preparation (JSON of ``joint_limits.to_json``).

    Problems: all faults at once. Conflict when the tender is published, Stale when somebody else changed it.
    """
    row = locked(session, actor, tender_id, "edit")
    expect(row.version, expected_version)
    limits = joint_limits.from_json(content)
    if not storable(content):
        raise Problems.one("unstorable", "", UNSTORABLE)
    before = digest(row.joint_limits)
    row.joint_limits = joint_limits.to_json(limits)
    _touch(row)
    session.flush()
    changes = {"before": before, "after": digest(row.joint_limits)}
    record(session, actor, "tenders:limits:edit", "tender", row.id, changes)
    return row


def publish(session: Session, actor: Actor, tender_id: UUID, *, expected_version: int) -> Tender:
    """Announce the tender and freeze its rule sets, and the limits over its tracks, with their digests.

    The version covers the rules as well: rules that changed after the page was opened make it Stale.
    """
    row = locked(session, actor, tender_id, "publish")
    expect(row.version, expected_version)
    at = now(session)
    found = [*life.publication_problems(row, at), *seal_queries.publication_problems(session, row)]
    rule_sets = [
        session.get_one(RuleSetVersion, held.rule_set_id, with_for_update=True, populate_existing=True)
        for held in _tracks(session, row).values()
    ]
    if not rule_sets:
        found.append(Problem("required", "tracks", N_("Choose at least one track.")))
    for rules in rule_sets:
        found += _faults(rules)
    if not found:
        found += joint_limits.publication_problems(row, {held.track: from_json(held.content) for held in rule_sets})
    _refuse(found)
    for rules in rule_sets:
        rules.frozen_at, rules.digest = at, rules_digest(rules.content)
    row.published_at = at
    if row.joint_limits:
        row.joint_digest = digest(row.joint_limits)
    session.flush()
    frozen = {rules.track: rules.digest for rules in rule_sets}
    changes: dict[str, Any] = {"opens_at": row.opens_at, "closes_at": row.closes_at, "rules": frozen}
    if row.joint_digest is not None:
        changes["joint_limits"] = row.joint_digest
    record(session, actor, "tenders:tender:publish", "tender", row.id, changes)
    return row


def note_results(session: Session, actor: Actor, tender_id: UUID) -> Tender:
    """Mark the results as published; called by the awards room, which asks its own permission."""
    row = lock(session, tender_id)
    _allow(session, row, "decide")
    row.results_published_at = now(session)
    session.flush()
    record(session, actor, "tenders:tender:results", "tender", row.id, {})
    return row


def locked(session: Session, actor: Actor, tender_id: UUID, verb: str) -> Tender:
    """The tender under its lock, for a verb of ``rules.ALLOWED`` that the actor may do and its status allows."""
    row = lock(session, tender_id)
    authorize(actor, Permission.TENDER_EDIT, row)
    _allow(session, row, verb)
    return row


def lock(session: Session, tender_id: UUID) -> Tender:
    """The tender, its row locked until the transaction ends. Raises :class:`NotFound`."""
    row = session.get(Tender, tender_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


def _allow(session: Session, row: Tender, verb: str) -> TenderStatus:
    status = life.status(row, now(session))
    if status not in life.ALLOWED[verb]:
        raise Conflict(_REFUSALS[verb])
    return status


def _locked_rules(session: Session, actor: Actor, rule_set_id: UUID) -> tuple[Tender, RuleSetVersion]:
    """The tender first, then its rules, as in publishing, so that the two never wait in a circle."""
    tender_id = session.scalar(select(TenderTrack.tender_id).where(TenderTrack.rule_set_id == rule_set_id))
    if tender_id is None:
        raise NotFound
    tender = locked(session, actor, tender_id, "edit")
    rules = session.get_one(RuleSetVersion, rule_set_id, with_for_update=True, populate_existing=True)
    return tender, rules


def expect(version: int, expected: int) -> None:
    """Raise :class:`Stale` unless the row is still the one that was shown."""
    if version != expected:
        raise Stale(
            N_("Somebody else changed this since you opened it. Open the page again and repeat your change."),
            version,
        )


def _touch(row: Tender) -> None:
    """The tender's version moves with its rules, so that nobody publishes what they have not seen."""
    flag_modified(row, "code")


def _tracks(session: Session, row: Tender) -> dict[Track, TenderTrack]:
    held = session.scalars(select(TenderTrack).where(TenderTrack.tender_id == row.id).order_by(TenderTrack.track))
    return {Track(track.track): track for track in held}


def _source(session: Session, track: Track, key: UUID | None, found: list[Problem]) -> RuleSetVersion | None:
    source = session.get(RuleSetVersion, key) if key is not None else None
    if key is not None and (source is None or source.track != track):
        message = N_("The rules to copy are gone, or they belong to another track.")
        found.append(Problem("unknown", f"rules_{track}", message))
    return source


def _copied_limits(session: Session, sources: list[RuleSetVersion | None]) -> list[Any]:
    """The limits over the tracks of the tender that all rules are copied from; [] when it is not one tender."""
    keys = [source.id for source in sources if source is not None]
    if len(keys) < len(sources) or len(keys) < 2:
        return []
    copied = session.scalars(
        select(Tender).join(TenderTrack).where(TenderTrack.rule_set_id.in_(keys)).order_by(Tender.id)
    ).unique()
    found = copied.all()
    return list(found[0].joint_limits) if len(found) == 1 else []


def _new_rules(session: Session, tender: Tender, track: Track, source: RuleSetVersion | None) -> UUID:
    rules = from_json(source.content) if source else life.official_rules(track, tender.year)
    row = RuleSetVersion(track=track, copied_from=source.id if source else None)
    _write(row, rules)
    session.add(row)
    session.flush()
    return row.id


def _write(row: RuleSetVersion, rules: RuleSet) -> None:
    """Keep a draft of rules: falling scales are open below (:func:`portal.tenders.ruleset.settled`)."""
    row.title_ru, row.title_en = rules.title.ru, rules.title.en
    row.content = to_json(settled(rules))


def _set(row: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Write the columns; returns those that changed as ``{name: {"before": ..., "after": ...}}``."""
    changes = {}
    for name, value in columns.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            changes[name] = {"before": before, "after": value}
    return changes


def _faults(rules: RuleSetVersion) -> list[Problem]:
    """What is wrong with stored rules, as problems of their track."""
    try:
        from_json(rules.content)
    except Problems as faults:
        return [replace(fault, field=f"{rules.track}.{fault.field}") for fault in faults.problems]
    return []


def _refuse(found: list[Problem]) -> None:
    if found:
        raise Problems(found)

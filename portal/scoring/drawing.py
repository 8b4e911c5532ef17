"""The verbs and the readings of public draws of lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

import portal.scoring.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application
from portal.audit.service import record
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.scoring.draw_models import DrawCommitment, DrawOutcome
from portal.scoring.lots import commitment_digest, committed, order
from portal.scoring.queries import SCORED_STATES
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.ruleset import TieRule

AHEAD: Final = timedelta(hours=1)
"""How long before the event a commitment must be public."""
MAX_TEXT: Final = 400


@dataclass(frozen=True, slots=True)
class Source:
    """The public event that a draw takes its randomness from, in both languages, its page, and when it takes place."""

    ru: str
    en: str
    url: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Draw:
    """A commitment of a track with its outcome, once there is one. ``tender``: its code."""

    commitment: DrawCommitment
    outcome: DrawOutcome | None
    tender: str
    track: str

    @property
    def committed(self) -> dict[str, Any]:
        """What the digest covers."""
        held = self.commitment
        source = {"ru": held.source_ru, "en": held.source_en}
        return committed(self.tender, self.track, held.round, held.numbers, source, held.url, held.draws_at)

    @property
    def order(self) -> list[str]:
        """The registration numbers as drawn; empty before."""
        return order(self.outcome.randomness, self.commitment.numbers) if self.outcome else []


def commit(session: Session, actor: Actor, tender_track_id: UUID, *, source: Source) -> DrawCommitment:
    """Publish what a draw will be about: all applications in play, and the event whose outcome will order them.

    Raises :class:`Problems` for a source that is missing or not ahead by an hour and for fewer than two applications,
    :class:`Conflict` where the rules know no draw, intake is open, or the instant of an earlier draw has come.
    """
    authorize(actor, Permission.DRAW_HOLD)
    track = _locked(session, tender_track_id)
    instant = now(session)
    _require_draw(track, instant)
    if any(draw.commitment.draws_at <= instant for draw in draws(session, [track.id])):
        raise Conflict(N_("The event of this draw has taken place: enter its outcome. Nobody commits anew after it."))
    numbers = _numbers(session, track.id)
    problems = _source_problems(source, instant)
    if len(numbers) < 2:
        problems.append(Problem("too_few", "", N_("A draw needs at least two applications.")))
    if problems or source.at is None:
        raise Problems(problems)
    draws_at = source.at.replace(microsecond=0)
    round_ = len(draws(session, [track.id])) + 1
    texts = {"ru": source.ru.strip(), "en": source.en.strip()}
    content = committed(track.tender.code, track.track, round_, numbers, texts, source.url.strip(), draws_at)
    row = DrawCommitment(
        tender_track_id=track.id,
        round=round_,
        numbers=numbers,
        source_ru=texts["ru"],
        source_en=texts["en"],
        url=source.url.strip(),
        draws_at=draws_at,
        digest=commitment_digest(content),
        committed_by=actor.user_id,
    )
    session.add(row)
    session.flush()
    facts = {"track": track.id, "round": round_, "digest": row.digest, "numbers": len(numbers)}
    record(session, actor, "scoring:draw:commit", "tender_track", track.id, facts)
    return row


def enter(
    session: Session, actor: Actor, tender_track_id: UUID, *, randomness: str, url: str, note: str = ""
) -> DrawOutcome:
    """Enter the public randomness of the last commitment, once and for good; it decides between equal totals.

    Raises :class:`Problems` for a value of fewer than four characters or a page that is no address, :class:`Conflict`
    before the event, without a commitment, and when it is entered already.
    """
    authorize(actor, Permission.DRAW_HOLD)
    track = _locked(session, tender_track_id)
    held = draws(session, [track.id])
    if not held:
        raise Conflict(N_("Nothing is committed to yet."))
    last = held[-1]
    if last.outcome is not None:
        raise Conflict(N_("The outcome of this draw is entered already; it is never changed."))
    if last.commitment.draws_at > now(session):
        raise Conflict(N_("The event of this draw has not taken place yet."))
    value = randomness.strip()
    problems = []
    if not 4 <= len(value) <= MAX_TEXT or not value.isprintable():
        problems.append(Problem("randomness", "randomness", N_("Write the value as it was published, 4 to 400 signs.")))
    problems += _address_problem(url)
    if len(note) > MAX_TEXT:
        problems.append(Problem("too_long", "note", N_("Up to %(limit)s characters.", limit=MAX_TEXT)))
    if problems:
        raise Problems(problems)
    row = DrawOutcome(
        commitment_id=last.commitment.id,
        tender_track_id=track.id,
        randomness=value,
        url=url.strip(),
        note=note.strip(),
        entered_by=actor.user_id,
    )
    session.add(row)
    session.flush()
    facts = {"track": track.id, "round": last.commitment.round, "randomness": value, "url": row.url}
    record(session, actor, "scoring:draw:enter", "tender_track", track.id, facts)
    return row


def draws(session: Session, tender_track_ids: Sequence[UUID]) -> list[Draw]:
    """The draws of some tracks, in the order of their tracks and rounds; one query."""
    rows = session.execute(
        select(DrawCommitment, DrawOutcome, Tender.code, TenderTrack.track)
        .join(TenderTrack, TenderTrack.id == DrawCommitment.tender_track_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .outerjoin(DrawOutcome, DrawOutcome.commitment_id == DrawCommitment.id)
        .where(DrawCommitment.tender_track_id.in_(tender_track_ids))
        .order_by(TenderTrack.track, DrawCommitment.round)
    )
    return [Draw(*row) for row in rows]


def drawable(track: TenderTrack, instant: datetime) -> bool:
    """Whether the rules of a track (rule set and tender loaded) know a draw and its intake is over."""
    rules = rules_in(track.rule_set)
    closes = track.tender.closes_at
    return TieRule.DRAW in rules.tie_rules and closes is not None and closes <= instant


def _locked(session: Session, tender_track_id: UUID) -> TenderTrack:
    row = session.scalar(
        select(TenderTrack)
        .where(TenderTrack.id == tender_track_id)
        .options(joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True))
        .with_for_update(of=TenderTrack, key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    return row


def _require_draw(track: TenderTrack, instant: datetime) -> None:
    if not drawable(track, instant):
        raise Conflict(N_("The rules of this track know no draw, or its intake is still open."))


def _numbers(session: Session, tender_track_id: UUID) -> list[str]:
    statement = select(Application.number).where(
        Application.tender_track_id == tender_track_id,
        Application.state.in_(SCORED_STATES),
        Application.number.is_not(None),
    )
    return sorted(number for number in session.scalars(statement) if number)


def _source_problems(source: Source, instant: datetime) -> list[Problem]:
    problems = []
    for locale, text in (("ru", source.ru), ("en", source.en)):
        if not text.strip() or len(text) > MAX_TEXT:
            message = N_("Name the event in both languages, in up to %(limit)s characters.", limit=MAX_TEXT)
            problems.append(Problem("source", f"source_{locale}", message))
    problems += _address_problem(source.url)
    if source.at is None or source.at < instant + AHEAD:
        message = N_("The event must be at least an hour ahead, so that nobody can know its outcome.")
        problems.append(Problem("too_soon", "draws_at", message))
    return problems


def _address_problem(url: str) -> list[Problem]:
    text = url.strip()
    if text.startswith(("https://", "http://")) and len(text) <= MAX_TEXT and text.isprintable():
        return []
    return [Problem("url", "url", N_("Give the address of a public page, beginning with https://."))]

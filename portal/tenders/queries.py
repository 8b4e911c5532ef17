"""Reading tenders and their rules, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

import portal.tenders.policy  # noqa: F401 - registers the room's scopes
from portal.core.errors import NotFound
from portal.identity.policy import Actor, scope
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import Programme, RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rules import TenderStatus
from portal.tenders.ruleset import RuleSet
from portal.tenders.values import CODE

FINISHED_ON_HOME: Final = 20


def _word(status: TenderStatus) -> ColumnElement[str]:
    return literal(status.value, String())


STATUS: Final[ColumnElement[str]] = case(
    (Tender.cancelled_at.is_not(None), _word(TenderStatus.CANCELLED)),
    (
        or_(Tender.published_at.is_(None), Tender.opens_at.is_(None), Tender.closes_at.is_(None)),
        _word(TenderStatus.DRAFT),
    ),
    (Tender.results_published_at.is_not(None), _word(TenderStatus.DECIDED)),
    (func.portal_now() < Tender.opens_at, _word(TenderStatus.ANNOUNCED)),
    (func.portal_now() < Tender.closes_at, _word(TenderStatus.OPEN)),
    else_=_word(TenderStatus.CLOSED),
)
"""The status in SQL by the database's clock: the twin of :func:`portal.tenders.rules.status`."""

CURRENT: Final[ColumnElement[bool]] = and_(
    Tender.published_at.is_not(None), Tender.cancelled_at.is_(None), Tender.results_published_at.is_(None)
)
"""Published tenders that are not over: announced, open, or under evaluation."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A tender with its status; ``tracks`` (without the rules' content) and ``programme`` are loaded."""

    tender: Tender
    status: TenderStatus

    @property
    def tracks(self) -> Sequence[TenderTrack]:
        return self.tender.tracks


def _with_tracks(statement: Select[Any]) -> Select[Any]:
    return statement.options(
        joinedload(Tender.programme),
        selectinload(Tender.tracks)
        .joinedload(TenderTrack.rule_set)
        .options(defer(RuleSetVersion.content, raiseload=True)),
    )


def _listed(session: Session, statement: Select[Any]) -> list[Listed]:
    rows = session.execute(_with_tracks(statement.add_columns(STATUS)))
    return [Listed(tender, TenderStatus(word)) for tender, word in rows]


def current(session: Session, actor: Actor) -> list[Listed]:
    """Tenders that are announced, open or under evaluation, the next to close first."""
    wanted = scope(actor, Tender).where(CURRENT).order_by(Tender.closes_at, Tender.id)
    return _listed(session, wanted)


def on_home(session: Session, actor: Actor) -> list[Listed]:
    """All current tenders and the latest finished ones, newest closing first."""
    finished = (
        select(Tender.id)
        .where(Tender.results_published_at.is_not(None), Tender.cancelled_at.is_(None))
        .order_by(Tender.closes_at.desc())
        .limit(FINISHED_ON_HOME)
    )
    wanted = (
        scope(actor, Tender).where(or_(CURRENT, Tender.id.in_(finished))).order_by(Tender.closes_at.desc(), Tender.id)
    )
    return _listed(session, wanted)


def list_select(actor: Actor) -> Select[Any]:
    """Rows (Tender, status word) of the fund's list, to be paged by ``(created_at, id)``."""
    return _with_tracks(scope(actor, Tender).add_columns(STATUS))


def by_code(session: Session, actor: Actor, code: str) -> Listed:
    """The tender of this code with its tracks; NotFound through the scope."""
    if not CODE.fullmatch(code):
        raise NotFound
    return _one(session, scope(actor, Tender).where(Tender.code == code))


def by_id(session: Session, actor: Actor, key: UUID) -> Listed:
    """The tender with its tracks; NotFound through the scope."""
    return _one(session, scope(actor, Tender).where(Tender.id == key))


def _one(session: Session, statement: Select[Any]) -> Listed:
    found = _listed(session, statement)
    if not found:
        raise NotFound
    return found[0]


def rules_of(session: Session, actor: Actor, tender_id: UUID) -> dict[str, RuleSet]:
    """Track -> the rules of a tender as typed data, in one statement."""
    wanted = (
        scope(actor, RuleSetVersion)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.tender_id == tender_id)
        .with_only_columns(RuleSetVersion.track)
        .order_by(RuleSetVersion.track)
    )
    return {track: rules for rules, (track,) in rules_with(session, wanted)}


def rules_by_tender(session: Session, actor: Actor, keys: Sequence[UUID]) -> dict[UUID, list[RuleSet]]:
    """Tender -> the rules of its tracks, in one statement for all of them."""
    found: dict[UUID, list[RuleSet]] = {key: [] for key in keys}
    wanted = (
        scope(actor, RuleSetVersion)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.tender_id.in_(keys))
        .with_only_columns(TenderTrack.tender_id)
        .order_by(TenderTrack.tender_id, RuleSetVersion.track)
    )
    for rules, (key,) in rules_with(session, wanted):
        found[key].append(rules)
    return found


def track_with_rules(session: Session, actor: Actor, code: str, track: str) -> TenderTrack:
    """A track of the tender of this code, with tender and rule set loaded; NotFound through the scope."""
    if not CODE.fullmatch(code) or track not in list(Track):
        raise NotFound
    wanted = (
        select(TenderTrack)
        .join(TenderTrack.tender)
        .where(
            TenderTrack.track == track,
            Tender.code == code,
            Tender.id.in_(scope(actor, Tender).with_only_columns(Tender.id)),
        )
        .options(joinedload(TenderTrack.rule_set), joinedload(TenderTrack.tender).joinedload(Tender.programme))
    )
    row = session.scalar(wanted)
    if row is None:
        raise NotFound
    return row


def rule_set_place(session: Session, actor: Actor, rule_set_id: UUID) -> TenderTrack:
    """The track that uses a rule set, with both and the tender loaded; NotFound through the scope."""
    wanted = (
        select(TenderTrack)
        .where(
            TenderTrack.rule_set_id == rule_set_id,
            TenderTrack.tender_id.in_(scope(actor, Tender).with_only_columns(Tender.id)),
        )
        .options(joinedload(TenderTrack.rule_set), joinedload(TenderTrack.tender))
    )
    row = session.scalar(wanted)
    if row is None:
        raise NotFound
    return row


@dataclass(frozen=True, slots=True)
class Source:
    """A rule set that a new one can be copied from."""

    rule_set_id: UUID
    track: str
    tender_code: str
    tender_year: int


def sources(session: Session) -> list[Source]:
    """All rule sets of tenders, newest tender first."""
    wanted = (
        select(RuleSetVersion.id, RuleSetVersion.track, Tender.code, Tender.year)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .order_by(Tender.year.desc(), Tender.created_at.desc(), RuleSetVersion.track)
        .limit(200)
    )
    return [Source(*row) for row in session.execute(wanted)]


def programmes(session: Session) -> list[Programme]:
    """All programmes by code."""
    return list(session.scalars(select(Programme).order_by(Programme.code)))

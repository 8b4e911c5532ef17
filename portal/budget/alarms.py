"""Thresholds of the envelopes: set, removed, watched. Who keeps the budget is told once for each crossing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import portal.budget.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.budget.alarm_models import AlarmCrossing, BudgetAlarm
from portal.budget.models import Envelope
from portal.core import jobs
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import NotFound, Problem, Problems
from portal.core.figures import percent, roubles
from portal.core.language import N_
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize, find
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.tenders.models import Programme, Track
from portal.tenders.rules import TRACK_NAMES

ALARM: Final = declare("budget_alarm", Topic.DECISION, N_("An envelope is nearly used up"), important=True, staff=True)
WATCH: Final = "watch_budget"
EVERY: Final = 5 * 60
"""Seconds between two looks at the envelopes."""
KEEPERS: Final = (Role.ADMINISTRATOR, Role.FINANCE)
MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Crossed:
    """An open crossing as pages show it."""

    crossing: AlarmCrossing
    alarm: BudgetAlarm
    envelope: Envelope


def set_alarm(
    session: Session,
    actor: Actor,
    *,
    programme_id: UUID,
    share: Decimal | None,
    track: Track | None = None,
    year: int | None = None,
) -> BudgetAlarm:
    """Tell when ``share`` percent of what was given, or less, is available. Looks at the envelopes at once.

    Raises :class:`Problems`: share missing or not between 0 and 100, the same alarm exists, too many of them.
    """
    authorize(actor, Permission.BUDGET_ALARM)
    programme = find(session, actor, Programme, programme_id)
    found = []
    if share is None:
        found.append(Problem("required", "share", N_("Enter a number above 0 and below 100.")))
    elif not 0 < share < 100 or share != share.quantize(Decimal("0.01")):
        message = N_("Enter a number above 0 and below 100, with at most two decimals.")
        found.append(Problem("out_of_range", "share", message))
    if year is not None and not 2000 <= year <= 2100:
        found.append(Problem("year", "year", N_("Enter a year between 2000 and 2100.")))
    if found or share is None:
        raise Problems(found)
    if len(alarms_of(session, actor, programme.id)) >= MOST:
        raise Problems.one("too_many", "", N_("There are %(count)s alarms already. Remove one first.", count=MOST))
    assert actor.user_id is not None
    row = BudgetAlarm(programme_id=programme.id, track=track, year=year, share=share, set_by=actor.user_id)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Problems.one("taken", "share", N_("This alarm is set already.")) from error
    changes = {"programme": programme.code, "track": track, "year": year, "share": share}
    record(session, actor, "budget:alarm:set", "budget_alarm", row.id, changes)
    watch(session)
    return row


def remove_alarm(session: Session, actor: Actor, alarm_id: UUID) -> BudgetAlarm:
    """Watch for this no longer; its crossings end. NotFound for one that was removed."""
    authorize(actor, Permission.BUDGET_ALARM)
    row = session.scalar(
        select(BudgetAlarm).where(BudgetAlarm.id == alarm_id, BudgetAlarm.removed_at.is_(None)).with_for_update()
    )
    if row is None:
        raise NotFound
    instant = now(session)
    row.removed_at = instant
    session.execute(
        update(AlarmCrossing)
        .where(AlarmCrossing.alarm_id == row.id, AlarmCrossing.ended_at.is_(None))
        .values(ended_at=instant)
    )
    record(session, actor, "budget:alarm:remove", "budget_alarm", row.id, {"share": row.share})
    return row


def alarms_of(session: Session, actor: Actor, programme_id: UUID) -> Sequence[BudgetAlarm]:
    """The alarms that are set, by track, year and share."""
    authorize(actor, Permission.BUDGET_VIEW)
    return session.scalars(
        select(BudgetAlarm)
        .where(BudgetAlarm.programme_id == programme_id, BudgetAlarm.removed_at.is_(None))
        .order_by(BudgetAlarm.track.nulls_first(), BudgetAlarm.year.nulls_first(), BudgetAlarm.share)
    ).all()


def crossings(session: Session, actor: Actor, programme_id: UUID) -> list[Crossed]:
    """What has fallen to a threshold and is still there, the lowest share of each envelope first."""
    authorize(actor, Permission.BUDGET_VIEW)
    rows = session.execute(
        select(AlarmCrossing, BudgetAlarm, Envelope)
        .join(BudgetAlarm, BudgetAlarm.id == AlarmCrossing.alarm_id)
        .join(Envelope, Envelope.id == AlarmCrossing.envelope_id)
        .where(AlarmCrossing.ended_at.is_(None), Envelope.programme_id == programme_id)
        .order_by(Envelope.track.desc(), Envelope.year, BudgetAlarm.share)
    )
    return [Crossed(*row) for row in rows]


@jobs.handler(WATCH, every=EVERY)
def watch_budget(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Look at all envelopes once."""
    watch(session)


def watch(session: Session) -> int:
    """Open a crossing where an envelope has fallen to a threshold, end those that it is above again, tell the keepers.

    Doing it twice, or twice at once, tells nobody twice. Returns how many crossings are new.
    """
    alarms = session.scalars(select(BudgetAlarm).where(BudgetAlarm.removed_at.is_(None)).order_by(BudgetAlarm.id)).all()
    if not alarms:
        return 0
    fresh = select(Envelope).where(Envelope.appropriation < 0).execution_options(populate_existing=True)
    envelopes = session.scalars(fresh.order_by(Envelope.id)).all()
    below = {
        (alarm.id, envelope.id): (alarm, envelope)
        for alarm in alarms
        for envelope in envelopes
        if alarm.watches(envelope) and _below(alarm, envelope)
    }
    instant = now(session)
    still = session.scalars(select(AlarmCrossing).where(AlarmCrossing.ended_at.is_(None)).with_for_update()).all()
    for crossing in still:
        if (crossing.alarm_id, crossing.envelope_id) not in below:
            crossing.ended_at = instant
    session.flush()
    held = {(crossing.alarm_id, crossing.envelope_id) for crossing in still}
    made = 0
    for key, (alarm, envelope) in below.items():
        if key in held:
            continue
        crossing_id = session.scalar(
            insert(AlarmCrossing)
            .values(
                id=uuid7(),
                alarm_id=alarm.id,
                envelope_id=envelope.id,
                crossed_at=instant,
                available=envelope.available,
                appropriated=envelope.appropriated,
            )
            .on_conflict_do_nothing()
            .returning(AlarmCrossing.id)
        )
        if crossing_id is not None:
            made += 1
            _tell(session, crossing_id, alarm, envelope)
    return made


def _below(alarm: BudgetAlarm, envelope: Envelope) -> bool:
    return envelope.available * 100 <= alarm.share * envelope.appropriated


def _tell(session: Session, crossing_id: UUID, alarm: BudgetAlarm, envelope: Envelope) -> None:
    keepers = session.scalars(
        select(User)
        .where(
            User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role.in_(KEEPERS))),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(User.id)
    ).all()
    name = TRACK_NAMES[Track(envelope.track)]
    share = envelope.available * 100 / envelope.appropriated
    tell(
        session,
        keepers,
        kind=ALARM,
        key=f"alarm:{crossing_id}",
        subject=N_(
            "%(track)s, %(year)s: %(share)s of the money is left",
            track=name,
            year=envelope.year,
            share=percent(share.quantize(Decimal("0.1"))),
        ),
        paragraphs=[
            N_(
                "%(track)s, %(year)s: %(left)s of %(total)s is available. The alarm is set at %(share)s.",
                left=roubles(envelope.available),
                total=roubles(envelope.appropriated),
                year=envelope.year,
                track=name,
                share=percent(alarm.share),
            )
        ],
        link=(N_("Open the budget"), f"/staff/budget/programmes/{envelope.programme_id}"),
        about=("envelope", envelope.id),
    )

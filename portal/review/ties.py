"""The verbs of ties: declared by the person at any time, entered by an officer with a source, ended or struck out.

Nothing is deleted. Each verb computes the person's conflicts anew in its own transaction, so that a review that is
barred by the tie is closed together with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.clusters.fields import FieldError
from portal.clusters.fields import day as read_day
from portal.core.clock import now, today
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.identifiers import IdentifierError, check_inn
from portal.core.language import N_
from portal.core.money import NumberError, parse_decimal
from portal.identity.models import Organisation, Role, RoleGrant
from portal.identity.policy import Actor, Permission, authorize
from portal.review.barring import lock_people, refresh
from portal.review.conflict_graph import JUDGES
from portal.review.conflict_models import OrganisationOwner, PersonTie, TieKind
from portal.review.policy import ConflictSubject

MAX_TEXT: Final = 500
MAX_NOTE: Final = 2_000
EARLIEST, LATEST = 1950, 2100


def declare(session: Session, actor: Actor, *, user_id: UUID, values: Mapping[str, str]) -> PersonTie:
    """Write a tie down: one's own, or another person's by an officer, who names the source.

    ``values``: texts ``inn``, ``name``, ``kind``, ``share`` (per cent, owners only), ``since``, ``until`` (dates as
    people write them), ``note``, ``source``. Raises :class:`Problems`; :class:`NotFound` for who does not judge.
    """
    own = user_id == actor.user_id
    _authorize(actor, user_id)
    lock_people(session, [user_id])
    if not _judges(session, user_id):
        raise NotFound
    problems: list[Problem] = []
    texts = {name: _tidy(value) for name, value in values.items()}
    inn = _inn(texts.get("inn", ""), "inn", problems)
    kind = texts.get("kind", "")
    if kind not in list(TieKind):
        problems.append(Problem("required", "kind", N_("Choose what the tie is.")))
    share = _share(texts.get("share", ""), problems) if kind == TieKind.OWNERSHIP else None
    since, until = (_day(texts.get(name, ""), name, problems) for name in ("since", "until"))
    if since and until and until < since:
        problems.append(Problem("order", "until", N_("The last day is before the first.")))
    known = session.scalar(select(Organisation.name_ru).where(Organisation.inn == inn).limit(1)) if inn else None
    name = known or texts.get("name", "")
    if inn and not name:
        problems.append(Problem("required", "name", N_("Enter the name of the organisation.")))
    source = "" if own else texts.get("source", "")
    if not own and not source:
        problems.append(Problem("required", "source", N_("Say where this is known from.")))
    for field, text, limit in (
        ("name", name, MAX_TEXT),
        ("source", source, MAX_TEXT),
        ("note", texts.get("note", ""), MAX_NOTE),
    ):
        if len(text) > limit:
            problems.append(Problem("too_long", field, N_("Write no more than %(limit)s characters.", limit=limit)))
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    row = PersonTie(
        user_id=user_id,
        inn=inn,
        name=name,
        kind=kind,
        share=share,
        since=since,
        until=until,
        note=texts.get("note", ""),
        source=source,
        declared_by=actor.user_id,
    )
    session.add(row)
    session.flush()
    changes = {"person": user_id, "inn": inn, "kind": kind, "share": share, "since": since, "until": until}
    record(session, actor, "review:tie:declare", "person_tie", row.id, {**changes, "source": source})
    refresh(session, [user_id], actor=actor)
    return row


def end(session: Session, actor: Actor, *, tie_id: UUID, until: str) -> PersonTie:
    """Give a tie its last day, today at the latest. Raises :class:`Problems` on ``until``, :class:`Conflict`."""
    row = _locked(session, actor, tie_id)
    problems: list[Problem] = []
    day = _day(until, "until", problems)
    if day is None and not problems:
        problems.append(Problem("required", "until", N_("Enter the last day.")))
    elif day is not None and day > today(session):
        problems.append(Problem("future", "until", N_("A tie ends today or has ended before.")))
    elif day is not None and row.since is not None and day < row.since:
        problems.append(Problem("order", "until", N_("The last day is before the first.")))
    if problems:
        raise Problems(problems)
    before, row.until = row.until, day
    session.flush()
    record(session, actor, "review:tie:end", "person_tie", row.id, {"before": before, "until": day})
    refresh(session, [row.user_id], actor=actor)
    return row


def strike(session: Session, actor: Actor, *, tie_id: UUID, reason: str) -> PersonTie:
    """Strike out a tie that was entered by mistake; officers only, with the reason. It stays to be seen.

    Raises :class:`Problems` on ``reason``, :class:`Conflict` when it is struck out already.
    """
    authorize(actor, Permission.CONFLICT_RULE)
    row = _locked(session, actor, tie_id, striking=True)
    text, at = _reason(reason), now(session)
    row.strike_reason, row.struck_at, row.struck_by = text, at, actor.user_id
    session.flush()
    record(session, actor, "review:tie:strike", "person_tie", row.id, {"reason": row.strike_reason})
    refresh(session, [row.user_id], actor=actor)
    return row


def enter_owner(session: Session, actor: Actor, *, values: Mapping[str, str]) -> OrganisationOwner:
    """Write down that an organisation owns a share of another; officers only. The background finds what follows.

    ``values``: texts ``owner_inn``, ``owner_name``, ``owned_inn``, ``owned_name``, ``share``, ``source``.
    """
    authorize(actor, Permission.CONFLICT_RULE)
    problems: list[Problem] = []
    texts = {name: _tidy(value) for name, value in values.items()}
    inns = {side: _inn(texts.get(f"{side}_inn", ""), f"{side}_inn", problems) for side in ("owner", "owned")}
    names = {}
    for side, inn in inns.items():
        known = session.scalar(select(Organisation.name_ru).where(Organisation.inn == inn).limit(1)) if inn else None
        names[side] = known or texts.get(f"{side}_name", "")
        if inn and not names[side]:
            problems.append(Problem("required", f"{side}_name", N_("Enter the name of the organisation.")))
    if inns["owner"] and inns["owner"] == inns["owned"]:
        problems.append(Problem("same", "owned_inn", N_("An organisation does not own itself.")))
    share, source = _share(texts.get("share", ""), problems), texts.get("source", "")
    if not source or len(source) > MAX_TEXT:
        problems.append(Problem("required", "source", N_("Say where this is known from.")))
    if problems:
        raise Problems(problems)
    live = select(OrganisationOwner.id).where(
        OrganisationOwner.owner_inn == inns["owner"],
        OrganisationOwner.owned_inn == inns["owned"],
        OrganisationOwner.struck_at.is_(None),
    )
    if session.scalar(live) is not None:
        raise Conflict(N_("This share is written down already. Strike it out before you enter another one."))
    row = OrganisationOwner(
        owner_inn=inns["owner"],
        owner_name=names["owner"],
        owned_inn=inns["owned"],
        owned_name=names["owned"],
        share=share,
        source=source,
        entered_by=actor.user_id,
    )
    session.add(row)
    session.flush()
    changes = {"owner": row.owner_inn, "owned": row.owned_inn, "share": share, "source": source}
    record(session, actor, "review:owner:enter", "organisation_owner", row.id, changes)
    return row


def strike_owner(session: Session, actor: Actor, *, owner_id: UUID, reason: str) -> OrganisationOwner:
    """Strike out a share that is none (any more); officers only, with the reason."""
    authorize(actor, Permission.CONFLICT_RULE)
    row = session.get(OrganisationOwner, owner_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.struck_at is not None:
        raise Conflict(N_("This is struck out already."))
    text, at = _reason(reason), now(session)
    row.strike_reason, row.struck_at, row.struck_by = text, at, actor.user_id
    session.flush()
    record(session, actor, "review:owner:strike", "organisation_owner", row.id, {"reason": row.strike_reason})
    return row


def _authorize(actor: Actor, user_id: UUID) -> None:
    if user_id == actor.user_id:
        authorize(actor, Permission.TIE_DECLARE)
    else:
        authorize(actor, Permission.CONFLICT_RULE, ConflictSubject(user_id))


def _judges(session: Session, user_id: UUID) -> bool:
    held = select(RoleGrant.id).where(RoleGrant.user_id == user_id, RoleGrant.role.in_(JUDGES))
    return session.scalar(held.limit(1)) is not None


def _locked(session: Session, actor: Actor, tie_id: UUID, *, striking: bool = False) -> PersonTie:
    """The tie for its person or an officer, its person locked first; :class:`NotFound` for everybody else."""
    person = session.scalar(select(PersonTie.user_id).where(PersonTie.id == tie_id))
    if person is None:
        raise NotFound
    if striking:
        authorize(actor, Permission.CONFLICT_RULE, ConflictSubject(person))
    elif person != actor.user_id and not actor.has(Role.OFFICER):
        raise NotFound
    else:
        _authorize(actor, person)
    lock_people(session, [person])
    row = session.get_one(PersonTie, tie_id, with_for_update=True, populate_existing=True)
    if row.struck_at is not None:
        raise Conflict(N_("This is struck out already."))
    return row


def _tidy(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())


def _reason(text: str) -> str:
    reason = _tidy(text)
    if not reason or len(reason) > MAX_TEXT:
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_TEXT))
    return reason


def _inn(text: str, field: str, problems: list[Problem]) -> str:
    try:
        return check_inn(text)
    except IdentifierError as error:
        problems.append(Problem(error.code, field, error.message))
        return ""


def _share(text: str, problems: list[Problem]) -> Decimal | None:
    try:
        value = parse_decimal(text, places=2, maximum=Decimal(100))
    except NumberError as error:
        problems.append(Problem(error.code, "share", error.message))
        return None
    if value <= 0:
        problems.append(Problem("too_small", "share", N_("Enter a share above zero, in per cent.")))
        return None
    return value


def _day(text: str, field: str, problems: list[Problem]) -> date | None:
    try:
        day = read_day(text)
    except FieldError as error:
        problems.append(Problem(error.code, field, error.message))
        return None
    if day is not None and not EARLIEST <= day.year <= LATEST:
        problems.append(Problem("no_date", field, N_("Check the year of this date.")))
        return None
    return day

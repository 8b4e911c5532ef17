"""Amendments and cancellation: every exit of the verbs, the record, and what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.calendar import next_working_day
from portal.core.clock import MOSCOW, now
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.jobs import Task
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders import amendments, queries
from portal.tenders.amendments import AmendmentValues, Reasons, amend, cancel, differences
from portal.tenders.models import Amendment, AmendmentKind, RuleSetVersion, Tender
from portal.tenders.schedule import calendar_of
from tests.factories import identity
from tests.factories import tenders as factory

WHY = Reasons("Много вопросов", "Many questions")


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


@pytest.fixture
def tender(session: Session) -> Tender:
    return factory.open_tender(session)


def same(row: Tender, **changes: Any) -> AmendmentValues:
    """What the form sends back when nothing but ``changes`` was touched."""
    assert row.closes_at is not None
    wall = row.closes_at.astimezone(MOSCOW).replace(tzinfo=None, second=0, microsecond=0)
    return AmendmentValues(**{
        "reasons": WHY, "closes": wall, "notice_ru": row.notice_ru, "notice_en": row.notice_en, **changes
    })  # fmt: skip


def put(session: Session, actor: Actor, row: Tender, **changes: Any) -> Amendment:
    return amend(session, actor, row.id, values=same(row, **changes), expected_version=row.version)


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_an_extension_is_numbered_told_and_kept(session: Session, administrator: Actor, tender: Tender) -> None:
    before = tender.closes_at
    assert before is not None
    later = (before + timedelta(days=5)).replace(second=0, microsecond=0)
    frozen = [row.digest for row in session.scalars(select(RuleSetVersion).order_by(RuleSetVersion.id))]
    made = put(session, administrator, tender, closes=later.astimezone(MOSCOW).replace(tzinfo=None))
    assert (made.number, made.kind, tender.closes_at) == (1, AmendmentKind.CHANGE, later)
    assert [change["what"] for change in made.changes] == ["closes_at"]
    assert datetime.fromisoformat(made.changes[0]["before"]) == before
    assert datetime.fromisoformat(made.changes[0]["after"]) == later
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "tenders:tender:amend")).one()
    assert (event.changes["number"], event.changes["reason"]) == (1, "Много вопросов")
    task = session.scalars(select(Task).where(Task.kind == amendments.NOTICE)).one()
    assert task.payload == {"event": "amendment", "id": str(made.id)}
    assert [row.digest for row in session.scalars(select(RuleSetVersion).order_by(RuleSetVersion.id))] == frozen
    second = put(session, administrator, tender, notice_en="Another notice")
    assert (second.number, [change["what"] for change in second.changes]) == (2, ["notice_en"])


def test_what_is_sent_back_unchanged_changes_nothing(session: Session, administrator: Actor, tender: Tender) -> None:
    rules = queries.rules_of(session, administrator, tender.id).values()
    days = {step.code: step.day for step in calendar_of(tender, rules, MOSCOW) if step.day}
    with pytest.raises(Problems) as caught:
        put(session, administrator, tender, days=days, notice_ru=tender.notice_ru + "\r\n")
    assert codes(caught) == [("", "nothing")]
    assert tender.moved == {}


def test_every_problem_at_once_and_nothing_kept(session: Session, administrator: Actor, tender: Tender) -> None:
    closes, moment = tender.closes_at, now(session).astimezone(MOSCOW)
    assert closes is not None
    values = same(
        tender,
        reasons=Reasons(" ", "x" * 1001),
        closes=(closes - timedelta(hours=1)).astimezone(MOSCOW).replace(tzinfo=None),
        notice_ru=" ",
        days={"commission": moment.date() - timedelta(days=1), "minutes": _sunday_after(moment.date())},
    )
    with pytest.raises(Problems) as caught:
        amend(session, administrator, tender.id, values=values, expected_version=tender.version)
    assert codes(caught) == [
        ("reason_ru", "required"),
        ("reason_en", "too_long"),
        ("closes", "not_later"),
        ("notice_ru", "required"),
        ("day-commission", "past"),
        ("day-minutes", "day_off"),
    ]
    session.expire_all()
    assert (tender.closes_at, tender.moved, tender.version) == (closes, {}, 1)
    assert amendments.listed(session, tender.id) == []


def _sunday_after(day: date) -> date:
    return day + timedelta(days=200 + (6 - (day + timedelta(days=200)).weekday()))


def test_a_milestone_is_moved_and_given_back(session: Session, administrator: Actor, tender: Tender) -> None:
    rules = list(queries.rules_of(session, administrator, tender.id).values())
    counted = {step.code: step.day for step in calendar_of(tender, rules, MOSCOW)}
    assert counted["commission"] is not None
    later = next_working_day(counted["commission"] + timedelta(days=10))
    made = put(session, administrator, tender, days={"commission": later})
    assert tender.moved == {"commission": later.isoformat()}
    assert made.changes == [
        {"what": "milestone:commission", "before": counted["commission"].isoformat(), "after": later.isoformat()}
    ]
    back = put(session, administrator, tender, days={"commission": None, "minutes": None})
    assert tender.moved == {}
    assert back.changes == [{"what": "milestone:commission", "before": later.isoformat(), "after": None}]


def test_a_milestone_before_its_step_is_refused(session: Session, administrator: Actor, tender: Tender) -> None:
    early = next_working_day(now(session).astimezone(MOSCOW).date())
    with pytest.raises(Problems) as caught:
        put(session, administrator, tender, days={"commission": early})
    assert codes(caught) == [("day-commission", "out_of_order")]
    assert tender.moved == {}


def test_a_closing_that_overtakes_a_moved_step_is_refused(
    session: Session, administrator: Actor, tender: Tender
) -> None:
    assert tender.closes_at is not None
    day = next_working_day((tender.closes_at + timedelta(days=3)).astimezone(MOSCOW).date())
    put(session, administrator, tender, days={"formal_check": day})
    late = (tender.closes_at + timedelta(days=60)).astimezone(MOSCOW).replace(tzinfo=None)
    with pytest.raises(Problems) as caught:
        put(session, administrator, tender, closes=late)
    assert ("day-formal_check", "out_of_order") in codes(caught)


def test_after_the_closing_the_rest_may_still_be_amended(session: Session, administrator: Actor) -> None:
    closed = factory.closed_tender(session)
    assert closed.closes_at is not None
    later = (now(session) + timedelta(days=9)).astimezone(MOSCOW).replace(tzinfo=None)
    with pytest.raises(Problems) as caught:
        put(session, administrator, closed, closes=later)
    assert codes(caught) == [("closes", "closed")]
    assert put(session, administrator, closed, notice_en="Corrected").number == 1


def test_drafts_decided_and_cancelled_tenders_are_not_amended(session: Session, administrator: Actor) -> None:
    at = now(session)
    for row in (
        factory.tender(session, opens_at=at, closes_at=at + timedelta(days=3)),
        factory.closed_tender(session, results_published_at=at),
        factory.open_tender(session, cancelled_at=at, cancel_reason="R"),
    ):
        with pytest.raises(Conflict):
            put(session, administrator, row, notice_en="Other")


def test_stale_missing_and_foreign(session: Session, administrator: Actor, tender: Tender) -> None:
    with pytest.raises(Stale):
        amend(session, administrator, tender.id, values=same(tender, notice_en="X"), expected_version=9)
    with pytest.raises(NotFound):
        amend(session, administrator, uuid4(), values=same(tender), expected_version=1)
    for role in (role for role in Role if role is not Role.ADMINISTRATOR):
        actor = identity.actor(session, identity.user(session, role))
        with pytest.raises(Refused):
            put(session, actor, tender, notice_en="X")
        with pytest.raises(Refused):
            cancel(session, actor, tender.id, reasons=WHY, expected_version=tender.version)
    outside = identity.actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(NotFound):
        put(session, outside, tender, notice_en="X")
    with pytest.raises(NotFound):
        cancel(session, outside, tender.id, reasons=WHY, expected_version=tender.version)


def test_the_database_keeps_amendments_as_they_are(session: Session, administrator: Actor, tender: Tender) -> None:
    made = put(session, administrator, tender, notice_en="New")
    for statement in ("update tender_amendment set reason_en = 'other'", "delete from tender_amendment"):
        with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
            session.execute(text(f"{statement} where id = :id"), {"id": made.id})


def test_cancelling_needs_a_reason_and_no_results(session: Session, administrator: Actor, tender: Tender) -> None:
    with pytest.raises(Problems) as caught:
        cancel(session, administrator, tender.id, reasons=Reasons(" ", ""), expected_version=tender.version)
    assert codes(caught) == [("reason_ru", "required"), ("reason_en", "required")]
    draft = factory.tender(session)
    for row in (draft, tender, factory.closed_tender(session)):
        reasons = replace(WHY, ru=" Нет средств ")
        cancel(session, administrator, row.id, reasons=reasons, expected_version=row.version)
        assert row.cancel_reasons == {"ru": "Нет средств", "en": "Many questions"}
        with pytest.raises(Conflict):
            cancel(session, administrator, row.id, reasons=WHY, expected_version=row.version)
        assert [made.kind for made in amendments.listed(session, row.id)] == (
            [] if row is draft else [AmendmentKind.CANCELLATION]
        )
    decided = factory.closed_tender(session, results_published_at=now(session))
    with pytest.raises(Conflict):
        cancel(session, administrator, decided.id, reasons=WHY, expected_version=decided.version)


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "\n", " "]), max_size=30).map(" ".join),
       st.lists(st.sampled_from(["a", "b", "x", "y", "e"]), max_size=30).map(" ".join))  # fmt: skip
def test_a_difference_holds_both_texts(before: str, after: str) -> None:
    pieces = differences(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == after


def test_changed_words_stand_together() -> None:
    pieces = differences("The notice of the fund.", "The new text of the fund.")
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("same", "The "),
        ("removed", "notice"),
        ("added", "new text"),
        ("same", " of the fund."),
    ]


def test_long_texts_are_compared_by_lines() -> None:
    before = "\n".join("word " * 10 for _ in range(300))
    pieces = differences(before, before + "\nlast")
    assert [piece.kind for piece in pieces] == ["same", "removed", "added"]

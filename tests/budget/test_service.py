"""Every verb of the ledger and each of its exits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget import queries, rules, service, statement
from portal.budget.ledger import Overdrawn
from portal.budget.models import Account, Envelope, Posting, PostingKind
from portal.core import clock
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused
from portal.core.language import render
from portal.identity.models import Role
from portal.identity.policy import Actor, Permission, allowed
from portal.tenders.models import Programme, Track
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory

IS = Track.IMPORT_SUBSTITUTION
HUNDRED = Decimal("100.00")


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR, name="Demo Administrator"))


@pytest.fixture
def programme(session: Session) -> Programme:
    return tenders_factory.programme(session, f"P{uuid4().hex[:6]}")


@pytest.fixture
def envelope(session: Session, programme: Programme) -> Envelope:
    return budget.envelope(session, programme.id, amount=100)


def held(session: Session, envelope: Envelope) -> dict[str, Decimal]:
    session.refresh(envelope)
    return {account.value: value for account in Account if (value := getattr(envelope, account.value))}


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def give(session: Session, actor: Actor, envelope: Envelope, **changes: Any) -> Posting:
    values: dict[str, Any] = {"key": uuid4().hex, "amount": HUNDRED, "order": "№ 7", "reason": "Budget law"}
    return service.appropriate(session, actor, envelope.id, **{**values, **changes})


def set_aside(session: Session, programme: Programme, amounts: dict[int, Any], **changes: Any) -> Posting:
    values: dict[str, Any] = {
        "key": uuid4().hex,
        "programme_id": programme.id,
        "track": IS,
        "amounts": {year: Decimal(amount) for year, amount in amounts.items()},
        "reason": "Award",
        "document": "Minutes",
        "subject": ("decision_line", uuid4()),
    }
    return service.reserve(session, budget.ACTOR, **{**values, **changes})


# Envelopes


def test_envelope_is_opened_empty(session: Session, administrator: Actor, programme: Programme) -> None:
    row = service.open_envelope(session, administrator, programme_id=programme.id, track=IS, year=2019)
    assert (row.track, row.year, held(session, row)) == ("import_substitution", 2019, {})
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(row.id))).one()
    assert (event.tag, event.changes) == (
        "budget:envelope:open",
        {
            "programme": programme.code,
            "programme_id": str(programme.id),
            "track": "import_substitution",
            "year": 2019,
        },
    )


@pytest.mark.parametrize("year", [None, 1999, 2101])
def test_envelope_needs_a_year(session: Session, administrator: Actor, programme: Programme, year: int | None) -> None:
    with pytest.raises(Problems) as caught:
        service.open_envelope(session, administrator, programme_id=programme.id, track=IS, year=year)
    assert codes(caught) == [("year", "year")]


def test_envelope_is_opened_once(
    session: Session, administrator: Actor, programme: Programme, envelope: Envelope
) -> None:
    with pytest.raises(Problems) as caught:
        service.open_envelope(session, administrator, programme_id=programme.id, track=IS, year=2018)
    assert codes(caught) == [("year", "taken")]
    with pytest.raises(NotFound):
        service.open_envelope(session, administrator, programme_id=uuid4(), track=IS, year=2018)


# Appropriation and adjustment


def test_appropriation_is_a_posting_with_its_author(session: Session, administrator: Actor, envelope: Envelope) -> None:
    posting = give(session, administrator, envelope, amount=Decimal("50.50"), order=" № 7 ", reason=" Law ")
    assert held(session, envelope) == {"appropriation": Decimal("-150.50"), "available": Decimal("150.50")}
    assert (posting.kind, posting.document, posting.reason) == ("appropriate", "№ 7", "Law")
    assert (posting.author_id, posting.author_name) == (administrator.user_id, "Demo Administrator")
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(posting.id))).one()
    assert event.tag == "budget:posting:post"
    assert event.changes["lines"] == [
        [str(envelope.id), "appropriation", "-50.50"],
        [str(envelope.id), "available", "50.50"],
    ]
    assert len(event.changes["digest"]) == 64


def test_appropriation_tells_all_problems(session: Session, administrator: Actor, envelope: Envelope) -> None:
    with pytest.raises(Problems) as caught:
        give(session, administrator, envelope, amount=None, order=" ", reason="x" * 501)
    assert codes(caught) == [("order", "required"), ("reason", "too_long"), ("amount", "required")]
    for amount, code in (
        (Decimal(0), "not_positive"),
        (Decimal(-1), "not_positive"),
        (Decimal("0.001"), "too_many_decimals"),
        (Decimal("1e16"), "too_large"),
        (Decimal("nan"), "not_a_number"),
    ):
        with pytest.raises(Problems) as caught:
            give(session, administrator, envelope, amount=amount, reason="a\x00b")
        assert codes(caught) == [("reason", "unprintable"), ("amount", code)]
    assert held(session, envelope) == {"appropriation": -HUNDRED, "available": HUNDRED}
    with pytest.raises(NotFound):
        service.appropriate(session, administrator, uuid4(), key="k", amount=HUNDRED, order="1", reason="r")


def test_adjustment_up_and_down_to_the_floor(
    session: Session, administrator: Actor, programme: Programme, envelope: Envelope
) -> None:
    def change(amount: str) -> Posting:
        return service.adjust(
            session,
            administrator,
            envelope.id,
            key=uuid4().hex,
            change=Decimal(amount),
            order="№ 8",
            reason="Cut",
        )

    set_aside(session, programme, {2018: 60})
    change("10")
    change("-50")
    assert held(session, envelope) == {"appropriation": Decimal("-60.00"), "reserved": Decimal("60.00")}
    with pytest.raises(Overdrawn) as caught:
        change("-0.01")
    assert (caught.value.envelope, caught.value.asked, caught.value.available) == (
        envelope.id,
        Decimal("0.01"),
        Decimal("0.00"),
    )
    assert held(session, envelope) == {"appropriation": Decimal("-60.00"), "reserved": Decimal("60.00")}
    with pytest.raises(Problems):
        change("0")


# Reservation and release


def test_reservation_over_years_is_one_posting(session: Session, programme: Programme) -> None:
    held_by = budget.envelopes(session, programme, {IS: {2018: 100, 2019: 200}})
    posting = set_aside(session, programme, {2018: 40, 2019: 70})
    assert held(session, held_by[IS, 2018]) == {
        "appropriation": -HUNDRED,
        "available": Decimal("60.00"),
        "reserved": Decimal("40.00"),
    }
    assert held(session, held_by[IS, 2019])["reserved"] == Decimal("70.00")
    assert len(service.lines_of(session, posting.id)) == 4


def test_overdraw_tells_every_year_that_lacks(session: Session, programme: Programme) -> None:
    held_by = budget.envelopes(session, programme, {IS: {2018: 100, 2019: 200, 2020: 50}})
    with pytest.raises(Overdrawn) as caught:
        set_aside(session, programme, {2018: "100.01", 2019: 200, 2020: 60})
    assert [(s.year, s.account, s.asked, s.available, s.missing) for s in caught.value.shortages] == [
        (2018, Account.AVAILABLE, Decimal("100.01"), HUNDRED, Decimal("0.01")),
        (2020, Account.AVAILABLE, Decimal("60.00"), Decimal("50.00"), Decimal("10.00")),
    ]
    assert render(caught.value.reason, "en") == (
        "Import substitution, 2018: RUB\u00a0100.01 is needed, but the account “Available” holds RUB\u00a0100"
        " (RUB\u00a00.01 short). Import substitution, 2020: RUB\u00a060 is needed, but the account “Available”"
        " holds RUB\u00a050 (RUB\u00a010 short)."
    )
    assert [held(session, row)["available"] for row in held_by.values()] == [HUNDRED, HUNDRED * 2, HUNDRED / 2]
    assert session.scalar(select(func.count()).where(Posting.kind == "reserve")) == 0


def test_reservation_needs_an_envelope_of_each_year(session: Session, programme: Programme, envelope: Envelope) -> None:
    with pytest.raises(Problems) as caught:
        set_aside(session, programme, {2018: 1, 2021: 1, 2020: 1})
    assert codes(caught) == [("amounts.2020", "no_envelope"), ("amounts.2021", "no_envelope")]


def test_release_frees_what_was_reserved_for_it(session: Session, programme: Programme, envelope: Envelope) -> None:
    mine, other = ("decision_line", uuid4()), ("decision_line", uuid4())
    set_aside(session, programme, {2018: 30}, subject=mine)
    set_aside(session, programme, {2018: 50}, subject=other)

    def free(amount: str, key: str = "") -> Posting:
        return service.release(
            session,
            budget.ACTOR,
            key=key or uuid4().hex,
            programme_id=programme.id,
            track=IS,
            amounts={2018: Decimal(amount)},
            reason="Refused by the winner",
            document="Letter",
            subject=mine,
        )

    with pytest.raises(Problems) as caught:
        free("30.01")
    assert codes(caught) == [("amounts.2018", "not_reserved")]
    first = free("30", "release:1")
    assert free("30", "release:1").id == first.id
    assert held(session, envelope)["reserved"] == Decimal("50.00")
    with pytest.raises(Problems):
        free("0.01")


# Reversal


def test_reversal_is_the_opposite_once(session: Session, administrator: Actor, envelope: Envelope) -> None:
    posting = give(session, administrator, envelope)
    back = service.reverse(session, administrator, posting.id, key="r1", reason="Typing error")
    assert (back.kind, back.reverses_id, back.document) == ("reverse", posting.id, "№ 7")
    assert held(session, envelope) == {"appropriation": -HUNDRED, "available": HUNDRED}
    assert service.reverse(session, administrator, posting.id, key="r1", reason="Typing error").id == back.id
    with pytest.raises(Conflict, match="reversed already"):
        service.reverse(session, administrator, posting.id, key="r2", reason="Typing error")
    with pytest.raises(Conflict, match="A reversal is not reversed"):
        service.reverse(session, administrator, back.id, key="r3", reason="No")
    with pytest.raises(NotFound):
        service.reverse(session, administrator, uuid4(), key="r4", reason="No")
    with pytest.raises(Problems) as caught:
        service.reverse(session, administrator, posting.id, key="r5", reason="")
    assert codes(caught) == [("reason", "required")]


def test_reversal_keeps_the_floor_and_awards(
    session: Session, administrator: Actor, programme: Programme, envelope: Envelope
) -> None:
    given = session.scalars(select(Posting).where(Posting.kind == "appropriate")).all()[-1]
    award = set_aside(session, programme, {2018: 1})
    with pytest.raises(Overdrawn):
        service.reverse(session, administrator, given.id, key="r1", reason="Error")
    with pytest.raises(Conflict, match="belongs to an award"):
        service.reverse(session, administrator, award.id, key="r2", reason="Error")


# Keys


def test_same_key_gives_the_first_posting_or_a_conflict(
    session: Session, administrator: Actor, envelope: Envelope
) -> None:
    first = give(session, administrator, envelope, key="k")
    assert give(session, administrator, envelope, key="k").id == first.id
    for other in ({"amount": HUNDRED + 1}, {"order": "№ 8"}, {"reason": "Other"}):
        with pytest.raises(Conflict, match="other content"):
            give(session, administrator, envelope, key="k", **other)
    assert held(session, envelope)["available"] == HUNDRED * 2


def test_lines_that_are_no_posting_are_a_fault_of_the_program(session: Session, envelope: Envelope) -> None:
    with pytest.raises(ValueError, match="has lines"):
        service.post(session, budget.ACTOR, key="k", kind=PostingKind.RESERVE, lines=[], reason="r")


def test_refusal_in_a_savepoint_keeps_what_was_noted_before(
    session: Session, administrator: Actor, programme: Programme, envelope: Envelope
) -> None:
    given = give(session, administrator, envelope)
    with pytest.raises(Overdrawn):
        set_aside(session, programme, {2018: 999})
    with session.begin_nested() as savepoint:
        undone = give(session, administrator, envelope).id
        savepoint.rollback()
    set_aside(session, programme, {2018: 1})
    session.commit()
    told = set(session.scalars(select(AuditEvent.object_id).where(AuditEvent.object_type == "posting")))
    assert str(given.id) in told
    assert str(undone) not in told
    assert queries.verify(session) == (3, None)


# Who


VERBS: list[Callable[[Session, Actor, Envelope, Posting], object]] = [
    lambda s, a, e, p: service.open_envelope(s, a, programme_id=e.programme_id, track=IS, year=2050),
    lambda s, a, e, p: give(s, a, e),
    lambda s, a, e, p: service.adjust(s, a, e.id, key="k", change=HUNDRED, order="1", reason="r"),
    lambda s, a, e, p: service.reverse(s, a, p.id, key="k", reason="r"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_only_the_administrator_posts(
    session: Session,
    envelope: Envelope,
    verb: Callable[[Session, Actor, Envelope, Posting], object],
) -> None:
    posting = session.scalars(select(Posting)).all()[-1]
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(Refused):
            verb(session, identity.actor(session, identity.user(session, role)), envelope, posting)
    outsider = identity.actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(PortalError):
        verb(session, outsider, envelope, posting)
    assert held(session, envelope) == {"appropriation": -HUNDRED, "available": HUNDRED}


def test_who_looks(session: Session, programme: Programme, envelope: Envelope) -> None:
    seen = {
        role.value
        for role in Role
        if allowed(actor := identity.actor(session, identity.user(session, role)), Permission.BUDGET_VIEW)
        and queries.by_programme(session, actor, programme.id)
    }
    assert seen == {"administrator", "officer", "chair", "commission", "auditor", "director", "finance"}
    outsider = identity.actor(session, identity.member(session, identity.organisation(session)))
    assert queries.by_programme(session, outsider, programme.id) == []
    with pytest.raises(NotFound):
        queries.envelope_of(session, outsider, envelope.id)


# Reading


def test_balances_as_of_an_instant_are_the_replay(session: Session, programme: Programme) -> None:
    def day(number: int) -> datetime:
        return datetime(2018, 3, number, 12, tzinfo=UTC)

    with clock.at(session, day(1)):
        row = budget.envelope(session, programme.id, amount=100)
    with clock.at(session, day(2)):
        set_aside(session, programme, {2018: 30})
    with clock.at(session, day(3)):
        set_aside(session, programme, {2018: 20})

    def at(instant: datetime, **options: bool) -> list[tuple[Decimal, Decimal]]:
        found = queries.as_of(session, budget.ACTOR, programme.id, instant, **options)
        return [(figures.available, figures.reserved) for figures in found]

    assert at(day(1)) == [(Decimal("0.00"), Decimal("0.00"))]
    assert at(day(2)) == [(HUNDRED, Decimal("0.00"))]
    assert at(day(2), including=True) == [(Decimal("70.00"), Decimal("30.00"))]
    assert at(day(4)) == [(Decimal("50.00"), Decimal("50.00"))]
    session.refresh(row)
    assert queries.as_of(session, budget.ACTOR, programme.id, day(4)) == queries.by_programme(
        session, budget.ACTOR, programme.id
    )


def test_what_is_left_is_public(session: Session, programme: Programme) -> None:
    budget.envelopes(session, programme, {Track.EXPORT: {2019: 500}, IS: {2019: 200, 2018: 100, 2020: 0}})
    set_aside(session, programme, {2018: 40})
    assert [
        (row.track, row.year, row.appropriated, row.reserved, row.available)
        for row in queries.remaining(session, programme.id)
    ] == [
        ("import_substitution", 2018, HUNDRED, Decimal("40.00"), Decimal("60.00")),
        ("import_substitution", 2019, HUNDRED * 2, Decimal("0.00"), HUNDRED * 2),
        ("export", 2019, HUNDRED * 5, Decimal("0.00"), HUNDRED * 5),
    ]
    assert queries.available(session, programme.id, IS) == {
        2018: Decimal("60.00"),
        2019: HUNDRED * 2,
        2020: Decimal("0.00"),
    }


def test_statement_filters_and_runs(
    session: Session, administrator: Actor, programme: Programme, envelope: Envelope
) -> None:
    award = set_aside(session, programme, {2018: 30})
    given = give(session, administrator, envelope, order="№ 100%_a")
    back = service.reverse(session, administrator, given.id, key="r", reason="Error")

    def found(**filters: Any) -> list[str]:
        narrowed = statement.Filters(programme.id, envelope.id, **filters)
        wanted = statement.postings(administrator, narrowed).order_by(Posting.number)
        return [row.kind for row in session.scalars(wanted)]

    assert found() == ["appropriate", "reserve", "appropriate", "reverse"]
    assert found(kind=PostingKind.RESERVE) == ["reserve"]
    assert found(account=Account.RESERVED) == ["reserve"]
    assert found(least=Decimal(31)) == ["appropriate", "appropriate", "reverse"]
    assert found(most=Decimal(30)) == ["reserve"]
    assert found(document="100%_A") == ["appropriate", "reverse"]
    assert found(subjects=[award.subject_id]) == ["reserve"]
    assert found(subjects=[]) == []
    assert found(words="100%_A") == ["appropriate", "reverse"]
    assert found(words="%") == ["appropriate", "reverse"]
    assert found(words="demo administrator") == ["appropriate", "reverse"]
    assert found(since=award.at, until=given.at) == ["reserve"]
    whole = statement.resolved(session, statement.Filters(programme.id))
    assert whole.envelopes == [envelope.id]
    assert statement.resolved(session, statement.Filters(uuid4())).envelopes == []
    rows = session.scalars(statement.postings(administrator, whole).order_by(Posting.number)).all()
    asked = statement.postings(administrator, statement.Filters(programme.id)).order_by(Posting.number)
    assert session.scalars(asked).all() == rows
    nothing = statement.postings(administrator, statement.Filters(programme.id, envelopes=[]))
    assert session.scalars(nothing).all() == []
    after = statement.after(session, envelope.id, Account.AVAILABLE, rows)
    assert after[award.id] == (Decimal("-30.00"), Decimal("70.00"))
    assert after[given.id] == (HUNDRED, Decimal("170.00"))
    assert after[back.id] == (-HUNDRED, Decimal("70.00"))
    given_in_all = statement.after(session, envelope.id, Account.APPROPRIATION, rows)
    assert given_in_all[given.id] == (HUNDRED, HUNDRED * 2)
    lines = list(statement.rows(session, administrator, statement.Filters(programme.id), 2))
    assert [(line.number, line.account, line.amount, line.after) for line in lines][-2:] == [
        (award.number, Account.AVAILABLE, Decimal("-30.00"), Decimal("70.00")),
        (award.number, Account.RESERVED, Decimal("30.00"), Decimal("30.00")),
    ]
    assert queries.reversals(session, rows) == {given.id: back.number, back.id: given.number}
    assert rules.floors({}) == []

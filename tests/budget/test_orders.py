"""Orders of two signatures: every verb and each of its exits, what the database refuses, what verification finds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget import order_letters, orders, queries, reminders, rules, service
from portal.budget.ledger import Overdrawn, post
from portal.budget.models import Account, BudgetOrder, Envelope, Posting, PostingKind
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from portal.tenders.models import Track
from tests.budget.test_fences import without_fences
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory

IS, EX = Track.IMPORT_SUBSTITUTION, Track.EXPORT
REALLOCATE, CARRY_OVER, RESTORE = PostingKind.REALLOCATE, PostingKind.CARRY_OVER, PostingKind.RESTORE


class Desk:
    """Two administrators and a chair over envelopes of 100 in two tracks and two years."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.drafter, self.second = (
            identity.actor(session, identity.user(session, Role.ADMINISTRATOR)) for _ in range(2)
        )
        self.chair = identity.actor(session, identity.user(session, Role.CHAIR))
        self.programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
        self.envelopes = budget.envelopes(
            session, self.programme, {track: {2018: 100, 2019: 100} for track in (IS, EX)}
        )

    def key(self, track: Track, year: int) -> UUID:
        return self.envelopes[track, year].id

    def draft(self, kind: PostingKind | None = REALLOCATE, **changes: Any) -> BudgetOrder:
        values: dict[str, Any] = {
            "kind": kind,
            "source_id": self.key(IS, 2018),
            "target_id": None if kind is RESTORE else self.key(IS, 2019),
            "amount": Decimal(30),
            "order": " № 7 of 01.02.2019 ",
            "reason": "Demand",
        }
        return orders.draft(self.session, changes.pop("actor", self.drafter), **{**values, **changes})

    def held(self, track: Track, year: int) -> dict[str, int]:
        row: Envelope = self.envelopes[track, year]
        self.session.refresh(row)
        return {account.value: int(value) for account in Account if (value := getattr(row, account.value))}

    def give_back(self, amount: int) -> None:
        for verb in (service.reserve, service.commit, service.pay, service.give_back):
            verb(
                self.session,
                budget.ACTOR,
                key=f"{verb.__name__}:{uuid4()}",
                programme_id=self.programme.id,
                track=IS,
                amounts={2018: Decimal(amount)},
                reason="r",
                document="d",
                subject=("decision_line", self.programme.id),
            )


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk(session)


def problems(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


# What the three kinds do


def test_a_draft_moves_nothing_and_the_signature_does(session: Session, desk: Desk) -> None:
    order = desk.draft(target_id=desk.key(EX, 2019))
    assert (order.number, order.waiting) == ("№ 7 of 01.02.2019", True)
    assert desk.held(IS, 2018) == {"appropriation": -100, "available": 100}
    signed = orders.sign(session, desk.second, order.id)
    assert desk.held(IS, 2018) == {"appropriation": -70, "available": 70}
    assert desk.held(EX, 2019) == {"appropriation": -130, "available": 130}
    posting = session.get_one(Posting, signed.posting_id)
    assert (posting.kind, posting.document, posting.reason) == ("reallocate", "№ 7 of 01.02.2019", "Demand")
    assert (signed.signed_by, posting.author_id, signed.waiting) == (desk.second.user_id, desk.second.user_id, False)
    session.commit()
    session.execute(text("set constraints all immediate"))
    told = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(order.id)).order_by(AuditEvent.seq))
    assert [event.tag for event in told] == ["budget:order:draft", "budget:order:sign"]
    assert queries.verify(session)[1] is None


def test_carry_over_keeps_what_the_old_year_was_given(session: Session, desk: Desk) -> None:
    orders.sign(session, desk.chair, desk.draft(CARRY_OVER).id)
    assert desk.held(IS, 2018) == {"appropriation": -100, "available": 70, "carried_over": 30}
    assert desk.held(IS, 2019) == {"appropriation": -130, "available": 130}


def test_returned_money_is_available_after_an_order(session: Session, desk: Desk) -> None:
    desk.give_back(40)
    assert desk.held(IS, 2018) == {"appropriation": -100, "available": 60, "returned": 40}
    orders.sign(session, desk.second, desk.draft(RESTORE).id)
    assert desk.held(IS, 2018) == {"appropriation": -100, "available": 90, "returned": 10}


# Refusals of a draft


def test_a_draft_tells_all_problems(desk: Desk) -> None:
    with pytest.raises(Problems) as caught:
        desk.draft(None, source_id=None, target_id=None, amount=None, order="", reason=" ")
    assert problems(caught) == [
        ("order", "required"),
        ("reason", "required"),
        ("amount", "required"),
        ("kind", "required"),
        ("source", "required"),
    ]
    with pytest.raises(Problems) as caught:
        desk.draft(PostingKind.PAY)
    assert problems(caught) == [("kind", "required")]


@pytest.mark.parametrize(
    ("kind", "target", "problem"),
    [
        (REALLOCATE, None, ("target", "required")),
        (REALLOCATE, (IS, 2018), ("target", "same")),
        (CARRY_OVER, (EX, 2019), ("target", "next_year")),
        (CARRY_OVER, (EX, 2018), ("target", "next_year")),
    ],
)
def test_envelopes_go_together(
    desk: Desk, kind: PostingKind, target: tuple[Track, int] | None, problem: tuple[str, str]
) -> None:
    with pytest.raises(Problems) as caught:
        desk.draft(kind, target_id=desk.key(*target) if target else None)
    assert problems(caught) == [problem]


def test_money_stays_within_a_programme(session: Session, desk: Desk) -> None:
    other = Desk(session)
    with pytest.raises(Problems) as caught:
        desk.draft(target_id=other.key(IS, 2019))
    assert problems(caught) == [("target", "programme")]
    with pytest.raises(NotFound):
        desk.draft(source_id=uuid4())


@pytest.mark.parametrize(("kind", "amount"), [(REALLOCATE, "100.01"), (CARRY_OVER, "100.01"), (RESTORE, "0.01")])
def test_a_draft_says_when_the_money_is_not_there(desk: Desk, kind: PostingKind, amount: str) -> None:
    with pytest.raises(Problems) as caught:
        desk.draft(kind, amount=Decimal(amount))
    assert problems(caught) == [("amount", "overdrawn")]


# Signature and end


def test_nobody_signs_what_they_drafted(session: Session, desk: Desk) -> None:
    order = desk.draft()
    with pytest.raises(Refused, match="Another person signs it"):
        orders.sign(session, desk.drafter, order.id)
    assert desk.held(IS, 2018)["available"] == 100


def test_an_order_is_signed_once(session: Session, desk: Desk) -> None:
    order = desk.draft()
    posting = orders.sign(session, desk.second, order.id).posting_id
    assert orders.sign(session, desk.second, order.id).posting_id == posting
    for end in (orders.sign, orders.discard):
        with pytest.raises(Conflict, match="signed already"):
            end(session, desk.chair, order.id)
    assert desk.held(IS, 2018)["available"] == 70


def test_a_discarded_order_is_not_signed(session: Session, desk: Desk) -> None:
    order = desk.draft()
    orders.discard(session, desk.drafter, order.id)
    assert orders.discard(session, desk.second, order.id).discarded_by == desk.drafter.user_id
    with pytest.raises(Conflict, match="was discarded"):
        orders.sign(session, desk.second, order.id)
    session.commit()
    assert queries.verify(session)[1] is None
    with pytest.raises(NotFound):
        orders.sign(session, desk.second, uuid4())


def test_money_may_be_gone_when_the_second_person_signs(session: Session, desk: Desk) -> None:
    first, second = desk.draft(amount=Decimal(60)), desk.draft(amount=Decimal(60))
    orders.sign(session, desk.second, first.id)
    with pytest.raises(Overdrawn):
        orders.sign(session, desk.second, second.id)
    session.refresh(second)
    assert second.waiting


def test_what_two_have_signed_one_does_not_reverse(session: Session, desk: Desk) -> None:
    order = orders.sign(session, desk.second, desk.draft().id)
    assert order.posting_id is not None
    with pytest.raises(Conflict, match="Two people have signed"):
        service.reverse(session, desk.drafter, order.posting_id, key="r", reason="Error")


def test_who_drafts_signs_and_discards(session: Session, desk: Desk) -> None:
    def may(verb: Any, *args: Any, **values: Any) -> set[str]:
        found = set()
        for role in Role:
            actor = identity.actor(session, identity.user(session, role))
            point = session.begin_nested()
            try:
                verb(actor, *args, **values)
                found.add(role.value)
            except PortalError:
                pass
            point.rollback()
        return found

    order = desk.draft()
    session.flush()
    signers = {"administrator", "finance", "director", "chair"}
    assert may(lambda actor: desk.draft(actor=actor)) == {"administrator", "finance"}
    assert may(lambda actor: orders.sign(session, actor, order.id)) == signers
    assert may(lambda actor: orders.discard(session, actor, order.id)) == signers
    outsider = identity.actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(NotFound):
        orders.order_of(session, outsider, order.id)
    with pytest.raises(Refused):
        orders.draft(
            session,
            Actor(system="tests"),
            kind=REALLOCATE,
            source_id=desk.key(IS, 2018),
            target_id=desk.key(EX, 2018),
            amount=Decimal(1),
            order="1",
            reason="r",
        )


# The database


def refused(session: Session, statement: str, **values: Any) -> str:
    with pytest.raises(IntegrityError) as caught, session.begin_nested():
        session.execute(text(statement), values)
        session.execute(text("set constraints all immediate"))
    diagnosis = caught.value.orig.diag  # type: ignore[union-attr]
    return str(diagnosis.constraint_name or diagnosis.message_primary)


def test_a_posting_of_these_kinds_needs_a_signed_order(session: Session, desk: Desk) -> None:
    lines = rules.reallocate(desk.key(IS, 2018), desk.key(IS, 2019), Decimal(1))
    post(session, budget.ACTOR, key="k", kind=REALLOCATE, lines=lines, reason="r", document="d")
    with pytest.raises(IntegrityError) as caught:
        session.execute(text("set constraints all immediate"))
    assert caught.value.orig.diag.constraint_name == "ledger_unsigned"  # type: ignore[union-attr]


def test_the_database_wants_two_people_and_one_end(session: Session, desk: Desk) -> None:
    order = desk.draft()
    session.flush()
    posting = session.scalars(select(Posting)).first()
    assert posting is not None
    values = {"o": order.id, "p": posting.id, "drafter": desk.drafter.user_id, "second": desk.second.user_id}
    where = " where id = :o"
    sign = "update budget_order set signed_by = :drafter, signed_at = now(), posting_id = :p"
    assert refused(session, sign + where, **values) == "ck_budget_order_second_person"
    half = "update budget_order set signed_by = :second, signed_at = now()"
    assert refused(session, half + where, **values) == "ck_budget_order_signed"
    closed = f"budget_order {order.id} is closed"
    assert refused(session, "update budget_order set amount = 1" + where, **values) == closed
    assert refused(session, "delete from budget_order" + where, **values) == closed
    orders.discard(session, desk.second, order.id)
    assert refused(session, "update budget_order set discarded_at = null" + where, **values) == closed
    assert refused(session, "truncate budget_order cascade").endswith("is append-only")


def test_the_database_knows_which_envelopes_go_together(session: Session, desk: Desk) -> None:
    statement = (
        "insert into budget_order (id, programme_id, kind, source_id, target_id, amount, number, reason, drafted_by)"
        " values (:id, :programme, 'carry_over', :source, :target, 1, 'n', 'r', :drafter)"
    )
    values = {
        "id": uuid4(),
        "programme": desk.programme.id,
        "source": desk.key(IS, 2018),
        "target": desk.key(EX, 2019),
        "drafter": desk.drafter.user_id,
    }
    assert refused(session, statement, **values) == "budget_order_envelopes"
    other = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
    values |= {"target": desk.key(IS, 2019), "programme": other.id}
    assert refused(session, statement, **values) == "budget_order_envelopes"


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("update budget_order set reason = 'Other'", "is not what the audit trail says of it"),
        ("update budget_order set drafted_at = drafted_at - interval '1 s'", "is not what the audit trail says of it"),
        ("update budget_order set signed_by = :other where signed_at is not null", "its signature is not that"),
        ("update budget_order set signed_at = now() where signed_at is not null", "its signature is not that"),
        ("update budget_order set discarded_by = :other where discarded_at is not null", "its end is not that"),
        (
            "update budget_order set discarded_at = null, discarded_by = null where discarded_at is not null",
            "its end is not that",
        ),
        (
            "update budget_order set posting_id = (select id from posting order by number limit 1)"
            " where signed_at is not null",
            "its posting is not that",
        ),
        ("delete from budget_order where discarded_at is not null", "is missing, row"),
    ],
)
def test_tampering_with_an_order_is_found(session: Session, desk: Desk, tampering: str, place: str) -> None:
    orders.sign(session, desk.second, desk.draft().id)
    orders.discard(session, desk.second, desk.draft().id)
    session.commit()
    assert queries.verify(session)[1] is None
    session.expunge_all()
    without_fences(session, tampering.replace(":other", f"'{desk.chair.user_id}'"))
    fault = queries.verify(session)[1]
    assert fault is not None
    assert fault.startswith("order ")
    assert place in fault


def test_who_may_sign_is_told_and_reminded_until_somebody_has(session: Session) -> None:
    desk = Desk(session)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    row = desk.draft()
    told = {
        key: subject["en"]
        for key, subject in session.execute(
            select(Notice.user_id, Notice.subject).where(Notice.kind == order_letters.WAITS)
        )
    }
    assert {desk.second.user_id, desk.chair.user_id} <= set(told)
    assert not {desk.drafter.user_id, officer.user_id} & set(told)
    assert told[desk.chair.user_id] == "Order № 7 of 01.02.2019 waits for a second signature"
    stages = []
    for days in (2, 3, 6, 7, 20):
        found = list(reminders.orders(session, row.drafted_at + timedelta(days=days)))
        stages.append([each.key.rpartition(":")[2] for each in found])
        assert all(desk.drafter.user_id not in [reader.id for reader in each.readers] for each in found)
    assert stages == [[], ["3"], ["3"], ["7"], []]
    orders.sign(session, desk.chair, row.id)
    assert list(reminders.orders(session, row.drafted_at + timedelta(days=3))) == []

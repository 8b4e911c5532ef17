"""Signatures by amount, and letters that are held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.awards import jobs as award_jobs
from portal.awards import queries, service
from portal.awards.models import AwardDecision, DecisionSignature
from portal.budget.models import Posting
from portal.core import clock
from portal.core.errors import Conflict, Problems, Refused, Stale
from portal.core.jobs import Claim, Task
from portal.core.language import render
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.tenders.rulebook import load_commission, load_rulebook
from portal.tenders.ruleset import Commission, Office, SignOff, from_json, rules_digest, to_json
from tests.factories import awards, commission
from tests.factories.awards import Stage

ABOVE = Decimal(300_000_000)


@pytest.fixture
def stage(session: Session) -> Stage:
    """Two awards of 310 million together, by rules with a commission whose meeting is over."""
    return commission.stage(session, [{2018: 200_000_000}, {2019: 110_000_000}])


def drafted(stage: Stage) -> AwardDecision:
    return commission.adopted(stage, service.draft(stage.session, stage.officer, stage.track.id))


def offices(session: Session) -> dict[str, Actor]:
    return {
        "director": awards.person(session, Role.DIRECTOR, "Demo Director"),
        "chair": awards.person(session, Role.CHAIR, "Demo Chair 2"),
        "finance": awards.person(session, Role.FINANCE, "Demo Finance"),
    }


def booked(session: Session) -> int:
    return session.scalar(select(func.count()).where(Posting.kind == "reserve")) or 0


@given(st.decimals(min_value=0, max_value=10**10, places=2))
def test_offices_follow_the_amount(amount: Decimal) -> None:
    rules = load_commission()
    assert rules.offices(amount) == (
        (Office.DIRECTOR,) if amount <= ABOVE else (Office.DIRECTOR, Office.CHAIR, Office.FINANCE)
    )


def test_rules_without_a_commission_keep_their_digest() -> None:
    plain = load_rulebook("export")
    assert "commission" not in to_json(plain)
    held = replace(plain, commission=load_commission())
    assert from_json(to_json(held)) == held
    assert rules_digest(held) != rules_digest(plain) == rules_digest(from_json({**to_json(plain), "commission": None}))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quorum": (3, 2)}, "commission.quorum"),
        ({"quorum": (0, 2)}, "commission.quorum"),
        ({"sign_offs": ()}, "commission.sign_offs"),
        ({"sign_offs": (SignOff(Office.CHAIR, Decimal(1)),)}, "commission.sign_offs"),
        ({"sign_offs": (SignOff(Office.CHAIR, Decimal(0)),) * 2}, "commission.sign_offs"),
        (
            {"sign_offs": (SignOff(Office.CHAIR, Decimal(0)), SignOff(Office.FINANCE, Decimal(-1)))},
            "commission.sign_offs.1.above",
        ),
        ({"letters_held_minutes": 10_081}, "commission.letters_held_minutes"),
        ({"appeal_days": -1}, "commission.appeal_days"),
    ],
)
def test_what_no_rules_may_say(change: dict[str, object], field: str) -> None:
    broken: Commission = replace(load_commission(), **change)  # type: ignore[arg-type]
    with pytest.raises(Problems) as caught:
        from_json(to_json(replace(load_rulebook("export"), commission=broken)))
    assert [problem.field for problem in caught.value.problems] == [field]


def test_the_last_of_three_signatures_books(session: Session, stage: Stage) -> None:
    decision, people = drafted(stage), offices(session)
    for office in ("finance", "director"):
        service.sign(session, people[office], decision.id)
        assert (decision.signed_at, booked(session)) == (None, 0)
    with pytest.raises(Conflict, match="signed this decision already"):
        service.sign(session, people["finance"], decision.id)
    with pytest.raises(Conflict, match="in this capacity already"):
        service.sign(session, awards.person(session, Role.FINANCE), decision.id)
    service.sign(session, people["chair"], decision.id)
    assert (decision.signed_by, booked(session)) == (people["chair"].user_id, 2)
    view = queries.decision_view(session, stage.chair, decision.id)
    assert [(item.office, item.person) for item in view.signatures] == [
        ("director", "Demo Director"),
        ("chair", "Demo Chair 2"),
        ("finance", "Demo Finance"),
    ]
    with pytest.raises(Conflict, match="signed already"):
        service.sign(session, people["chair"], decision.id)


def test_a_small_amount_needs_the_director_alone(session: Session) -> None:
    stage = commission.stage(session, [{2018: 300_000_000}])
    decision, people = drafted(stage), offices(session)
    with pytest.raises(Refused) as caught:
        service.sign(session, people["chair"], decision.id)
    assert "signed by: Director of the department." in render(caught.value.reason, "en")
    service.sign(session, people["director"], decision.id)
    assert booked(session) == 1


def test_the_drafter_is_none_of_the_signers(session: Session, stage: Stage) -> None:
    decision = commission.adopted(stage, service.draft(session, stage.chair, stage.track.id))
    with pytest.raises(Refused, match="You drafted this list"):
        service.sign(session, stage.chair, decision.id)
    with pytest.raises(IntegrityError, match="cannot sign decision"), session.begin_nested():
        session.add(
            DecisionSignature(
                decision_id=decision.id, office="chair", signed_by=stage.chair.user_id, digest=decision.digest
            )
        )
        session.flush()


def test_signatures_stay(session: Session, stage: Stage) -> None:
    decision, people = drafted(stage), offices(session)
    service.sign(session, people["finance"], decision.id)
    for statement in ("update decision_signature set office = 'chair'", "delete from decision_signature"):
        with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
            session.execute(text(statement))


# Letters


def published(session: Session, stage: Stage) -> AwardDecision:
    decision, people = drafted(stage), offices(session)
    for person in people.values():
        service.sign(session, person, decision.id)
    return service.publish(session, stage.officer, decision.id)


def run(session: Session, decision: AwardDecision) -> None:
    task = session.scalars(
        select(Task).where(Task.kind == "award_letters", Task.payload["decision_id"].astext == str(decision.id))
    ).first()
    assert task is not None
    claim = Claim(task.id, task.number, 1, task.kind, task.payload, 1)
    award_jobs.award_letters(session, task.payload, claim)


def letters(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Letter).where(Letter.kind == "award")) or 0


def test_letters_wait_for_as_long_as_the_rules_say(session: Session, stage: Stage) -> None:
    decision = published(session, stage)
    assert decision.published_at is not None
    assert decision.letters_at == decision.published_at + timedelta(minutes=120)
    task = session.scalars(select(Task).where(Task.kind == "award_letters")).one()
    assert task.run_after == decision.letters_at


def test_stopped_letters_are_not_written(session: Session, stage: Stage) -> None:
    decision = published(session, stage)
    with pytest.raises(Problems):
        service.stop_letters(session, stage.officer, decision.id, reason="  ")
    with pytest.raises(Stale):
        service.stop_letters(session, stage.officer, decision.id, reason="x", expected_version=99)
    with pytest.raises(Refused):
        service.stop_letters(session, stage.member, decision.id, reason="x")
    with pytest.raises(Conflict, match="not stopped"):
        service.send_letters(session, stage.officer, decision.id)
    service.stop_letters(session, stage.officer, decision.id, reason="Wrong", expected_version=decision.version)
    with pytest.raises(Conflict, match="stopped already"):
        service.stop_letters(session, stage.officer, decision.id, reason="Again")
    run(session, decision)
    assert letters(session) == 0
    service.send_letters(session, stage.officer, decision.id)
    run(session, decision)
    assert letters(session) == 2
    assert session.scalar(select(func.count()).where(Task.kind == "award_letters")) == 2


def test_nobody_stops_letters_that_are_gone(session: Session, stage: Stage) -> None:
    decision = published(session, stage)
    assert decision.letters_at is not None
    with clock.at(session, decision.letters_at), pytest.raises(Conflict, match="time to stop the letters is over"):
        service.stop_letters(session, stage.officer, decision.id, reason="Late")


def test_rules_without_a_commission_hold_nothing(session: Session) -> None:
    plain = awards.stage(session, [{2018: 1}], {2018: 5})
    decision = service.draft(session, plain.chair, plain.track.id)
    service.sign(session, plain.member, decision.id)
    service.publish(session, plain.officer, decision.id)
    with pytest.raises(Conflict, match="No letters of this decision are held"):
        service.stop_letters(session, plain.officer, decision.id, reason="Nothing to stop")

"""Every verb of a decision and each of its exits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.models import AuditEvent
from portal.awards import queries, service
from portal.awards.models import AwardDecision
from portal.awards.results import published_results
from portal.budget import queries as budget_queries
from portal.budget import service as budget_service
from portal.budget.ledger import Overdrawn
from portal.budget.models import Posting
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused, Stale
from portal.core.jobs import Task
from portal.core.language import render
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.scoring.models import Score, ScoreRun
from portal.tenders.models import Tender, Track
from tests.factories import awards, budget, identity
from tests.factories import review as reviews
from tests.factories.awards import Stage

THREE = [{2018: 60, 2019: 10}, {2018: 40}, {2018: 5}]


@pytest.fixture
def stage(session: Session) -> Stage:
    """Three fit-or-not requests and a declined one: 100 roubles in 2018, 50 in 2019."""
    return awards.stage(session, [*THREE, {2018: 1}], {2018: 100, 2019: 50}, declined=[3])


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def drafted(stage: Stage) -> AwardDecision:
    return service.draft(stage.session, stage.chair, stage.track.id)


def outcomes(stage: Stage, decision: AwardDecision) -> list[tuple[int, str, dict[int, Decimal]]]:
    view = queries.decision_view(stage.session, stage.chair, decision.id)
    return [
        (row.line.place, row.line.outcome, {amount.year: amount.amount for amount in row.line.amounts})
        for row in view.rows
    ]


def joins(stage: Stage, actor: Actor, place: int) -> Actor:
    """The person becomes a member of the organisation behind a place of the ranking."""
    assert actor.user_id is not None
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=actor.user_id, organisation_id=organisation, role=OrgRole.VIEWER))
    stage.session.flush()
    return actor


def available(stage: Stage) -> dict[int, Decimal]:
    return budget_queries.available(stage.session, stage.tender.programme_id, stage.track.track)


# Draft


def test_draft_follows_ranking_and_money(stage: Stage) -> None:
    decision = drafted(stage)
    assert outcomes(stage, decision) == [
        (1, "award", {2018: Decimal("60.00"), 2019: Decimal("10.00")}),
        (2, "award", {2018: Decimal("40.00")}),
        (3, "reserve", {}),
        (4, "decline", {}),
    ]
    view = queries.decision_view(stage.session, stage.chair, decision.id)
    assert [row.left for row in view.rows] == [
        {2018: Decimal("40.00"), 2019: Decimal("40.00")},
        {2018: Decimal("0.00"), 2019: Decimal("40.00")},
        {2018: Decimal("0.00"), 2019: Decimal("40.00")},
        {2018: Decimal("0.00"), 2019: Decimal("40.00")},
    ]
    assert (view.awarded, view.before[2018], view.rows[0].requested) == (110, 100, 70)
    assert decision.available == {"2018": "100.00", "2019": "50.00"}
    assert view.rows[3].line.reason["en"] == "Below the threshold of 60 points."
    assert available(stage) == {2018: 100, 2019: 50}
    assert stage.states() == ["expertise"] * 4


def test_second_draft_needs_the_first_discarded(stage: Stage) -> None:
    first = drafted(stage)
    with pytest.raises(Conflict, match="list for this track already"):
        drafted(stage)
    with pytest.raises(Stale):
        service.discard(stage.session, stage.chair, first.id, expected_version=9)
    service.discard(stage.session, stage.chair, first.id, expected_version=1)
    with pytest.raises(Conflict, match="was discarded"):
        service.discard(stage.session, stage.chair, first.id)
    second = drafted(stage)
    assert second.digest == first.digest
    with pytest.raises(NotFound):
        service.discard(stage.session, stage.chair, uuid4())


def test_draft_needs_a_complete_run(session: Session, stage: Stage) -> None:
    run = session.scalars(select(ScoreRun)).one()
    run.ended_at = run.output_digest = None
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert codes(caught) == [("run", "running")]
    session.query(Score).delete()
    session.delete(run)
    stage.application(0).state = State.SUBMITTED
    session.flush()
    number = stage.application(0).number
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert codes(caught) == [(f"application.{number}", "unchecked"), ("run", "no_run")]


def test_draft_needs_a_run_that_knows_everything(session: Session, stage: Stage) -> None:
    score = session.scalars(select(Score).limit(1)).one()
    score.current = False
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert codes(caught) == [("run", "old_run")]
    score.current = True
    score.total = score.recommended = None
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert [code for _, code in codes(caught)] == ["not_scored"]


def test_a_review_after_the_run_makes_it_old(session: Session, stage: Stage) -> None:
    assignment = reviews.assigned(session, stage.application(0), 2)[0]
    assignment.declared_at = assignment.submitted_at = now(session)
    assignment.state = "submitted"
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert codes(caught) == [("run", "old_run")]


def test_draft_waits_for_the_end_of_intake(session: Session, stage: Stage) -> None:
    tender = session.get_one(Tender, stage.tender.id)
    tender.closes_at = now(session) + timedelta(hours=1)
    session.flush()
    with pytest.raises(Conflict, match="after intake has closed"):
        drafted(stage)
    with pytest.raises(NotFound):
        service.draft(session, stage.chair, uuid4())


def test_nothing_to_decide_on(session: Session, stage: Stage) -> None:
    for place in range(4):
        stage.application(place).state = State.REJECTED
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(stage)
    assert codes(caught) == [("", "nothing")]


def test_nobody_drafts_an_award_to_their_own_organisation(stage: Stage) -> None:
    joins(stage, stage.chair, 1)
    with pytest.raises(Refused) as caught:
        drafted(stage)
    number = stage.application(1).number
    assert f"takes part in {number} of the award list" in render(caught.value.reason, "en")


def test_nobody_drafts_a_reserve_for_their_own_organisation(stage: Stage) -> None:
    joins(stage, stage.chair, 2)
    with pytest.raises(Refused, match="conflict of interest"):
        drafted(stage)


def test_member_of_a_declined_project_may_draft(stage: Stage) -> None:
    joins(stage, stage.chair, 3)
    assert drafted(stage).signed_at is None


# Signature


def test_signature_books_and_moves_every_application(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    service.sign(session, stage.member, decision.id, expected_version=1)
    assert (decision.signed_by, decision.drafted_by) == (stage.member.user_id, stage.chair.user_id)
    assert available(stage) == {2018: Decimal("0.00"), 2019: Decimal("40.00")}
    assert stage.states() == ["awarded", "awarded", "reserve", "declined"]
    booked = session.scalars(select(Posting).where(Posting.kind == "reserve").order_by(Posting.number)).all()
    lines = [row.line for row in queries.decision_view(session, stage.chair, decision.id).rows]
    assert [row.key for row in booked] == [f"award:{line.id}" for line in lines[:2]]
    assert [line.approved_at is not None for line in lines] == [True, True, False, False]
    session.commit()
    tags = session.scalars(select(AuditEvent.tag).where(AuditEvent.tag.like("awards:%")).order_by(AuditEvent.seq)).all()
    assert tags == [
        "awards:decision:draft",
        "awards:line:approve",
        "awards:line:approve",
        "awards:decision:sign",
    ]
    assert budget_queries.verify(session) == (4, None)


def test_signed_once(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    service.sign(session, stage.member, decision.id)
    with pytest.raises(Conflict, match="signed already"):
        service.sign(session, stage.member, decision.id)
    with pytest.raises(Conflict, match="signed decision is not discarded"):
        service.discard(session, stage.chair, decision.id)
    with pytest.raises(Conflict, match="list for this track already"):
        drafted(stage)
    line = queries.decision_view(session, stage.chair, decision.id).rows[0].line
    service.approve(session, stage.member, line.id)
    assert available(stage)[2018] == 0
    assert session.scalar(select(func.count()).where(Posting.kind == "reserve")) == 2


def test_the_drafter_does_not_sign(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    with pytest.raises(Refused, match="Another member"):
        service.sign(session, stage.chair, decision.id)
    assert stage.states() == ["expertise"] * 4


def test_nobody_signs_for_their_own_organisation(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    signer = joins(stage, awards.person(session, Role.COMMISSION, "Demo Insider"), 1)
    with pytest.raises(Refused, match="You belong to"):
        service.sign(session, signer, decision.id)
    joins(stage, stage.chair, 0)
    with pytest.raises(Refused, match="who drafted this list, belongs to"):
        service.sign(session, stage.member, decision.id)
    assert stage.states() == ["expertise"] * 4
    assert available(stage) == {2018: 100, 2019: 50}


def test_signing_for_a_declined_project_is_no_conflict(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    service.sign(session, joins(stage, stage.member, 3), decision.id)
    assert stage.states() == ["awarded", "awarded", "reserve", "declined"]


def more_money(stage: Stage) -> None:
    budget_service.adjust(
        stage.session,
        budget.ACTOR,
        stage.envelopes[Track.IMPORT_SUBSTITUTION, 2018].id,
        key="more",
        change=Decimal(5),
        order="№ 2",
        reason="Demo",
    )


def other_scores(stage: Stage) -> None:
    run = stage.session.scalars(select(ScoreRun)).one()
    run.output_digest = "1" * 64
    stage.session.flush()


def gone(stage: Stage) -> None:
    stage.application(2).state = State.REJECTED
    stage.session.flush()


def unchecked(stage: Stage) -> None:
    stage.application(2).state = State.SUBMITTED
    stage.session.flush()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more_money, "available for 2018 changed from RUB\u00a0100 to RUB\u00a0105"),
        (other_scores, "the list has changed"),
        (gone, "the list has changed"),
        (unchecked, "it is no longer complete"),
    ],
)
def test_nobody_signs_what_is_no_longer_true(
    session: Session, stage: Stage, change: Callable[[Stage], None], said: str
) -> None:
    decision = drafted(stage)
    change(stage)
    with pytest.raises(Conflict) as caught:
        service.sign(session, stage.member, decision.id)
    assert said in render(caught.value.reason, "en")
    assert decision.signed_at is None


def test_money_of_years_that_nobody_asks_for_changes_nothing(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    budget.envelope(session, stage.tender.programme_id, Track.IMPORT_SUBSTITUTION, 2031, Decimal(500))
    assert service.changed(session, stage.track, decision) is None
    service.sign(session, stage.member, decision.id)
    assert decision.signed_at is not None
    assert decision.available == {"2018": "100.00", "2019": "50.00"}


def test_ledger_refuses_what_does_not_fit(session: Session, stage: Stage) -> None:
    lines = awards.signed(stage, [{2018: 60}, {2018: 60}, {2018: 1}, {2021: 1}])
    service.approve(session, stage.member, lines[0])
    with pytest.raises(Overdrawn) as caught, session.begin_nested():
        service.approve(session, stage.member, lines[1])
    assert "2018: RUB\u00a060 is needed, but the account “Available” holds RUB\u00a040" in render(
        caught.value.reason, "en"
    )
    with pytest.raises(Problems) as missing, session.begin_nested():
        service.approve(session, stage.member, lines[3])
    assert codes(missing) == [("amounts.2021", "no_envelope")]
    assert stage.states() == ["awarded", "expertise", "expertise", "expertise"]
    with pytest.raises(NotFound):
        service.approve(session, stage.member, uuid4())


def test_only_awards_of_signed_decisions_are_booked(session: Session, stage: Stage) -> None:
    rows = queries.decision_view(session, stage.chair, drafted(stage).id).rows
    for row in rows:
        with pytest.raises(Conflict, match="award of a signed decision"):
            service.approve(session, stage.member, row.line.id)


def test_booking_for_ones_own_organisation_is_refused(session: Session, stage: Stage) -> None:
    lines = awards.signed(stage, [{2018: 1}] * 4)
    with pytest.raises(Refused, match="You belong to"):
        service.approve(session, joins(stage, stage.member, 0), lines[0])
    with pytest.raises(Refused, match="drafted this list"):
        service.approve(session, stage.chair, lines[0])


# Publication


def test_publication_ends_the_tender_with_its_last_track(session: Session, stage: Stage) -> None:
    other = awards.stage(session, [{2019: 10}], {2019: 100}, track=Track.EXPORT, tender=stage.tender)
    decisions = [drafted(stage), drafted(other)]
    with pytest.raises(Conflict, match="after it is signed"):
        service.publish(session, stage.officer, decisions[0].id)
    for decision in decisions:
        service.sign(session, stage.member, decision.id)
    service.publish(session, stage.officer, decisions[0].id)
    tender = session.get_one(Tender, stage.tender.id)
    session.refresh(tender)
    assert tender.results_published_at is None
    assert [held.track for held in published_results(session, tender.id)] == ["import_substitution"]
    with pytest.raises(Conflict, match="published already"):
        service.publish(session, stage.officer, decisions[0].id)
    service.publish(session, stage.chair, decisions[1].id)
    session.refresh(tender)
    assert tender.results_published_at is not None
    results = published_results(session, tender.id)
    assert [(held.track, held.awarded, [line.outcome for line in held.lines]) for held in results] == [
        ("import_substitution", 110, ["award", "award", "reserve", "decline"]),
        ("export", 10, ["award"]),
    ]
    tasks = session.scalars(select(Task.payload).where(Task.kind == "award_letters")).all()
    assert [task["decision_id"] for task in tasks] == [str(decision.id) for decision in decisions]


def test_outcome_is_told_after_publication(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    service.sign(session, stage.member, decision.id)
    key = stage.applications[0]
    assert queries.outcome_of(session, key) is None
    assert published_results(session, stage.tender.id) == []
    service.publish(session, stage.officer, decision.id)
    outcome = queries.outcome_of(session, key)
    assert outcome is not None
    assert (outcome.outcome, outcome.place, sum(outcome.amounts.values())) == ("award", 1, 70)


# Who


def test_verbs_by_role(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    verbs: dict[str, Callable[[Actor], object]] = {
        "draft": lambda a: service.draft(session, a, stage.track.id),
        "discard": lambda a: service.discard(session, a, decision.id, expected_version=99),
        "sign": lambda a: service.sign(session, a, decision.id, expected_version=99),
        "approve": lambda a: service.approve(session, a, uuid4()),
        "publish": lambda a: service.publish(session, a, decision.id, expected_version=99),
    }

    def passes(actor: Actor, verb: Callable[[Actor], object]) -> bool:
        try:
            verb(actor)
        except Refused:
            return False
        except PortalError as error:
            return isinstance(error, Conflict) or actor.has(*Role)
        return True

    people = {role.value: awards.person(session, role) for role in Role}
    people["member"] = identity.actor(session, identity.member(session, identity.organisation(session)))
    seen = {name: {verb for verb, call in verbs.items() if passes(person, call)} for name, person in people.items()}
    assert seen == {
        "administrator": set(),
        "officer": {"draft", "discard", "publish"},
        "reviewer": set(),
        "chair": {"draft", "discard", "sign", "approve", "publish"},
        "commission": {"sign", "approve"},
        "auditor": set(),
        "director": {"sign", "approve"},
        "finance": {"sign", "approve"},
        "member": set(),
    }
    assert session.scalar(select(func.count()).where(Application.state != "expertise")) == 0

"""After publication: refusals of awards, the reserve list that moves up, corrections, appeals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import overview, refusing
from portal.awards import amending, grounds, jobs, queries, reserve_list, service
from portal.awards.amendment_checks import Change
from portal.awards.commission import appeals, meetings, minutes, sitting
from portal.awards.commission import queries as meeting_queries
from portal.awards.commission.meetings import Question
from portal.awards.commission.models import ItemKind
from portal.awards.models import Award, AwardDecision, DecisionKind
from portal.awards.reserve_list import Waiting, next_in_line
from portal.awards.reserve_models import ReserveProposal
from portal.awards.results import published_results
from portal.budget import queries as budget_queries
from portal.budget import service as budget_service
from portal.core import clock
from portal.core.calendar import deadline
from portal.core.clock import MOSCOW
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.jobs import Claim, Task
from portal.core.language import both
from portal.identity.models import Membership, OrgRole, Role, User
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from portal.scoring.queries import rules_of
from tests.factories import awards, budget, commission, identity
from tests.factories.awards import Stage

HUNDRED = {2018: 100}


@pytest.fixture
def stage(session: Session) -> Stage:
    """Two awards of 60 and 40 in 2018, a reserve list of 50, 30 and 20; signed and published."""
    made = awards.stage(session, [{2018: 60}, {2018: 40}, {2018: 50}, {2018: 30}, {2018: 20}], HUNDRED)
    decision = service.draft(session, made.chair, made.track.id)
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    return made


def owner(stage: Stage, place: int, role: OrgRole = OrgRole.OWNER) -> Actor:
    """Somebody of the initiator behind a place of the ranking."""
    person = identity.user(stage.session)
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=person.id, organisation_id=organisation, role=role))
    stage.session.flush()
    return identity.actor(stage.session, person)


def available(stage: Stage) -> dict[int, Decimal]:
    return budget_queries.available(stage.session, stage.tender.programme_id, stage.track.track)


def first(stage: Stage) -> AwardDecision:
    return stage.session.scalars(select(AwardDecision).where(AwardDecision.number == 1)).one()


def work(stage: Stage) -> list[ReserveProposal]:
    """Do what the database asked for when money returned."""
    session = stage.session
    for task in session.scalars(select(Task).where(Task.kind == "propose_reserve")):
        claim = Claim(task.id, task.number, 1, task.kind, task.payload, 1)
        jobs.propose_reserve(session, task.payload, claim)
    return list(session.scalars(select(ReserveProposal).order_by(ReserveProposal.id)))


def decided(stage: Stage, decision: AwardDecision) -> AwardDecision:
    """A later decision, signed and published."""
    service.sign(stage.session, stage.member, decision.id)
    return service.publish(stage.session, stage.officer, decision.id)


def fields(caught: pytest.ExceptionInfo[Problems]) -> list[str]:
    return [problem.field for problem in caught.value.problems]


# Who is next


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 120))
def test_the_list_moves_up_in_its_order_and_within_the_money(asked: list[int], money: int) -> None:
    waiting = [Waiting(uuid4(), str(n), "", "", n, None, {2018: Decimal(amount)}) for n, amount in enumerate(asked)]
    found = next_in_line(waiting, {2018: Decimal(money)})
    assert found == waiting[: len(found)]
    taken = sum(asked[: len(found)])
    assert taken <= money
    assert len(found) == len(asked) or taken + asked[len(found)] > money


def test_a_refused_award_moves_the_list_up_as_a_proposal(session: Session, stage: Stage) -> None:
    refusing.refuse(session, owner(stage, 0), stage.applications[0], reason="No co-financing")
    assert (stage.application(0).state, available(stage)) == ("renounced", {2018: 60})
    assert session.scalar(select(func.count()).where(Task.kind == "propose_reserve")) == 1
    row = work(stage)[0]
    assert [line["number"] for line in row.lines] == [stage.application(2).number]
    assert row.available == {"2018": "60.00"}
    assert work(stage) == [row]
    told = session.scalars(select(Notice).where(Notice.kind == reserve_list.PROPOSED)).all()
    assert {notice.path for notice in told} == {f"/staff/decisions/reserve/{row.id}"}
    assert str(stage.application(2).number) in str(told[0].paragraphs)
    assert stage.states()[2:] == ["reserve"] * 3
    decision = reserve_list.draft(session, stage.chair, row.id, grounds="Money has returned")
    assert (decision.number, decision.kind, decision.follows_id, row.state) == (
        2,
        "supplementary",
        first(stage).id,
        "drafted",
    )
    with pytest.raises(Conflict, match="drafted, dismissed or replaced"):
        reserve_list.draft(session, stage.chair, row.id, grounds="Again")
    assert available(stage) == {2018: 60}
    service.discard(session, stage.chair, decision.id)
    assert (row.state, row.decision_id) == ("open", None)
    decision = reserve_list.draft(session, stage.chair, row.id, grounds=both(grounds.RETURNED)["ru"])
    assert grounds.in_both(decision.grounds) == both(grounds.RETURNED)
    assert grounds.in_both("Another reason") == {"ru": "Another reason", "en": "Another reason"}
    decided(stage, decision)
    assert (available(stage), stage.application(2).state) == ({2018: 10}, "awarded")
    results = published_results(session, stage.tender.id)[0]
    assert [(line.outcome, line.refused) for line in results.lines[:3]] == [
        ("award", True),
        ("award", False),
        ("award", False),
    ]
    assert (results.awarded, [item.number for item in results.chain]) == (90, [1, 2])
    totals = overview.published_totals(session, [stage.tender.id])[stage.tender.id]
    assert (totals.projects, totals.amount) == (2, 90)
    assert queries.track_of(session, stage.chair, stage.track.id).decision == decision


def test_more_money_replaces_the_proposal(session: Session, stage: Stage) -> None:
    refusing.refuse(session, owner(stage, 1), stage.applications[1], reason="No demand")
    assert work(stage) == []
    refusing.refuse(session, owner(stage, 0), stage.applications[0], reason="No demand either")
    row = work(stage)[-1]
    assert [line["place"] for line in row.lines] == [3, 4, 5]
    budget_service.adjust(
        session,
        budget.ACTOR,
        stage.envelopes[stage.track.track, 2018].id,
        key="less",
        change=Decimal(-15),
        order="№ 3",
        reason="Demo",
    )
    with pytest.raises(Conflict, match="list or the money has changed"):
        reserve_list.draft(session, stage.chair, row.id, grounds="Money has returned")
    with pytest.raises(Problems):
        reserve_list.dismiss(session, stage.chair, row.id, reason=" ")
    with pytest.raises(Refused):
        reserve_list.dismiss(session, stage.member, row.id, reason="No")
    reserve_list.dismiss(session, stage.chair, row.id, reason="Less money")
    with pytest.raises(Conflict):
        reserve_list.dismiss(session, stage.chair, row.id, reason="Again")
    with pytest.raises(NotFound):
        reserve_list.dismiss(session, stage.chair, uuid4(), reason="None")
    with pytest.raises(IntegrityError, match="stays as it is"), session.begin_nested():
        session.execute(text("delete from reserve_proposal"))


def test_exits_of_a_refusal(session: Session, stage: Stage) -> None:
    key = stage.applications[0]
    with pytest.raises(NotFound):
        refusing.refuse(session, owner(stage, 1), key, reason="Not mine")
    with pytest.raises(Refused, match="owner or a signatory"):
        refusing.refuse(session, owner(stage, 0, OrgRole.EDITOR), key, reason="Not allowed")
    with pytest.raises(NotFound):
        refusing.refuse(session, stage.chair, uuid4(), reason="None")
    with pytest.raises(Problems):
        refusing.refuse(session, owner(stage, 0), key, reason="")
    with pytest.raises(Conflict, match="no award that can be refused"):
        refusing.refuse(session, owner(stage, 2), stage.applications[2], reason="On the reserve list")
    refusing.refuse(session, owner(stage, 0, OrgRole.SIGNATORY), key, reason="No co-financing")
    with pytest.raises(Conflict, match="no award that can be refused"):
        refusing.refuse(session, owner(stage, 0), key, reason="Again")
    assert session.scalar(select(func.count()).where(Notice.kind == "award_refused")) == 2
    with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
        session.execute(text("delete from award_refusal"))


def test_what_an_agreement_binds_is_not_refused(session: Session, stage: Stage) -> None:
    line = queries.decision_view(session, stage.chair, first(stage).id).rows[0].line
    budget_service.commit(
        session,
        budget.ACTOR,
        key="agreement",
        programme_id=stage.tender.programme_id,
        track=stage.track.track,
        amounts={2018: Decimal(60)},
        reason="Demo",
        document="Demo",
        subject=("decision_line", line.id),
    )
    with pytest.raises(Conflict, match="bound by an agreement"), session.begin_nested():
        refusing.refuse(session, owner(stage, 0), stage.applications[0], reason="Too late")
    with pytest.raises(Problems) as caught:
        corrected(stage, Change(stage.applications[0], Award.DECLINE, {}))
    assert [problem.code for problem in caught.value.problems] == ["bound"]
    assert stage.application(0).state == "awarded"


# Corrections


def corrected(stage: Stage, *changes: Change, grounds: str = "Ruling on an appeal") -> AwardDecision:
    return amending.amend(
        stage.session, stage.chair, stage.track.id, kind=DecisionKind.CORRECTION, changes=changes, grounds=grounds
    )


def test_a_correction_cites_the_old_decision_and_moves_the_money(session: Session, stage: Stage) -> None:
    old = first(stage)
    before = (old.digest, [line.outcome for line in published_results(session, stage.tender.id)[0].lines])
    decision = corrected(
        stage,
        Change(stage.applications[0], Award.DECLINE, {}),
        Change(stage.applications[1], Award.AWARD, {2018: Decimal(35)}),
        Change(stage.applications[2], Award.AWARD, {2018: Decimal(50)}),
        Change(stage.applications[3], Award.DECLINE, {}),
    )
    view = queries.decision_view(session, stage.chair, decision.id)
    assert (view.before, view.freed, view.awarded, view.after) == ({2018: 0}, {2018: 100}, 85, {2018: 15})
    with pytest.raises(Conflict, match="before it is published"):
        corrected(stage, Change(stage.applications[4], Award.DECLINE, {}))
    assert queries.outcome_of(session, stage.applications[0]) is not None
    assert before[1] == [line.outcome for line in published_results(session, stage.tender.id)[0].lines]
    decided(stage, decision)
    assert stage.states() == ["declined", "awarded", "awarded", "declined", "reserve"]
    assert available(stage) == {2018: 15}
    session.commit()
    assert budget_queries.verify(session)[1] is None
    outcome = queries.outcome_of(session, stage.applications[0])
    assert outcome is not None
    assert outcome.outcome == "decline"
    session.refresh(old)
    assert old.digest == before[0]
    results = published_results(session, stage.tender.id)[0]
    assert [line.outcome for line in results.lines] == ["decline", "award", "award", "decline", "reserve"]
    assert (results.chain[1].grounds, results.digest) == ("Ruling on an appeal", decision.digest)
    made = [each.lines for each in results.chain]
    assert [line.outcome for line in made[0]] == before[1]
    assert [results.later(line, 1) for line in made[0]] == [2, 2, 2, 2, None]
    assert [results.later(line, 2) for line in made[1]] == [None] * 4
    third = corrected(stage, Change(stage.applications[0], Award.AWARD, {2018: Decimal(10)}))
    assert (third.number, third.follows_id) == (3, decision.id)
    decided(stage, third)
    assert (stage.application(0).state, available(stage)) == ("awarded", {2018: 5})


@pytest.mark.parametrize(
    ("place", "outcome", "amount", "grounds", "problems"),
    [
        (0, Award.AWARD, 60, "Why", ["outcome"]),
        (2, Award.RESERVE, 0, "Why", ["outcome"]),
        (2, Award.AWARD, 0, "Why", ["amounts"]),
        (2, Award.AWARD, -5, "Why", ["amounts"]),
        (2, Award.DECLINE, 0, " ", ["grounds"]),
        (None, Award.DECLINE, 0, "Why", ["application"]),
        (2, Award.AWARD, 50, "Why", ["amounts"]),
        (0, Award.AWARD, 61, "Why", ["amounts", "amounts"]),
    ],
)
def test_what_cannot_be_corrected(
    stage: Stage, place: int | None, outcome: Award, amount: int, grounds: str, problems: list[str]
) -> None:
    key = uuid4() if place is None else stage.applications[place]
    with pytest.raises(Problems) as caught:
        corrected(stage, Change(key, outcome, {2018: Decimal(amount)}), grounds=grounds)
    assert fields(caught) == problems


def test_nobody_corrects_for_their_own_organisation(session: Session, stage: Stage) -> None:
    session.add(
        Membership(user_id=stage.chair.user_id, organisation_id=stage.application(2).initiator_id, role=OrgRole.VIEWER)
    )
    session.flush()
    with pytest.raises(Refused):
        corrected(stage, Change(stage.applications[2], Award.AWARD, {2018: Decimal(50)}))
    with pytest.raises(NotFound):
        amending.amend(session, stage.chair, uuid4(), kind=DecisionKind.CORRECTION, changes=[], grounds="No such track")


def test_the_chain_is_the_databases_too(session: Session, stage: Stage) -> None:
    old = first(stage)
    insert = text(
        "insert into award_decision (id, tender_track_id, run_id, digest, available, drafted_by, version, number, kind,"
        " follows_id, grounds) select gen_random_uuid(), tender_track_id, run_id, digest, available, drafted_by, 1,"
        " :number, 'correction', id, 'Why' from award_decision where id = :old"
    )
    with pytest.raises(IntegrityError, match="does not follow a published one"), session.begin_nested():
        session.execute(insert, {"old": old.id, "number": 3})
    with pytest.raises(IntegrityError, match="ck_award_decision_chain"), session.begin_nested():
        session.execute(insert, {"old": old.id, "number": 1})
    session.execute(insert, {"old": old.id, "number": 2})
    with pytest.raises(IntegrityError, match="uq_award_decision_live"), session.begin_nested():
        session.execute(insert, {"old": old.id, "number": 2})
    with pytest.raises(IntegrityError, match="stays as it was drafted"), session.begin_nested():
        session.execute(text("update award_decision set grounds = 'Other' where number = 2"))


# Appeals


def test_an_appeal_from_filing_to_its_end(session: Session, stage: Stage) -> None:
    applicant = owner(stage, 3)
    row = appeals.file(session, applicant, stage.applications[3], text="The points of CR-01 are wrong.")
    published = first(stage).published_at
    assert published is not None
    assert row.due_at == deadline(published.astimezone(MOSCOW).date(), 10, MOSCOW)
    with pytest.raises(Conflict, match="appealed against this decision already"):
        appeals.file(session, applicant, stage.applications[3], text="Once more")
    other = awards.person(session, Role.DIRECTOR)
    version = row.version
    for judge in (stage.chair, stage.member):
        with pytest.raises(Refused, match="You drafted or signed the decision"):
            appeals.examine(session, judge, row.id, admit=True, reason="Looked at", expected_version=version)
    with pytest.raises(Problems):
        appeals.examine(session, other, row.id, admit=True, reason=" ", expected_version=version)
    with pytest.raises(Stale):
        appeals.examine(session, other, row.id, admit=True, reason="Looked at", expected_version=9)
    with pytest.raises(Conflict, match="Only an appeal that was admitted"):
        appeals.decide(session, other, row.id, uphold=True, reason="Right", expected_version=version)
    appeals.examine(session, other, row.id, admit=True, reason="Looked at", expected_version=version)
    with pytest.raises(Conflict, match="examined already"):
        appeals.examine(session, other, row.id, admit=False, reason="No", expected_version=row.version)
    appeals.decide(session, stage.officer, row.id, uphold=True, reason="Right", expected_version=row.version)
    assert row.state == "upheld"
    with pytest.raises(Conflict):
        appeals.decide(session, other, row.id, uphold=False, reason="No", expected_version=row.version)
    with pytest.raises(NotFound):
        appeals.decide(session, other, uuid4(), uphold=False, reason="No", expected_version=1)
    told = session.scalars(select(Notice.key).where(Notice.user_id == applicant.user_id, Notice.kind == "appeal")).all()
    assert len(told) == 3
    for statement in ("update appeal set ruling = 'x'", "delete from appeal"):
        with pytest.raises(IntegrityError, match="stays as it is"), session.begin_nested():
            session.execute(text(statement))


def test_an_appeal_that_is_not_admitted_ends(session: Session, stage: Stage) -> None:
    row = appeals.file(session, owner(stage, 3), stage.applications[3], text="The weather was bad.")
    appeals.examine(session, stage.officer, row.id, admit=False, reason="Not against it", expected_version=row.version)
    assert row.state == "inadmissible"


def test_who_appeals_and_until_when(session: Session, stage: Stage) -> None:
    key = stage.applications[3]
    with pytest.raises(NotFound):
        appeals.file(session, owner(stage, 2), key, text="Not mine")
    with pytest.raises(Refused):
        appeals.file(session, owner(stage, 3, OrgRole.VIEWER), key, text="Not allowed")
    with pytest.raises(NotFound):
        appeals.file(session, stage.chair, uuid4(), text="None")
    applicant = owner(stage, 3)
    with pytest.raises(Problems):
        appeals.file(session, applicant, key, text=" ")
    until = appeals.due(rules_of(session, stage.track.id), first(stage), stage.tender)
    with clock.at(session, until), pytest.raises(Conflict, match="time to appeal is over"):
        appeals.file(session, applicant, key, text="Too late")
    with clock.at(session, until - timedelta(microseconds=1)):
        assert appeals.file(session, applicant, key, text="Just in time").state == "filed"


def test_nothing_published_is_nothing_to_appeal_against(session: Session) -> None:
    made = awards.stage(session, [{2018: 1}], HUNDRED)
    with pytest.raises(Conflict, match="no published decision"):
        appeals.file(session, owner(made, 0), made.applications[0], text="Early")


def test_the_database_lets_others_decide(session: Session, stage: Stage) -> None:
    row = appeals.file(session, owner(stage, 3), stage.applications[3], text="Wrong")
    for judge in (stage.chair, stage.member):
        statement = (
            "update appeal set state = 'admitted', examined_by = :judge, examined_at = now(), examination = 'x'"
            " where id = :key"
        )
        with pytest.raises(IntegrityError, match="by others than those who decided"), session.begin_nested():
            session.execute(text(statement), {"judge": judge.user_id, "key": row.id})
    assert session.get_one(User, stage.chair.user_id).active


def test_an_admitted_appeal_is_voted_on_by_others(session: Session, stage: Stage) -> None:
    row = appeals.file(session, owner(stage, 3), stage.applications[3], text="Wrong")
    held = commission.sitting_of(stage)
    question = Question(ItemKind.APPEAL, appeal_id=row.id)
    with pytest.raises(Problems):
        meetings.add_item(session, stage.officer, held.meeting.id, question)
    judge = awards.person(session, Role.DIRECTOR)
    appeals.examine(session, judge, row.id, admit=True, reason="In time", expected_version=row.version)
    asked = meeting_queries.questions(session, stage.tender.id)
    assert asked[0] == (ItemKind.APPEAL, row.id, stage.application(3).number)
    assert [(kind, words) for kind, _key, words in asked[1:]] == [
        (ItemKind.TRACK, "import_substitution"),
        (ItemKind.TRACK, "export"),
    ]
    item = meetings.add_item(session, stage.officer, held.meeting.id, question)
    with pytest.raises(Conflict, match="on an agenda already"):
        meetings.add_item(session, stage.officer, held.meeting.id, question)
    # The chair drafted the decision: it neither votes nor counts.
    sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(Refused, match="do not take part"):
        sitting.vote(session, stage.chair, item.id, choice="yes")
    for person in held.members:
        sitting.vote(session, person, item.id, choice="yes")
    sitting.close_item(session, stage.officer, item.id)
    assert (item.state, item.entitled, item.tender_track_id) == ("adopted", 2, stage.track.id)
    said = minutes.content_of(session, held.meeting.id)["items"][0]
    assert said["title"]["en"] == f"Appeal on application {stage.application(3).number}"
    assert [one["reason"]["en"] for one in said["recused"]] == ["Made the decision that is appealed against"]


def test_minutes_say_what_a_later_decision_is_and_why(session: Session, stage: Stage) -> None:
    held = commission.sitting_of(stage)
    made = corrected(stage, Change(stage.applications[1], Award.RESERVE, {}), grounds="A wrong region")
    meetings.add_item(session, stage.officer, held.meeting.id, Question(ItemKind.DECISION, decision_id=made.id))
    said = minutes.content_of(session, held.meeting.id)["items"][0]["decision"]
    assert (said["kind"], said["grounds"]) == ("correction", {"ru": "A wrong region", "en": "A wrong region"})
    assert [line["outcome"] for line in said["lines"]] == ["reserve"]

"""Proposals of reviewers: computed in phases, confirmed by a person, refused when anything has changed."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.models import AuditEvent
from portal.core import jobs
from portal.core.db import db, transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.review import planning, service
from portal.review.models import Assignment, AssignmentState
from portal.review.plan_inputs import gather
from portal.review.pool_models import AssignmentPlan, Change, PlanLine, PlanState, ReviewerAbsence, ReviewerProfile
from portal.tenders.rulebook import load_lanes
from tests.factories import identity, review, submissions, tenders
from tests.factories.packages import package


class Tender:
    """A track with applications in expertise, an officer and a pool."""

    def __init__(self, session: Session, applications: int = 2, pool: int = 6, **rules: Any) -> None:
        self.session = session
        self.row = tenders.open_tender(session, rules=rules)
        self.track = tenders.track_of(self.row)
        content = [package() for _ in range(max(applications, 1))]
        state = State.EXPERTISE if applications else State.SUBMITTED
        self.applications = submissions.submitted(session, self.row, content, state=state)
        self.people = [identity.user(session, Role.REVIEWER) for _ in range(pool)]
        self.officer = identity.actor(session, identity.user(session, Role.OFFICER))

    def proposed(self, **options: Any) -> AssignmentPlan:
        """A proposal, computed to the end."""
        plan = planning.start(self.session, self.officer, tender_track_id=self.track.id, **options)
        while not planning.step(self.session, plan.id).finished:
            pass
        return plan

    def confirmed(self, **options: Any) -> AssignmentPlan:
        return self.decided(self.proposed(**options))

    def decided(self, plan: AssignmentPlan) -> AssignmentPlan:
        """Confirmed by the officer, and carried out as far as it can be."""
        planning.confirm(self.session, self.officer, plan_id=plan.id, expected_version=plan.version)
        return planning.carry_out(self.session, plan.id)

    def lines(self, plan: AssignmentPlan, change: Change) -> list[PlanLine]:
        wanted = select(PlanLine).where(PlanLine.plan_id == plan.id, PlanLine.change == change)
        return list(self.session.scalars(wanted.order_by(PlanLine.id)))

    def states(self) -> Counter[str]:
        self.session.flush()
        return Counter(self.session.scalars(select(Assignment.state)))

    def profile(self, person: User, **fields: Any) -> None:
        values = {"classes": [], "lanes": [], "languages": ["ru"], "load_limit": 15, **fields}
        self.session.add(ReviewerProfile(user_id=person.id, **values))
        self.session.flush()


@pytest.fixture
def tender(session: Session) -> Tender:
    return Tender(session)


def test_the_phases_are_told_and_the_proposal_asks_nobody(tender: Tender) -> None:
    plan = planning.start(tender.session, tender.officer, tender_track_id=tender.track.id)
    steps = [planning.step(tender.session, plan.id) for _ in range(3)]
    assert [(each.done, each.total) for each in steps] == [(1, 3), (2, 3), (3, 3)]
    assert (plan.state, plan.applications, plan.reviewers, plan.wanted, plan.gap) == ("proposed", 2, 6, 4, 0)
    assert len(tender.lines(plan, Change.NEW)) == 4
    assert tender.states() == {}
    assert planning.step(tender.session, plan.id).finished


def test_confirming_asks_each_reviewer_in_one_letter(tender: Tender) -> None:
    plan = tender.confirmed()
    assert (plan.state, plan.confirmed_by) == ("confirmed", tender.officer.user_id)
    assert tender.states() == {"assigned": 4}
    asked = set(tender.session.scalars(select(Assignment.reviewer_id)))
    told = list(tender.session.scalars(select(Letter.user_id).where(Letter.kind == "review_asked")))
    assert sorted(told, key=str) == sorted(asked, key=str)
    tender.session.commit()
    tags = Counter(tender.session.scalars(select(AuditEvent.tag).where(AuditEvent.object_type == "assignment")))
    assert tags == {"review:assignment:assign": 4}


def test_lanes_get_their_numbers_and_nobody_two_of_one_application(session: Session) -> None:
    tender = Tender(session, applications=2, pool=5, lanes=load_lanes())
    tender.confirmed()
    rows = session.execute(select(Assignment.application_id, Assignment.lane, Assignment.reviewer_id)).all()
    for application in tender.applications:
        mine = [(lane, who) for place, lane, who in rows if place == application]
        assert Counter(lane for lane, _ in mine) == {"technical": 2, "financial": 2, "legal": 1}
        assert len({who for _, who in mine}) == 5


def test_running_again_keeps_what_is_done(tender: Tender) -> None:
    tender.confirmed()
    first, *rest = tender.session.scalars(select(Assignment).order_by(Assignment.id))
    review.reviewed(tender.session, first)
    review.opened(tender.session, rest[0])
    again = tender.proposed(keep_asked=False)
    assert again.wanted == 2
    assert tender.lines(again, Change.NEW) == tender.lines(again, Change.REVOKED) == []
    assert len(tender.lines(again, Change.KEPT)) == 2
    kept = tender.proposed()
    assert (kept.wanted, tender.lines(kept, Change.KEPT)) == (0, [])
    assert again.state == PlanState.DISCARDED


def test_who_differs_gets_another_reviewer(tender: Tender) -> None:
    tender.confirmed()
    place = tender.applications[0]
    pair = list(tender.session.scalars(select(Assignment).where(Assignment.application_id == place)))
    for row, score in zip(pair, ("9", "2"), strict=True):
        review.reviewed(tender.session, row, score)
    again = tender.proposed()
    (line,) = tender.lines(again, Change.NEW)
    assert line.application_id == place
    assert line.reviewer_id not in {row.reviewer_id for row in pair}


def test_somebody_who_is_away_is_replaced(tender: Tender) -> None:
    tender.confirmed()
    row = tender.session.scalars(select(Assignment).order_by(Assignment.id)).first()
    assert row is not None
    day = review.case_of(tender.session, tender.applications[0]).today
    tender.session.add(ReviewerAbsence(user_id=row.reviewer_id, starts_on=day, ends_on=row.due_on))
    again = tender.proposed()
    gone = {line.reviewer_id for line in tender.lines(again, Change.REVOKED)}
    assert gone == {row.reviewer_id}
    tender.decided(again)
    states = Counter(tender.session.scalars(select(Assignment.state).where(Assignment.reviewer_id == row.reviewer_id)))
    assert set(states) == {"revoked"}
    letters = select(func.count()).where(Letter.kind == "review_revoked", Letter.user_id == row.reviewer_id)
    assert tender.session.scalar(letters) == states["revoked"]


def test_what_cannot_be_satisfied_is_named(session: Session) -> None:
    tender = Tender(session, applications=2, pool=3)
    busy, tied, _ = tender.people
    tender.profile(busy, load_limit=1)
    initiator = session.get_one(Application, tender.applications[0]).initiator_id
    session.add(Membership(user_id=tied.id, organisation_id=initiator, role=OrgRole.VIEWER))
    session.flush()
    plan = tender.proposed()
    unmet = tender.lines(plan, Change.UNMET)
    assert sum(line.count for line in unmet) == 1
    assert sum(unmet[0].reasons.values()) == 3
    assert unmet[0].reasons["conflict"] == 1
    assert {line.reviewer_id for line in tender.lines(plan, Change.NEW)} == {busy.id, tender.people[2].id}


def test_a_conflict_found_since_makes_the_proposal_stale(tender: Tender) -> None:
    plan = tender.proposed()
    line = tender.lines(plan, Change.NEW)[0]
    initiator = tender.session.get_one(Application, line.application_id).initiator_id
    tender.session.add(Membership(user_id=line.reviewer_id, organisation_id=initiator, role=OrgRole.VIEWER))
    tender.session.flush()
    assert tender.decided(plan).state == "overtaken"
    assert tender.states() == {}
    told = select(Letter.user_id).where(Letter.subject == "The proposal of reviewers was overtaken: nobody was asked")
    assert tender.session.scalars(told).all() == [tender.officer.user_id]
    assert tender.proposed().id != plan.id


def test_a_load_taken_since_makes_the_proposal_stale(tender: Tender) -> None:
    plan = tender.proposed()
    service.assign(
        tender.session,
        tender.officer,
        application_id=tender.applications[0],
        reviewer_ids=[person.id for person in tender.people[:2]],
    )
    assert tender.decided(plan).state == "overtaken"
    assert tender.states() == {"assigned": 2}


def test_confirming_writes_a_task_and_asks_nobody_itself(tender: Tender) -> None:
    plan = tender.proposed()
    planning.confirm(tender.session, tender.officer, plan_id=plan.id, expected_version=plan.version)
    assert (plan.state, plan.confirmed_by, tender.states()) == ("accepted", tender.officer.user_id, {})
    waiting = tender.session.scalars(select(jobs.Task).where(jobs.Task.kind == planning.CARRY_OUT)).one()
    assert waiting.id == plan.task_id
    assert planning.start(tender.session, tender.officer, tender_track_id=tender.track.id).id == plan.id
    for _ in range(2):
        assert planning.carry_out(tender.session, plan.id).state == "confirmed"
    assert tender.states() == {"assigned": 4}


def test_an_officer_who_has_lost_the_role_meanwhile_asks_nobody(tender: Tender) -> None:
    plan = tender.proposed()
    planning.confirm(tender.session, tender.officer, plan_id=plan.id, expected_version=plan.version)
    tender.session.execute(delete(RoleGrant).where(RoleGrant.user_id == tender.officer.user_id))
    assert planning.carry_out(tender.session, plan.id).state == "overtaken"
    assert tender.states() == {}


def test_the_digest_of_the_inputs_is_stable(tender: Tender) -> None:
    digests = {gather(tender.session, tender.track.id, keep_asked=True).digest for _ in range(2)}
    assert len(digests) == 1


def test_a_proposal_is_decided_once(tender: Tender) -> None:
    plan = tender.confirmed()
    for verb in (planning.confirm, planning.discard):
        with pytest.raises(Conflict):
            verb(tender.session, tender.officer, plan_id=plan.id, expected_version=plan.version)
    with pytest.raises(NotFound):
        planning.confirm(tender.session, tender.officer, plan_id=uuid4(), expected_version=1)
    with pytest.raises(NotFound):
        planning.carry_out(tender.session, uuid4())
    other = tender.proposed()
    with pytest.raises(Stale):
        planning.confirm(tender.session, tender.officer, plan_id=other.id, expected_version=other.version + 1)
    planning.discard(tender.session, tender.officer, plan_id=other.id, expected_version=other.version)
    assert other.state == "discarded"


def test_who_may_not(tender: Tender, session: Session) -> None:
    plan = tender.proposed()
    for role, refusal in ((Role.CHAIR, Refused), (Role.REVIEWER, NotFound)):
        actor = identity.actor(session, identity.user(session, role))
        for verb in (
            lambda actor=actor: planning.start(session, actor, tender_track_id=tender.track.id),
            lambda actor=actor: planning.confirm(session, actor, plan_id=plan.id, expected_version=plan.version),
            lambda actor=actor: planning.discard(session, actor, plan_id=plan.id, expected_version=plan.version),
        ):
            with pytest.raises(refusal):
                verb()


def test_an_officer_of_a_participant_or_among_the_reviewers_does_not_confirm(session: Session) -> None:
    tender = Tender(session, pool=2)
    plan = tender.proposed()
    initiator = session.get_one(Application, tender.applications[0]).initiator_id
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=initiator, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        planning.confirm(session, identity.actor(session, tied), plan_id=plan.id, expected_version=plan.version)
    mine = Actor(user_id=tender.people[0].id, roles=frozenset({Role.OFFICER}))
    with pytest.raises(Refused):
        planning.confirm(session, mine, plan_id=plan.id, expected_version=plan.version)


def test_there_must_be_something_to_assign(session: Session) -> None:
    tender = Tender(session, applications=0)
    with pytest.raises(Problems):
        planning.start(session, tender.officer, tender_track_id=tender.track.id)
    with pytest.raises(NotFound):
        planning.start(session, tender.officer, tender_track_id=uuid4())


def test_one_at_work_is_not_started_twice(tender: Tender) -> None:
    first = planning.start(tender.session, tender.officer, tender_track_id=tender.track.id)
    assert planning.start(tender.session, tender.officer, tender_track_id=tender.track.id).id == first.id
    kind = select(func.count()).where(jobs.Task.kind == "plan_assignment")
    assert tender.session.scalar(kind) == 1


def test_lines_are_never_changed(tender: Tender) -> None:
    tender.proposed()
    with pytest.raises(DatabaseError, match="append-only"):
        tender.session.execute(text("update assignment_plan_line set fit = 1"))


def test_by_hand_nobody_is_asked_beyond_the_limit(tender: Tender) -> None:
    person, *others = tender.people
    tender.profile(person, load_limit=1)
    first, second = tender.applications

    def assign(place: UUID, *who: User) -> None:
        service.assign(tender.session, tender.officer, application_id=place, reviewer_ids=[each.id for each in who])

    assign(first, person, others[0])
    with pytest.raises(Problems) as caught:
        assign(second, person, others[0])
    assert [problem.code for problem in caught.value.problems] == ["full"]
    row = tender.session.scalars(select(Assignment).where(Assignment.reviewer_id == person.id)).one()
    review.reviewed(tender.session, row)
    assign(second, person, others[0])


def test_the_database_holds_the_limit_without_the_verb(tender: Tender) -> None:
    person = tender.people[0]
    tender.profile(person, load_limit=1)
    for place, refused in zip(tender.applications, (False, True), strict=True):
        row = Assignment(
            submission_id=tender.session.get_one(Application, place).submission_id,
            application_id=place,
            reviewer_id=person.id,
            assigned_by=tender.officer.user_id,
            due_on=review.case_of(tender.session, place).today,
        )
        if not refused:
            tender.session.add(row)
            tender.session.flush()
            continue
        with pytest.raises(IntegrityError, match="unfinished reviews"), tender.session.begin_nested():
            tender.session.add(row)
            tender.session.flush()


def test_a_review_that_comes_back_is_no_new_request(tender: Tender) -> None:
    person, *others = tender.people
    tender.profile(person, load_limit=1)
    for place, other in zip(tender.applications, others, strict=False):
        service.assign(tender.session, tender.officer, application_id=place, reviewer_ids=[person.id, other.id])
        row = tender.session.scalars(
            select(Assignment).where(Assignment.reviewer_id == person.id, Assignment.state == "assigned")
        ).one()
        if place == tender.applications[0]:
            review.reviewed(tender.session, row)
    tender.session.execute(text("update assignment set state = 'open', submitted_at = null where state = 'submitted'"))
    assert tender.states()["open"] == 1


AT_ONCE = 6


@pytest.mark.slow
def test_six_assignments_at_once_and_one_free_place(fresh_app: Flask) -> None:
    """Each officer asks the same reviewer for another application; past the verb only the trigger stands."""
    with fresh_app.app_context(), transaction() as session:
        tender = Tender(session, applications=AT_ONCE, pool=AT_ONCE + 1)
        wanted, *others = (person.id for person in tender.people)
        tender.profile(tender.people[0], load_limit=1)
        officer, places = tender.officer, list(tender.applications)
    answers = [""] * AT_ONCE
    barrier = threading.Barrier(AT_ONCE)

    def run(number: int) -> None:
        with fresh_app.app_context():
            try:
                db.session.connection()
                barrier.wait(30)
                with transaction() as session:
                    service.assign(
                        session, officer, application_id=places[number], reviewer_ids=[wanted, others[number]]
                    )
                answers[number] = "done"
            except PortalError as error:
                answers[number] = type(error).__name__
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answers) == {"done": 1, "Problems": AT_ONCE - 1}
    with fresh_app.app_context():
        session = db.session()
        held = select(func.count()).where(
            Assignment.reviewer_id == wanted, Assignment.state == AssignmentState.ASSIGNED
        )
        assert session.scalar(held) == 1


FULL = bool(os.environ.get("FULL"))


@pytest.mark.slow
def test_a_whole_track_from_the_proposal_to_the_letters(session: Session) -> None:
    """``FULL=1``: 1,000 applications, 100 reviewers, 3 lanes; by default a hundredth of it."""
    applications, pool = (1_000, 100) if FULL else (10, 12)
    tender = Tender(session, applications=applications, pool=pool, lanes=load_lanes())
    codes = ("28", "28.92", "28.9", "20", "")
    for number, person in enumerate(tender.people):
        lanes = sorted({("technical", "financial", "legal")[number % 3], ("financial", "technical")[number % 2]})
        code = codes[number % len(codes)]
        tender.profile(person, classes=[code] if code else [], lanes=lanes, load_limit=60)
    seconds = {}
    began = time.monotonic()
    plan = planning.start(session, tender.officer, tender_track_id=tender.track.id)
    for phase in ("read", "solve", "seal"):
        planning.step(session, plan.id)
        seconds[phase], began = time.monotonic() - began, time.monotonic()
    planning.confirm(session, tender.officer, plan_id=plan.id, expected_version=plan.version)
    session.commit()
    seconds["confirm"], began = time.monotonic() - began, time.monotonic()
    assert seconds["confirm"] < 2
    planning.carry_out(session, plan.id)
    session.commit()
    seconds["carry out"] = time.monotonic() - began
    print({name: round(value, 1) for name, value in seconds.items()})
    assert seconds["read"] + seconds["solve"] + seconds["seal"] < 60
    assert (plan.gap, tender.lines(plan, Change.UNMET)) == (0, [])
    loads = session.execute(select(Assignment.reviewer_id, func.count()).group_by(Assignment.reviewer_id)).all()
    assert sum(count for _, count in loads) == 5 * applications
    assert max(count for _, count in loads) <= 60

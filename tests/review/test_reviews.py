"""Assignment, declaration, drafts and reviews: every exit, who may, and what nobody sees too early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from portal.applications import service as applications
from portal.applications.drafts.saving import Change, mark_of
from portal.applications.models import Application
from portal.core import jobs
from portal.core.calendar import add_working_days
from portal.core.db import session as current_session
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.review import discussion, queries, service
from portal.review.models import Assignment, AssignmentState, Mark
from portal.review.service import Typed
from portal.tenders.rulebook import load_lanes
from tests.factories import identity, review


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


@pytest.fixture
def application(session: Session) -> Application:
    return review.admitted(session)


def people(session: Session, count: int) -> list[User]:
    return [identity.user(session, Role.REVIEWER) for _ in range(count)]


def assign(session: Session, officer: Actor, application: Application, *reviewers: User) -> list[Assignment]:
    return service.assign(
        session, officer, application_id=application.id, reviewer_ids=[person.id for person in reviewers]
    )


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[str]:
    return [problem.code for problem in caught.value.problems]


def letters(session: Session, kind: str) -> list[str]:
    return list(session.scalars(select(Letter.recipient).where(Letter.kind == kind).order_by(Letter.id)))


def act(verb: Callable[..., Assignment], session: Session, row: Assignment, **given: Any) -> Assignment:
    values = {"expected_version": row.version, **given}
    return verb(session, review.reviewer(session, row), assignment_id=row.id, **values)


def test_reviewers_are_asked_with_a_day(session: Session, officer: Actor, application: Application) -> None:
    asked = people(session, 2)
    rows = assign(session, officer, application, *asked)
    today = review.case_of(session, application.id).today
    assert [(row.state, row.due_on) for row in rows] == [("assigned", add_working_days(today, 20))] * 2
    assert letters(session, "review_asked") == [person.email for person in asked]


def test_too_few_reviewers(session: Session, officer: Actor, application: Application) -> None:
    for chosen in ([], people(session, 1)):
        with pytest.raises(Problems) as caught:
            assign(session, officer, application, *chosen)
        assert codes(caught) == ["too_few"]
    assert session.scalar(select(func.count()).select_from(Assignment)) == 0


def test_who_cannot_be_assigned(session: Session, application: Application) -> None:
    both = identity.user(session, Role.OFFICER, Role.REVIEWER)
    actor = identity.actor(session, both)
    tied, former, blocked = people(session, 3)
    session.add(Membership(user_id=tied.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.delete(session.scalars(select(RoleGrant).where(RoleGrant.user_id == former.id)).one())
    blocked.active = False
    session.flush()
    with pytest.raises(Problems) as caught:
        assign(session, actor, application, tied, former, blocked, both)
    assert codes(caught) == ["tied", "no_reviewer", "no_reviewer", "self"]
    found = queries.candidates(session, frozenset({application.initiator_id}), application.tender_id)
    names = {each.id: each.ties for each in found}
    assert [tie["en"] for tie in names[tied.id]] == [application.initiator.name_en]
    assert former.id not in names
    assert blocked.id not in names


def test_nobody_is_asked_twice(session: Session, officer: Actor, application: Application) -> None:
    first, second, third = people(session, 3)
    assign(session, officer, application, first, second)
    with pytest.raises(Problems) as caught:
        assign(session, officer, application, first, third)
    assert codes(caught) == ["taken"]


def test_only_in_expertise(session: Session, officer: Actor) -> None:
    waiting = session.get_one(Application, review.waiting(session))
    with pytest.raises(Conflict):
        assign(session, officer, waiting, *people(session, 2))


@pytest.mark.parametrize("role", [Role.CHAIR, Role.COMMISSION, Role.ADMINISTRATOR, Role.AUDITOR])
def test_other_roles_do_not_assign(session: Session, application: Application, role: Role) -> None:
    actor = identity.actor(session, identity.user(session, role))
    with pytest.raises(Refused):
        assign(session, actor, application, *people(session, 2))


def test_load_counts_unfinished_reviews(session: Session, application: Application) -> None:
    rows = review.assigned(session, application)
    review.reviewed(session, rows[0])
    load = {each.id: each.load for each in queries.candidates(session, frozenset(), application.tender_id)}
    assert [load[row.reviewer_id] for row in rows] == [0, 1]


def test_taken_back_and_asked_again(session: Session, officer: Actor, application: Application) -> None:
    rows = review.assigned(session, application)
    review.opened(session, rows[0])
    act(service.save_draft, session, rows[0], values={"CR-10-technology": Typed("7", "half")})
    service.revoke(session, officer, assignment_id=rows[0].id, application_id=application.id)
    assert rows[0].state == AssignmentState.REVOKED
    assert len(letters(session, "review_revoked")) == 1
    with pytest.raises(NotFound):
        queries.desk(session, review.reviewer(session, rows[0]), rows[0].id)
    again = assign(session, officer, application, session.get_one(User, rows[0].reviewer_id))
    assert (again[0].id, again[0].state, again[0].draft) == (rows[0].id, "assigned", {})
    assert len(letters(session, "review_asked")) == 3


def test_a_review_that_is_in_stays(session: Session, officer: Actor, application: Application) -> None:
    row = review.reviewed(session, review.assigned(session, application)[0])
    with pytest.raises(Conflict):
        service.revoke(session, officer, assignment_id=row.id, application_id=application.id)
    other = review.admitted(session)
    with pytest.raises(NotFound):
        service.revoke(session, officer, assignment_id=row.id, application_id=other.id)


def test_conflict_ends_the_assignment_and_tells_the_officers(session: Session, application: Application) -> None:
    row = review.assigned(session, application)[0]
    act(service.declare, session, row, conflict=True, explanation="I advise the initiator.")
    assert (row.state, row.conflict) == ("conflict", "I advise the initiator.")
    officers = session.scalars(select(RoleGrant.user_id).where(RoleGrant.role == Role.OFFICER)).all()
    assert len(letters(session, "review_conflict")) == len(officers)
    with pytest.raises(NotFound):
        queries.desk(session, review.reviewer(session, row), row.id)


@pytest.mark.parametrize(("conflict", "text", "code"), [(None, "", "not_answered"), (True, " ", "no_explanation")])
def test_declaration_problems(
    session: Session, application: Application, conflict: bool | None, text: str, code: str
) -> None:
    row = review.assigned(session, application)[0]
    with pytest.raises(Problems) as caught:
        act(service.declare, session, row, conflict=conflict, explanation=text)
    assert codes(caught) == [code]


def test_a_conflict_found_while_reading_may_be_declared(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    with pytest.raises(Conflict):
        act(service.declare, session, row, conflict=False)
    act(service.declare, session, row, conflict=True, explanation="A supplier is my cousin's firm.")
    assert row.state == AssignmentState.CONFLICT


def test_nothing_is_written_before_the_declaration(session: Session, application: Application) -> None:
    row = review.assigned(session, application)[0]
    for verb in (service.save_draft, service.submit):
        with pytest.raises(Conflict):
            act(verb, session, row, values=review.typed(session, row))


def test_a_draft_keeps_anything(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    act(service.save_draft, session, row, values={"CR-10-technology": Typed("about 7", "?"), "CR-99-x": Typed("1")})
    assert row.draft["CR-10-technology"] == {"score": "about 7", "justification": "?"}
    assert "CR-99-x" not in row.draft
    with pytest.raises(Stale):
        act(service.save_draft, session, row, values={}, expected_version=row.version - 1)
    with pytest.raises(Problems) as caught:
        act(service.save_draft, session, row, values={"CR-10-market": Typed("", "x" * 20_001)})
    assert codes(caught) == ["too_long"]


def test_all_problems_of_a_review_at_once(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    values = {
        **review.typed(session, row),
        "CR-10-technology": Typed("11", "short"),
        "CR-10-market": Typed("", review.JUSTIFICATION),
        "CR-10-risks": Typed("7.3", "x" * 4001),
    }
    with pytest.raises(Problems) as caught:
        act(service.submit, session, row, values=values)
    assert [(each.field, each.code) for each in caught.value.problems] == [
        ("CR-10-technology-score", "too_large"),
        ("CR-10-technology-justification", "justification"),
        ("CR-10-market-score", "empty"),
        ("CR-10-risks-score", "not_half"),
        ("CR-10-risks-justification", "justification"),
    ]
    assert session.scalar(select(func.count()).select_from(Mark)) == 0


def test_a_review_is_final(session: Session, application: Application) -> None:
    row = review.reviewed(session, review.assigned(session, application)[0], "7,5")
    assert row.state == AssignmentState.SUBMITTED
    assert {str(mark.score) for mark in session.scalars(select(Mark))} == {"7.50"}
    for verb in (service.save_draft, service.submit):
        with pytest.raises(Conflict):
            act(verb, session, row, values=review.typed(session, row))
    with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
        session.execute(Mark.__table__.update().values(score=1))  # type: ignore[attr-defined]


def test_the_last_review_has_the_submission_scored(session: Session, application: Application) -> None:
    rows = review.assigned(session, application)
    keys = select(jobs.Task.key).where(jobs.Task.key.like(f"score_submission:{application.submission_id}:%"))
    review.reviewed(session, rows[0], "8")
    assert session.scalars(keys).all() == []
    review.reviewed(session, rows[1], "6")
    assert session.scalars(keys).all() == [f"score_submission:{application.submission_id}:{rows[1].id}"]
    assert letters(session, "review_another") == []


def test_a_wide_spread_asks_for_one_more_once(session: Session, officer: Actor, application: Application) -> None:
    rows = review.assigned(session, application)
    review.reviewed(session, rows[0], "9")
    review.reviewed(session, rows[1], "5.5")
    officers = session.scalars(select(RoleGrant.user_id).where(RoleGrant.role == Role.OFFICER)).all()
    assert len(letters(session, "review_another")) == len(officers)
    (third,) = assign(session, officer, application, *people(session, 1))
    review.reviewed(session, third, "8")
    assert len(letters(session, "review_another")) == len(officers)
    assert application.submission_id is not None
    marks = queries.expert_marks(session, [application.submission_id])[application.submission_id]
    assert len(marks) == 3


def test_others_reviews_open_after_the_own(session: Session, application: Application) -> None:
    rows = review.assigned(session, application)
    review.reviewed(session, rows[0], text="CANARY of the first reviewer, long enough.")
    assert queries.other_reviews(session, rows[1]) == []
    review.reviewed(session, rows[1])
    (other,) = queries.other_reviews(session, rows[1])
    assert other.marks[0].justification == "CANARY of the first reviewer, long enough."


def test_who_knows_nothing_of_an_assignment(session: Session, application: Application) -> None:
    row = review.assigned(session, application)[0]
    fellow = identity.user(session, Role.REVIEWER)
    applicant = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == application.initiator_id)
    ).first()
    assert applicant is not None
    for person in (fellow, applicant):
        with pytest.raises(NotFound):
            queries.desk(session, identity.actor(session, person), row.id)
    with pytest.raises(NotFound):
        queries.desk(session, review.reviewer(session, row), uuid4())


def test_a_reviewer_no_longer_knows_nothing(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    session.delete(session.scalars(select(RoleGrant).where(RoleGrant.user_id == row.reviewer_id)).one())
    session.flush()
    with pytest.raises(NotFound):
        queries.desk(session, review.reviewer(session, row), row.id)


def test_a_tie_that_came_later_closes_the_application(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    session.add(Membership(user_id=row.reviewer_id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        queries.desk(session, review.reviewer(session, row), row.id)


def test_after_the_decision_reviews_are_closed(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    applications.decline(session, identity.actor(session, identity.user(session, Role.CHAIR)), application.id)
    with pytest.raises(Conflict):
        act(service.submit, session, row, values=review.typed(session, row))


def test_a_late_review_is_taken(session: Session, application: Application) -> None:
    row = review.assigned(session, application)[0]
    row.due_on -= timedelta(days=60)
    session.flush()
    assert review.reviewed(session, row).state == AssignmentState.SUBMITTED


def test_a_review_sent_twice_at_once_counts_once(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        row = review.opened(session, review.assigned(session, review.admitted(session))[0])
        actor, values = review.reviewer(session, row), review.typed(session, row)
        key, version = row.id, row.version
    answers: list[str] = []
    barrier = threading.Barrier(2)

    def send() -> None:
        with fresh_app.app_context():
            barrier.wait()
            try:
                with transaction() as session:
                    service.submit(session, actor, assignment_id=key, values=values, expected_version=version)
                answers.append("done")
            except Conflict:
                answers.append("conflict")

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["conflict", "done"]
    with fresh_app.app_context():
        assert current_session().scalar(select(func.count()).select_from(Mark)) == 5


def laned(session: Session) -> Application:
    return review.admitted(session, review.waiting(session, lanes=load_lanes()))


def test_a_lane_must_be_chosen_where_there_are_several(session: Session, officer: Actor) -> None:
    application, asked = laned(session), people(session, 2)
    for lane in (None, "general", ""):
        with pytest.raises(Problems) as caught:
            service.assign(
                session, officer, application_id=application.id, reviewer_ids=[one.id for one in asked], lane=lane
            )
        assert codes(caught) == ["no_lane"]


def test_a_reviewer_of_a_lane_scores_exactly_its_aspects(session: Session) -> None:
    (row,) = review.assigned(session, laned(session), count=1, lane="legal")
    review.opened(session, row)
    sent = review.typed(session, row) | {"CR-10-market": Typed("3", review.JUSTIFICATION)}
    act(service.submit, session, row, values=sent)
    assert [(mark.criterion, mark.aspect) for mark in session.scalars(select(Mark))] == [("CR-10", "risks")]
    assert set(row.draft) == {"CR-10-risks"}


def test_a_reviewer_works_in_one_lane_of_an_application(session: Session, officer: Actor) -> None:
    application = laned(session)
    (row,) = review.assigned(session, application, count=1, lane="legal")
    with pytest.raises(Problems) as caught:
        service.assign(
            session,
            officer,
            application_id=application.id,
            reviewer_ids=[row.reviewer_id, people(session, 1)[0].id],
            lane="technical",
        )
    assert codes(caught) == ["taken"]


def test_the_score_waits_for_every_lane_and_each_asks_for_its_own_further_review(
    session: Session, officer: Actor
) -> None:
    application = laned(session)
    waiting = select(func.count()).where(jobs.Task.kind == "score_submission")
    before = session.scalar(waiting)
    for lane, scores in (("technical", ("9", "2")), ("financial", ("9", "3"))):
        for row, score in zip(review.assigned(session, application, lane=lane), scores, strict=True):
            review.reviewed(session, row, score)
    assert session.scalar(waiting) == before
    assert letters(session, "review_another").count(officer.email) == 2
    (legal,) = review.assigned(session, application, count=1, lane="legal")
    review.reviewed(session, legal)
    assert session.scalar(waiting) == before + 1


def returned(session: Session, officer: Actor, row: Assignment, reason: str = "Say more about the risks.") -> None:
    service.return_review(session, officer, application_id=row.application_id, assignment_id=row.id, reason=reason)


def test_a_returned_review_counts_again_only_when_it_is_in_again(
    session: Session, officer: Actor, application: Application
) -> None:
    rows = review.assigned(session, application)
    for row in rows:
        review.reviewed(session, row, "6")
    assert application.submission_id is not None
    returned(session, officer, rows[0])
    keys = session.scalars(select(jobs.Task.key).where(jobs.Task.kind == "score_submission")).all()
    (version,) = service.versions_of(session, [rows[0].id])[rows[0].id]
    assert f"score_submission:{application.submission_id}:{version.id}" in keys
    assert (rows[0].state, version.number, version.reason) == ("open", 1, "Say more about the risks.")
    assert len(queries.expert_marks(session, [application.submission_id])[application.submission_id]) == 1
    assert queries.other_reviews(session, rows[0]) == []
    assert letters(session, "review_handed_back") == [session.get_one(User, rows[0].reviewer_id).email]
    review.reviewed(session, rows[0], "9")
    assert {mark["score"] for mark in version.marks} == {"6.00"}
    assert {str(mark.score) for mark in session.get_one(Assignment, rows[0].id).marks} == {"9.00"}
    returned(session, officer, rows[0], "Once more.")
    assert [each.number for each in service.versions_of(session, [rows[0].id])[rows[0].id]] == [2, 1]


def test_what_cannot_be_returned(session: Session, officer: Actor, application: Application) -> None:
    rows = review.assigned(session, application)
    with pytest.raises(Conflict):
        returned(session, officer, rows[0])
    review.reviewed(session, rows[0])
    for reason in (" ", "x" * 4001):
        with pytest.raises(Problems):
            returned(session, officer, rows[0], reason)
    with pytest.raises(NotFound):
        service.return_review(
            session, officer, application_id=review.admitted(session).id, assignment_id=rows[0].id, reason="No."
        )
    for role in (Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR, Role.REVIEWER):
        with pytest.raises(NotFound if role is Role.REVIEWER else Refused):
            returned(session, identity.actor(session, identity.user(session, role)), rows[0])
    applications.decline(session, identity.actor(session, identity.user(session, Role.CHAIR)), application.id)
    with pytest.raises(Conflict):
        returned(session, officer, rows[0])


def test_marks_go_only_into_a_version(session: Session, officer: Actor, application: Application) -> None:
    row = review.reviewed(session, review.assigned(session, application)[0])
    for statement in ("delete from mark", "update mark set score = 1"):
        with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
            session.execute(text(statement))
    returned(session, officer, row)
    for statement in ("delete from review_version", "update review_version set reason = 'x'"):
        with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
            session.execute(text(statement))


def test_fields_are_saved_one_by_one(session: Session, application: Application) -> None:
    row = review.opened(session, review.assigned(session, application)[0])
    actor, name = review.reviewer(session, row), "CR-10-market-score"

    def save(**changes: Change) -> service.SavedFields:
        return service.save_fields(session, actor, assignment_id=row.id, changes=changes)

    nothing = mark_of("")
    first = save(
        **{name: Change("7", nothing), "notes": Change("Mine alone.", nothing), "CR-99-x": Change("1", nothing)}
    )
    assert (sorted(first.written), first.clashes, first.too_long) == ([name, "notes"], (), ())
    assert save(**{name: Change("7", nothing)}).written == ()
    other = save(**{name: Change("9", nothing), "CR-10-market-justification": Change("x" * 20_001, nothing)})
    assert (other.written, other.clashes, other.too_long) == ((), (name,), ("CR-10-market-justification",))
    assert save(**{name: Change("9", mark_of("7"))}).texts[name] == "9"
    evidence = save(**{"CR-10-market-evidence-2": Change("nowhere", nothing)})
    assert evidence.texts["CR-10-market-evidence-2"] == "nowhere"
    values = {**review.typed(session, row), "CR-10-market": Typed("9", review.JUSTIFICATION, ("", "nowhere"))}
    with pytest.raises(Problems) as caught:
        act(service.submit, session, row, values=values)
    assert [each.field for each in caught.value.problems] == ["CR-10-market-evidence-2"]
    values["CR-10-market"] = Typed("9", review.JUSTIFICATION, ("", "product", "product"))
    act(service.submit, session, row, values=values)
    assert session.scalars(select(Mark.evidence).where(Mark.aspect == "market")).all() == [["product"]]
    with pytest.raises(Conflict):
        save(**{name: Change("1", mark_of("9"))})


def test_the_discussion_opens_when_all_reviews_are_in(
    session: Session, officer: Actor, application: Application
) -> None:
    rows = review.assigned(session, application)
    review.reviewed(session, rows[0])
    first, second = (review.reviewer(session, row) for row in rows)
    for row, actor in ((rows[0], first), (rows[1], second)):
        with pytest.raises(Conflict):
            discussion.remark_as_reviewer(session, actor, assignment_id=row.id, text="Too early.")
    with pytest.raises(Conflict):
        discussion.remark_as_officer(session, officer, application_id=application.id, text="Too early.")
    review.reviewed(session, rows[1])
    with pytest.raises(Problems):
        discussion.remark_as_reviewer(session, first, assignment_id=rows[0].id, text=" ")
    discussion.remark_as_reviewer(session, first, assignment_id=rows[0].id, text="Why a nine?")
    discussion.remark_as_officer(session, officer, application_id=application.id, text="Both are right.")
    assert application.submission_id is not None
    said = discussion.remarks_of(session, application.submission_id)
    assert [(each.author_id, each.text) for each in said] == [
        (first.user_id, "Why a nine?"),
        (officer.user_id, "Both are right."),
    ]
    told = letters(session, "review_remark")
    assert told.count(second.email) == 2
    assert told.count(first.email) == told.count(officer.email) == 1
    with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
        session.execute(text("update review_remark set text = 'x'"))
    for role in (Role.CHAIR, Role.AUDITOR):
        with pytest.raises(Refused):
            actor = identity.actor(session, identity.user(session, role))
            discussion.remark_as_officer(session, actor, application_id=application.id, text="Not mine.")
    with pytest.raises(NotFound):
        discussion.remark_as_reviewer(session, second, assignment_id=rows[0].id, text="Not mine.")
    returned(session, officer, rows[0])
    with pytest.raises(Conflict):
        discussion.remark_as_reviewer(session, second, assignment_id=rows[1].id, text="Closed again.")
    case = review.case_of(session, application.id)
    still = discussion.shown(session, case, queries.assignments_of(session, case.submission.id))
    assert [each.text for each in still or ()] == ["Why a nine?", "Both are right."]
    review.reviewed(session, rows[0])
    applications.decline(session, identity.actor(session, identity.user(session, Role.CHAIR)), application.id)
    with pytest.raises(Conflict):
        discussion.remark_as_officer(session, officer, application_id=application.id, text="Too late.")

"""Every exit of the formal check: saved, admitted, returned once, refused; and two officers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.applications.submissions import submission as submissions
from portal.audit.models import AuditEvent
from portal.audit.service import verify
from portal.core.calendar import add_working_days
from portal.core.clock import at, now
from portal.core.db import session as current_session
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.language import render
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.review import service
from portal.review.models import FormalCheck, Outcome
from portal.review.queries import Case
from portal.review.service import Answer, Findings
from tests.factories import applications as projects
from tests.factories import identity, review


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


@pytest.fixture
def case(session: Session) -> Case:
    return review.case_of(session, review.waiting(session))


def call(verb: Callable[..., FormalCheck], session: Session, actor: Actor, case: Case, **given: Any) -> FormalCheck:
    values = {"findings": review.findings(case), "expected_version": 0, **given}
    return verb(session, actor, application_id=case.application.id, submission_id=case.submission.id, **values)


def codes(caught: pytest.ExceptionInfo[Problems]) -> set[str]:
    return {problem.code for problem in caught.value.problems}


def letters(session: Session, kind: str) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == kind)))


def test_a_draft_keeps_anything(session: Session, officer: Actor, case: Case) -> None:
    row = call(service.save_check, session, officer, case, findings=Findings({}, "half a thought"))
    assert (row.outcome, row.comment, row.version) == (None, "half a thought", 1)
    assert {item["ok"] for item in row.checklist} == {None}
    again = call(service.save_check, session, officer, case, expected_version=1)
    assert again.id == row.id
    assert {item["ok"] for item in again.checklist} == {True}
    assert case.application.state == State.SUBMITTED


def test_admitted_goes_to_the_experts_with_a_letter(session: Session, officer: Actor, case: Case) -> None:
    row = call(service.admit, session, officer, case)
    assert (row.outcome, row.decided_by, row.reasons) == (Outcome.ADMITTED, officer.user_id, [])
    assert case.application.state == State.EXPERTISE
    assert len(letters(session, "admitted")) == 1
    session.commit()
    tags = session.scalars(select(AuditEvent.tag).where(AuditEvent.object_id == str(row.id))).all()
    assert tags == ["review:formal_check:admit"]
    assert verify(session)[1] is None


def test_admission_needs_every_item(session: Session, officer: Actor, case: Case) -> None:
    given = review.findings(case)
    answers = dict(given.answers)
    first, second = list(answers)[:2]
    answers[first] = Answer(None)
    answers[second] = Answer(False, "torn")
    with pytest.raises(Problems) as caught:
        call(service.admit, session, officer, case, findings=Findings(answers))
    assert [(each.code, each.field) for each in caught.value.problems] == [
        ("not_answered", f"ok-{first}"),
        ("not_met", f"ok-{second}"),
    ]
    assert case.application.state == State.SUBMITTED


def test_an_item_of_a_participant_names_it(session: Session, officer: Actor, case: Case) -> None:
    answers = {
        key: Answer(None) if key.startswith("DOC-12") else said for key, said in review.findings(case).answers.items()
    }
    with pytest.raises(Problems) as caught:
        call(service.admit, session, officer, case, findings=Findings(answers))
    names = [part["organisation"]["name_en"] for part in case.package["participants"]]
    assert [render(each.message, "en") for each in caught.value.problems] == [
        f"DOC-12, {name}: say whether this is met." for name in names
    ]


def test_against_the_portals_finding_a_note_is_needed(session: Session, officer: Actor) -> None:
    case = review.case_of(session, review.waiting(session, "P15"))
    answers = {item.key: Answer(True) for item in service.items_of(case)}
    with pytest.raises(Problems) as caught:
        call(service.admit, session, officer, case, findings=Findings(answers))
    assert {each.code for each in caught.value.problems} == {"no_note"}
    assert "note-EL-07" in {each.field for each in caught.value.problems}


def test_refused_with_reasons_and_comment(session: Session, officer: Actor, case: Case) -> None:
    given = Findings({}, "The cluster has left the register.", ("R05", "R02"))
    row = call(service.refuse, session, officer, case, findings=given)
    assert (row.outcome, row.reasons, case.application.state) == (Outcome.REFUSED, ["R02", "R05"], State.REJECTED)
    sent = letters(session, "refused")
    assert len(sent) == 1
    assert "The cluster has left the register." in sent[0].text
    assert "R05" in sent[0].text


@pytest.mark.parametrize("reasons", [(), ("R99",), ("R02", "R99")])
def test_refusal_needs_a_reason_of_the_rule_set_and_a_comment(
    session: Session, officer: Actor, case: Case, reasons: tuple[str, ...]
) -> None:
    with pytest.raises(Problems) as caught:
        call(service.refuse, session, officer, case, findings=Findings({}, " ", reasons))
    assert codes(caught) == {"no_reason", "no_comment"}
    assert letters(session, "refused") == []


def test_returned_with_a_day_and_what_to_correct(session: Session, officer: Actor, case: Case) -> None:
    answers = {**review.findings(case).answers, "DOC-02": Answer(False, "The third page is missing")}
    row = call(service.return_for_correction, session, officer, case, findings=Findings(answers, "", (), "3"))
    assert row.due_on == add_working_days(case.today, 3)
    assert (case.application.state, case.application.correction_due) == (State.RETURNED, row.due_on)
    assert "DOC-02" in letters(session, "returned")[0].text
    assert "The third page is missing" in letters(session, "returned")[0].text


def test_the_rule_set_gives_the_days(session: Session, officer: Actor, case: Case) -> None:
    row = call(service.return_for_correction, session, officer, case, findings=Findings({}, "Sign page 2"))
    assert row.due_on == add_working_days(case.today, 5)


@pytest.mark.parametrize("days", ["0", "6", "-1", "1.5", "soon", "²"])
def test_days_above_the_limit_are_refused(session: Session, officer: Actor, case: Case, days: str) -> None:
    with pytest.raises(Problems) as caught:
        call(service.return_for_correction, session, officer, case, findings=Findings({}, "x", (), days))
    assert codes(caught) == {"bad_days"}


def test_return_needs_something_to_correct(session: Session, officer: Actor, case: Case) -> None:
    with pytest.raises(Problems) as caught:
        call(service.return_for_correction, session, officer, case)
    assert codes(caught) == {"nothing_to_correct"}


def resubmitted(session: Session, officer: Actor) -> tuple[projects.Joint, Case]:
    joint, _ = projects.submitted(session)
    first = review.case_of(session, joint.id)
    call(service.return_for_correction, session, officer, first, findings=Findings({}, "Sign page 2"))
    projects.confirm_all(joint)
    submissions.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    return joint, review.case_of(session, joint.id)


def test_corrected_is_checked_anew_and_never_returned_twice(session: Session, officer: Actor) -> None:
    _joint, second = resubmitted(session, officer)
    assert (second.submission.round, second.application.state) == (2, State.SUBMITTED)
    with pytest.raises(Problems) as caught:
        call(service.return_for_correction, session, officer, second, findings=Findings({}, "Again"))
    assert codes(caught) == {"returned_before"}
    row = call(service.admit, session, officer, second)
    assert row.submission_id == second.submission.id
    assert second.application.state == State.EXPERTISE


def test_the_database_refuses_a_second_return(session: Session, officer: Actor) -> None:
    _, second = resubmitted(session, officer)
    session.add(
        FormalCheck(
            submission_id=second.submission.id,
            application_id=second.application.id,
            outcome=Outcome.RETURNED,
            decided_at=now(session),
            due_on=second.today,
        )
    )
    with pytest.raises(IntegrityError, match="uq_formal_check_returned"):
        session.flush()


def test_a_check_of_the_old_version_is_a_conflict(session: Session, officer: Actor) -> None:
    joint, _second = resubmitted(session, officer)
    first = submissions_of(session, joint.id)[0]
    with pytest.raises(Conflict):
        service.save_check(session, officer, application_id=joint.id, submission_id=first, findings=Findings())


def submissions_of(session: Session, application_id: Any) -> list[Any]:
    from portal.applications.models import Submission

    statement = select(Submission.id).where(Submission.application_id == application_id)
    return list(session.scalars(statement.order_by(Submission.round)))


def test_a_missed_correction_can_be_refused_after_its_day(session: Session, officer: Actor, case: Case) -> None:
    call(service.return_for_correction, session, officer, case, findings=Findings({}, "Sign page 2"))
    given = Findings({}, "Not corrected in time.", ("R02",))
    with pytest.raises(Conflict):
        call(service.refuse, session, officer, case, findings=given)
    with at(session, now(session) + timedelta(days=30)):
        row = call(service.refuse, session, officer, case, findings=given)
    assert (row.outcome, case.application.state) == (Outcome.REFUSED, State.REJECTED)


@pytest.mark.parametrize("verb", [service.save_check, service.admit, service.refuse, service.return_for_correction])
def test_withdrawn_is_a_conflict(session: Session, officer: Actor, verb: Callable[..., FormalCheck]) -> None:
    joint, _ = projects.submitted(session)
    case = review.case_of(session, joint.id)
    submissions.withdraw(session, joint.actor(), application_id=joint.id)
    with pytest.raises(Conflict):
        call(verb, session, officer, case, findings=Findings({}, "x", ("R02",)))


def test_decided_is_a_conflict(session: Session, officer: Actor, case: Case) -> None:
    call(service.admit, session, officer, case)
    with pytest.raises(Conflict):
        call(service.refuse, session, officer, case, findings=Findings({}, "x", ("R02",)), expected_version=1)


def test_a_stale_version_is_told(session: Session, officer: Actor, case: Case) -> None:
    call(service.save_check, session, officer, case)
    with pytest.raises(Stale) as caught:
        call(service.admit, session, officer, case, expected_version=0)
    assert caught.value.current == 1


def test_too_long_texts_are_refused(session: Session, officer: Actor, case: Case) -> None:
    given = Findings({"DOC-02": Answer(True, "x" * 1001)}, "y" * 4001)
    with pytest.raises(Problems) as caught:
        call(service.save_check, session, officer, case, findings=given)
    assert [each.field for each in caught.value.problems] == ["note-DOC-02", "comment"]


def test_unknown_and_unsent_applications_are_not_found(session: Session, officer: Actor) -> None:
    joint = projects.draft(session)
    for key in (joint.id, uuid4()):
        with pytest.raises(NotFound):
            service.save_check(session, officer, application_id=key, submission_id=uuid4(), findings=Findings())


@pytest.mark.parametrize("role", [Role.CHAIR, Role.COMMISSION, Role.ADMINISTRATOR, Role.AUDITOR])
def test_others_of_the_fund_are_refused(session: Session, case: Case, role: Role) -> None:
    with pytest.raises(Refused):
        call(service.admit, session, identity.actor(session, identity.user(session, role)), case)


def test_applicants_and_reviewers_learn_nothing(session: Session, case: Case) -> None:
    strangers = [
        identity.user(session, Role.REVIEWER),
        identity.member(session, session.get_one(type(case.application.initiator), case.application.initiator_id)),
    ]
    for person in strangers:
        with pytest.raises(NotFound):
            call(service.admit, session, identity.actor(session, person), case)


def test_an_officer_of_a_participant_is_refused(session: Session, case: Case) -> None:
    person = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=person.id, organisation_id=case.application.initiator_id, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        call(service.admit, session, identity.actor(session, person), case)


def test_two_officers_at_once_decide_once(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        key = review.waiting(session)
        actors = [identity.actor(session, identity.user(session, Role.OFFICER)) for _ in range(2)]
        case = review.case_of(session, key)
        given = review.findings(case, comment="No.", reasons=("R02",))
        submission_id = case.submission.id
    answers: list[str] = []
    barrier = threading.Barrier(2)

    def decide(verb: Callable[..., FormalCheck], actor: Actor) -> None:
        with fresh_app.app_context():
            barrier.wait()
            try:
                with transaction() as session:
                    verb(session, actor, application_id=key, submission_id=submission_id, findings=given)
                answers.append("done")
            except Conflict:
                answers.append("conflict")

    threads = [
        threading.Thread(target=decide, args=pair) for pair in zip((service.admit, service.refuse), actors, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["conflict", "done"]
    with fresh_app.app_context():
        session = current_session()
        (row,) = session.scalars(select(FormalCheck)).all()
        state = session.get_one(Application, key).state
        assert (row.outcome, state) in [
            (Outcome.ADMITTED, State.EXPERTISE),
            (Outcome.REFUSED, State.REJECTED),
        ]
        assert len(session.scalars(select(Letter).where(Letter.kind.in_(("admitted", "refused")))).all()) == 1

"""Requests for correction: bound to a place, answered by those who fill it in, and compared with what changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.following import corrections
from portal.applications.following.corrections import Wish, concerns
from portal.applications.models import CorrectionRequest, Submission
from portal.applications.submissions import submission
from portal.applications.submissions.changes import compare
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import render
from portal.identity.models import OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.review import service as review_service
from portal.review.models import FormalCheck
from portal.review.service import Answer
from tests.factories import applications as projects
from tests.factories import identity, review
from tests.factories.applications import Joint


@pytest.fixture
def sent(session: Session) -> tuple[Joint, Submission]:
    return projects.submitted(session)


def give_back(session: Session, joint: Joint, *wishes: Wish, unmet: dict[str, str] | None = None) -> FormalCheck:
    """An officer returns it with the requests, and with items of the checklist that are not met."""
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    case = review.case_of(session, joint.id)
    answers = {item.key: Answer(True, "seen") for item in review_service.items_of(case)}
    for key, note in (unmet or {}).items():
        answers[key] = Answer(False, note)
    return review_service.return_for_correction(
        session,
        officer,
        application_id=joint.id,
        submission_id=case.submission.id,
        findings=review.findings(case, answers=answers, requests=wishes),
    )


def rows(session: Session, joint: Joint) -> list[CorrectionRequest]:
    return corrections.requests_of(session, joint.id)


def codes(caught: pytest.ExceptionInfo[Problems]) -> set[str]:
    return {problem.code for problem in caught.value.problems}


def answer(session: Session, actor: Actor, joint: Joint, row: CorrectionRequest, choice: str, why: str = "") -> Any:
    return corrections.answer(
        session, actor, application_id=joint.id, request_id=row.id, choice=choice, explanation=why
    )


def change(joint: Joint, section: str, place: int | None = None, **values: str) -> None:
    part = joint.parts[place] if place is not None else None
    row = joint.dossier.sections[part.id if part else None, section]
    service.save_section(
        joint.session,
        joint.actor(place or 0),
        application_id=joint.id,
        participant_id=part.id if part else None,
        section=section,
        values={**row.data, **values},
        expected_version=row.version,
    )


def test_requests_come_from_the_officers_picks_and_from_what_is_not_met(
    session: Session, sent: tuple[Joint, Submission]
) -> None:
    joint, _frozen = sent
    partner = joint.parts[1]
    costs = f"participant.{partner.id}.costs"
    paper = next(
        item
        for item in review_service.items_of(review.case_of(session, joint.id))
        if item.kind == "document" and item.key.endswith(str(partner.id))
    )
    give_back(
        session,
        joint,
        Wish("project.summary", "Say who buys it."),
        Wish(costs, "Explain the jump."),
        Wish("project.summary", "And when."),
        unmet={paper.key: "The extract is cut off.", "EL-01": ""},
    )
    found = {row.field: (row.note, row.participant_id) for row in rows(session, joint)}
    assert found["project.summary"] == ("Say who buys it.\nAnd when.", None)
    assert found[costs] == ("Explain the jump.", partner.id)
    assert found[f"participant.{partner.id}.documents.{paper.code}"] == ("The extract is cut off.", partner.id)
    assert len(found) == 4
    letter = session.scalars(select(Letter).where(Letter.kind == "returned")).first()
    assert letter is not None
    assert "Explain the jump." in letter.text


def test_an_unknown_place_and_a_missing_note_are_refused_together(
    session: Session, sent: tuple[Joint, Submission]
) -> None:
    joint, _frozen = sent
    with pytest.raises(Problems) as caught:
        give_back(session, joint, Wish("project.nothing", "x"), Wish("project.summary", " "))
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [
        ("request-0", "unknown_place"),
        ("request-1-note", "no_note"),
    ]
    assert rows(session, joint) == []


def test_every_target_leads_back_to_its_place(session: Session, sent: tuple[Joint, Submission]) -> None:
    joint, frozen = sent
    rules = joint.dossier.rules
    found = corrections.targets(frozen.snapshot, rules)
    assert len({target.field for target in found}) == len(found)
    for target in found:
        said = render(corrections.label_of(target.field, frozen.snapshot, rules), "ru")
        assert said
        assert concerns(target.field, target.field) or target.field == "participants"


@pytest.mark.parametrize(
    ("field", "path", "expected"),
    [
        ("project.summary", "project.summary", True),
        ("project.summary", "project.name_ru", False),
        ("product", "project.name_ru", True),
        ("product", "project.risks", False),
        ("kpi.K1", "kpi.K1.2018H2", True),
        ("kpi.K1", "kpi.K10.2018H2", False),
        ("participant.a.costs", "participant.a.costs.CC-01.2018", True),
        ("participant.a.costs.CC-01", "participant.a.costs.CC-02.2018", False),
        ("participant.a.costs", "participant.b.costs.CC-01.2018", False),
        ("documents.DOC-01", "documents.DOC-01", True),
        ("rule.EL-01", "cluster.in_register", False),
    ],
)
def test_what_a_request_is_about(field: str, path: str, expected: bool) -> None:
    assert concerns(field, path) is expected


def test_each_part_answers_for_itself_and_the_answer_is_audited(
    session: Session, sent: tuple[Joint, Submission]
) -> None:
    joint, _frozen = sent
    partner = joint.parts[1]
    give_back(session, joint, Wish("project.summary", "Longer."), Wish(f"participant.{partner.id}.costs", "Why?"))
    whole, own = rows(session, joint)
    with pytest.raises(Refused):
        answer(session, joint.actor(0), joint, own, "explained", "not mine")
    with pytest.raises(Refused):
        answer(session, joint.actor(1), joint, whole, "explained", "not mine")
    viewer = identity.member(session, joint.organisations[1], OrgRole.VIEWER)
    with pytest.raises(Refused):
        answer(session, identity.actor(session, viewer), joint, own, "explained", "only reading")
    with pytest.raises(NotFound):
        answer(session, identity.actor(session, identity.user(session)), joint, own, "explained", "a stranger")
    with pytest.raises(Problems) as caught:
        answer(session, joint.actor(1), joint, own, "explained", "  ")
    assert codes(caught) == {"no_explanation"}
    with pytest.raises(Problems) as caught:
        answer(session, joint.actor(1), joint, own, "perhaps")
    assert codes(caught) == {"no_answer"}
    answer(session, joint.actor(1), joint, own, "explained", "The price rose.")
    assert (own.answer, own.explanation, own.answered_by) == ("explained", "The price rose.", joint.owners[1].id)
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "applications:correction:answer")).one()
    assert event.changes["field"] == own.field


def test_it_is_sent_again_when_every_request_is_answered_and_what_is_said_is_true(
    session: Session, sent: tuple[Joint, Submission]
) -> None:
    joint, first = sent
    give_back(session, joint, Wish("project.summary", "Longer."), Wish("project.risks", "More."))
    summary, risks = rows(session, joint)
    projects.confirm_all(joint)

    def send() -> Submission:
        return submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)

    with pytest.raises(Problems) as caught:
        send()
    assert codes(caught) == {"unanswered"}
    answer(session, joint.actor(), joint, summary, "changed")
    answer(session, joint.actor(), joint, risks, "explained", "All are there.")
    with pytest.raises(Problems) as caught:
        send()
    assert codes(caught) == {"unchanged"}
    change(joint, "product", summary="A longer summary that says who buys it.", product_name="Other")
    projects.confirm_all(joint)
    second = send()
    pairs = corrections.split(compare(first.snapshot, second.snapshot), rows(session, joint))
    assert {(one.path, asked.field if asked else None) for one, asked in pairs} == {
        ("project.summary", "project.summary"),
        ("project.product_name", None),
    }
    with pytest.raises(Conflict):
        answer(session, joint.actor(), joint, summary, "explained", "too late")


def test_the_database_keeps_answers_whole(session: Session, sent: tuple[Joint, Submission]) -> None:
    joint, _frozen = sent
    give_back(session, joint, Wish("project.summary", "Longer."))
    (row,) = rows(session, joint)
    for values in ({"answer": "perhaps"}, {"answer": "changed"}, {"note": ""}):
        with pytest.raises(IntegrityError), session.begin_nested():
            for name, value in values.items():
                setattr(row, name, value)
            session.flush()
        session.refresh(row)

"""Confirming, submitting, withdrawing: each exit of the verbs, and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.models import Application, State, Submission
from portal.applications.partners import participation
from portal.applications.submissions import submission
from portal.core.canonical import digest
from portal.core.clock import at, now
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.jobs import Task
from portal.identity.models import OrgRole
from portal.notifications.models import Letter
from tests.factories import applications, identity, tenders

CLOSES = datetime(2018, 8, 31, 15, 0, tzinfo=UTC)


def submit(joint: applications.Joint, **options: object) -> Submission:
    return submission.submit(joint.session, joint.actor(), application_id=joint.id, **options)  # type: ignore[arg-type]


def problems(refused: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in refused.value.problems]


@contextmanager
def august(session: Session) -> Iterator[applications.Joint]:
    """A ready application of the tender of 2018, on its last day."""
    with at(session, CLOSES - timedelta(hours=1)):
        tender = tenders.tender(
            session,
            code="2018",
            published_at=CLOSES - timedelta(days=40),
            opens_at=CLOSES - timedelta(days=30),
            closes_at=CLOSES,
        )
        yield applications.ready(session, tender=tender)


def test_submission_is_frozen_numbered_and_timed(session: Session) -> None:
    with august(session) as joint, at(session, CLOSES - timedelta(milliseconds=958)):
        row = submit(joint)
        application = joint.application
    assert (row.number, row.round) == ("JP-2018-IS-0001", 1)
    assert row.received_at == CLOSES - timedelta(milliseconds=958)
    assert (application.state, application.number, application.submission_id) == (
        State.SUBMITTED,
        "JP-2018-IS-0001",
        row.id,
    )
    assert application.received_at == row.received_at
    stored = session.scalar(select(Submission.snapshot).where(Submission.id == row.id))
    assert digest(stored) == row.sha256
    task = session.scalars(select(Task).where(Task.kind == "score_submission")).one()
    assert (task.payload, task.key) == ({"submission_id": str(row.id)}, f"score_submission:{row.id}")
    letters = session.scalars(select(Letter).where(Letter.kind == "application_submitted")).all()
    assert sorted(letter.recipient for letter in letters) == sorted(person.email for person in joint.owners)
    assert "31 Aug 2018, 17:59:59.042\u00a0MSK" in letters[0].text
    assert row.sha256 in letters[0].text


def test_one_second_late_is_late(session: Session) -> None:
    with august(session) as joint, at(session, CLOSES + timedelta(seconds=1)):
        with pytest.raises(Conflict) as late:
            submit(joint)
        assert late.value.reason == submission.LATE
        assert joint.application.state == State.DRAFT
        assert joint.dossier.sections[None, "product"].data["name_en"] == "Automated well-piping module"
    assert session.scalar(select(func.count()).select_from(Submission)) == 0


def test_the_closing_instant_itself_is_late(session: Session) -> None:
    with august(session) as joint, at(session, CLOSES), pytest.raises(Conflict):
        submit(joint)


def test_a_cancelled_tender_takes_nothing(session: Session) -> None:
    joint = applications.ready(session)
    tender = joint.application.tender
    tender.cancelled_at, tender.cancel_reason = now(session), "no money"
    session.flush()
    with pytest.raises(Conflict):
        submit(joint)


def test_everything_that_is_missing_is_told_at_once(session: Session) -> None:
    joint = applications.draft(session)
    service.save_section(
        session,
        joint.actor(),
        application_id=joint.id,
        participant_id=None,
        section="economics",
        values={"npv": "много"},
        expected_version=0,
    )
    organisation = identity.organisation(session)
    applications.join(session, joint.cluster, organisation)
    participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    with pytest.raises(Problems) as refused:
        submit(joint)
    found = problems(refused)
    first, second = joint.parts
    assert found[0] == ("not_a_number", "project.npv")
    assert found.count(("required", "project.npv")) == 0
    for expected in (
        ("required", "project.name_ru"),
        ("required", "costs"),
        ("required", f"participant.{second.id}.declarations.EL-12"),
        ("required", f"participant.{first.id}.documents.DOC-12"),
        ("required", "documents.DOC-02"),
        ("required", "kpi.K1"),
        ("unanswered", "participants"),
        ("unconfirmed", f"confirmation.{first.id}"),
        ("unconfirmed", f"confirmation.{second.id}"),
    ):
        assert expected in found


def test_submission_waits_for_every_signature(session: Session) -> None:
    joint = applications.ready(session)
    part = joint.parts[1]
    service.save_section(
        session,
        joint.actor(1),
        application_id=joint.id,
        participant_id=part.id,
        section="declarations",
        values={**joint.dossier.sections[part.id, "declarations"].data, "EL-18": "yes"},
        expected_version=1,
    )
    with pytest.raises(Problems) as refused:
        submit(joint)
    assert problems(refused) == [("outdated", f"confirmation.{part.id}")]
    applications.sign(joint, part, 1)
    row = submit(joint)
    assert [item["participant"] for item in row.snapshot["signatures"]] == [str(each.id) for each in joint.parts]
    assert row.snapshot["signatures"][1]["digest"] == digest(row.snapshot["signatures"][1]["manifest"])


@pytest.mark.parametrize(("role", "may"), [(OrgRole.SIGNATORY, True), (OrgRole.EDITOR, False), (OrgRole.VIEWER, False)])
def test_owner_or_signatory_submits(session: Session, role: OrgRole, may: bool) -> None:
    joint = applications.ready(session)
    actor = identity.actor(session, identity.member(session, joint.organisations[0], role))
    if may:
        assert submission.submit(session, actor, application_id=joint.id).round == 1
        return
    with pytest.raises(Refused):
        submission.submit(session, actor, application_id=joint.id)


def test_only_the_initiator_submits_and_withdraws(session: Session) -> None:
    joint = applications.ready(session)
    with pytest.raises(Refused):
        submission.submit(session, joint.actor(1), application_id=joint.id)
    submit(joint)
    with pytest.raises(Refused):
        submission.withdraw(session, joint.actor(1), application_id=joint.id)
    stranger = applications.draft(session)
    for verb in (submission.submit, submission.withdraw):
        with pytest.raises(NotFound):
            verb(session, stranger.actor(), application_id=joint.id)


def test_a_rule_that_refuses_is_submitted_knowingly_or_not_at_all(session: Session) -> None:
    joint = applications.filled(session)
    part = joint.parts[1]
    answers = {**joint.dossier.sections[part.id, "declarations"].data, "EL-12": "no"}
    service.save_section(
        session,
        joint.actor(1),
        application_id=joint.id,
        participant_id=part.id,
        section="declarations",
        values=answers,
        expected_version=1,
    )
    applications.confirm_all(joint)
    with pytest.raises(Problems) as refused:
        submit(joint)
    assert problems(refused) == [("not_eligible", "acknowledged")]
    assert submit(joint, acknowledged=True).number


def test_withdrawn_and_submitted_again_keeps_its_number_and_loses_its_place(session: Session) -> None:
    with august(session) as joint:
        first = submit(joint)
        with at(session, CLOSES - timedelta(minutes=20)):
            assert submission.withdraw(session, joint.actor(), application_id=joint.id).state == State.WITHDRAWN
        session.refresh(first)
        assert first.withdrawn_at == CLOSES - timedelta(minutes=20)
        with at(session, CLOSES - timedelta(minutes=10)):
            second = submit(joint)
        assert (second.number, second.round) == (first.number, 2)
        assert second.sha256 == first.sha256
        assert joint.application.received_at == CLOSES - timedelta(minutes=10)
    assert joint.application.tender_track.last_number == 1


def test_withdrawing_is_over_when_intake_is(session: Session) -> None:
    with august(session) as joint:
        submit(joint)
        with at(session, CLOSES), pytest.raises(Conflict):
            submission.withdraw(session, joint.actor(), application_id=joint.id)
        assert joint.application.state == State.SUBMITTED


def test_a_draft_is_not_withdrawn(session: Session) -> None:
    joint = applications.ready(session)
    with pytest.raises(Conflict):
        submission.withdraw(session, joint.actor(), application_id=joint.id)


def test_submitting_twice_gives_the_one_submission_also_after_closing(session: Session) -> None:
    with august(session) as joint:
        first = submit(joint)
        assert submit(joint).id == first.id
        with at(session, CLOSES + timedelta(days=1)):
            assert submit(joint).id == first.id
        service.admit(session, joint.actor(), joint.id)
        assert submit(joint).id == first.id
        assert joint.application.state == State.EXPERTISE
    assert session.scalar(select(func.count()).select_from(Submission)) == 1
    assert len(session.scalars(select(Letter).where(Letter.kind == "application_submitted")).all()) == 2


def test_a_correction_is_in_time_until_its_day_ends_in_the_tenders_zone(session: Session) -> None:
    with august(session) as joint:
        first = submit(joint)
        service.return_for_correction(session, joint.actor(), joint.id, due_on=date(2018, 9, 14))
        midnight = datetime(2018, 9, 14, 21, 0, tzinfo=UTC)
        with at(session, midnight):
            assert joint.dossier.intake.correction is False
            with pytest.raises(Conflict):
                submit(joint)
        # The certificates of a package that is corrected weeks later are dated anew, and all confirm.
        with at(session, midnight - timedelta(milliseconds=1)):
            assert joint.dossier.intake.correction is True
            applications.confirm_all(joint)
            second = submit(joint, acknowledged=True)
        application = joint.application
    assert (application.state, application.correction_due) == (State.SUBMITTED, None)
    assert (second.round, second.number) == (2, first.number)
    assert application.received_at == first.received_at
    assert second.received_at == midnight - timedelta(milliseconds=1)


def test_a_frozen_submission_cannot_be_changed(session: Session) -> None:
    _, row = applications.submitted(session)
    for statement in (
        "update submission set snapshot = '{}' where id = :id",
        "update submission set received_at = now() where id = :id",
        "delete from submission where id = :id",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement), {"id": row.id})


def test_numbers_count_per_track(session: Session) -> None:
    tender = tenders.open_tender(session, code="2019")
    numbers = [applications.submitted(session, tender=tender)[1].number for _ in range(2)]
    export = applications.submitted(session, tender=tender, track=tenders.TRACKS[0])[1].number
    assert (numbers, export) == (["JP-2019-IS-0001", "JP-2019-IS-0002"], "JP-2019-EX-0001")


def test_the_lists_row_repeats_the_request(session: Session) -> None:
    joint, row = applications.submitted(session)
    amounts = [int(float(value)) for part in row.snapshot["participants"] for value in part["subsidy"].values()]
    application = session.get(Application, joint.id)
    assert application is not None
    assert application.requested_total == sum(amounts)
    assert application.title_en == row.snapshot["project"]["name_en"]

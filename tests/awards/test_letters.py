"""Letters of a published decision: to those who sign for the initiator, in their language, once."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards import jobs, service
from portal.core.jobs import Claim, Progress, Task
from portal.identity.models import Membership, Organisation, OrgRole, User
from portal.notifications.models import Letter
from tests.factories import awards, identity
from tests.factories.awards import Stage


@pytest.fixture
def published(session: Session) -> Stage:
    stage = awards.stage(session, [{2018: 60, 2019: 10}, {2018: 90}, {2018: 1}], {2018: 100, 2019: 50}, declined=[2])
    decision = service.draft(session, stage.chair, stage.track.id)
    service.sign(session, stage.member, decision.id)
    service.publish(session, stage.officer, decision.id)
    return stage


def write(session: Session) -> Progress:
    task = session.scalars(select(Task).where(Task.kind == "award_letters")).one()
    claim = Claim(task.id, task.number, 1, task.kind, task.payload, 1)
    progress = jobs.award_letters(session, task.payload, claim)
    task.progress_done, task.progress_total = progress.done, progress.total
    session.flush()
    return progress


def owner(session: Session, stage: Stage, place: int) -> User:
    initiator = stage.application(place).initiator_id
    return session.scalars(
        select(User).join(Membership, Membership.user_id == User.id).where(Membership.organisation_id == initiator)
    ).first()  # type: ignore[return-value]


def letters(session: Session) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == "award").order_by(Letter.id)))


def test_every_initiator_is_told_outcome_total_and_points(session: Session, published: Stage) -> None:
    assert write(session) == Progress(3, 3)
    found = letters(session)
    assert [letter.recipient for letter in found] == [owner(session, published, place).email for place in range(3)]
    number = published.application(0).number
    first = found[0]
    assert first.subject == f"Application {number}: the decision"
    for said in (
        "The project is awarded a subsidy.",
        "2018: RUB\u00a060",
        "2019: RUB\u00a010",
        "Total: 90 of 100.",
        "CR-01 Private leverage: 90 of 100. Because of this.",
        f"/applications/{published.applications[0]}",
    ):
        assert said in first.text
    assert "The project is on the reserve list." in found[1].text
    assert "The project is not supported." in found[2].text
    assert "Why: Below the threshold of 60 points." in found[2].text


def test_only_owners_and_signatories_in_their_language(session: Session, published: Stage) -> None:
    organisation = session.get_one(Organisation, published.application(0).initiator_id)
    russian = identity.member(session, organisation, OrgRole.SIGNATORY, locale="ru")
    identity.member(session, organisation, OrgRole.EDITOR)
    identity.member(session, organisation, OrgRole.VIEWER)
    blocked = identity.member(session, organisation, OrgRole.OWNER)
    blocked.active = False
    write(session)
    own = {letter.recipient: letter for letter in letters(session) if letter.about_id == published.applications[0]}
    assert set(own) == {owner(session, published, 0).email, russian.email}
    letter = own[russian.email]
    assert letter.locale == "ru"
    assert "Потому что так." in letter.text
    assert "Because" not in letter.text


def test_running_twice_writes_nothing_more(session: Session, published: Stage) -> None:
    write(session)
    task = session.scalars(select(Task).where(Task.kind == "award_letters")).one()
    task.progress_done = 0
    session.flush()
    assert write(session) == Progress(3, 3)
    assert len(letters(session)) == 3


def test_steps_continue_where_they_stopped(session: Session, published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    assert write(session) == Progress(2, 3)
    assert len(letters(session)) == 2
    assert write(session) == Progress(3, 3)
    assert len(letters(session)) == 3


def test_nothing_is_written_before_publication(session: Session) -> None:
    stage = awards.stage(session, [{2018: 1}], {2018: 1})
    decision = service.draft(session, stage.chair, stage.track.id)
    claim = Claim(decision.id, 1, 1, "award_letters", {}, 1)
    assert jobs.award_letters(session, {"decision_id": str(decision.id)}, claim).finished
    assert letters(session) == []

"""Organisations from outside the cluster: asked by INN, invited as participants when they are members."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications import jobs as work
from portal.applications.following import pipeline
from portal.applications.models import Participant, ParticipantState
from portal.applications.partners import prospects
from portal.applications.partners.prospect_models import Prospect
from portal.clusters import service as clusters
from portal.clusters.models import ClusterMember
from portal.core.errors import Conflict, NotFound, PortalError, Problems
from portal.core.jobs import Claim, Task
from portal.identity.models import Membership, Organisation, OrgRole
from portal.identity.policy import ANONYMOUS, Actor
from portal.notifications.models import Letter, Notice, Preference
from tests.factories import applications, identity


def ask(joint: applications.Joint, inn: str, email: str = "boss@supplier.example", note: str = "Seals") -> Prospect:
    return prospects.invite(joint.session, joint.actor(), application_id=joint.id, inn=inn, email=email, note=note)


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(p.field, p.code) for p in caught.value.problems]


def newcomer(session: Session) -> tuple[Organisation, Actor]:
    organisation = identity.organisation(session)
    return organisation, identity.actor(session, identity.member(session, organisation))


def follow(session: Session) -> None:
    """Do the waiting work of this kind, as a worker does."""
    for task in session.scalars(select(Task).where(Task.kind == "membership_confirmed", Task.done_at.is_(None))):
        work.membership_confirmed(session, task.payload, Claim(uuid4(), 1, 1, task.kind, {}, 1))


def join(joint: applications.Joint, organisation: Organisation, owner: Actor) -> ClusterMember:
    """Ask to join the cluster, and be confirmed by its specialised organisation."""
    session = joint.session
    spec_org = identity.organisation(session)
    joint.cluster.spec_org_id = spec_org.id
    session.flush()
    row = clusters.request_membership(
        session,
        owner,
        cluster_id=joint.cluster.id,
        organisation_id=organisation.id,
        product="seals",
        final_producer=False,
    )
    spec = identity.actor(session, identity.member(session, spec_org))
    return clusters.confirm_membership(session, spec, member_id=row.id)


def parts(joint: applications.Joint, organisation: Organisation) -> list[str]:
    statement = select(Participant.state).where(
        Participant.application_id == joint.id, Participant.organisation_id == organisation.id
    )
    return list(joint.session.scalars(statement))


def test_the_whole_way_from_a_letter_to_an_invitation(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = newcomer(session)
    row = ask(joint, organisation.inn)
    letter = session.scalars(select(Letter).where(Letter.kind == "prospect_invited")).one()
    assert letter.recipient == "boss@supplier.example"
    assert "/prospects/" in letter.text
    assert "Seals" in letter.text
    follow(session)
    assert (row.state, parts(joint, organisation)) == ("waiting", [])
    join(joint, organisation, owner)
    follow(session)
    assert (row.state, parts(joint, organisation)) == ("invited", [ParticipantState.INVITED])
    follow(session)
    assert parts(joint, organisation) == [ParticipantState.INVITED]
    assert session.scalar(select(func.count()).where(Letter.kind == "participant_invited")) == 1


def test_somebody_with_an_account_is_told_as_they_have_chosen(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    person = identity.user(session)
    session.add(Preference(user_id=person.id, kind="prospect_invited", portal=True, mail="none"))
    session.flush()
    ask(joint, newcomer(session)[0].inn, person.email)
    assert session.scalars(select(Notice.user_id).where(Notice.kind == "prospect_invited")).all() == [person.id]
    assert session.scalars(select(Letter).where(Letter.kind == "prospect_invited")).all() == []


def test_the_letter_does_not_name_the_project(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    joint.application.title_ru = joint.application.title_en = "SECRET-TITLE"
    session.flush()
    ask(joint, newcomer(session)[0].inn)
    letter = session.scalars(select(Letter).where(Letter.kind == "prospect_invited")).one()
    assert "SECRET-TITLE" not in letter.text + letter.html + letter.subject


def test_all_problems_come_together(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    with pytest.raises(Problems) as caught:
        ask(joint, "123", "nobody", "x" * 501)
    assert codes(caught) == [("inn", "format"), ("email", "format"), ("note", "too_long")]
    with pytest.raises(Problems) as caught:
        ask(joint, joint.organisations[0].inn)
    assert codes(caught) == [("inn", "member")]
    inn = newcomer(session)[0].inn
    ask(joint, inn)
    with pytest.raises(Problems) as caught:
        ask(joint, inn)
    assert codes(caught) == [("inn", "asked")]
    for _ in range(prospects.MAX_WAITING - 1):
        ask(joint, newcomer(session)[0].inn)
    with pytest.raises(Problems) as caught:
        ask(joint, newcomer(session)[0].inn)
    assert codes(caught) == [("", "too_many")]


def test_only_the_initiators_writers_ask(session: Session) -> None:
    joint = applications.draft(session)
    viewer = identity.actor(session, identity.member(session, joint.organisations[0], OrgRole.VIEWER))
    for actor in (viewer, joint.actor(1), newcomer(session)[1], ANONYMOUS):
        with pytest.raises(PortalError):
            prospects.invite(session, actor, application_id=joint.id, inn="", email="", note="")
    row = ask(joint, newcomer(session)[0].inn)
    with pytest.raises(PortalError):
        prospects.withdraw(session, viewer, application_id=joint.id, prospect_id=row.id)


def test_taking_back(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = newcomer(session)
    row = ask(joint, organisation.inn)
    with pytest.raises(NotFound):
        prospects.withdraw(session, joint.actor(), application_id=joint.id, prospect_id=uuid4())
    prospects.withdraw(session, joint.actor(), application_id=joint.id, prospect_id=row.id)
    with pytest.raises(Conflict):
        prospects.withdraw(session, joint.actor(), application_id=joint.id, prospect_id=row.id)
    join(joint, organisation, owner)
    follow(session)
    assert (row.state, parts(joint, organisation)) == ("withdrawn", [])
    ask(joint, newcomer(session)[0].inn)


def test_what_cannot_become_an_invitation_says_why(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = newcomer(session)
    row = ask(joint, organisation.inn)
    actor = joint.actor()
    held = session.scalars(select(Membership).where(Membership.user_id == actor.user_id)).one()
    held.role = OrgRole.VIEWER
    session.flush()
    join(joint, organisation, owner)
    follow(session)
    assert (row.state, parts(joint, organisation)) == ("stopped", [])
    assert row.reason is not None
    assert row.reason["ru"]
    session.flush()


def test_after_its_time_nothing_follows(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = newcomer(session)
    row = ask(joint, organisation.inn)
    row.expires_at -= prospects.LIFETIME + timedelta(minutes=1)
    join(joint, organisation, owner)
    follow(session)
    assert (row.state, parts(joint, organisation)) == ("waiting", [])
    assert prospects.addressed_to(session, owner) == []


def test_an_import_of_members_goes_on_too(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, _owner = newcomer(session)
    row = ask(joint, organisation.inn)
    applications.join(session, joint.cluster, organisation)
    clusters.tell_confirmed(session, joint.cluster.id, "import:x")
    clusters.tell_confirmed(session, joint.cluster.id, "import:x")
    assert session.scalar(select(func.count()).where(Task.kind == "membership_confirmed")) == 1
    follow(session)
    assert row.state == "invited"


def test_who_sees_what_was_addressed_to_them(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = newcomer(session)
    row = ask(joint, organisation.inn, "Boss@Supplier.example")
    boss = identity.actor(session, identity.user(session, email="boss@supplier.example"))
    for actor, sees in ((owner, True), (boss, True), (newcomer(session)[1], False), (ANONYMOUS, False)):
        assert [found.id for found in prospects.addressed_to(session, actor)] == ([row.id] if sees else [])
    assert [found.id for found in prospects.of_application(session, joint.id)] == [row.id]


def test_a_specialised_organisation_knows_of_projects_from_submission_on(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    spec_org = identity.organisation(session)
    joint.cluster.spec_org_id = spec_org.id
    session.flush()
    spec = identity.actor(session, identity.member(session, spec_org))
    viewer = identity.actor(session, identity.member(session, spec_org, OrgRole.VIEWER))
    assert [cluster.id for cluster in pipeline.run_by(session, spec)] == [joint.cluster.id]
    assert pipeline.run_by(session, viewer) == []
    assert list(session.scalars(pipeline.projects([joint.cluster]))) == []
    sent, _submission = applications.submitted(session)
    found = session.scalars(pipeline.projects([sent.cluster])).all()
    assert [row.id for row in found] == [sent.id]

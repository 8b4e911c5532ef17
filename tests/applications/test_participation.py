"""Invitations, answers, leaving: each exit of the verbs."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications import participation
from portal.applications.models import ParticipantState
from portal.applications.signing import history
from portal.clusters.models import MembershipState
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.identity.models import OrgRole
from portal.notifications.models import Letter
from tests.factories import applications, identity


def outsider(joint: applications.Joint, *, member: bool = True) -> tuple[object, object]:
    organisation = identity.organisation(joint.session)
    owner = identity.member(joint.session, organisation, locale="ru")
    if member:
        applications.join(joint.session, joint.cluster, organisation)
    return organisation, owner


def test_an_invitation_is_a_letter_in_the_readers_language(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = outsider(joint)
    part = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    assert part.state == ParticipantState.INVITED
    letter = session.scalars(select(Letter).where(Letter.kind == "participant_invited")).one()
    assert (letter.recipient, letter.locale) == (owner.email, "ru")
    assert f"/applications/{joint.id}/invitation" in letter.text
    assert joint.dossier.accepted[0].organisation_id == joint.organisations[0].id
    assert len(joint.dossier.package.content["participants"]) == 1


@pytest.mark.parametrize("state", [None, MembershipState.REQUESTED, MembershipState.REFUSED, MembershipState.LEFT])
def test_only_confirmed_members_are_invited(session: Session, state: MembershipState | None) -> None:
    joint = applications.draft(session, partners=0)
    organisation, _ = outsider(joint, member=False)
    if state is not None:
        applications.join(session, joint.cluster, organisation, state)
    with pytest.raises(Problems) as refused:
        participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    assert [problem.code for problem in refused.value.problems] == ["not_a_member"]


def test_nobody_is_invited_twice(session: Session) -> None:
    joint = applications.draft(session)
    for organisation in joint.organisations:
        with pytest.raises(Problems) as refused:
            participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
        assert [problem.code for problem in refused.value.problems] == ["already_asked"]


def test_participants_do_not_invite(session: Session) -> None:
    joint = applications.draft(session)
    organisation, _ = outsider(joint)
    with pytest.raises(Refused):
        participation.invite(session, joint.actor(1), application_id=joint.id, organisation_id=organisation.id)
    stranger = applications.draft(session)
    with pytest.raises(NotFound):
        participation.invite(session, stranger.actor(), application_id=joint.id, organisation_id=organisation.id)


def test_declining_and_being_asked_again(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation, owner = outsider(joint)
    actor = identity.actor(session, owner)
    part = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    assert participation.respond(session, actor, participant_id=part.id, accept=False).state == "declined"
    with pytest.raises(Conflict):
        participation.respond(session, actor, participant_id=part.id, accept=True)
    again = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    assert (again.id, again.state) == (part.id, "invited")
    assert participation.respond(session, actor, participant_id=part.id, accept=True).state == "accepted"
    kinds = session.scalars(select(Letter.kind).where(Letter.kind == "participant_answered")).all()
    assert len(kinds) == 2


def test_only_the_invited_organisation_answers(session: Session) -> None:
    joint = applications.draft(session)
    organisation, _ = outsider(joint)
    viewer = identity.member(session, organisation, OrgRole.VIEWER)
    part = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    for actor in (joint.actor(), joint.actor(1), applications.draft(session).actor()):
        with pytest.raises(NotFound):
            participation.respond(session, actor, participant_id=part.id, accept=True)
    with pytest.raises(Refused):
        participation.respond(session, identity.actor(session, viewer), participant_id=part.id, accept=True)
    with pytest.raises(NotFound):
        participation.respond(session, joint.actor(), participant_id=uuid4(), accept=True)


def test_a_member_that_left_the_cluster_cannot_accept(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    membership = applications.join(session, joint.cluster, organisation)
    part = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    membership.state = MembershipState.LEFT
    session.flush()
    with pytest.raises(Conflict):
        participation.respond(session, identity.actor(session, owner), participant_id=part.id, accept=True)


def test_removing_changes_the_total_and_the_package(session: Session) -> None:
    joint = applications.ready(session, partners=2)
    before = joint.dossier.package.digest
    part = joint.parts[2]
    assert participation.remove(session, joint.actor(), participant_id=part.id).state == "removed"
    assert [row.void.reason for row in history(session, joint.id) if row.participant_id == part.id] == ["left"]  # type: ignore[union-attr]
    assert joint.dossier.package.digest != before
    assert len(joint.parts) == 2
    with pytest.raises(Conflict):
        participation.remove(session, joint.actor(), participant_id=part.id)


def test_the_initiator_stays(session: Session) -> None:
    joint = applications.draft(session)
    with pytest.raises(Conflict):
        participation.remove(session, joint.actor(), participant_id=joint.parts[0].id)
    with pytest.raises(Conflict):
        participation.leave(session, joint.actor(), participant_id=joint.parts[0].id)


def test_leaving_is_the_participants_own_decision(session: Session) -> None:
    joint = applications.draft(session)
    part = joint.parts[1]
    editor = identity.member(session, joint.organisations[1], OrgRole.EDITOR)
    for actor in (joint.actor(), identity.actor(session, editor)):
        with pytest.raises(Refused):
            participation.leave(session, actor, participant_id=part.id)
    assert participation.leave(session, joint.actor(1), participant_id=part.id).state == "removed"


def test_nobody_comes_or_goes_after_submission(session: Session) -> None:
    joint, _ = applications.submitted(session)
    organisation, _ = outsider(joint)
    with pytest.raises(Conflict):
        participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    with pytest.raises(Conflict):
        participation.remove(session, joint.actor(), participant_id=joint.parts[1].id)
    with pytest.raises(Conflict):
        participation.leave(session, joint.actor(1), participant_id=joint.parts[1].id)

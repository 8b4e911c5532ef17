"""Invitations, answers, leaving: each exit of the verbs."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.figures.facts import facts
from portal.applications.models import Participant, ParticipantState, PartRole
from portal.applications.partners import leading, participation
from portal.applications.policy import Part
from portal.applications.signatures.signing import Confirmation, confirmation, history
from portal.clusters.models import MembershipState
from portal.core.clock import at
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.identity.models import OrgRole
from portal.identity.policy import Actor, Permission, allowed
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


def invited(session: Session) -> tuple[applications.Joint, Participant, Actor]:
    joint = applications.draft(session, partners=0)
    organisation, owner = outsider(joint)
    part = participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    return joint, part, identity.actor(session, owner)


def test_an_invitation_ends_by_the_databases_clock_and_is_sent_again(session: Session) -> None:
    joint, part, invitee = invited(session)
    until = part.expires_at
    assert until is not None
    with at(session, until):
        dossier = joint.dossier
        assert (dossier.invited, dossier.pending) == ([part], [])
        with pytest.raises(Conflict):
            participation.respond(session, invitee, participant_id=part.id, accept=True)
        again = participation.resend(session, joint.actor(), participant_id=part.id)
        assert again.expires_at == until + participation.OPEN_FOR
    assert participation.respond(session, invitee, participant_id=part.id, accept=True).state == "accepted"
    with pytest.raises(Conflict):
        participation.resend(session, joint.actor(), participant_id=part.id)
    told = session.scalars(select(Letter.kind).where(Letter.kind == "participant_invited")).all()
    assert len(told) == 2


def test_an_invitation_is_sent_again_three_times(session: Session) -> None:
    joint, part, invitee = invited(session)
    with pytest.raises(Refused):
        participation.resend(session, invitee, participant_id=part.id)
    for _ in range(participation.MAX_RESENT):
        participation.resend(session, joint.actor(), participant_id=part.id)
    with pytest.raises(Conflict):
        participation.resend(session, joint.actor(), participant_id=part.id)


def test_a_reason_for_declining_is_kept_and_told(session: Session) -> None:
    joint, part, invitee = invited(session)
    with pytest.raises(Problems):
        participation.respond(session, invitee, participant_id=part.id, accept=False, reason="x" * 1001)
    row = participation.respond(session, invitee, participant_id=part.id, accept=False, reason=" No capacity in 2018 ")
    assert row.decline_reason == "No capacity in 2018"
    letter = session.scalars(select(Letter).where(Letter.kind == "participant_answered")).one()
    assert "No capacity in 2018" in letter.text
    assert (
        participation.invite(
            session, joint.actor(), application_id=joint.id, organisation_id=part.organisation_id
        ).decline_reason
        is None
    )


def test_what_leaving_means_is_computed_before(session: Session) -> None:
    joint = applications.ready(session, partners=2)
    dossier, part = joint.dossier, joint.parts[2]
    told = participation.effects(dossier, part)
    assert (told.sections, told.documents, told.too_few) == (4, 1, False)
    assert [item.id for item in told.void] == [item.id for item in joint.parts]
    before = dossier.application.requested_total
    participation.leave(session, joint.actor(2), participant_id=part.id)
    after = joint.dossier
    assert (told.subsidy[0], told.subsidy[1]) == (before, after.application.requested_total)
    assert told.costs[1] == facts(after.package.content, after.rules).costs_total
    assert after.sections[part.id, "costs"].data == dossier.sections[part.id, "costs"].data


def test_a_participant_is_replaced_or_not_at_all(session: Session) -> None:
    joint = applications.draft(session)
    part = joint.parts[1]
    organisation, _ = outsider(joint)
    new = participation.replace(session, joint.actor(), participant_id=part.id, organisation_id=organisation.id)
    assert (new.organisation_id, new.state, part.state) == (organisation.id, "invited", "removed")


def test_the_lead_is_offered_and_taken_over(session: Session) -> None:
    joint = applications.ready(session, partners=2)
    first, second, third = joint.parts
    with pytest.raises(Refused):
        leading.offer_lead(session, joint.actor(1), participant_id=second.id)
    with pytest.raises(Conflict):
        leading.answer_lead(session, joint.actor(1), participant_id=second.id, accept=True)
    leading.offer_lead(session, joint.actor(), participant_id=third.id)
    leading.offer_lead(session, joint.actor(), participant_id=second.id)
    assert third.lead_offered_at is None  # one offer at a time
    with pytest.raises(Refused):
        leading.answer_lead(session, joint.actor(), participant_id=second.id, accept=True)
    leading.answer_lead(session, joint.actor(1), participant_id=second.id, accept=True)
    dossier = joint.dossier
    assert (dossier.initiator.id, dossier.application.initiator_id) == (second.id, second.organisation_id)
    assert [confirmation(dossier, part) for part in dossier.accepted] == [Confirmation.OUTDATED] * 3
    participation.leave(session, joint.actor(), participant_id=first.id)
    assert len(joint.parts) == 2


def test_declining_the_lead_changes_nothing(session: Session) -> None:
    joint = applications.draft(session)
    leading.offer_lead(session, joint.actor(), participant_id=joint.parts[1].id)
    leading.answer_lead(session, joint.actor(1), participant_id=joint.parts[1].id, accept=False)
    assert joint.dossier.initiator.id == joint.parts[0].id


GIVEN = {
    # what a role for one application lets somebody do who would only read: write, sign, give roles
    PartRole.LEAD: (True, False, True),
    PartRole.EDITOR: (True, False, False),
    PartRole.SIGNATORY: (True, True, False),
    PartRole.VIEWER: (False, False, False),
    None: (False, False, False),
}


@pytest.mark.parametrize("role", list(GIVEN))
def test_a_role_for_one_application_holds_there_and_nowhere_else(session: Session, role: PartRole | None) -> None:
    joint = applications.draft(session)
    part = joint.parts[1]
    person = identity.member(session, joint.organisations[1], OrgRole.VIEWER)
    if role is not None:
        leading.give_role(session, joint.actor(1), participant_id=part.id, user_id=person.id, role=role)
    actor = identity.actor(session, person)
    dossier = joint.dossier
    own = Part(dossier.application, dossier.participant(part.id))
    asked = (Permission.APPLICATION_EDIT, Permission.APPLICATION_CONFIRM, Permission.APPLICATION_ROLES)
    assert tuple(allowed(actor, permission, own) for permission in asked) == GIVEN[role]
    other = Part(dossier.application, dossier.participant(joint.parts[0].id))
    assert not any(allowed(actor, permission, other) for permission in asked)
    assert allowed(actor, Permission.APPLICATION_VIEW, dossier.application)


def test_a_role_given_ends_with_the_membership_and_when_taken_back(session: Session) -> None:
    joint = applications.draft(session)
    part = joint.parts[0]
    person = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    give = {"participant_id": part.id, "user_id": person.id}
    leading.give_role(session, joint.actor(), role=PartRole.VIEWER, **give)
    actor = identity.actor(session, person)
    assert not allowed(actor, Permission.APPLICATION_EDIT, joint.application)
    leading.give_role(session, joint.actor(), role=None, **give)
    assert allowed(actor, Permission.APPLICATION_EDIT, joint.application)
    leading.give_role(session, joint.actor(), role=PartRole.SIGNATORY, **give)
    assert not allowed(replace(actor, memberships={}), Permission.APPLICATION_VIEW, joint.application)


def test_who_gives_roles(session: Session) -> None:
    joint = applications.draft(session)
    part = joint.parts[0]
    lead, person, signatory = (
        identity.member(session, joint.organisations[0], role)
        for role in (OrgRole.EDITOR, OrgRole.VIEWER, OrgRole.SIGNATORY)
    )
    give = {"participant_id": part.id, "role": PartRole.EDITOR}
    with pytest.raises(Refused):
        leading.give_role(session, identity.actor(session, lead), user_id=person.id, **give)
    leading.give_role(session, joint.actor(), participant_id=part.id, user_id=lead.id, role=PartRole.LEAD)
    leader = identity.actor(session, lead)
    leading.give_role(session, leader, user_id=person.id, **give)
    with pytest.raises(Refused):
        leading.give_role(session, leader, participant_id=part.id, user_id=lead.id, role=PartRole.SIGNATORY)
    with pytest.raises(Refused):
        leading.give_role(session, leader, user_id=signatory.id, **give)
    with pytest.raises(Conflict):
        leading.give_role(session, leader, user_id=joint.owners[0].id, **give)
    with pytest.raises(NotFound):
        leading.give_role(session, joint.actor(), user_id=joint.owners[1].id, **give)
    with pytest.raises(Refused):
        leading.give_role(session, joint.actor(1), user_id=person.id, **give)

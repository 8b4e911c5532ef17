"""The verbs of organisations: register, correct the profile, decide who acts for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import portal.identity.access  # noqa: F401 - registers the rules and scopes
from portal.audit import service as audit
from portal.core.clock import now
from portal.core.errors import NotFound, Problem, Problems, Refused, Stale
from portal.core.language import N_
from portal.identity import letters
from portal.identity.models import Invitation, Membership, Organisation, OrgRole, User
from portal.identity.policy import Actor, Permission, authorize, find
from portal.identity.rules import Profile, check_profile

_TAKEN: Final = Problem(
    "taken",
    "inn",
    N_(
        "This organisation is registered already. Ask one of its owners for an invitation: "
        "they send it from the organisation's page."
    ),
)
_LAST_OWNER: Final = N_(
    "This is the only owner. Make somebody else an owner first, so that the organisation keeps one."
)


def register_organisation(session: Session, actor: Actor, values: Mapping[str, str]) -> Organisation:
    """Register an organisation; whoever does it becomes its owner.

    ``values`` as in :func:`portal.identity.rules.check_profile`. Raises :class:`Problems` with all that
    is wrong; one row per INN and KPP also when two people register at the same moment.
    """
    authorize(actor, Permission.ORGANISATION_REGISTER)
    profile = _checked(session, values)
    organisation = Organisation()
    _write(session, organisation, asdict(profile))
    session.add(Membership(user_id=actor.user_id, organisation_id=organisation.id, role=OrgRole.OWNER))
    session.flush()
    audit.record(
        session,
        actor,
        "identity:organisation:register",
        "organisation",
        organisation.id,
        {"inn": profile.inn, "kpp": profile.kpp, "name_ru": profile.name_ru, "owner": actor.user_id},
    )
    return organisation


def edit_organisation(
    session: Session,
    actor: Actor,
    *,
    organisation_id: UUID,
    values: Mapping[str, str],
    expected_version: int,
) -> Organisation:
    """Correct the profile; the INN stays. Raises :class:`Problems`; :class:`Stale` after another's change."""
    organisation = locked(session, actor, organisation_id)
    authorize(actor, Permission.ORGANISATION_EDIT, organisation)
    if organisation.version != expected_version:
        raise Stale(
            N_("Somebody else changed this at the same moment. Open the page again and repeat your change."),
            organisation.version,
        )
    profile = _checked(session, {**values, "inn": organisation.inn}, own=organisation.id)
    after = asdict(profile)
    changed = {name: value for name, value in after.items() if getattr(organisation, name) != value}
    if changed:
        changes = {name: [getattr(organisation, name), value] for name, value in changed.items()}
        _write(session, organisation, changed)
        audit.record(session, actor, "identity:organisation:edit", "organisation", organisation.id, changes)
    return organisation


def _checked(session: Session, values: Mapping[str, str], own: UUID | None = None) -> Profile:
    profile, problems = check_profile(values)
    if profile is None:
        raise Problems(problems)
    if _holder(session, profile) not in (None, own):
        raise Problems([_taken(own)])
    return profile


def _holder(session: Session, profile: Profile) -> UUID | None:
    return session.scalar(
        select(Organisation.id).where(
            Organisation.inn == profile.inn, func.coalesce(Organisation.kpp, "") == (profile.kpp or "")
        )
    )


def _taken(own: UUID | None) -> Problem:
    if own is None:
        return _TAKEN
    return Problem("taken", "kpp", N_("Another registered organisation has this INN and KPP."))


def _write(session: Session, organisation: Organisation, values: Mapping[str, Any]) -> None:
    """Write the row; the unique index decides between two writers of the same INN and KPP."""
    own = organisation.id
    try:
        with session.begin_nested():
            for name, value in values.items():
                setattr(organisation, name, value)
            session.add(organisation)
            session.flush()
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        if diagnosis is None or diagnosis.constraint_name != "uq_organisation_inn_kpp":
            raise
        raise Problems([_taken(own)]) from None


def change_role(session: Session, actor: Actor, *, organisation_id: UUID, user_id: UUID, role: str) -> Membership:
    """Give a person of the organisation another role; never away from its last owner."""
    organisation, membership, person = _membership(session, actor, organisation_id, user_id)
    try:
        wanted = OrgRole(role)
    except ValueError:
        raise Problems.one("unknown", "role", N_("Choose a role from the list.")) from None
    before = OrgRole(membership.role)
    if wanted is before:
        return membership
    if before is OrgRole.OWNER:
        _keep_an_owner(session, organisation.id, user_id)
        withdraw_of(session, actor, organisation.id, user_id)
    membership.role = wanted
    changes = {"user": person.id, "from": before, "to": wanted}
    audit.record(session, actor, "identity:membership:change", "organisation", organisation.id, changes)
    session.flush()
    return membership


def remove_person(session: Session, actor: Actor, *, organisation_id: UUID, user_id: UUID) -> None:
    """End a person's right to act for the organisation at once; anyone but the last owner may leave."""
    organisation, membership, person = _membership(
        session, actor, organisation_id, user_id, leaving=user_id == actor.user_id
    )
    if membership.role == OrgRole.OWNER:
        _keep_an_owner(session, organisation.id, user_id)
        withdraw_of(session, actor, organisation.id, user_id)
    session.delete(membership)
    changes = {"user": person.id, "role": membership.role}
    audit.record(session, actor, "identity:membership:remove", "organisation", organisation.id, changes)
    if user_id != actor.user_id:
        letters.removed(session, person, organisation)
    session.flush()


def withdraw_of(session: Session, actor: Actor, organisation_id: UUID, inviter_id: UUID) -> None:
    """Withdraw the open invitations of somebody who is no longer an owner."""
    at = now(session)
    statement = select(Invitation).where(
        Invitation.organisation_id == organisation_id,
        Invitation.invited_by == inviter_id,
        Invitation.accepted_at.is_(None),
        Invitation.withdrawn_at.is_(None),
    )
    for row in session.scalars(statement.with_for_update()):
        row.withdrawn_at = at
        audit.record(session, actor, "identity:invitation:withdraw", "invitation", row.id, {"email": row.email})


def locked(session: Session, actor: Actor, organisation_id: UUID) -> Organisation:
    """The organisation, its row locked: whoever changes it or its people waits here."""
    found = find(session, actor, Organisation, organisation_id)
    return session.scalars(
        select(Organisation)
        .where(Organisation.id == found.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _membership(
    session: Session, actor: Actor, organisation_id: UUID, user_id: UUID, *, leaving: bool = False
) -> tuple[Organisation, Membership, User]:
    organisation = locked(session, actor, organisation_id)
    authorize(actor, Permission.ORGANISATION_VIEW if leaving else Permission.ORGANISATION_INVITE, organisation)
    found = session.execute(
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organisation_id == organisation_id, Membership.user_id == user_id)
        .with_for_update(of=Membership)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    return organisation, found[0], found[1]


def _keep_an_owner(session: Session, organisation_id: UUID, leaving: UUID) -> None:
    others = session.scalar(
        select(func.count())
        .select_from(Membership)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.role == OrgRole.OWNER,
            Membership.user_id != leaving,
            User.active,
        )
    )
    if not others:
        raise Refused(_LAST_OWNER)

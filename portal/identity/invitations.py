"""Invitations to act for an organisation: by mail, for one address, once, for fourteen days."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.language import N_, Message
from portal.identity import letters
from portal.identity.models import Invitation, Membership, Organisation, OrgRole, User
from portal.identity.policy import Actor, Permission, authorize
from portal.identity.rules import INVITATION_LIFETIME
from portal.identity.service import locked


def invite(session: Session, actor: Actor, *, organisation_id: UUID, email: str, role: str) -> Invitation:
    """Invite an address in a role and send it the letter; owners only.

    Raises :class:`Problems` (``email``, ``role``): no address, already one of the people, already invited.
    """
    organisation = locked(session, actor, organisation_id)
    authorize(actor, Permission.ORGANISATION_INVITE, organisation)
    address, problems = _address(email)
    if role not in set(OrgRole):
        problems.append(Problem("unknown", "role", N_("Choose a role from the list.")))
    if not problems:
        problems += _already(session, organisation.id, address)
    if problems:
        raise Problems(problems)
    token, digest = _new_token()
    row = Invitation(
        organisation_id=organisation.id,
        email=address,
        role=role,
        token_hash=digest,
        invited_by=actor.user_id,
        expires_at=now(session) + INVITATION_LIFETIME,
    )
    session.add(row)
    session.flush()
    _note(session, actor, "create", row, {"organisation": organisation.id, "email": address, "role": role})
    _send(session, actor, row, organisation, token)
    return row


def resend(session: Session, actor: Actor, *, invitation_id: UUID) -> Invitation:
    """Send an open or expired invitation anew: the new link works for fourteen days, the old one no more."""
    row, organisation = _of_owner(session, actor, invitation_id)
    _refuse_closed(row)
    token, row.token_hash = _new_token()
    row.expires_at = now(session) + INVITATION_LIFETIME
    _note(session, actor, "resend", row, {"email": row.email, "expires_at": row.expires_at})
    _send(session, actor, row, organisation, token)
    session.flush()
    return row


def withdraw(session: Session, actor: Actor, *, invitation_id: UUID) -> Invitation:
    """Take an invitation back before it is accepted."""
    row, _organisation = _of_owner(session, actor, invitation_id)
    _refuse_closed(row)
    row.withdrawn_at = now(session)
    _note(session, actor, "withdraw", row, {"email": row.email})
    session.flush()
    return row


def by_token(session: Session, actor: Actor, token: str) -> Invitation:
    """The invitation of a link, for the person it was sent to.

    Raises :class:`NotFound` for an unknown link, :class:`Refused` for another address, :class:`Conflict` when
    it was used, withdrawn or has expired.
    """
    row = session.scalar(select(Invitation).where(Invitation.token_hash == token_hash(token)))
    if row is None:
        raise NotFound
    return _for(session, actor, row)


def accepted(session: Session, actor: Actor, token: str) -> UUID | None:
    """The organisation that the actor acts for since accepting this very link; None otherwise."""
    statement = select(Invitation.organisation_id).where(
        Invitation.token_hash == token_hash(token), Invitation.accepted_by == actor.user_id
    )
    found = session.scalar(statement)
    return found if found in actor.memberships else None


def by_id(session: Session, actor: Actor, invitation_id: UUID) -> Invitation:
    """The same for somebody who signed in with the invited, confirmed address and needs no link."""
    row = session.get(Invitation, invitation_id)
    if row is None or row.email.lower() != actor.email.lower():
        raise NotFound
    return _for(session, actor, row)


def accept(session: Session, actor: Actor, invitation: Invitation) -> Membership:
    """Use an invitation up: exactly one of any number of simultaneous attempts succeeds."""
    authorize(actor, Permission.SIGNED_IN)
    if invitation.email.lower() != actor.email.lower():
        raise Refused(_other_address())
    taken = session.execute(
        update(Invitation)
        .where(
            Invitation.id == invitation.id,
            Invitation.token_hash == invitation.token_hash,
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > func.portal_now(),
        )
        .values(accepted_at=func.portal_now(), accepted_by=actor.user_id)
        .returning(Invitation.organisation_id, Invitation.role)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        raise Conflict(N_("This invitation has been used or withdrawn, or has expired. Ask for a new one."))
    session.expire(invitation)
    organisation_id, role = taken
    written = session.scalar(
        insert(Membership)
        .values(id=uuid7(), user_id=actor.user_id, organisation_id=organisation_id, role=role)
        .on_conflict_do_nothing(index_elements=[Membership.user_id, Membership.organisation_id])
        .returning(Membership.id)
    )
    if written is None:
        raise Conflict(N_("You act for this organisation already. An owner can change your role."))
    changes = {"organisation": organisation_id, "user": actor.user_id, "role": role}
    _note(session, actor, "accept", invitation, changes)
    session.flush()
    return session.get_one(Membership, written)


def token_hash(token: str) -> str:
    """What is kept of an invitation's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token() -> tuple[str, str]:
    token = secrets.token_urlsafe(32)
    return token, token_hash(token)


def _address(email: str) -> tuple[str, list[Problem]]:
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized, []
    except EmailNotValidError:
        return "", [Problem("format", "email", N_("Enter an e-mail address in the form name@organisation.ru."))]


def _already(session: Session, organisation_id: UUID, address: str) -> list[Problem]:
    member = session.scalar(
        select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organisation_id == organisation_id, func.lower(User.email) == address.lower())
    )
    if member is not None:
        return [Problem("member", "email", N_("This person acts for the organisation already."))]
    open_one = session.scalar(
        select(Invitation.id).where(
            Invitation.organisation_id == organisation_id,
            func.lower(Invitation.email) == address.lower(),
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > func.portal_now(),
        )
    )
    if open_one is None:
        return []
    return [Problem("invited", "email", N_("This address is invited already. Send that invitation again below."))]


def _of_owner(session: Session, actor: Actor, invitation_id: UUID) -> tuple[Invitation, Organisation]:
    found = session.get(Invitation, invitation_id)
    if found is None:
        raise NotFound
    organisation = locked(session, actor, found.organisation_id)
    authorize(actor, Permission.ORGANISATION_INVITE, organisation)
    row = session.get_one(Invitation, invitation_id, with_for_update=True, populate_existing=True)
    return row, organisation


def _refuse_closed(row: Invitation) -> None:
    if row.accepted_at is not None or row.withdrawn_at is not None:
        raise Conflict(N_("This invitation is closed already. Open the page again."))


def _for(session: Session, actor: Actor, row: Invitation) -> Invitation:
    authorize(actor, Permission.SIGNED_IN)
    if row.email.lower() != actor.email.lower():
        raise Refused(_other_address())
    if row.accepted_at is not None or row.withdrawn_at is not None or row.expires_at <= now(session):
        raise Conflict(N_("This invitation has been used or withdrawn, or has expired. Ask for a new one."))
    return row


def _other_address() -> Message:
    return N_(
        "This invitation was sent to another e-mail address. Sign out, then sign in or register with that address."
    )


def _send(session: Session, actor: Actor, row: Invitation, organisation: Organisation, token: str) -> None:
    known = session.execute(
        select(User.id, User.locale).where(func.lower(User.email) == row.email.lower())
    ).one_or_none()
    user_id, locale = known if known else (None, actor.locale)
    letters.invitation(session, row, organisation, token, actor.audit_name, locale, user_id)


def _note(session: Session, actor: Actor, verb: str, row: Invitation, changes: Mapping[str, object]) -> None:
    audit.record(session, actor, f"identity:invitation:{verb}", "invitation", row.id, changes)

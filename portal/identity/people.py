"""The verbs of people: roles of the fund, blocking, the second factor, one's own name, language, sessions."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import portal.identity.access  # noqa: F401 - registers the rules and scopes
from portal.audit import service as audit
from portal.core.clock import now
from portal.core.errors import NotFound, Problem, Problems, Refused
from portal.core.language import LOCALES, N_
from portal.identity import letters
from portal.identity.models import Role, RoleGrant, User, UserSession
from portal.identity.policy import Actor, Permission, authorize
from portal.identity.rules import check_person_name

_LAST_ADMINISTRATOR: Final = N_(
    "This is the only administrator. Give the role to somebody else first, so that the portal keeps one."
)


def grant_role(session: Session, actor: Actor, *, user_id: UUID, role: str) -> User:
    """Give a person a role of the fund; their sessions end. A role already held stays as it is."""
    person, wanted = _person(session, actor, user_id), _role(role)
    held = {grant.role for grant in _grants(session, user_id)}
    if wanted in held:
        return person
    session.add(RoleGrant(user_id=user_id, role=wanted, granted_by=actor.user_id))
    _note(session, actor, "grant_role", person, {"role": wanted})
    letters.roles_changed(session, person, wanted, granted=True)
    end_sessions(session, person)
    session.flush()
    return person


def revoke_role(session: Session, actor: Actor, *, user_id: UUID, role: str) -> User:
    """Take a role back; never the last administrator's. Their sessions end."""
    person, unwanted = _person(session, actor, user_id), _role(role)
    if unwanted is Role.ADMINISTRATOR:
        _keep_an_administrator(session, user_id)
    for grant in _grants(session, user_id):
        if grant.role == unwanted:
            session.delete(grant)
            _note(session, actor, "revoke_role", person, {"role": unwanted})
            letters.roles_changed(session, person, unwanted, granted=False)
            end_sessions(session, person)
    session.flush()
    return person


def block(session: Session, actor: Actor, *, user_id: UUID, reason: str) -> User:
    """Refuse a person at the door from this moment. Raises :class:`Problems` without a ``reason``."""
    person = _person(session, actor, user_id)
    reason = " ".join(reason.replace("\x00", "").split())
    if not reason or len(reason) > 500:
        raise Problems.one("reason", "reason", N_("Enter the reason, in at most 500 characters."))
    _keep_an_administrator(session, user_id)
    person.active = False
    _note(session, actor, "block", person, {"reason": reason})
    end_sessions(session, person)
    session.flush()
    return person


def unblock(session: Session, actor: Actor, *, user_id: UUID) -> User:
    """Let a blocked person sign in again."""
    person = _person(session, actor, user_id)
    if not person.active:
        person.active = True
        _note(session, actor, "unblock", person, {})
        session.flush()
    return person


def reset_second_factor(session: Session, actor: Actor, *, user_id: UUID) -> User:
    """Switch a person's second factor off, for somebody who has lost the device and the recovery codes."""
    person = _person(session, actor, user_id)
    if person.tf_primary_method is not None:
        person.tf_primary_method = person.tf_totp_secret = person.totp_counter = None
        person.mf_recovery_codes = None
        _note(session, actor, "reset_second_factor", person, {})
        end_sessions(session, person)
        session.flush()
    return person


def edit_own(session: Session, actor: Actor, *, full_name: str, locale: str) -> User:
    """Change one's own name and the language of letters and pages. Raises :class:`Problems`."""
    authorize(actor, Permission.SIGNED_IN)
    name, problems = check_person_name(full_name)
    if locale not in LOCALES:
        problems.append(Problem("unknown", "locale", N_("Choose a language from the list.")))
    if problems:
        raise Problems(problems)
    person = session.get_one(User, actor.user_id, with_for_update=True, populate_existing=True)
    before = {"full_name": person.full_name, "locale": person.locale}
    after = {"full_name": name, "locale": locale}
    if before != after:
        person.full_name, person.locale = name, locale
        _note(session, actor, "edit_own", person, {"before": before, "after": after})
        session.flush()
    return person


def end_other_sessions(session: Session, actor: Actor, *, keep: str) -> int:
    """End one's own sessions but the one whose token has the hash ``keep``. Gives how many ended."""
    authorize(actor, Permission.SIGNED_IN)
    ended = session.scalars(
        delete(UserSession)
        .where(UserSession.user_id == actor.user_id, UserSession.token_hash != keep)
        .returning(UserSession.token_hash)
    ).all()
    audit.record(session, actor, "identity:session:end_others", "user", str(actor.user_id), {"ended": len(ended)})
    return len(ended)


def end_sessions(session: Session, person: User) -> None:
    """End all sessions of a person.

    The session's name for the person changes, so that an answer still under way cannot revive one. Links in
    letters to a person who has not confirmed the address yet stay valid: nobody can have signed in.
    """
    if person.confirmed_at is not None:
        person.fs_uniquifier = uuid4().hex
    session.execute(delete(UserSession).where(UserSession.user_id == person.id))


def create_administrator(
    session: Session, actor: Actor, *, email: str, full_name: str, password_hash: str | None
) -> User:
    """The first administrator, from the shell: confirmed, with the role; an existing person gets the role."""
    person = session.scalar(select(User).where(func.lower(User.email) == email.lower()).with_for_update())
    if person is None:
        person = User(email=email, full_name=full_name, fs_uniquifier=uuid4().hex, active=True)
        session.add(person)
    if password_hash is not None:
        person.password = password_hash
    person.confirmed_at = person.confirmed_at or now(session)
    person.active = True
    session.flush()
    if Role.ADMINISTRATOR not in {grant.role for grant in _grants(session, person.id)}:
        session.add(RoleGrant(user_id=person.id, role=Role.ADMINISTRATOR))
    _note(session, actor, "create_administrator", person, {"email": email})
    end_sessions(session, person)
    session.flush()
    return person


def _person(session: Session, actor: Actor, user_id: UUID) -> User:
    authorize(actor, Permission.USER_MANAGE)
    person = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None:
        raise NotFound
    return person


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise Problems.one("unknown", "role", N_("Choose a role from the list.")) from None


def _grants(session: Session, user_id: UUID) -> list[RoleGrant]:
    return list(session.scalars(select(RoleGrant).where(RoleGrant.user_id == user_id)))


def _keep_an_administrator(session: Session, leaving: UUID) -> None:
    """Refuse to lose the last administrator who can sign in.

    The administrators' grants are locked first, in one order: of two who take the role from each other at
    once, the second waits and then counts without the first one's.
    """
    session.execute(
        select(RoleGrant.id).where(RoleGrant.role == Role.ADMINISTRATOR).order_by(RoleGrant.id).with_for_update()
    )
    administrators = (
        session.scalars(
            select(RoleGrant.user_id)
            .join(User, User.id == RoleGrant.user_id)
            .where(RoleGrant.role == Role.ADMINISTRATOR, User.active)
        )
    ).all()
    if leaving in administrators and len(administrators) == 1:
        raise Refused(_LAST_ADMINISTRATOR)


def _note(session: Session, actor: Actor, verb: str, person: User, changes: dict[str, object]) -> None:
    audit.record(session, actor, f"identity:user:{verb}", "user", person.id, changes)

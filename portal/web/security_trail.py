"""Sign-ins, refusals and changes of passwords and second factors in the audit trail."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask
from flask_security import signals
from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError

from portal.audit import service as audit
from portal.core.db import session, uuid7
from portal.core.errors import Conflict
from portal.core.language import N_, Message
from portal.identity.models import User, UserSession
from portal.identity.policy import ANONYMOUS, Actor
from portal.notifications import service as notifications
from portal.notifications.letters import compose


def init_trail(app: Flask) -> None:
    """Listen to the library; each event is part of the transaction of its request."""
    for signal, listener in (
        (signals.user_authenticated, _signed_in),
        (signals.user_failed_authn, _failed),
        (signals.user_registered, _registered),
        (signals.user_confirmed, _confirmed),
        (signals.password_changed, _password_changed),
        (signals.password_reset, _password_reset),
        (signals.change_email_instructions_sent, _address_asked),
        (signals.change_email_confirmed, _address_changed),
        (signals.tf_profile_changed, _second_factor_on),
        (signals.tf_disabled, _second_factor_off),
    ):
        signal.connect(listener, app)


def refused(email: str, user: User | None, *, known_password: bool) -> None:
    """A refused sign-in. Of an unknown address only a hash is kept: people type passwords into this field."""
    if user is None:
        digest = hashlib.sha256(email.strip().lower().encode()).hexdigest()[:16]
        _note(ANONYMOUS, "session:refuse", "address", digest, {"reason": "unknown"})
    elif known_password:
        reason = "unconfirmed" if user.active else "blocked"
        _note(ANONYMOUS, "session:refuse", "user", str(user.id), {"reason": reason})


def _signed_in(app: Flask, *, user: User, authn_via: list[str] | None = None, **rest: Any) -> None:
    session().execute(delete(UserSession).where(UserSession.expires_at < func.clock_timestamp()))
    _of(user, "session:start", {"by": list(authn_via or ["second factor"])})


def _failed(app: Flask, *, user: User, auth_type: str, **rest: Any) -> None:
    _note(ANONYMOUS, "session:refuse", "user", str(user.id), {"reason": f"wrong {auth_type}"})


def _registered(app: Flask, *, user: User, **rest: Any) -> None:
    session().flush()
    _of(user, "user:register", {"consent": True, "locale": user.locale})


def _confirmed(app: Flask, *, user: User, **rest: Any) -> None:
    _of(user, "user:confirm", {})


def _password_changed(app: Flask, *, user: User, **rest: Any) -> None:
    _of(user, "user:change_password", {})


def _password_reset(app: Flask, *, user: User, **rest: Any) -> None:
    _of(user, "user:reset_password", {})
    session().execute(delete(UserSession).where(UserSession.user_id == user.id))


def _address_asked(app: Flask, *, user: User, new_email: str, **rest: Any) -> None:
    """The old address is told before anything changes, so that its owner can act."""
    _of(user, "user:ask_email", {"to": new_email})
    _tell_old(
        user,
        user.email,
        N_("Somebody asked to change the e-mail address of your account"),
        N_("A new e-mail address was entered for your account. It takes effect when it is confirmed from there."),
        N_("If it was not you, change your password at once: whoever did it knows it."),
    )


def _address_changed(app: Flask, *, user: User, old_email: str, **rest: Any) -> None:
    """Two people may have asked for the same address: the second to confirm it waits for the first, and is told."""
    try:
        session().flush()
    except IntegrityError:
        session().rollback()
        raise Conflict(
            N_("This address belongs to another account by now. Your address stays as it is: choose another one.")
        ) from None
    _of(user, "user:change_email", {"before": old_email, "after": user.email})
    _tell_old(
        user,
        old_email,
        N_("The e-mail address of your account was changed"),
        N_("Your account has a new e-mail address. Letters no longer come to this one."),
        N_("If it was not you, tell the administrator of the portal at once."),
    )


def _tell_old(user: User, address: str, title: Message, *paragraphs: Message) -> None:
    said = compose(title, paragraphs, None, user.locale)
    notifications.write(
        session(),
        key=f"security:address:{uuid7()}",
        kind="security_address",
        recipient=address,
        locale=user.locale,
        subject=said.subject,
        text=said.text,
        html=said.html,
        user_id=user.id,
    )


def _second_factor_on(app: Flask, *, user: User, method: str, **rest: Any) -> None:
    _of(user, "user:second_factor_on", {"method": method})


def _second_factor_off(app: Flask, *, user: User, **rest: Any) -> None:
    _of(user, "user:second_factor_off", {})


def _of(user: User, verb: str, changes: dict[str, Any]) -> None:
    actor = Actor(user_id=user.id, name=user.full_name, email=user.email, locale=user.locale)
    _note(actor, verb, "user", str(user.id), changes)


def _note(actor: Actor, verb: str, kind: str, key: str, changes: dict[str, Any]) -> None:
    audit.record(session(), actor, f"identity:{verb}", kind, key, changes)

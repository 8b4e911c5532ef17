"""Sign-ins, refusals and changes of passwords and second factors in the audit trail."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask
from flask_security import signals
from sqlalchemy import delete, func

from portal.audit import service as audit
from portal.core.db import session
from portal.identity.models import User, UserSession
from portal.identity.policy import ANONYMOUS, Actor


def init_trail(app: Flask) -> None:
    """Listen to the library; each event is part of the transaction of its request."""
    for signal, listener in (
        (signals.user_authenticated, _signed_in),
        (signals.user_failed_authn, _failed),
        (signals.user_registered, _registered),
        (signals.user_confirmed, _confirmed),
        (signals.password_changed, _password_changed),
        (signals.password_reset, _password_reset),
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


def _second_factor_on(app: Flask, *, user: User, method: str, **rest: Any) -> None:
    _of(user, "user:second_factor_on", {"method": method})


def _second_factor_off(app: Flask, *, user: User, **rest: Any) -> None:
    _of(user, "user:second_factor_off", {})


def _of(user: User, verb: str, changes: dict[str, Any]) -> None:
    actor = Actor(user_id=user.id, name=user.full_name, email=user.email, locale=user.locale)
    _note(actor, verb, "user", str(user.id), changes)


def _note(actor: Actor, verb: str, kind: str, key: str, changes: dict[str, Any]) -> None:
    audit.record(session(), actor, f"identity:{verb}", kind, key, changes)

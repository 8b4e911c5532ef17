"""Showing anew who one is, inside the form that needs it: a password, or a code where a second factor is set up.

Whoever signed in or showed it within :data:`portal.applications.signatures.signing.FRESH` is not asked again.
"""

from __future__ import annotations

import time
from datetime import timedelta

from flask import current_app, request
from flask import session as browser
from flask_login import current_user
from flask_security import Security

from portal.applications.models import Proof
from portal.applications.signatures.signing import FRESH, Shown
from portal.audit import service as audit
from portal.core.errors import Problems
from portal.core.language import N_
from portal.identity.models import User
from portal.web.page import after_refusal, current_actor


def kind() -> Proof:
    """What the reader is asked for."""
    return Proof.TOTP if current_user.tf_primary_method else Proof.WORD


def fresh() -> bool:
    """Whether the reader has shown it just now."""
    return _age() <= FRESH


def show() -> Shown:
    """What the form proves. Raises :class:`Problems` on ``password`` when nothing or something wrong was typed."""
    if fresh():
        return Shown(kind(), _age())
    user: User = current_user
    typed = request.form.get("password", "")[:200]
    if not typed.strip():
        message = (
            N_("Enter the code of your app: signing asks for it anew.")
            if kind() is Proof.TOTP
            else N_("Enter your password again: signing asks for it anew.")
        )
        raise Problems.one("required", "password", message)
    if not _right(user, typed):
        _note_wrong(user)
        message = N_("This code is not valid.") if kind() is Proof.TOTP else N_("This is not your password.")
        raise Problems.one("wrong", "password", message)
    browser["fs_paa"] = time.time()
    return Shown(kind())


def _note_wrong(user: User) -> None:
    """A wrong password or code leaves a trail, though what the form wanted to do is rolled back."""
    actor, key, changes = current_actor(), user.id, {"proof": kind(), "path": request.path}
    after_refusal(lambda later: audit.record(later, actor, "identity:proof:refuse", "user", key, changes))


def _right(user: User, typed: str) -> bool:
    security: Security = current_app.extensions["security"]
    if kind() is Proof.TOTP:
        return security.totp_factory.verify_totp(
            token=typed.replace(" ", ""),
            totp_secret=user.tf_totp_secret or "",
            user=user,
            window=int(current_app.config["SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY"]),
        )
    return bool(user.verify_and_update_password(security.password_util.normalize(typed)))


def _age() -> timedelta:
    """How long ago; a day where the session does not know."""
    shown = browser.get("fs_paa")
    if not isinstance(shown, (int, float)):
        return timedelta(days=1)
    return timedelta(seconds=max(0.0, time.time() - shown))

"""Signing in and up, with Flask-Security: passwords (argon2), confirmation by mail, TOTP and recovery codes.

Its mail becomes letters, its commits are ours, its pages have our templates (``templates/security``).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from flask import Flask
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore

from portal.core.db import commit, db, session, uuid7
from portal.identity.models import RoleGrant, User
from portal.identity.policy import Permission
from portal.notifications import service as notifications
from portal.web.language import locale

_OPEN: Final = {"GET": Permission.PUBLIC, "POST": Permission.PUBLIC}
_OWN: Final = {"GET": Permission.SIGNED_IN, "POST": Permission.SIGNED_IN}

LIBRARY_ROUTES: Final[dict[str, dict[str, Permission]]] = {
    "static": {"GET": Permission.PUBLIC},
    "security.static": {"GET": Permission.PUBLIC},
    "security.login": _OPEN,
    "security.logout": _OWN,
    "security.verify": _OWN,
    "security.register": _OPEN,
    "security.send_confirmation": _OPEN,
    "security.confirm_email": _OPEN,
    "security.forgot_password": _OPEN,
    "security.reset_password": _OPEN,
    "security.change_password": _OWN,
    "security.two_factor_setup": _OPEN,
    "security.two_factor_token_validation": _OPEN,
    "security.two_factor_rescue": _OPEN,
    "security.tf_select": _OPEN,
    "security.two_factor_setup_validate": _OPEN,
    "security.mf_recovery": _OPEN,
    "security.mf_recovery_codes": _OWN,
}


class Datastore(SQLAlchemyUserDatastore):  # type: ignore[misc]
    """The library's door to our tables; its commit runs our effects too."""

    def commit(self) -> None:
        commit(session())


class LetterMail(MailUtil):  # type: ignore[misc]
    """The library's mail as letters of the portal: queued in its transaction, sent in the background."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: Any,
        sender: Any,
        body: str | None,
        html: str | None,
        **kwargs: Any,
    ) -> None:
        user = kwargs.get("user")
        address = recipient[1] if isinstance(recipient, tuple) else recipient
        notifications.write(
            session(),
            key=f"security:{template}:{uuid7()}",
            kind=f"security_{template}",
            recipient=str(address),
            locale=locale(),
            subject=str(subject),
            text=body or "",
            html=html or "",
            user_id=user.id if user is not None else None,
        )


def init_security(app: Flask) -> Security:
    """Configure the library for the portal."""
    secret = app.config["SECRET_KEY"].encode()
    app.config.update(
        SECURITY_PASSWORD_SALT=hmac.new(secret, b"password", hashlib.sha256).hexdigest(),
        SECURITY_TOTP_SECRETS={"1": hmac.new(secret, b"totp", hashlib.sha256).hexdigest()},
        SECURITY_TOTP_ISSUER="Joint Projects Portal",
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_LENGTH_MIN=10,
        SECURITY_URL_PREFIX="/account",
        SECURITY_REGISTERABLE=True,
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_CONFIRMABLE=True,
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_RECOVERABLE=True,
        SECURITY_CHANGEABLE=True,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_ALWAYS_VALIDATE=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS=False,
        SECURITY_POST_LOGIN_VIEW="/start",
        SECURITY_POST_LOGOUT_VIEW="/",
        SECURITY_POST_CONFIRM_VIEW="/start",
        SECURITY_POST_REGISTER_VIEW="/account/registered",
    )
    return Security(app, Datastore(db, User, RoleGrant), mail_util_cls=LetterMail)

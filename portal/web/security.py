"""Signing in and up, with Flask-Security: passwords (argon2), confirmation by mail, TOTP and recovery codes.

Its mail becomes letters, its commits are ours, its pages have our templates (``templates/security``), its words
come from our catalogues. Links in its letters lead to the configured address, never to the request's host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Flask, Response, abort, current_app, g, request, url_for
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore, Totp, hash_password
from flask_security.confirmable import send_confirmation_instructions
from flask_security.recoverable import send_reset_password_instructions
from sqlalchemy import select

from portal.audit import service as audit
from portal.core.db import commit, db, end_read_only, session, transaction, uuid7
from portal.core.errors import Conflict
from portal.core.language import N_, Message
from portal.identity import people
from portal.identity.models import RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.notifications import service as notifications
from portal.notifications.letters import compose
from portal.web import security_forms as forms
from portal.web import wishes
from portal.web.language import locale
from portal.web.second_factor import init_second_factor
from portal.web.security_trail import init_trail
from portal.web.security_words import words

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
    "security.change_email": _OWN,
    "security.change_email_confirm": {"GET": Permission.PUBLIC},
    "security.two_factor_setup": _OPEN,
    "security.two_factor_token_validation": _OPEN,
    "security.two_factor_rescue": _OPEN,
    "security.tf_select": _OPEN,
    "security.two_factor_setup_validate": _OPEN,
    "security.mf_recovery": _OPEN,
    "security.mf_recovery_codes": _OWN,
}


class Datastore(SQLAlchemyUserDatastore):
    """The library's door to our tables; its commit runs our effects too."""

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Any:
        """The session's person is there already: the session's own query has read it."""
        reader = g.get("reader")
        if reader is not None and reader.user is not None and kwargs == {"fs_uniquifier": reader.user.fs_uniquifier}:
            return reader.user
        return super().find_user(case_insensitive=case_insensitive, **kwargs)

    def commit(self) -> None:
        commit(session())

    def _prepare_create_user_args(self, **kwargs: Any) -> dict[str, Any]:
        """Nobody registers with a role: roles are grants."""
        prepared: dict[str, Any] = super()._prepare_create_user_args(**kwargs)  # type: ignore[no-untyped-call]
        prepared.pop("roles", None)
        return prepared


class OnceTotp(Totp):
    """Codes of an app; each is taken once, also by two requests at the same moment."""

    def get_last_counter(self, user: Any) -> int | None:
        return session().scalar(select(User.totp_counter).where(User.id == user.id).with_for_update())

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        user.totp_counter = tmatch.counter


_LETTERS: Final[dict[str, tuple[Message, tuple[Message, ...], Message | None]]] = {
    "welcome": (
        N_("Confirm your e-mail address"),
        (
            N_("You have registered on the Joint Projects Portal."),
            N_("Confirm your address with the link below: it is valid for two days."),
            N_("If it was not you, ignore this letter: without confirmation nobody can sign in."),
        ),
        N_("Confirm the address"),
    ),
    "confirmation_instructions": (
        N_("Confirm your e-mail address"),
        (N_("Confirm your address with the link below: it is valid for two days."),),
        N_("Confirm the address"),
    ),
    "welcome_existing": (
        N_("You are registered already"),
        (
            N_("Somebody, perhaps you, tried to register with this address, but it is registered already."),
            N_("If you have forgotten the password, or have not confirmed the address yet, use the link below."),
            N_("If it was not you, ignore this letter: nothing has changed."),
        ),
        N_("Continue"),
    ),
    "reset_instructions": (
        N_("A new password"),
        (
            N_("Set a new password with the link below: it is valid for one day and works once."),
            N_("If it was not you who asked for it, ignore this letter: your password stays as it is."),
        ),
        N_("Set a new password"),
    ),
    "reset_notice": (
        N_("Your password was changed"),
        (
            N_("The password of your account was set anew by a link from a letter. All sessions have ended."),
            N_("If it was not you, ask for a new password at once and tell the administrator of the portal."),
        ),
        N_("Ask for a new password"),
    ),
    "change_email_instructions": (
        N_("Confirm your new e-mail address"),
        (
            N_("This address was given as the new address of an account of the Joint Projects Portal."),
            N_("Confirm it with the link below within two hours. Until then the old address stays."),
            N_("If it was not you, ignore this letter: nothing changes without confirmation."),
        ),
        N_("Confirm the new address"),
    ),
    "change_notice": (
        N_("Your password was changed"),
        (
            N_("The password of your account was changed. All other sessions have ended."),
            N_("If it was not you, ask for a new password at once and tell the administrator of the portal."),
        ),
        N_("Ask for a new password"),
    ),
}


_LINKS: Final = ("confirmation_link", "reset_link", "link")
"""What the library calls the links of its letters."""


class LetterMail(MailUtil):
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
        user: User | None = kwargs.get("user")
        name = template.rpartition("/")[2]
        title, paragraphs, label = _LETTERS[name]
        language = user.locale if user is not None else locale()
        said = compose(title, paragraphs, (label, _path(kwargs)) if label else None, language)
        notifications.write(
            session(),
            key=f"security:{name}:{uuid7()}",
            kind=f"security_{name}",
            recipient=str(recipient[1] if isinstance(recipient, tuple) else recipient),
            locale=language,
            subject=said.subject,
            text=said.text,
            html=said.html,
            user_id=user.id if user is not None else None,
            secret=_token(kwargs),
        )


def _token(context: dict[str, Any]) -> str | None:
    """The token of the letter's link, where it has one."""
    link = next((context[name] for name in _LINKS if context.get(name)), None)
    return str(urlsplit(link).path).rpartition("/")[2] if link else None


def _path(context: dict[str, Any]) -> str:
    """Where the letter's link leads, without the host that the request claimed."""
    for name in _LINKS:
        if context.get(name):
            onward = {"next": wishes.path()} if name == "confirmation_link" and wishes.track() else {}
            return str(urlsplit(context[name]).path) + (f"?{urlencode(onward)}" if onward else "")
    return url_for("security.forgot_password")


def resend_confirmation(actor: Actor, user: User) -> None:
    """An administrator has the letter of confirmation sent again."""
    authorize(actor, Permission.USER_MANAGE)
    if user.confirmed_at is not None:
        raise Conflict(N_("This e-mail address has been confirmed already."))
    send_confirmation_instructions(user)  # type: ignore[no-untyped-call]
    audit.record(session(), actor, "identity:user:resend_confirmation", "user", user.id, {})


def create_administrator(email: str, full_name: str, password: str | None) -> None:
    """Make somebody an administrator from the shell; without a password a letter lets them set one.

    Raises :class:`ValueError` with what is wrong with the address or the password.
    """
    app = current_app
    with app.test_request_context(base_url=app.extensions["portal"].public_url):
        security = app.extensions["security"]
        address = security.mail_util.validate(email)
        hashed = None
        if password is not None:
            problems, password = security.password_util.validate(password, True, email=address)
            if problems:
                raise ValueError(" ".join(str(problem) for problem in problems))
            hashed = hash_password(password)
        with transaction() as current:
            person = people.create_administrator(
                current, system_actor("cli"), email=address, full_name=full_name, password_hash=hashed
            )
            if password is None:
                send_reset_password_instructions(person)  # type: ignore[no-untyped-call]


def init_security(app: Flask) -> Security:
    """Configure the library for the portal."""
    app.config.update(_settings(app.config["SECRET_KEY"].encode()), **words())
    security = Security(
        app,
        Datastore(db, User, RoleGrant),  # type: ignore[arg-type]
        mail_util_cls=LetterMail,
        password_util_cls=forms.PasswordRules,
        totp_cls=OnceTotp,
        login_form=forms.SignInForm,
        register_form=forms.RegistrationForm,
        forgot_password_form=forms.ForgottenForm,
        reset_password_form=forms.NewPasswordForm,
        change_password_form=forms.OtherPasswordForm,
        change_email_form=forms.OtherAddressForm,
        send_confirmation_form=forms.ConfirmationForm,
        verify_form=forms.PasswordAgainForm,
        two_factor_setup_form=forms.SecondFactorForm,
        two_factor_verify_code_form=forms.CodeForm,
        two_factor_rescue_form=forms.RescueForm,
        mf_recovery_form=forms.RecoveryForm,
    )
    security.want_json(lambda _request: False)
    security.context_processor(_demo_sign_ins)
    init_trail(app)
    init_second_factor(app)
    app.before_request(_before_library)
    app.after_request(_commit_library)
    app.after_request(_wish_of_nobody)
    return security


def _settings(secret: bytes) -> dict[str, Any]:
    def derived(purpose: bytes) -> bytes:
        return hmac.new(secret, purpose, hashlib.sha256).digest()

    return {
        "SECURITY_PASSWORD_SALT": derived(b"password").hex(),
        "SECURITY_TOTP_SECRETS": {"1": derived(b"totp").hex()},
        "SECURITY_TOTP_ISSUER": "Joint Projects Portal",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS": [base64.urlsafe_b64encode(derived(b"recovery"))],
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 8,
        "SECURITY_PASSWORD_HASH": "argon2",
        # What a letter's link carries hashed is an address or an argon2 hash; a slow hash protects neither better, and
        # the library's half a million rounds took a second of each registration. The second checks links sent before.
        "SECURITY_HASHING_SCHEMES": ["hex_sha256", "sha256_crypt"],
        "SECURITY_PASSWORD_LENGTH_MIN": 10,
        "SECURITY_URL_PREFIX": "/account",
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_REGISTERABLE": True,
        "SECURITY_USE_REGISTER_V2": True,
        "SECURITY_CONFIRMABLE": True,
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_CHANGE_EMAIL": True,
        "SECURITY_CHANGE_EMAIL_WITHIN": timedelta(hours=2),
        "SECURITY_FRESHNESS": timedelta(minutes=15),
        "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(minutes=5),
        "SECURITY_CHANGE_EMAIL_URL": "/change-email",
        "SECURITY_CHANGE_EMAIL_CONFIRM_URL": "/confirm-new",
        "SECURITY_POST_CHANGE_EMAIL_VIEW": "/account/",
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": 30,
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "SECURITY_EMAIL_PLAINTEXT": False,
        "SECURITY_EMAIL_HTML": False,
        "SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS": False,
        "SECURITY_DATETIME_FACTORY": lambda: datetime.now(UTC),
        "SECURITY_POST_LOGIN_VIEW": "/start",
        "SECURITY_POST_LOGOUT_VIEW": "/",
        "SECURITY_POST_CONFIRM_VIEW": "/start",
        "SECURITY_POST_REGISTER_VIEW": "/account/registered",
        "SECURITY_POST_CHANGE_VIEW": "/account/",
    }


def _before_library() -> None:
    """The library may write on any of its pages; a ``next`` that is no path of the portal is refused."""
    if request.blueprint != "security":
        return
    end_read_only(session())
    for wish in (*request.args.getlist("next"), *request.form.getlist("next")):
        if wish and (wish[0] != "/" or wish[1:2] in ("/", "\\") or any(ord(sign) < 33 for sign in wish)):
            abort(400)
        if wish:
            wishes.keep(wish)


def _commit_library(response: Response) -> Response:
    """The library commits only some of its writes; all that one of its pages wrote is committed here.

    That includes the trail of a refused sign-in, whose page answers 200.
    """
    if request.blueprint == "security" and request.method == "POST" and response.status_code < 500:
        commit(session())
    return response


def _wish_of_nobody(response: Response) -> Response:
    """Where nobody asked for a page, the library leads on with its own full address as ``next``, which the page of the
    code would refuse: a second factor could never be entered."""
    if request.blueprint == "security" and response.location:
        parts = urlsplit(response.location)
        asked = parse_qsl(parts.query, keep_blank_values=True)
        kept = [(name, value) for name, value in asked if name != "next" or value.startswith("/")]
        if len(kept) < len(asked):
            response.location = urlunsplit(parts._replace(query=urlencode(kept)))
    return response


def _demo_sign_ins() -> dict[str, Any]:
    config = current_app.extensions["portal"]
    return {"demo_sign_ins": current_app.extensions.get("portal_demo_sign_ins", []) if config.demo else []}

"""The library's forms with our labels and our checks."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, cast

from flask_babel import lazy_gettext as _l
from flask_security.change_email import ChangeEmailForm
from flask_security.forms import (
    ChangePasswordForm,
    ForgotPasswordForm,
    LoginForm,
    RegisterFormV2,
    ResetPasswordForm,
    SendConfirmationForm,
    TwoFactorRescueForm,
    TwoFactorSetupForm,
    TwoFactorVerifyCodeForm,
    VerifyForm,
)
from flask_security.password_util import PasswordUtil
from flask_security.recovery_codes import MfRecoveryForm
from sqlalchemy import text
from wtforms import BooleanField, RadioField, StringField
from wtforms.validators import InputRequired, ValidationError

from portal.core.db import session
from portal.identity.models import User
from portal.identity.rules import check_person_name
from portal.web import security_trail
from portal.web.language import locale, say

MAX_PASSWORD = 200


class Worded:
    """Mixin: labels and hints of fields by name."""

    LABELS: ClassVar[dict[str, Any]] = {}
    HINTS: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self
        for name, label in self.LABELS.items():
            fields[name].label.text = label
            fields[name].description = self.HINTS.get(name, "")

    def validate(self, **kwargs: Any) -> bool:
        """A password that was not typed is told once, not at both of its fields."""
        valid = bool(super().validate(**kwargs))  # type: ignore[misc]
        fields: Any = self
        for first, second in (("password", "password_confirm"), ("new_password", "new_password_confirm")):
            if first in fields and second in fields and list(fields[first].errors) == list(fields[second].errors):
                fields[second].errors = []
        return valid


class SignInForm(Worded, LoginForm):
    """E-mail and password. No "remember me": its cookie would outlive the sign-out of a stolen one."""

    LABELS: ClassVar = {"email": _l("E-mail address"), "password": _l("Password")}
    remember = None  # type: ignore[assignment]

    def validate(self, **kwargs: Any) -> bool:
        if super().validate(**kwargs):
            return True
        if self.user_authenticated:
            # Whoever knows the password may know why it does not help: the view makes errors of fields vague.
            self.form_errors.extend(self.email.errors)
            self.email.errors = []
        if self.email.data and self.password.data:
            security_trail.refused(
                self.email.data, cast("User | None", self.user), known_password=self.user_authenticated
            )
        return False


class RegistrationForm(Worded, RegisterFormV2):
    """Full name, e-mail, password, and the consent that the law on personal data asks for."""

    LABELS: ClassVar = {
        "email": _l("E-mail address"),
        "password": _l("Password"),
        "password_confirm": _l("The password once more"),
    }
    HINTS: ClassVar = {
        "email": _l("We will send you a letter to confirm it"),
        "password": _l("At least 10 characters; a sentence of several words is good"),
    }
    full_name = StringField(_l("Full name"), render_kw={"autocomplete": "name"})
    consent = BooleanField(
        _l("I consent to the processing of my personal data"),
        [InputRequired(_l("Without your consent the portal may not keep your data."))],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Where the visitor was going is for the sign-in (``onward``): the letter has to be read first."""
        super().__init__(*args, **kwargs)
        self.onward, self.next.data = self.next.data, ""

    def validate_full_name(self, field: StringField) -> None:
        field.data, problems = check_person_name(field.data or "")
        if problems:
            raise ValidationError(say(problems[0].message))

    def validate(self, **kwargs: Any) -> bool:
        """Two who register the same address at once are one after the other: the second is told by letter.

        Hashing a password takes its time on purpose, so this lock is waited for longer than those of rows.
        """
        session().execute(text("set local lock_timeout = '14s'"))
        session().execute(
            text("select pg_advisory_xact_lock(hashtext(:address))"),
            {"address": f"register:{(self.email.data or '').strip().lower()}"},
        )
        return bool(super().validate(**kwargs))

    def to_dict(self, only_user: bool) -> dict[str, Any]:
        values: dict[str, Any] = super().to_dict(only_user)
        return {**values, "locale": locale()} if only_user else values


class ForgottenForm(Worded, ForgotPasswordForm):
    LABELS: ClassVar = {"email": _l("E-mail address")}


class ConfirmationForm(Worded, SendConfirmationForm):
    LABELS: ClassVar = {"email": _l("E-mail address")}


class NewPasswordForm(Worded, ResetPasswordForm):
    LABELS: ClassVar = {"password": _l("New password"), "password_confirm": _l("The new password once more")}
    HINTS: ClassVar = {"password": _l("At least 10 characters; a sentence of several words is good")}


class OtherPasswordForm(Worded, ChangePasswordForm):
    LABELS: ClassVar = {
        "password": _l("Present password"),
        "new_password": _l("New password"),
        "new_password_confirm": _l("The new password once more"),
    }
    HINTS: ClassVar = {"new_password": _l("At least 10 characters; a sentence of several words is good")}


class OtherAddressForm(Worded, ChangeEmailForm):
    LABELS: ClassVar = {"email": _l("New e-mail address")}
    HINTS: ClassVar = {"email": _l("We will send a letter there; the address changes when you follow its link")}


class PasswordAgainForm(Worded, VerifyForm):
    LABELS: ClassVar = {"password": _l("Password")}


class SecondFactorForm(Worded, TwoFactorSetupForm):
    LABELS: ClassVar = {"setup": _l("Second factor")}


class CodeForm(Worded, TwoFactorVerifyCodeForm):
    LABELS: ClassVar = {"code": _l("Code from the app")}
    HINTS: ClassVar = {"code": _l("Six digits, changing every 30 seconds")}


class RecoveryForm(Worded, MfRecoveryForm):
    LABELS: ClassVar = {"code": _l("Recovery code")}
    HINTS: ClassVar = {"code": _l("In the form 1a2b-3c4d-5e6f; each works once")}

    def validate(self, **kwargs: Any) -> bool:
        """Of two who use the same code at once, the second waits and finds it gone."""
        session().refresh(self.user, with_for_update=True)
        return bool(super().validate(**kwargs))


class RescueForm(TwoFactorRescueForm):
    """Recovery codes only: a code by mail would make the second factor worth no more than the mailbox."""

    help_setup = RadioField(choices=[])


class PasswordRules(PasswordUtil):
    """Length, and nothing that everybody tries first."""

    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        if len(password) > MAX_PASSWORD:
            return [str(_l("Use at most %(limit)s characters.", limit=MAX_PASSWORD))], password
        problems, normal = super().validate(password, is_register, **kwargs)
        if not problems and _easy(normal, kwargs):
            problems = [str(_l("This password is too easy to guess."))]
        return problems, normal


_ROWS: Final = (
    "12345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "йцукенгшщзхъфывапролджэячсмитьбю",
    "1q2w3e4r5t6y7u8i9o0p",
)
_WORD: Final = re.compile(r"(password|passw0rd|qwerty|пароль|йцукен)[0-9!]*")


def _easy(password: str, known: dict[str, Any]) -> bool:
    user = known.get("user")
    email = str(known.get("email") or getattr(user, "email", "") or "").lower()
    folded = password.lower()
    if any(folded in row or folded in row[::-1] for row in _ROWS) or _WORD.fullmatch(folded):
        return True
    return len(set(folded)) < 5 or (bool(email) and folded in (email, email.partition("@")[0]))

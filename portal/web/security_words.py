"""What the sign-in library says, in our words: its own catalogues are incomplete, ours are checked."""

from __future__ import annotations

from typing import Any, Final

from portal.core.language import CATALOGUES, N_, Message

_MESSAGES: Final[dict[str, tuple[Message, str]]] = {
    "ALREADY_CONFIRMED": (N_("Your e-mail address has been confirmed already."), "info"),
    "ANONYMOUS_USER_REQUIRED": (N_("You are signed in already."), "info"),
    "API_ERROR": (
        N_(
            "This is not valid any more: the link was used already, or the address belongs to another account."
            " Open the page and try again."
        ),
        "error",
    ),
    "CHANGE_EMAIL_CONFIRMED": (N_("Your new e-mail address is confirmed. Sign in with it from now on."), "success"),
    "CHANGE_EMAIL_EXPIRED": (
        N_("The link was valid for %(within)s and has expired. Enter the new address once more."),
        "error",
    ),
    "CHANGE_EMAIL_SENT": (
        N_("We have sent a letter to %(email)s. The address changes when you follow the link in it."),
        "success",
    ),
    "CODE_HAS_BEEN_SENT": (N_("The code has been sent."), "info"),
    "CONFIRMATION_EXPIRED": (
        N_("The link was valid for %(within)s and has expired. Have a new one sent below."),
        "error",
    ),
    "CONFIRMATION_REQUEST": (
        N_("If %(email)s waits for confirmation, a letter with a new link is on its way to it."),
        "info",
    ),
    "CONFIRMATION_REQUIRED": (
        N_("Confirm your e-mail address first: follow the link in our letter, or have a new one sent."),
        "error",
    ),
    "CONFIRM_REGISTRATION": (
        N_("Almost done: we have sent a letter to %(email)s. Follow the link in it to confirm the address."),
        "success",
    ),
    "DISABLED_ACCOUNT": (N_("This account is blocked. Ask the administrator of the portal."), "error"),
    "EMAIL_ALREADY_ASSOCIATED": (N_("%(email)s is registered already."), "error"),
    "EMAIL_CONFIRMED": (N_("Your e-mail address is confirmed. You can sign in now."), "success"),
    "EMAIL_NOT_PROVIDED": (N_("Enter your e-mail address."), "error"),
    "FORGOT_PASSWORD": (N_("Forgotten your password?"), "info"),
    "GENERIC_AUTHN_FAILED": (N_("The e-mail address or the password is not right."), "error"),
    "GENERIC_RECOVERY": (
        N_("If this address is registered, a letter with a link to a new password is on its way to it."),
        "info",
    ),
    "INVALID_CODE": (N_("This code is not right."), "error"),
    "INVALID_CONFIRMATION_TOKEN": (
        N_("This link does not work any more. Have a new one sent below."),
        "error",
    ),
    "INVALID_EMAIL_ADDRESS": (N_("Enter an e-mail address in the form name@organisation.ru."), "error"),
    "INVALID_PASSWORD": (N_("The password is not right."), "error"),
    "INVALID_RECOVERY_CODE": (N_("This recovery code is not right or was used already."), "error"),
    "INVALID_REDIRECT": (N_("The link you came by leads outside the portal and was ignored."), "error"),
    "INVALID_RESET_PASSWORD_TOKEN": (
        N_("This link does not work any more. Have a new one sent below."),
        "error",
    ),
    "LOGIN": (N_("Sign in to continue."), "info"),
    "NO_RECOVERY_CODES_SETUP": (N_("There are no recovery codes yet."), "info"),
    "PASSWORD_CHANGE": (N_("Your password is changed. All your other sessions have ended."), "success"),
    "PASSWORD_INVALID_LENGTH": (N_("Use at least %(length)s characters."), "error"),
    "PASSWORD_IS_THE_SAME": (N_("The new password must differ from the present one."), "error"),
    "PASSWORD_MISMATCH": (N_("The passwords differ."), "error"),
    "PASSWORD_NOT_PROVIDED": (N_("Enter a password."), "error"),
    "PASSWORD_RESET_EXPIRED": (
        N_("The link was valid for %(within)s and has expired. Have a new one sent below."),
        "error",
    ),
    "PASSWORD_RESET_NO_LOGIN": (N_("Your new password is saved. Sign in with it."), "success"),
    "PASSWORD_RESET_REQUEST": (
        N_("If %(email)s is registered, a letter with a link to a new password is on its way to it."),
        "info",
    ),
    "PASSWORD_TOO_SIMPLE": (N_("This password is too easy to guess."), "error"),
    "REAUTHENTICATION_REQUIRED": (N_("Enter your password once more to continue."), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (N_("Thank you, you can continue."), "success"),
    "REFRESH": (N_("Enter your password once more to continue."), "info"),
    "RETYPE_PASSWORD_MISMATCH": (N_("The passwords differ."), "error"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (
        N_("The second factor is on. Now make recovery codes and keep them in a safe place."),
        "success",
    ),
    "TWO_FACTOR_DISABLED": (N_("The second factor is off."), "success"),
    "TWO_FACTOR_INVALID_TOKEN": (N_("This code is not right. Enter the one that the app shows now."), "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (N_("You are signed in."), "success"),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": (N_("Choose one of the offered ways."), "error"),
    "TWO_FACTOR_PERMISSION_DENIED": (N_("Sign in with your password first."), "error"),
    "TWO_FACTOR_SETUP_EXPIRED": (
        N_("Setting up took longer than %(within)s. Start again."),
        "error",
    ),
    "UNAUTHENTICATED": (N_("Sign in to continue."), "info"),
    "UNAUTHORIZED": (N_("You do not have the right to do this."), "error"),
    "USER_DOES_NOT_EXIST": (N_("The e-mail address or the password is not right."), "error"),
}


def words() -> dict[str, Any]:
    """The library's settings for its messages, read from our catalogues."""
    said = {f"SECURITY_MSG_{name}": (message.msgid, category) for name, (message, category) in _MESSAGES.items()}
    return {
        **said,
        "SECURITY_I18N_DOMAIN": "messages",
        "SECURITY_I18N_DIRNAME": [str(CATALOGUES)],
    }

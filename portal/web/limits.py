"""How often one account and one address may try: signing in, second factors, letters, invitations.

The counts are kept in Redis, so that all web processes count together; while it is away each counts alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Response, request
from flask import session as browser
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from portal.web.page import current_actor

EXTENSION: Final = "portal_limiter"

_TRIES: Final = "10 per 15 minutes"
_TRIES_OF_ADDRESS: Final = "60 per 15 minutes"
_LETTERS: Final = "5 per hour"
_LETTERS_OF_ADDRESS: Final = "30 per hour"
_INVITATIONS: Final = "30 per hour"


def init_limits(app: Flask, redis_url: str) -> None:
    """Guard the views that can be tried or that send letters; they must be registered before."""
    limiter = Limiter(
        key_func=get_remote_address,
        app=app,
        storage_uri=redis_url,
        storage_options={"socket_timeout": 1, "socket_connect_timeout": 1},
        strategy="fixed-window",
        key_prefix="portal",
        headers_enabled=True,
        in_memory_fallback_enabled=True,
    )
    app.extensions[EXTENSION] = limiter

    def guard(endpoint: str, *limits: tuple[str, Callable[[], str]], failures: bool = False) -> None:
        """Count POSTs, all or only those that failed."""
        view: Any = app.view_functions[endpoint]
        for limit, key in limits:
            counted = _failed if failures else None
            view = limiter.limit(limit, key_func=key, methods=["POST"], deduct_when=counted)(view)
        app.view_functions[endpoint] = view

    guard("security.login", (_TRIES, _account), (_TRIES_OF_ADDRESS, get_remote_address), failures=True)
    for endpoint in ("security.two_factor_token_validation", "security.mf_recovery"):
        guard(endpoint, (_TRIES, _second_step), failures=True)
    for endpoint in ("security.verify", "security.change_password"):
        guard(endpoint, (_TRIES, _person), failures=True)
    for endpoint in ("security.register", "security.forgot_password", "security.send_confirmation"):
        guard(endpoint, (_LETTERS, _account), (_LETTERS_OF_ADDRESS, get_remote_address))
    guard("security.change_email", (_LETTERS, _person))
    for endpoint in ("applications.sign", "applications.sealed", "applications.withdraw", "sealed.unseal"):
        guard(endpoint, (_TRIES, _person), failures=True)
    for endpoint in ("organisations.invite", "organisations.resend"):
        guard(endpoint, (_INVITATIONS, _person))


def _failed(response: Response) -> bool:
    """The library answers success with a redirect and draws the form again after a failure; our pages with 422."""
    return response.status_code in (200, 422)


def _account() -> str:
    typed = request.form.get("email", "").strip().lower()
    return "account:" + hashlib.sha256(typed.encode("utf-8", "replace")).hexdigest()[:32]


def _second_step() -> str:
    return f"second:{browser.get('tf_user_id') or get_remote_address()}"


def _person() -> str:
    return f"person:{current_actor().user_id or get_remote_address()}"

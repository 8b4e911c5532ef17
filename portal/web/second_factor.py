"""A wrong code while the second factor is being set up: the same picture and key again, as the phone has them already.

The library sends back to the beginning, where the next attempt makes another key.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Final

from flask import Flask, current_app, make_response, render_template, url_for
from flask import session as http_session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_security.utils import check_and_get_token_status

_VIEW: Final = "security.two_factor_setup_validate"


def init_second_factor(app: Flask) -> None:
    """To be called when the library's views are there."""
    library = app.view_functions[_VIEW]

    @wraps(library)
    def validate(token: str) -> ResponseReturnValue:
        answer = make_response(current_app.ensure_sync(library)(token=token))
        if answer.location != url_for("security.two_factor_setup"):
            return answer
        within = app.config["SECURITY_TWO_FACTOR_SETUP_WITHIN"]
        expired, invalid, state = check_and_get_token_status(token, "tf_setup", within)
        if expired or invalid or current_user.tf_totp_secret == state["totp_secret"]:
            return answer
        # It stands at the field. Read as the pages read it, it would stay for the banner of this one.
        said = [str(words) for _category, words in http_session.pop("_flashes", [])]
        return _again(token, state, said), 422

    app.view_functions[_VIEW] = validate


def _again(token: str, state: dict[str, Any], said: list[str]) -> str:
    security = current_app.extensions["security"]
    held = security.totp_factory.fetch_setup_values(state["totp_secret"], current_user)
    form = security.forms["two_factor_verify_code_form"].cls()
    form.code.errors = said[-1:]
    return render_template(
        "security/two_factor_setup.html",
        two_factor_setup_form=form,
        two_factor_verify_code_form=form,
        chosen_method="authenticator",
        changing=True,
        state_token=token,
        authr_qrcode=held["image"],
        authr_key=held["key"],
    )

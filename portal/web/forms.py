"""What all forms share: the session-bound CSRF token, the idempotency key, and problems on their fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from flask import request
from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import Optional
from wtforms.widgets import HiddenInput

from portal.core.errors import Problem
from portal.web.language import say


class PortalForm(FlaskForm):  # type: ignore[misc]
    """Base of all forms. ``version`` is the row's version at the time the form was opened."""

    idempotency_key = HiddenField()
    version = IntegerField(validators=[Optional()], widget=HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.idempotency_key.data:
            self.idempotency_key.data = str(uuid4())

    def attach(self, problems: Iterable[Problem]) -> None:
        """Show the problems of a verb on their fields; those of no field stand in the summary (``form_errors``).

        After a refusal the form gets a new idempotency key, so that the corrected form is a new intent.
        """
        for problem in problems:
            name = problem.field.replace(".", "-")
            text = say(problem.message)
            if name in self:
                self[name].errors = [*self[name].errors, text]
            else:
                self.form_errors.append(text)
        self.idempotency_key.data = str(uuid4())

    def validate(self, extra_validators: Any = None) -> bool:
        valid = bool(super().validate(extra_validators))
        if not valid:
            self.idempotency_key.data = str(uuid4())
        return valid


def as_choices(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """(value, words) as the choices of a field."""
    return [SelectChoice(value, words) for value, words in pairs]


class ActionForm(PortalForm):
    """A form of one button: the token, the key, and the version, nothing to type."""


def uuid_argument(name: str) -> UUID | None:
    """A UUID from the query string, or None when it is missing or is none."""
    try:
        return UUID(request.args[name])
    except (KeyError, ValueError):
        return None

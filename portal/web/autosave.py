"""What a page that saves by itself sends and is answered; ``static/js/draft.js`` is the other side.

POST ``{"person", "version", "changes": {field: {"value", "base", "sent"}}}``. A page may send everything again.
"""

from __future__ import annotations

from typing import Any, Final

from flask import request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from portal.applications.drafts.saving import Change
from portal.core.errors import Problems
from portal.core.language import N_

LARGEST: Final = 4 * 1024 * 1024
MOST_FIELDS: Final = 3000
ANOTHER_PERSON: Final = N_("Somebody else is signed in now in this browser.")
_NAME: Final = validate.Length(max=200)
_MARK: Final = validate.Length(max=64)


class _Change(Schema):
    value = fields.String(required=True)
    base = fields.String(required=True, validate=_MARK)
    sent = fields.List(fields.String(), load_default=list, validate=validate.Length(max=10))

    class Meta:
        unknown = EXCLUDE

    @post_load
    def made(self, data: Any, **_rest: Any) -> Change:
        return Change(data["value"], data["base"], tuple(data["sent"]))


class _Wish(Schema):
    """``person``: who the page thinks is signed in. ``version``: of the section as the page knows it."""

    person = fields.UUID(required=True)
    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=0, max=2**31 - 1))
    changes = fields.Dict(
        keys=fields.String(validate=_NAME),
        values=fields.Nested(_Change),
        required=True,
        validate=validate.Length(max=MOST_FIELDS),
    )

    class Meta:
        unknown = EXCLUDE


def wish() -> dict[str, Any]:
    """What the page wishes to be saved; :class:`Problems` where it cannot be read."""
    if (request.content_length or 0) > LARGEST:
        # Read, or a browser that is still sending sees a broken connection instead of the reason.
        while request.stream.read(2**16):
            pass
        raise Problems.one("too_large", "", N_("This is more text than can be saved at once."))
    try:
        loaded: dict[str, Any] = _Wish().load(request.get_json(silent=True) or {})
    except ValidationError:
        raise Problems.one(
            "incomplete_form", "", N_("The page sent something that cannot be read. Reload it.")
        ) from None
    return loaded

"""What everyone sees."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from portal.identity.policy import Permission
from portal.web.page import page

pages = Blueprint("public", __name__)


@page(pages, "/", get=Permission.PUBLIC)
def home() -> ResponseReturnValue:
    return "ok"

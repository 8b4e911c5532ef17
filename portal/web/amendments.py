"""Everybody's page of what was changed in a tender after it was published."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.formats import format_date
from portal.identity.policy import Permission
from portal.tenders import amendments, queries
from portal.tenders.amendments import differences
from portal.tenders.models import Amendment
from portal.tenders.schedule import TITLES
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.templating import instant

pages = Blueprint("amendments", __name__)


@page(pages, "/tenders/<code>/changes", get=Permission.PUBLIC)
def index(code: str) -> ResponseReturnValue:
    """All amendments of a tender, the newest first, each with what it changed."""
    row = queries.by_code(session(), g.actor, code)
    made = amendments.listed(session(), row.tender.id)
    if not made:
        raise NotFound
    return render_template("public/changes.html", row=row, tender=row.tender, amendments=made)


def told(made: Amendment, zone: str) -> list[dict[str, Any]]:
    """What an amendment changed: ``{what, before, after}`` as words, or ``{what, pieces}`` for texts."""
    return [_told(change, zone) for change in made.changes]


def _told(change: dict[str, Any], zone: str) -> dict[str, Any]:
    what, before, after = change["what"], change["before"], change["after"]
    if what in amendments.NOTICES:
        label = _("Notice in Russian") if what == "notice_ru" else _("Notice in English")
        return {"what": label, "lang": what[-2:], "pieces": differences(before, after)}
    if what == "closes_at":
        return {"what": say(TITLES["closes"]), "before": _instant(before, zone), "after": _instant(after, zone)}
    if what == "cancelled_at":
        return {"what": _("Cancelled"), "before": "", "after": _instant(after, zone)}
    return {
        "what": say(TITLES[what.removeprefix("milestone:")]),
        "before": _day(before),
        "after": _day(after) if after else _("counted by the rules"),
    }


def _instant(stamp: str, zone: str) -> str:
    return instant(datetime.fromisoformat(stamp), zone)


def _day(stamp: str) -> str:
    return format_date(date.fromisoformat(stamp), locale())


@pages.app_context_processor
def _words() -> dict[str, Any]:
    return {"told": told}

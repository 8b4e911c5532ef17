"""The fund's overview: what waits, what is left of the budget, and what comes next."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, g, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.agreements.overview import Overview, overview
from portal.budget.queries import remaining
from portal.core.clock import now
from portal.core.db import session
from portal.core.formats import format_date
from portal.core.language import N_
from portal.identity.policy import Permission
from portal.tenders import queries
from portal.tenders.queries import Listed
from portal.tenders.rules import TenderStatus
from portal.tenders.ruleset import RuleSet
from portal.tenders.schedule import calendar_of
from portal.web.budget_picture import by_track
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.public import tender_title
from portal.web.templating import can

pages = Blueprint("staff", __name__, url_prefix="/staff")

SHOWN_DEADLINES: Final = 6
OPENING: Final = N_("Intake opens")
CLOSING: Final = N_("Intake closes")


@page(pages, "", get=Permission.STAFF_HOME)
def home() -> ResponseReturnValue:
    """Counts that lead to lists, remaining budget, deadlines."""
    current = session()
    tenders = queries.current(current, g.actor)
    instant = now(current)
    rules = queries.rules_by_tender(
        current, g.actor, [row.tender.id for row in tenders if row.status is TenderStatus.CLOSED]
    )
    return render_template(
        "staff/home.html",
        now=instant,
        tenders=tenders,
        counts=(counts := overview(current, g.actor)),
        orders_link=_orders_link(counts),
        envelopes=by_track(remaining(current)),
        deadlines=_deadlines(tenders, rules, instant)[:SHOWN_DEADLINES],
        link=_link,
    )


def _deadlines(tenders: list[Listed], rules: dict[Any, list[RuleSet]], instant: datetime) -> list[dict[str, Any]]:
    """The next steps of the current tenders, soonest first: ``{label, href, note}``."""
    found: list[tuple[datetime, str, str, Listed]] = []
    for row in tenders:
        place = ZoneInfo(row.tender.zone)
        shown = current_app.jinja_env.filters["datetime"]
        for at, words in (
            (row.tender.opens_at, OPENING),
            (row.tender.closes_at, CLOSING),
        ):
            if at is not None and at > instant:
                found.append((at, say(words), shown(at, row.tender.zone), row))
        for step in calendar_of(row.tender, rules.get(row.tender.id, []), place):
            if step.day is not None and step.ends(place) > instant:
                found.append((step.ends(place), say(step.title), _day(step.day), row))
    found.sort(key=lambda entry: entry[0])
    return [
        {
            "label": label,
            "href": _link("tenders.show", tender_id=row.tender.id) or _link("public.tender", code=row.tender.code),
            "note": f"{when} · {tender_title(row.tender)}",
        }
        for _at, label, when, row in found
    ]


def _orders_link(counts: Overview) -> str:
    """The waiting orders of the only programme that has some, else the programmes."""
    programmes = set(counts.orders)
    if len(programmes) != 1:
        return _link("budget.index")
    return _link("budget_orders.index", programme_id=programmes.pop(), stage="waiting")


def _day(day: date) -> str:
    return format_date(day, locale())


def _link(endpoint: str, **values: Any) -> str:
    """The address of a page that the reader may open, empty otherwise."""
    view = current_app.view_functions.get(endpoint)
    if view is None:
        return ""
    permission = getattr(view, "permissions", {}).get("GET")
    return url_for(endpoint, **values) if permission is not None and can(permission) else ""

"""Calendars: all tenders, one tender with its picture, and what calendar programs subscribe to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following import agenda as own
from portal.awards.offers import agenda as offer_agenda
from portal.core import calendar_file
from portal.core.calendar_file import Event
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.language import N_, render
from portal.identity.policy import Permission
from portal.identity.queries import load_actor
from portal.notifications.letters import address
from portal.tenders import agenda, following, queries
from portal.tenders.agenda import Plan
from portal.tenders.schedule import TITLES
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.public import countdown
from portal.web.steps import basis, period_end, picture, states, when
from portal.web.templating import localised

pages = Blueprint("calendar", __name__)


@page(pages, "/calendar", get=Permission.PUBLIC)
def index() -> ResponseReturnValue:
    """What comes next in all current tenders, in the order of time."""
    current = session()
    instant = now(current)
    rows = queries.current(current, g.actor)
    plans = agenda.plans(current, g.actor, [row.tender for row in rows])
    coming = [
        {**line, "tender": plan.tender} for plan in plans for line in _lines(plan, instant) if line["ends"] > instant
    ]
    coming.sort(key=lambda line: line["ends"])
    return render_template(
        "calendar/index.html",
        now=instant,
        coming=coming,
        rows=rows,
        feed=address(url_for(".all_tenders", lang=locale())),
    )


@page(pages, "/calendar.ics", get=Permission.PUBLIC)
def all_tenders() -> ResponseReturnValue:
    """The milestones of all current tenders, for calendar programs."""
    current = session()
    plans = agenda.plans(current, g.actor, [row.tender for row in queries.current(current, g.actor)])
    return _file([event for plan in plans for event in agenda.events(plan, locale())], _("Joint Projects Portal"))


@page(pages, "/tenders/<code>/calendar", get=Permission.PUBLIC)
def tender(code: str) -> ResponseReturnValue:
    """One tender's steps as a picture and a table, with what each date follows from."""
    row = queries.by_code(session(), g.actor, code)
    plan = _plan(row)
    instant = now(session())
    return render_template(
        "calendar/tender.html",
        row=row,
        tender=row.tender,
        now=instant,
        plan=plan,
        lines=_lines(plan, instant),
        picture=picture(plan.steps, plan.tender.zone, instant),
        feed=address(url_for(".tender_file", code=code, lang=locale())),
    )


@page(pages, "/tenders/<code>/calendar.ics", get=Permission.PUBLIC)
def tender_file(code: str) -> ResponseReturnValue:
    """One tender's steps, for calendar programs."""
    plan = _plan(queries.by_code(session(), g.actor, code))
    return _file(agenda.events(plan, locale()), localised(plan.tender, "title"), f"tender-{code}")


@page(pages, "/tenders/<code>/calendar/<step>.ics", get=Permission.PUBLIC)
def step_file(code: str, step: str) -> ResponseReturnValue:
    """One step, to be added to a calendar once."""
    plan = _plan(queries.by_code(session(), g.actor, code))
    found = agenda.events(plan, locale(), step)
    if step not in TITLES or not found:
        raise NotFound
    return _file(found, localised(plan.tender, "title"), f"tender-{code}-{step}")


@page(pages, "/calendar/mine", get=Permission.CALENDAR_FEED, post=Permission.CALENDAR_FEED)
def mine() -> ResponseReturnValue:
    """The reader's own calendar; its secret address is shown once, right after it is made."""
    token = following.new_feed(session(), g.actor) if request.method == "POST" else ""
    return render_template(
        "calendar/mine.html",
        live=following.live_feed(session(), g.actor),
        secret=address(url_for(".personal", token=token)) if token else "",
        action=ActionForm(formdata=None),
    )


@page(pages, "/calendar/mine/stop", post=Permission.CALENDAR_FEED)
def stop() -> ResponseReturnValue:
    """End the reader's own calendar: its address stops working."""
    following.revoke_feed(session(), g.actor)
    flash(_("The address no longer works."), "success")
    return redirect(url_for(".mine"), 303)


@page(pages, "/calendar/mine/<token>.ics", get=Permission.PUBLIC)
def personal(token: str) -> ResponseReturnValue:
    """A person's own calendar, for whoever has its secret address."""
    current = session()
    person = following.person_of(current, token)
    actor = load_actor(current, person)
    instant = now(current)
    found = [*own.personal(current, actor, instant), *offer_agenda.due(current, actor, instant)]
    return _file(found, render(N_("My applications"), person.locale))


def _plan(row: queries.Listed) -> Plan:
    """The calendar of a published tender. Raises :class:`NotFound` for one in preparation."""
    found = agenda.plans(session(), g.actor, [row.tender])
    if not found:
        raise NotFound
    return found[0]


def _file(events: list[Event], name: str, filename: str = "calendar") -> Response:
    response = Response(calendar_file.write(events, name), content_type=calendar_file.MEDIA_TYPE)
    response.headers.set("Content-Disposition", "inline", filename=f"{filename}.ics")
    response.add_etag()
    response.make_conditional(request)
    return response


def _lines(plan: Plan, instant: datetime) -> list[dict[str, Any]]:
    """The rows of the table: ``{code, title, when, basis, state, left, ends}``."""
    found = []
    for step, state in zip(plan.steps, states(plan.steps, plan.zone, instant), strict=True):
        ends = step.ends(plan.zone)
        found.append(
            {
                "code": step.code,
                "title": say(step.title),
                "when": when(step, plan.tender.zone),
                "basis": basis(step),
                "state": state,
                "left": countdown(ends, instant) if state == "now" else "",
                "ends": ends,
            }
        )
    return found


pages.add_app_template_filter(period_end)

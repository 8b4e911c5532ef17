"""What everyone sees: the front page, tenders with their notices, rules and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from portal.agreements.overview import published_totals
from portal.awards.results import published_results
from portal.budget.queries import remaining
from portal.core.canonical import canonical_json
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.tenders import amendments, answers, following, queries, wording
from portal.tenders.kept_rules import rules_in
from portal.tenders.metrics import METRICS
from portal.tenders.models import TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES, TenderStatus
from portal.tenders.ruleset import RuleSet
from portal.tenders.schedule import calendar_of, questions_until
from portal.web import question_words
from portal.web.budget_picture import by_track
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import page
from portal.web.scales import picture
from portal.web.steps import length, states, when
from portal.web.templating import localised

pages = Blueprint("public", __name__)


@page(pages, "/", get=Permission.PUBLIC)
def home() -> ResponseReturnValue:
    """Tenders, remaining budget, and results."""
    current = session()
    found = queries.on_home(current, g.actor)
    decided = [row for row in found if row.status is TenderStatus.DECIDED]
    soonest_first = sorted(found, key=lambda row: (row.tender.closes_at, row.tender.id))
    return render_template(
        "public/home.html",
        now=now(current),
        intake=[row for row in soonest_first if row.status in (TenderStatus.OPEN, TenderStatus.ANNOUNCED)],
        evaluation=[row for row in soonest_first if row.status is TenderStatus.CLOSED],
        finished=decided,
        totals=published_totals(current, [row.tender.id for row in decided]) if decided else {},
        envelopes=by_track(remaining(current)),
    )


@page(pages, "/tenders/<code>", get=Permission.PUBLIC)
def tender(code: str) -> ResponseReturnValue:
    """The notice, the calendar and the tracks of one tender."""
    current = session()
    row = queries.by_code(current, g.actor, code)
    rules = queries.rules_of(current, g.actor, row.tender.id)
    instant = now(current)
    return render_template(
        "public/tender.html",
        row=row,
        tender=row.tender,
        rules=rules,
        now=instant,
        calendar=_calendar(row, rules, instant),
        amendments=amendments.listed(current, row.tender.id),
        answered=answers.count(current, row.tender.id),
        questions_until=questions_until(row.tender, ZoneInfo(row.tender.zone)),
        follows=following.follows(current, g.actor, row.tender.id),
        action=ActionForm(formdata=None),
    )


@page(pages, "/tenders/<code>/rules/<track>", get=Permission.PUBLIC)
def rules(code: str, track: str) -> ResponseReturnValue:
    """The rules of a track: every limit, weight and scale, with its source."""
    held = queries.track_with_rules(session(), g.actor, code, track)
    return render_template(
        "public/rules.html",
        held=held,
        tender=held.tender,
        tracks=queries.by_code(session(), g.actor, code).tracks,
        rules=rules_in(held.rule_set),
    )


@page(pages, "/tenders/<code>/rules/<track>.json", get=Permission.PUBLIC)
def rules_json(code: str, track: str) -> ResponseReturnValue:
    """The canonical JSON of the rules: its SHA-256 is the digest shown on the page."""
    held = queries.track_with_rules(session(), g.actor, code, track)
    return download(held)


@page(pages, "/tenders/<code>/results", get=Permission.PUBLIC)
def results(code: str) -> ResponseReturnValue:
    """The award list, the reserve list, and how many were declined."""
    row = queries.by_code(session(), g.actor, code)
    found = published_results(session(), row.tender.id)
    if not found and row.status is not TenderStatus.DECIDED:
        raise NotFound
    return render_template("public/results.html", row=row, tender=row.tender, results=found)


def download(held: TenderTrack) -> Response:
    """The rule set of a track (``rule_set`` and ``tender`` loaded) as a file."""
    response = Response(canonical_json(held.rule_set.content), mimetype="application/json")
    name = f"rules-{held.tender.code}-{held.track}.json"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.add_etag()
    response.make_conditional(request)
    return response


def _calendar(row: queries.Listed, rules: dict[str, RuleSet], instant: datetime) -> list[dict[str, Any]]:
    """The steps of a tender for the timeline; where tracks differ, the later day counts."""
    place = ZoneInfo(row.tender.zone)
    steps = calendar_of(row.tender, rules.values(), place)
    running = row.status in (TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED)
    return [
        {
            "title": say(step.title),
            "time": " · ".join(filter(None, (when(step, row.tender.zone), length(step)))),
            "state": "next" if state == "now" and not running else state,
        }
        for step, state in zip(steps, states(steps, place, instant), strict=True)
    ]


DAYS_ALONE: Final = 10


@pages.app_template_filter()
def countdown(until: datetime, instant: datetime) -> str:
    """How long it is until an instant, in words: ``3 days 4 hours left``; far off days alone, at last minutes."""
    seconds = (until - instant).total_seconds()
    if seconds <= 0:
        return ""
    minutes = int(seconds // 60)
    if minutes < 1:
        return str(gettext("less than a minute left"))
    hours, days = minutes // 60, minutes // 1440
    if days >= DAYS_ALONE:
        return str(ngettext("%(num)s day left", "%(num)s days left", days))
    parts = []
    if days:
        parts.append(ngettext("%(num)s day", "%(num)s days", days))
    if hours % 24:
        parts.append(ngettext("%(num)s hour", "%(num)s hours", hours % 24))
    if not days and minutes % 60:
        parts.append(ngettext("%(num)s minute", "%(num)s minutes", minutes % 60))
    return str(gettext("%(time)s left", time=" ".join(parts)))


def start_url(track: TenderTrack) -> str | None:
    """Where an application on this track is started."""
    if "applications.start" not in current_app.view_functions:
        return None
    return url_for("applications.start", track=track.id)


def track_name(track: str) -> str:
    return say(TRACK_NAMES[Track(track)])


def tender_title(row: Any) -> str:
    """The title of a tender, or its code while it has none."""
    return localised(row, "title") or str(row.code)


@pages.app_context_processor
def _words() -> dict[str, Any]:
    return {
        "countdown": countdown,
        "start_url": start_url,
        "track_name": track_name,
        "tender_title": tender_title,
    }


@pages.context_processor
def _rule_words() -> dict[str, Any]:
    return {"wording": wording, "METRICS": METRICS, "picture": picture, "question_words": question_words}

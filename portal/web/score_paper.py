"""The explained score on paper, in the reader's language."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.figures import number
from portal.core.formats import format_datetime
from portal.documents import pdf
from portal.identity.policy import Permission
from portal.scoring.queries import Explained, explained
from portal.scoring.sheets import ToldGate, ToldLine, ToldPart
from portal.scoring.wording import written
from portal.tenders.metrics import METRICS
from portal.web.files import disposition
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.score_words import Line, lines_above, said
from portal.web.templating import localised

pages = Blueprint("score_paper", __name__, url_prefix="/staff/scoring/submissions")
DASH: Final = "—"


@page(pages, "/<uuid:submission_id>/score.pdf", get=Permission.SCORE_VIEW)
def show(submission_id: UUID) -> ResponseReturnValue:
    """The current score of a submission as PDF."""
    found = explained(session(), submission_id)
    if found is None:
        raise NotFound
    return as_pdf(paper_data(found), found.number)


def as_pdf(data: dict[str, Any], number: str) -> Response:
    """The paper of a score as a download; ``data`` of :func:`paper_data`."""
    response = Response(pdf.render("score", data), mimetype="application/pdf")
    response.headers["Content-Disposition"] = disposition("attachment", f"{number}-score.pdf")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def paper_data(found: Explained) -> dict[str, Any]:
    """What the paper says, as plain JSON in the present language."""
    sheet, day, zone = found.sheet, found.received_at, ZoneInfo(found.zone)
    return {
        "locale": locale(),
        "labels": _labels(),
        "title": _("Score of %(number)s", number=found.number),
        "project": localised(found, "title"),
        "day": [day.year, day.month, day.day],
        "head": [
            [_("Project"), localised(found, "title")],
            [_("Tender"), localised(found, "tender")],
            [_("Received"), format_datetime(day, zone, locale())],
            [_("Rules"), _("version %(version)s", version=found.rules.version)],
        ],
        "totals": [
            [_("Total"), _shown(sheet.total), _("of 100") if sheet.total is not None else _("open")],
            [
                _("Objective criteria"),
                _shown(sheet.objective_total),
                _("of %(points)s", points=_shown(sheet.max_objective)),
            ],
            [_("Experts"), _shown(sheet.expert_total), ""],
        ],
        "lines": [_line(line) for line in sheet.lines],
        "gates": [_gate(gate) for gate in sheet.gates],
        "above": [_above(line) for line in lines_above(found)],
        "failed": any(gate.passed is False and gate.code != "threshold" for gate in sheet.gates),
        "digests": [
            [_("SHA-256 of the frozen version"), found.sha256],
            [_("Digest of the score"), found.score.digest],
        ],
    }


def _labels() -> dict[str, str]:
    return {
        "portal": _("Joint Projects Portal"),
        "criteria": _("Points by criterion"),
        "metric": _("Metric"),
        "value": _("Value"),
        "points": _("Points of 10"),
        "weight": _("Weight"),
        "counts": _("Counts"),
        "why": _("Explanation"),
        "reviewers": _("Values of the reviewers"),
        "gates": _("Conditions that no number of points replaces"),
        "above": _("What would have moved it above the line"),
        "now": _("Now"),
        "target": _("Would have been enough"),
        "nothing": _("Nothing alone would have been enough."),
        "failed": _("Conditions that are not met stay as they are, whatever the points."),
        "check": _("How this can be checked"),
    }


def _line(line: ToldLine) -> dict[str, Any]:
    return {
        "code": line.code,
        "title": line.title[locale()],
        "weight": _shown(line.weight),
        "points": _shown(line.points),
        "weighted": _shown(line.weighted),
        "reason": say(line.reason),
        "parts": [_part(part) for part in line.parts],
        "reviewers": ", ".join(_shown(value) for value in line.reviewers),
    }


def _part(part: ToldPart) -> list[str]:
    metric = METRICS.get(part.metric)
    value = DASH
    if part.value is not None:
        value = said(written(metric, part.value)) if metric else _shown(part.value)
    return [say(part.title), say(metric.formula) if metric else "", value, _shown(part.points)]


def _gate(gate: ToldGate) -> list[str]:
    names = {"eligibility": _("Eligibility"), "npv": _("Net present value"), "threshold": _("Threshold")}
    result = {True: _("passed"), False: _("not passed"), None: _("open")}[gate.passed]
    return [names.get(gate.code, gate.code), result, say(gate.reason)]


def _above(line: Line) -> dict[str, Any]:
    lacking = _(
        "%(gap)s points were lacking to %(line)s (%(goal)s).",
        gap=_shown(line.gap),
        line=say(line.title),
        goal=_shown(line.goal),
    )
    rows = [[f"{move.criterion} {move.title}", move.metric, move.now, move.target, move.how] for move in line.moves]
    return {"lacking": lacking, "rows": rows}


def _shown(value: Any) -> str:
    return DASH if value is None else number(value)[locale()]

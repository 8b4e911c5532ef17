"""The evaluation of a track in pictures, each with its table behind it and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.formats import format_date, format_number
from portal.identity.policy import Permission
from portal.review.calibrating import Part, parts
from portal.review.calibration import Calibration, Estimate, TooFew
from portal.scoring import calibration_checks
from portal.scoring.evaluation import Evaluation, Reviewer, evaluation
from portal.scoring.models import CalibrationCheck
from portal.scoring.outlook import Standing
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.evaluation_picture import TEN, Axis, axis, progress, row
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.register import as_table
from portal.web.templating import localised

pages = Blueprint("evaluation", __name__, url_prefix="/staff/evaluation")

PLACES: Final = 50
FILLS: Final = tuple(f"jp-fill-{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11))


@page(pages, "/<uuid:track_id>", get=Permission.EVALUATION_VIEW)
def show(track_id: UUID) -> ResponseReturnValue:
    """All pictures of a track; fifty places at a time."""
    found = evaluation(session(), g.actor, track_id)
    first = max(request.args.get("from", 1, type=int), 1)
    shown = found.standings[first - 1 : first - 1 + PLACES]
    scale = _totals_axis(found)
    return render_template(
        "evaluation/show.html",
        found=found,
        place=found.place,
        track_title=say(TRACK_NAMES[Track(found.place.track)]),
        first=first,
        earlier=max(first - PLACES, 1) if first > 1 else None,
        later=first + PLACES if first - 1 + PLACES < len(found.standings) else None,
        scale=scale,
        threshold=scale.at(found.place.rules.threshold) if scale.holds(found.place.rules.threshold) else None,
        ranking=[_ranked(found, each, scale, first + at) for at, each in enumerate(shown)],
        last=found.last,
        stacked=[_stacked(found, each) for each in shown],
        criteria=_criteria(found),
        parts=[_part(found, part, shown) for part in parts(found.place.rules)],
        ten=TEN,
        progress=_progress(found),
        tables=TABLES,
        checks=[(each, _first(found, each)) for each in _checks(found)],
        form=ActionForm(formdata=None),
    )


@page(pages, "/<uuid:track_id>/check", post=Permission.SCORE_CHECK)
def check(track_id: UUID) -> ResponseReturnValue:
    """Run the calibration again and compare."""
    calibration_checks.start(session(), g.actor, track_id)
    flash(_("The calibration is being computed again: open the page anew in a minute."), "info")
    return redirect(url_for(".show", track_id=track_id, _anchor="method"), 303)


@page(pages, "/<uuid:track_id>/<table>.csv", get=Permission.EVALUATION_VIEW)
def download(track_id: UUID, table: str) -> ResponseReturnValue:
    """The table behind a picture, whole."""
    if table not in TABLES:
        raise NotFound
    found = evaluation(session(), g.actor, track_id)
    return as_table(TABLES[table](found), f"{found.place.code}-{found.place.track}-{table}", "csv")


def reviewer_name(each: Reviewer) -> str:
    """A person's name where the reader may know it, a number otherwise."""
    return each.name or _("Reviewer %(number)s", number=each.number)


def part_title(found: Evaluation, part: Part) -> str:
    """The criterion, with its lane where the rules have several."""
    title = f"{part.criterion.code} {part.criterion.title[locale()]}"
    return f"{title}: {part.lane.title[locale()]}" if len(found.place.rules.expertise) > 1 else title


def _checks(found: Evaluation) -> Sequence[CalibrationCheck]:
    return calibration_checks.checks_of(session(), found.calibration.id) if found.calibration else ()


def _first(found: Evaluation, each: CalibrationCheck) -> str:
    """Where a check found the first difference, in words that name no reviewer to those who may not know them."""
    if each.first is None:
        return ""
    match each.first["path"]:
        case ["reviews"]:
            return str(_("the reviews: one was returned, or its application is no longer among those compared"))
        case [part, "applications", key, *field]:
            numbers = {str(project.submission_id): project.number for project in found.projects}
            return " · ".join([part, numbers.get(key, "—"), *field])
        case [part, "reviewers", key, *field]:
            names = {reviewer.key: reviewer_name(reviewer) for reviewer in found.reviewers}
            return " · ".join([part, names.get(key, "—"), *field])
        case path:
            return " · ".join(path)


def _totals_axis(found: Evaluation) -> Axis:
    values = [value for each in found.standings for value in (each.low, each.high)]
    raws = [found.numbers[each.number].raw for each in found.standings]
    return axis([*values, *(raw for raw in raws if raw is not None)], Decimal(0), Decimal(100))


def _ranked(found: Evaluation, each: Standing, scale: Axis, place: int) -> dict[str, Any]:
    project = found.numbers[each.number]
    return row(
        scale,
        place=place,
        number=each.number,
        title=localised(project, "title"),
        project=project,
        standing=each,
        low=each.low if each.error else None,
        high=each.high if each.error else None,
        value=project.calibrated,
        raw=project.raw,
        counts=each.total,
        zone=found.cut is not None and each.low <= found.cut <= each.high,
    )


def _criteria(found: Evaluation) -> list[dict[str, Any]]:
    return [
        {"code": item.code, "label": f"{item.code} {item.title[locale()]}", "css": FILLS[at % len(FILLS)]}
        for at, item in enumerate(found.place.rules.criteria)
    ]


def _stacked(found: Evaluation, each: Standing) -> dict[str, Any]:
    project = found.numbers[each.number]
    known = [(item, project.weighted.get(item["code"])) for item in _criteria(found)]
    return {
        "number": each.number,
        "title": localised(project, "title"),
        "project": project,
        "parts": [{"label": item["label"], "value": points or 0, "css": item["css"]} for item, points in known],
        "points": [points for _item, points in known],
        "total": sum((points for _item, points in known if points is not None), Decimal(0)),
        "open": any(points is None for _item, points in known),
    }


def _part(found: Evaluation, part: Part, shown: Sequence[Standing]) -> dict[str, Any]:
    """What the pictures of one part show: values with intervals, spread, severities, agreement."""
    result = found.found.get(part.key)
    calibrated = result if isinstance(result, Calibration) else None
    severities = [(each, each.severities[part.key]) for each in found.reviewers if part.key in each.severities]
    bound = max((max(abs(own.low), abs(own.high)) for _each, own in severities), default=Decimal(1))
    scale = axis([-bound, bound])
    return {
        "key": part.key.replace("/", "-"),
        "title": part_title(found, part),
        "result": calibrated,
        "refusal": result.reason if isinstance(result, TooFew) else None,
        "agreement": found.agreement(part.key),
        "reviews": len(found.panel[part.key]),
        "values": [each for each in (_value(found, part, calibrated, standing) for standing in shown) if each["dots"]],
        "scale": scale,
        "severities": [
            row(scale, label=reviewer_name(each), own=own, low=own.low, high=own.high, value=own.value)
            for each, own in sorted(severities, key=lambda pair: (pair[1].value, pair[0].number))
        ],
    }


def _value(found: Evaluation, part: Part, result: Calibration | None, each: Standing) -> dict[str, Any]:
    project = found.numbers[each.number]
    own: Estimate | None = result.applications.get(str(project.submission_id)) if result else None
    dots = sorted(project.values.get(part.key, {}).values())
    return row(
        TEN,
        number=each.number,
        title=localised(project, "title"),
        project=project,
        own=own,
        dots=dots,
        mean=sum(dots, Decimal(0)) / len(dots) if dots else None,
        low=own.low if own else None,
        high=own.high if own else None,
        value=own.value if own else None,
        raw=own.raw if own else None,
    )


def _progress(found: Evaluation) -> list[dict[str, Any]]:
    groups = progress(found.handed_in, found.asked, today(session()))
    return [{"label": f"{each['day']:%d.%m}", **each} for each in groups]


def _number(value: Decimal | None) -> str:
    return "" if value is None else format_number(value, locale(), 4)


def _ranking_table(found: Evaluation) -> list[list[str]]:
    head = [
        _("Place"),
        _("Number"),
        _("Project"),
        _("Counts"),
        _("Raw"),
        _("Calibrated"),
        _("Interval from"),
        _("Interval to"),
    ]
    rows = [[*head, _("Probability of money"), _("Number of reviews")]]
    for place, each in enumerate(found.standings, start=1):
        project = found.numbers[each.number]
        numbers = (each.total, project.raw, project.calibrated, each.low, each.high, each.chance)
        rows.append([str(place), each.number, localised(project, "title"), *map(_number, numbers), str(each.reviews)])
    return rows


def _criteria_table(found: Evaluation) -> list[list[str]]:
    items = _criteria(found)
    rows = [[_("Number"), _("Project"), *(item["label"] for item in items)]]
    for project in found.projects:
        points = (_number(project.weighted.get(item["code"])) for item in items)
        rows.append([project.number, localised(project, "title"), *points])
    return rows


def _spread_table(found: Evaluation) -> list[list[str]]:
    names = {each.key: reviewer_name(each) for each in found.reviewers}
    rows = [
        [
            _("Number"),
            _("Criterion"),
            _("Reviewer"),
            _("Value"),
            _("Raw"),
            _("Calibrated"),
            _("Interval from"),
            _("Interval to"),
        ]
    ]
    for project in found.projects:
        for part in parts(found.place.rules):
            result = found.found.get(part.key)
            own = result.applications.get(str(project.submission_id)) if isinstance(result, Calibration) else None
            means = [_number(each) for each in ((own.raw, own.value, own.low, own.high) if own else (None,) * 4)]
            for key, value in sorted(project.values.get(part.key, {}).items(), key=lambda pair: names[pair[0]]):
                rows.append([project.number, part_title(found, part), names[key], _number(value), *means])
    return rows


def _severity_table(found: Evaluation) -> list[list[str]]:
    rows = [
        [
            _("Reviewer"),
            _("Criterion"),
            _("Severity"),
            _("Interval from"),
            _("Interval to"),
            _("Mean given"),
            _("Number of reviews"),
        ]
    ]
    for each in found.reviewers:
        for part in parts(found.place.rules):
            own = each.severities.get(part.key)
            if own is not None:
                numbers = map(_number, (own.value, own.low, own.high, own.raw))
                rows.append([reviewer_name(each), part_title(found, part), *numbers, str(own.reviews)])
    return rows


def _progress_table(found: Evaluation) -> list[list[str]]:
    days = sorted(set(found.handed_in))
    head = [_("Day"), _("Handed in that day"), _("Handed in so far"), _("Asked for")]
    return [
        head,
        *(
            [
                format_date(day, locale()),
                str(found.handed_in.count(day)),
                str(sum(each <= day for each in found.handed_in)),
                str(found.asked),
            ]
            for day in days
        ),
    ]


TABLES: Final = {
    "ranking": _ranking_table,
    "criteria": _criteria_table,
    "spread": _spread_table,
    "severity": _severity_table,
    "progress": _progress_table,
}

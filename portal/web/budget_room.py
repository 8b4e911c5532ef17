"""The budget room: an envelope over time, the payments to come, what open tenders ask, and the alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField

from portal.agreements import queries as agreement_queries
from portal.agreements.models import Tranche
from portal.agreements.queries import Month, Payment
from portal.awards import pressure
from portal.budget import alarms, queries, series
from portal.budget.models import Account
from portal.budget.queries import EnvelopeFigures
from portal.budget.series import Point
from portal.core.clock import MOSCOW, today
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.formats import format_date
from portal.core.money import ZERO, NumberError, parse_decimal
from portal.identity.policy import Permission, find
from portal.tenders.models import Programme, Track
from portal.web.budget_words import account_name, track_name
from portal.web.burn_picture import STACK, burn
from portal.web.days import ends, read_day
from portal.web.forms import ActionForm, PortalForm, as_choices, uuid_argument
from portal.web.language import locale
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.register import as_table

pages = Blueprint("budget_room", __name__, url_prefix="/staff/budget/programmes")

SHOWN: Final = (Account.AVAILABLE, Account.RESERVED, Account.COMMITTED, Account.PAID, Account.RETURNED)
QUARTERS_BEYOND: Final = 24
"""Months that the picture of the forecast shows at most; more are drawn as quarters."""


class AlarmForm(PortalForm):
    """A new threshold."""

    share = StringField(
        _l("Tell when no more than this share is available"),
        description=_l("Percent of what was given, for example 20"),
    )
    track = SelectField(_l("Track"), validate_choice=False)
    year = StringField(_l("Year"), description=_l("Leave empty for every year"), render_kw={"inputmode": "numeric"})

    def offer(self) -> None:
        self.track.choices = as_choices([("", _("Both tracks")), *((t.value, track_name(t)) for t in reversed(Track))])


@pages.context_processor
def _names() -> dict[str, Any]:
    return {"track_name": track_name, "account_name": account_name}


@page(pages, "/<uuid:programme_id>/over-time", get=Permission.BUDGET_VIEW)
def over_time(programme_id: UUID) -> ResponseReturnValue:
    """How an envelope was used up."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    envelopes = queries.by_programme(current, g.actor, row.id)
    chosen = _chosen(envelopes)
    points = _points(chosen) if chosen else []
    return render_template(
        "budget_room/over_time.html",
        programme=row,
        envelopes=[(str(each.id), f"{track_name(each.track)}, {each.year}") for each in envelopes],
        chosen=chosen,
        asked={name: request.args.get(name, "").strip() for name in ("since", "until")},
        points=points,
        days=[point.at.astimezone(MOSCOW).date() - timedelta(days=1) for point in points],
        drawn=burn(points),
        stack=STACK,
        accounts=SHOWN,
    )


@page(pages, "/<uuid:programme_id>/forecast", get=Permission.BUDGET_VIEW)
def forecast(programme_id: UUID) -> ResponseReturnValue:
    """What the agreements' schedules will take: paid, planned, overdue, by month or by quarter."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    months = agreement_queries.forecast(current, g.actor, row.id, today(current))
    by = request.args.get("by", "")
    quarters = by == "quarter" or (by != "month" and len(months) > QUARTERS_BEYOND)
    return render_template(
        "budget_room/forecast.html",
        programme=row,
        periods=_periods(months, quarters),
        quarters=quarters,
        total={
            "paid": sum((month.paid for month in months), ZERO),
            "planned": sum((month.planned for month in months), ZERO),
            "overdue": sum((month.overdue for month in months), ZERO),
        },
        picture=_columns(_periods(months, quarters)),
    )


@page(pages, "/<uuid:programme_id>/payments", get=Permission.BUDGET_VIEW)
def payments(programme_id: UUID) -> ResponseReturnValue:
    """The tranches behind a figure of the forecast, by their planned day."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    first, last = read_day(request.args.get("first", "")), read_day(request.args.get("last", ""))
    track = request.args.get("track", "")
    listed: Page[Any] = keyset(
        current,
        agreement_queries.payments(row.id, track=track if track in set(Track) else "", first=first, last=last),
        (Tranche.planned_on, Tranche.id),
        lambda line: (line[8], line[0]),
        request.args.get("cursor"),
        rising=True,
    )
    return render_template(
        "budget_room/payments.html",
        programme=row,
        listed=listed,
        rows=[Payment(*line) for line in listed.rows],
        first=first,
        last=last,
        today=today(current),
    )


@page(pages, "/<uuid:programme_id>/asked", get=Permission.BUDGET_VIEW)
def asked(programme_id: UUID) -> ResponseReturnValue:
    """What each open tender could still take, next to what is asked there."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    return render_template("budget_room/asked.html", programme=row, tracks=_asked(row.id))


@page(pages, "/<uuid:programme_id>/alarms", get=Permission.BUDGET_VIEW, post=Permission.BUDGET_ALARM)
def alarm_page(programme_id: UUID) -> ResponseReturnValue:
    """The thresholds, what has crossed them, and the form for one more."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    form = AlarmForm()
    form.offer()
    if request.method == "POST":
        try:
            alarms.set_alarm(current, g.actor, programme_id=row.id, **_typed_alarm(form))
        except Problems as found:
            form.attach(found.problems)
        else:
            flash(_("The alarm is set."), "success")
            return redirect(url_for(".alarm_page", programme_id=row.id), 303)
    return render_template(
        "budget_room/alarms.html",
        programme=row,
        form=form,
        removing=ActionForm(formdata=None),
        alarms=alarms.alarms_of(current, g.actor, row.id),
        crossings=alarms.crossings(current, g.actor, row.id),
    ), 422 if form.is_submitted() else 200


@page(pages, "/<uuid:programme_id>/alarms/<uuid:alarm_id>/remove", post=Permission.BUDGET_ALARM)
def remove_alarm(programme_id: UUID, alarm_id: UUID) -> ResponseReturnValue:
    """Watch for a threshold no longer."""
    alarms.remove_alarm(session(), g.actor, alarm_id)
    flash(_("The alarm is removed."), "success")
    return redirect(url_for(".alarm_page", programme_id=programme_id), 303)


@page(pages, "/<uuid:programme_id>/<table>.csv", get=Permission.BUDGET_VIEW)
def download(programme_id: UUID, table: str) -> ResponseReturnValue:
    """The table behind a picture, whole."""
    row = find(session(), g.actor, Programme, programme_id)
    if table not in TABLES:
        raise NotFound
    return as_table(TABLES[table](row), f"{row.code}-{table}", "csv")


def _chosen(envelopes: Sequence[EnvelopeFigures]) -> EnvelopeFigures | None:
    """The envelope of the address, else the one of which most is used; None without envelopes."""
    key = uuid_argument("envelope")
    found = next((each for each in envelopes if each.id == key), None)
    if key is not None and found is None:
        raise NotFound
    used = sorted(envelopes, key=lambda each: (each.available - each.appropriated, each.year))
    return found or next(iter(used), None)


def _points(envelope: EnvelopeFigures) -> list[Point]:
    """What the envelope held at the ends of at most sixty days between those asked for, else of its whole life."""
    current = session()
    life = series.span(current, envelope.id)
    if life is None:
        return []
    since, until = read_day(request.args.get("since", "")), read_day(request.args.get("until", ""))
    first = since or life.first.astimezone(MOSCOW).date() - timedelta(days=1)
    last = until or min(life.last.astimezone(MOSCOW).date() + timedelta(days=14), today(current))
    if last <= first:
        first = last - timedelta(days=1)
    return series.at_instants(current, envelope.id, [ends(day) for day in series.days(first, last)])


def _periods(months: Sequence[Month], quarters: bool) -> list[dict[str, Any]]:
    """Rows of the forecast: label, figures, and the days between which the tranches lie."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for month in months:
        place = (month.year, (month.month - 1) // 3 + 1 if quarters else month.month)
        first = date(month.year, (place[1] - 1) * 3 + 1 if quarters else month.month, 1)
        row = found.setdefault(
            place,
            {
                "label": _("Q%(quarter)s %(year)s", quarter=place[1], year=place[0])
                if quarters
                else f"{month.month:02}.{month.year}",
                "first": first,
                "last": _before(first, 3 if quarters else 1),
                "paid": ZERO,
                "planned": ZERO,
                "overdue": ZERO,
            },
        )
        for name in ("paid", "planned", "overdue"):
            row[name] += getattr(month, name)
    return list(found.values())


def _before(first: date, months: int) -> date:
    """The last day of as many months."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1) - timedelta(days=1)


def _columns(periods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bars of the forecast: parts as :func:`budget_chart` takes them."""
    return [
        {
            "label": row["label"],
            "total": row["paid"] + row["planned"] + row["overdue"],
            "parts": [
                {"key": "paid", "label": _("Paid"), "value": row["paid"], "css": "jp-fill-1"},
                {"key": "planned", "label": _("Planned"), "value": row["planned"], "css": "jp-fill-3"},
                {"key": "overdue", "label": _("Overdue"), "value": row["overdue"], "css": "jp-fill-6"},
            ],
        }
        for row in periods
    ]


def _asked(programme_id: UUID) -> list[dict[str, Any]]:
    """Each track of a current tender with its years."""
    current = session()
    envelopes = {(each.track, each.year): each for each in queries.by_programme(current, g.actor, programme_id)}
    available = {key: each.available for key, each in envelopes.items()}
    rows = []
    for row in pressure.asked(current, g.actor, programme_id):
        places = pressure.places(row, available)
        rows.append(
            {
                "asked": row,
                "places": places,
                "bars": [_pressure_bar(place) for place in places] if row.known else [],
                "envelopes": {year: each.id for (track, year), each in envelopes.items() if track == row.track},
            }
        )
    return rows


def _pressure_bar(place: pressure.Place) -> dict[str, Any]:
    covered = place.asked - place.lacking
    return {
        "label": str(place.year),
        "total": max(place.available, place.asked),
        "parts": [
            {"key": "covered", "label": _("Asked, covered"), "value": covered, "css": "jp-fill-2"},
            {"key": "available", "label": _("Still free"), "value": place.could_take, "css": "jp-fill-4"},
            {"key": "lacking", "label": _("Asked, not covered"), "value": place.lacking, "css": "jp-fill-6"},
        ],
    }


def _typed_alarm(form: AlarmForm) -> dict[str, Any]:
    """The values of a new alarm. Raises :class:`Problems` for what is no number."""
    try:
        share = parse_decimal(form.share.data or "")
    except NumberError as error:
        raise Problems([Problem(error.code, "share", error.message)]) from error
    typed = (form.year.data or "").strip()
    year = int(typed) if typed.isascii() and typed.isdigit() and len(typed) == 4 else 0 if typed else None
    return {"share": share, "track": Track(form.track.data) if form.track.data in set(Track) else None, "year": year}


def _sum(value: Decimal) -> str:
    """For a file: a plain number, with a comma in Russian."""
    return f"{value:.2f}".replace(".", ",") if locale() == "ru" else f"{value:.2f}"


def _envelope_table(row: Programme) -> list[list[str]]:
    day = read_day(request.args.get("on", ""))
    current = session()
    envelopes = (
        queries.as_of(current, g.actor, row.id, ends(day)) if day else queries.by_programme(current, g.actor, row.id)
    )
    head = [_("Track"), _("Year"), _("Appropriated"), *(account_name(account) for account, _css in STACK)]
    lines = [
        [
            track_name(each.track),
            str(each.year),
            _sum(each.appropriated),
            *(_sum(each.balances[account]) for account, _css in STACK),
        ]
        for each in envelopes
    ]
    return [head, *lines]


def _over_time_table(row: Programme) -> list[list[str]]:
    chosen = _chosen(queries.by_programme(session(), g.actor, row.id))
    head = [_("At the end of the day"), _("Appropriated"), *(account_name(account) for account, _css in STACK)]
    lines = [
        [
            format_date(point.at.astimezone(MOSCOW).date() - timedelta(days=1), locale()),
            _sum(point.appropriated),
            *(_sum(point.balances[account]) for account, _css in STACK),
        ]
        for point in (_points(chosen) if chosen else [])
    ]
    return [head, *lines]


def _forecast_table(row: Programme) -> list[list[str]]:
    months = agreement_queries.forecast(session(), g.actor, row.id, today(session()))
    head = [_("Period"), _("Paid"), _("Planned"), _("Overdue")]
    periods = _periods(months, request.args.get("by") == "quarter")
    return [
        head,
        *([each["label"], *(_sum(each[name]) for name in ("paid", "planned", "overdue"))] for each in periods),
    ]


def _asked_table(row: Programme) -> list[list[str]]:
    head = [
        _("Tender"),
        _("Track"),
        _("Year"),
        _("Available"),
        _("Asked by applications"),
        _("Still free"),
        _("Lacking"),
    ]
    lines = [
        [
            each["asked"].tender.code,
            track_name(each["asked"].track),
            str(place.year),
            _sum(place.available),
            *(_sum(value) if each["asked"].known else "" for value in (place.asked, place.could_take, place.lacking)),
        ]
        for each in _asked(row.id)
        for place in each["places"]
    ]
    return [head, *lines]


TABLES: Final = {
    "envelopes": _envelope_table,
    "over-time": _over_time_table,
    "forecast": _forecast_table,
    "asked": _asked_table,
}

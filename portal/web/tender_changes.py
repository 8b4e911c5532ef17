"""What an administrator changes in a published tender: amendments and cancelling."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import Field, TextAreaField
from wtforms.widgets import TextInput

import portal.applications.jobs  # noqa: F401 - an amendment's letters are its work
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import Problems
from portal.core.formats import EXAMPLE_DAY
from portal.identity.policy import Permission, find
from portal.tenders import amendments, queries
from portal.tenders.amendments import AmendmentValues, Reasons
from portal.tenders.models import Tender
from portal.tenders.rules import ALLOWED, status
from portal.tenders.schedule import MOVABLE, TITLES, Milestone, calendar_of
from portal.web.forms import PortalForm
from portal.web.language import say
from portal.web.page import page
from portal.web.tenders import WallTimeField, wall

pages = Blueprint("changes", __name__)

_DAY_FORMATS: Final = ("%d.%m.%Y", "%Y-%m-%d")


class DayField(Field):
    """A day; ``data`` is a date or None, the text is kept."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        text = "".join(valuelist[:1]).strip()
        self.data = None
        for form in _DAY_FORMATS:
            try:
                self.data = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
                return
            except ValueError:
                continue
        if text:
            raise ValueError(_("Give a day such as %(day)s.", day=EXAMPLE_DAY))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data:%d.%m.%Y}" if self.data else ""


class ReasonsForm(PortalForm):
    """Why, in both languages."""

    reason_ru = TextAreaField(_l("Reason in Russian"), description=_l("Everyone reads it, on the portal and by mail"))
    reason_en = TextAreaField(_l("Reason in English"))

    def reasons(self) -> Reasons:
        return Reasons(self.reason_ru.data or "", self.reason_en.data or "")


class AmendForm(ReasonsForm):
    """The tender as it is to be: what is left as it stands does not change."""

    closes = WallTimeField(_l("Intake closes"), description=_l("In the tender's zone; only a later time is possible"))
    notice_ru = TextAreaField(_l("Notice in Russian"))
    notice_en = TextAreaField(_l("Notice in English"))

    def values(self, days: tuple[str, ...], closing: bool) -> AmendmentValues:
        return AmendmentValues(
            reasons=self.reasons(),
            closes=self.closes.data if closing else None,
            notice_ru=self.notice_ru.data or "",
            notice_en=self.notice_en.data or "",
            days={code: self[f"day-{code}"].data for code in days},
        )


def _day_form(steps: list[Milestone]) -> tuple[type[AmendForm], tuple[str, ...]]:
    """The form with a field for each step that can be moved."""
    codes = tuple(step.code for step in steps if step.code in MOVABLE and step.day is not None)
    fields = {f"day-{code}": DayField(say(TITLES[code])) for code in codes}
    return type("DaysForm", (AmendForm,), fields), codes


@page(pages, "/staff/tenders/<uuid:tender_id>/amend", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def amend(tender_id: UUID) -> ResponseReturnValue:
    """Extend, change the notice, or move milestones: published with a number and a reason, told to everyone."""
    row = find(session(), g.actor, Tender, tender_id)
    now_open = status(row, now(session()))
    if now_open not in ALLOWED["amend"] and request.method == "GET":
        return redirect(url_for("tenders.show", tender_id=tender_id), 303)
    place = ZoneInfo(row.zone)
    steps = calendar_of(row, queries.rules_of(session(), g.actor, tender_id).values(), place)
    kind, codes = _day_form(steps)
    shown = {f"day-{step.code}": step.day for step in steps if step.code in codes}
    form = kind(obj=row, data={"closes": wall(row.closes_at, place), **shown}, version=row.version)
    extendable = now_open in ALLOWED["extend"]
    if form.validate_on_submit():
        try:
            made = amendments.amend(
                session(),
                g.actor,
                tender_id,
                values=form.values(codes, extendable),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            said = _("Amendment No. %(number)s is published. The letters are on their way.", number=made.number)
            flash(said, "success")
            return redirect(url_for("tenders.show", tender_id=tender_id), 303)
    return (
        render_template(
            "tenders/amend.html",
            form=form,
            tender=row,
            days=[form[f"day-{code}"] for code in codes],
            extendable=extendable,
            number=len(amendments.listed(session(), tender_id)) + 1,
        ),
        422 if form.errors or form.form_errors else 200,
    )


@page(pages, "/staff/tenders/<uuid:tender_id>/cancel", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def cancel(tender_id: UUID) -> ResponseReturnValue:
    """Cancel a tender, with the reason that everyone will read."""
    row = find(session(), g.actor, Tender, tender_id)
    form = ReasonsForm(version=row.version)
    if form.validate_on_submit():
        try:
            amendments.cancel(
                session(),
                g.actor,
                tender_id,
                reasons=form.reasons(),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The tender is cancelled."), "success")
            return redirect(url_for("tenders.show", tender_id=tender_id), 303)
    return render_template("tenders/cancel.html", form=form, tender=row), 422 if form.errors else 200

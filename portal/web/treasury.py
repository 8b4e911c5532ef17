"""Payments of the treasury: a table is uploaded, compared with the agreements, looked at, and booked."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired

from portal.agreements import reconciliation, treasury, treasury_work
from portal.agreements.reconciliation import Match
from portal.agreements.treasury_models import TreasuryPayment, TreasuryStatement
from portal.core.db import session
from portal.core.errors import Problems
from portal.documents import kinds
from portal.identity.policy import Permission
from portal.identity.queries import names_of
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.register import as_table
from portal.web.status_words import WORDS

pages = Blueprint("treasury", __name__, url_prefix="/staff/budget/treasury")

UNREAD: Final = 5
"""Tables on the first page that are being read, or were not kept."""


class UploadForm(PortalForm):
    """The treasury's table."""

    file = FileField(
        _l("Table of payments"),
        [FileRequired(_l("Choose a file."))],
        description=_l("XLSX, or CSV with semicolons or commas; money that came back is below zero; up to 10,000 rows"),
        render_kw={"accept": kinds.accept(kinds.TABLES)},
    )


@page(pages, "", get=Permission.BUDGET_VIEW, post=Permission.AGREEMENT_PAY)
def index() -> ResponseReturnValue:
    """The tables that were uploaded, the newest first; a new one books nothing by itself."""
    current = session()
    form = UploadForm()
    if form.validate_on_submit():
        try:
            work = treasury_work.start_reading(
                current, g.actor, name=form.file.data.filename or "", stream=form.file.data.stream
            )
        except Problems as found:
            form.attach(found.problems)
        else:
            return redirect(url_for(".work", work_id=work.id), 303)
    listed: Page[Any] = keyset(
        current,
        treasury.statements(),
        (TreasuryStatement.created_at, TreasuryStatement.id),
        lambda row: (row[0].created_at, row[0].id),
        request.args.get("cursor"),
    )
    return render_template(
        "treasury/index.html",
        form=form,
        listed=listed,
        at_work=treasury_work.unread(current, UNREAD),
        names=names_of(current, {row[0].uploaded_by for row in listed.rows}),
    ), 422 if form.is_submitted() else 200


@page(pages, "/template.<extension>", get=Permission.BUDGET_VIEW)
def template(extension: str) -> ResponseReturnValue:
    """An empty table with the right header and an example."""
    columns = reconciliation.COLUMNS
    head = [column.ru if locale() == "ru" else column.en for column in columns]
    return as_table([head, [column.example for column in columns]], _("Payments"), extension)


@page(pages, "/<uuid:statement_id>", get=Permission.BUDGET_VIEW)
def show(statement_id: UUID) -> ResponseReturnValue:
    """What each payment of a table is: matched, differing, unmatched, booked."""
    current = session()
    row = treasury.statement_of(current, statement_id)
    asked = request.args.get("match", "")
    asked = asked if asked in set(Match) else ""
    listed: Page[TreasuryPayment] = keyset(
        current,
        treasury.payments_of(row.id, matched=asked),
        (TreasuryPayment.line,),
        lambda payment: (payment.line,),
        request.args.get("cursor"),
        rising=True,
    )
    words = {each.value: say(WORDS["treasury"][each][0]) for each in Match}
    return render_template(
        "treasury/show.html",
        row=row,
        counts=treasury.counts(current, row.id),
        listed=listed,
        asked=asked,
        matches=list(Match),
        words=words,
        choices=list(words.items()),
        uploader=names_of(current, [row.uploaded_by])[row.uploaded_by],
        form=ActionForm(formdata=None),
        booking=treasury_work.booking_of(current, row.id),
    )


@page(pages, "/<uuid:statement_id>/compare", post=Permission.AGREEMENT_PAY)
def compare(statement_id: UUID) -> ResponseReturnValue:
    """Have what is not booked compared anew, in the background."""
    row = treasury_work.start_comparing(session(), g.actor, statement_id)
    return redirect(url_for(".work", work_id=row.id), 303)


@page(pages, "/<uuid:statement_id>/book", post=Permission.AGREEMENT_PAY)
def book(statement_id: UUID) -> ResponseReturnValue:
    """Have what matches booked, in the background."""
    row = treasury_work.start_booking(session(), g.actor, statement_id)
    return redirect(url_for(".work", work_id=row.id), 303)


@page(pages, "/work/<uuid:work_id>", get=Permission.BUDGET_VIEW)
def work(work_id: UUID) -> ResponseReturnValue:
    """How far the reading or the booking of a table has come, and what came of it."""
    current = session()
    row = treasury_work.work_of(current, work_id)
    return render_template("treasury/work.html", row=row, parked=treasury_work.parked(current, row))


@page(pages, "/work/<uuid:work_id>/progress", get=Permission.BUDGET_VIEW)
def progress(work_id: UUID) -> ResponseReturnValue:
    """The progress bar alone, for those who poll."""
    current = session()
    row = treasury_work.work_of(current, work_id)
    return render_template("treasury/progress.html", row=row, parked=treasury_work.parked(current, row))

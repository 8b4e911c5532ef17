"""Envelopes and their statements; the administrator's postings, each looked at once more before it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import IntegerField, RadioField, SelectField, StringField

from portal.budget import alarms, queries, rules, service
from portal.budget.ledger import Overdrawn, Shortage
from portal.budget.models import Account
from portal.budget.queries import EnvelopeFigures
from portal.core.db import session
from portal.core.errors import Conflict, Problem, Problems
from portal.core.language import N_
from portal.core.money import ZERO, MoneyError, parse_money
from portal.identity.policy import Permission, find
from portal.tenders.models import Programme, Track
from portal.web.budget_statement import listing
from portal.web.budget_words import account_name, kind_name, track_name
from portal.web.days import ends, read_day
from portal.web.forms import PortalForm, as_choices
from portal.web.page import page

pages = Blueprint("budget", __name__, url_prefix="/staff/budget")

PARTS: Final = (
    ("paid", Account.PAID, "jp-fill-1"),
    ("committed", Account.COMMITTED, "jp-fill-2"),
    ("reserved", Account.RESERVED, "jp-fill-3"),
    ("available", Account.AVAILABLE, "jp-fill-4"),
    ("returned", Account.RETURNED, "jp-fill-7"),
    ("carried_over", Account.CARRIED_OVER, "jp-fill-11"),
)


class MoneyField(StringField):
    """An amount as it was typed; read by :meth:`PostingForm.amount_or_problem`."""


class EnvelopeForm(PortalForm):
    """A new envelope."""

    track = SelectField(_l("Track"), validate_choice=False)
    year = IntegerField(_l("Year"), description=_l("For example, 2018"), render_kw={"inputmode": "numeric"})

    def offer(self) -> None:
        self.track.choices = as_choices([(track.value, track_name(track)) for track in reversed(Track)])


class PostingForm(PortalForm):
    """What an order gives or changes. Everything typed is kept until it is confirmed."""

    amount = MoneyField(_l("Amount, roubles"))
    order = StringField(_l("Order"), description=_l("Number and date, for example No. 1999 of 24.05.2018"))
    reason = StringField(_l("Reason"), description=_l("Shown in the statement for good"))

    def amount_or_problem(self) -> Decimal | Problem:
        try:
            return parse_money(self.amount.data or "")
        except MoneyError as error:
            return Problem(error.code, "amount", error.message)


class AppropriateForm(PostingForm):
    """More money for an envelope."""


class AdjustForm(PostingForm):
    """A change of what was given."""

    direction = RadioField(_l("What changes"), validate_choice=False, default="up")

    def offer(self) -> None:
        self.direction.choices = as_choices(
            [
                ("up", _("The appropriation is raised")),
                ("down", _("The appropriation is lowered")),
            ]
        )


class ReverseForm(PortalForm):
    """The reason of a reversal."""

    reason = StringField(_l("Reason"), description=_l("Shown in the statement for good"))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a posting does to one account of an envelope, roubles."""

    account: Account
    before: Decimal
    change: Decimal

    @property
    def after(self) -> Decimal:
        return self.before + self.change


@pages.context_processor
def _names() -> dict[str, Any]:
    return {"track_name": track_name, "account_name": account_name, "kind_name": kind_name}


@page(pages, "", get=Permission.BUDGET_VIEW)
def index() -> ResponseReturnValue:
    """The programmes; straight to the only one."""
    found = queries.programmes_with_envelopes(session(), g.actor)
    if len(found) == 1:
        return redirect(url_for(".programme", programme_id=found[0][0].id))
    return render_template("budget/index.html", programmes=found)


@page(pages, "/programmes/<uuid:programme_id>", get=Permission.BUDGET_VIEW)
def programme(programme_id: UUID) -> ResponseReturnValue:
    """The envelopes of a programme, now or at the end of an earlier day."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    asked = request.args.get("on", "").strip()
    day = read_day(asked)
    envelopes = (
        queries.as_of(current, g.actor, row.id, ends(day)) if day else queries.by_programme(current, g.actor, row.id)
    )
    return render_template(
        "budget/programme.html",
        programme=row,
        day=day,
        asked=asked,
        tracks=[
            (track, [e for e in envelopes if e.track == track], chart([e for e in envelopes if e.track == track]))
            for track in dict.fromkeys(envelope.track for envelope in envelopes)
        ],
        total=_total(envelopes),
        crossings=[] if day else alarms.crossings(current, g.actor, row.id),
    )


@page(
    pages,
    "/programmes/<uuid:programme_id>/envelopes/new",
    get=Permission.BUDGET_POST,
    post=Permission.BUDGET_POST,
)
def new_envelope(programme_id: UUID) -> ResponseReturnValue:
    """Open an empty envelope."""
    row = find(session(), g.actor, Programme, programme_id)
    form = EnvelopeForm()
    form.offer()
    if form.validate_on_submit():
        try:
            track = Track(form.track.data)
            made = service.open_envelope(session(), g.actor, programme_id=row.id, track=track, year=form.year.data)
        except ValueError:
            form.attach([Problem("required", "track", N_("Choose a track."))])
        except Problems as found:
            form.attach(found.problems)
        else:
            flash(_("The envelope is open. Now give it money by an order."), "success")
            return redirect(url_for(".statement", envelope_id=made.id), 303)
    status = 422 if form.is_submitted() else 200
    return render_template("budget/new_envelope.html", form=form, programme=row), status


@page(pages, "/envelopes/<uuid:envelope_id>", get=Permission.BUDGET_VIEW)
def statement(envelope_id: UUID) -> ResponseReturnValue:
    """Every posting of an envelope with author, reason and document, and the balance of an account after each."""
    envelope, owner = queries.envelope_of(session(), g.actor, envelope_id)
    return render_template(
        "budget/statement.html",
        envelope=envelope,
        figures=queries.figures(envelope),
        programme=owner,
        **listing(owner, envelope),
    )


@page(
    pages,
    "/envelopes/<uuid:envelope_id>/appropriate",
    get=Permission.BUDGET_POST,
    post=Permission.BUDGET_POST,
)
def appropriate(envelope_id: UUID) -> ResponseReturnValue:
    """Give money by an order."""
    form = AppropriateForm()

    def make(change: Decimal) -> None:
        service.appropriate(
            session(),
            g.actor,
            envelope_id,
            key=f"form:{form.idempotency_key.data}",
            amount=change,
            order=form.order.data or "",
            reason=form.reason.data or "",
        )

    return _order(envelope_id, form, make, title=_("Appropriate"))


@page(pages, "/envelopes/<uuid:envelope_id>/adjust", get=Permission.BUDGET_POST, post=Permission.BUDGET_POST)
def adjust(envelope_id: UUID) -> ResponseReturnValue:
    """Raise or lower what was given, by an order."""
    form = AdjustForm()
    form.offer()

    def make(change: Decimal) -> None:
        service.adjust(
            session(),
            g.actor,
            envelope_id,
            key=f"form:{form.idempotency_key.data}",
            change=change,
            order=form.order.data or "",
            reason=form.reason.data or "",
        )

    return _order(envelope_id, form, make, title=_("Adjust the appropriation"))


def _order(envelope_id: UUID, form: PostingForm, make: Callable[[Decimal], None], *, title: str) -> ResponseReturnValue:
    """Type, look, confirm: nothing is posted before the second button."""
    envelope, owner = queries.envelope_of(session(), g.actor, envelope_id)
    context: dict[str, Any] = {"form": form, "envelope": envelope, "programme": owner, "title": title}
    if not form.validate_on_submit():
        return render_template("budget/order.html", **context), 422 if form.is_submitted() else 200
    amount = form.amount_or_problem()
    found = service.text_problems(form.order.data or "", form.reason.data or "")
    found += [amount] if isinstance(amount, Problem) else service.amount_problems(amount)
    if found or isinstance(amount, Problem):
        form.attach(found)
        return render_template("budget/order.html", **context), 422
    down = isinstance(form, AdjustForm) and form.direction.data == "down"
    change = -amount if down else amount
    step = request.form.get("step")
    if step != "change" and envelope.available + change < 0:
        taken = Shortage(envelope.id, envelope.track, envelope.year, Account.AVAILABLE, -change, envelope.available)
        form.attach([Problem("overdrawn", "amount", taken.message)])
        return render_template("budget/order.html", **context), 422
    if step == "confirm":
        try:
            make(change)
        except Overdrawn as overdrawn:
            form.attach([Problem("overdrawn", "amount", overdrawn.reason)])
            return render_template("budget/order.html", **context), 422
        flash(_("The posting is made."), "success")
        return redirect(url_for(".statement", envelope_id=envelope_id), 303)
    form.idempotency_key.data = str(uuid4())
    if step == "change":
        return render_template("budget/order.html", **context)
    effects = [
        Effect(Account.APPROPRIATION, envelope.appropriated, change),
        Effect(Account.AVAILABLE, envelope.available, change),
    ]
    return render_template("budget/confirm_order.html", amount=amount, down=down, effects=effects, **context)


@page(
    pages,
    "/envelopes/<uuid:envelope_id>/postings/<uuid:posting_id>/reverse",
    get=Permission.BUDGET_POST,
    post=Permission.BUDGET_POST,
)
def reverse(envelope_id: UUID, posting_id: UUID) -> ResponseReturnValue:
    """Undo a posting by its opposite; the page shows what that does."""
    current = session()
    envelope, owner = queries.envelope_of(current, g.actor, envelope_id)
    posting = queries.posting_of(current, g.actor, posting_id)
    form = ReverseForm()
    refusal = service.reversal_refusal(current, posting)
    if refusal is None and form.validate_on_submit():
        try:
            key = f"form:{form.idempotency_key.data}"
            service.reverse(current, g.actor, posting_id, key=key, reason=form.reason.data or "")
        except Problems as found:
            form.attach(found.problems)
        except Conflict as conflict:
            form.attach([Problem("conflict", "", conflict.reason)])
        else:
            flash(_("The posting is reversed."), "success")
            return redirect(url_for(".statement", envelope_id=envelope_id), 303)
    lines = [
        rules.Line(line.envelope_id, Account(line.account), line.amount)
        for line in posting.lines
        if line.envelope_id == envelope_id
    ]
    return render_template(
        "budget/reverse.html",
        form=form,
        envelope=envelope,
        programme=owner,
        posting=posting,
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
        effects=[
            Effect(line.account, *seen(line, Decimal(getattr(envelope, line.account.value))))
            for line in rules.reverse(lines)
        ],
    ), 422 if form.is_submitted() else 200


def seen(line: rules.Line, held: Decimal) -> tuple[Decimal, Decimal]:
    """Before and change as people read them: the source is kept below zero, and shown as what was given."""
    return (-held, -line.amount) if line.account is Account.APPROPRIATION else (held, line.amount)


def chart(envelopes: Sequence[EnvelopeFigures]) -> list[dict[str, Any]]:
    """Rows of the picture of envelopes: a bar per year."""
    return [
        {
            "label": str(envelope.year),
            "href": url_for("budget.statement", envelope_id=envelope.id),
            "total": envelope.appropriated,
            "parts": [
                {"key": key, "label": account_name(account), "value": getattr(envelope, key), "css": css}
                for key, account, css in PARTS
            ],
        }
        for envelope in envelopes
    ]


def _total(envelopes: Sequence[EnvelopeFigures]) -> dict[str, Decimal]:
    keys = ("appropriated", "reserved", "committed", "paid", "available", "returned", "carried_over")
    return {key: sum((getattr(envelope, key) for envelope in envelopes), ZERO) for key in keys}

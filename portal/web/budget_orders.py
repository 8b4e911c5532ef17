"""Orders that move money between envelopes: drafted by one person, looked at and signed by another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField, StringField

from portal.budget import orders, queries
from portal.budget.ledger import ACCOUNT_NAMES, balance
from portal.budget.models import SIGNED, Account, BudgetOrder, Envelope, EnvelopeBalance, PostingKind
from portal.budget.queries import EnvelopeFigures
from portal.budget.rules import Line
from portal.budget.wording import KIND_NAMES
from portal.core.db import session
from portal.core.errors import Conflict, Problem, Problems, Refused
from portal.core.formats import format_money
from portal.core.language import Message
from portal.core.money import MoneyError, parse_money
from portal.identity.policy import Permission, allowed, decide, find
from portal.identity.queries import names_of
from portal.tenders.models import Programme, Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.budget import Effect, MoneyField, seen
from portal.web.budget_words import track_name
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import Page, keyset

pages = Blueprint("budget_orders", __name__, url_prefix="/staff/budget/orders")

STAGES: Final = ("waiting", "signed", "discarded")


class OrderForm(PortalForm):
    """What a new order moves, and why."""

    kind = RadioField(_l("What the order does"), validate_choice=False)
    source = SelectField(_l("From the envelope"), validate_choice=False)
    target = SelectField(
        _l("To the envelope"), validate_choice=False, description=_l("Leave empty when returned money is restored")
    )
    amount = MoneyField(_l("Amount, roubles"))
    order = StringField(_l("Order"), description=_l("Number and date, for example No. 1999 of 24.05.2018"))
    reason = StringField(_l("Reason"), description=_l("Shown in the statement for good"))

    def offer(self, envelopes: Sequence[EnvelopeFigures]) -> None:
        """``envelopes``: those of the programme with their present balances."""
        self.kind.choices = as_choices(
            [
                (PostingKind.REALLOCATE, _("Moves available money to another track or year")),
                (PostingKind.CARRY_OVER, _("Carries what is left of a year over to the next year")),
                (PostingKind.RESTORE, _("Makes returned money available again")),
            ]
        )
        chosen = as_choices([(str(envelope.id), _labelled(envelope)) for envelope in envelopes])
        self.source.choices = as_choices([("", _("Choose"))]) + chosen
        self.target.choices = as_choices([("", _("Choose"))]) + chosen


@pages.context_processor
def _names() -> dict[str, Any]:
    return {
        "track_name": track_name,
        "account_name": lambda account: say(ACCOUNT_NAMES[Account(account)]),
        "kind_name": lambda kind: say(KIND_NAMES[PostingKind(kind)]),
        "stage": stage,
    }


def stage(order: BudgetOrder) -> str:
    """``waiting``, ``signed`` or ``discarded``."""
    if order.waiting:
        return "waiting"
    return "signed" if order.signed_at is not None else "discarded"


@page(pages, "/of/<uuid:programme_id>", get=Permission.BUDGET_VIEW)
def index(programme_id: UUID) -> ResponseReturnValue:
    """The orders of a programme, the newest first; ``stage`` shows those that wait, are signed or discarded."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    asked = request.args.get("stage", "")
    wanted = orders.orders(g.actor, row.id, stage=asked if asked in STAGES else "")
    listed: Page[BudgetOrder] = keyset(
        current, wanted, (BudgetOrder.id,), lambda order: (order.id,), request.args.get("cursor")
    )
    people = {order.signed_by or order.discarded_by or order.drafted_by for order in listed.rows}
    return render_template(
        "budget_orders/index.html",
        programme=row,
        listed=listed,
        asked=asked,
        names=names_of(current, people | {order.drafted_by for order in listed.rows}),
    )


@page(pages, "/of/<uuid:programme_id>/new", get=Permission.BUDGET_ORDER_DRAFT, post=Permission.BUDGET_ORDER_DRAFT)
def new(programme_id: UUID) -> ResponseReturnValue:
    """Draft an order; nothing moves before another person has signed it."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    envelopes = queries.by_programme(current, g.actor, row.id)
    form = OrderForm()
    form.offer(envelopes)
    if form.validate_on_submit():
        try:
            amount = parse_money(form.amount.data or "")
            unread: list[Problem] = []
        except MoneyError as error:
            amount, unread = None, [Problem(error.code, "amount", error.message)]
        try:
            drafted = orders.draft(
                current,
                g.actor,
                kind=PostingKind(form.kind.data) if form.kind.data in {kind.value for kind in SIGNED} else None,
                source_id=_chosen(form.source.data, envelopes),
                target_id=_chosen(form.target.data, envelopes),
                amount=amount,
                order=form.order.data or "",
                reason=form.reason.data or "",
            )
        except Problems as found:
            form.attach([*(p for p in found.problems if not unread or p.field != "amount"), *unread])
        else:
            flash(_("The order is drafted. Nothing is booked before another person signs it."), "success")
            return redirect(url_for(".show", order_id=drafted.id), 303)
    return render_template(
        "budget_orders/new.html", programme=row, form=form, envelopes=envelopes
    ), 422 if form.is_submitted() else 200


@page(pages, "/<uuid:order_id>", get=Permission.BUDGET_VIEW)
def show(order_id: UUID) -> ResponseReturnValue:
    """An order with what its signature does, or has done, to each envelope."""
    return _show(order_id)


@page(pages, "/<uuid:order_id>/sign", post=Permission.BUDGET_ORDER_SIGN)
def sign(order_id: UUID) -> ResponseReturnValue:
    """The second signature, which books the order."""
    try:
        orders.sign(session(), g.actor, order_id)
    except (Conflict, Refused) as refusal:
        session().rollback()
        return _show(order_id, [Problem("refused", "", refusal.reason)], 409 if isinstance(refusal, Conflict) else 403)
    flash(_("The order is signed and booked."), "success")
    return redirect(url_for(".show", order_id=order_id), 303)


@page(pages, "/<uuid:order_id>/discard", post=Permission.BUDGET_ORDER_SIGN)
def discard(order_id: UUID) -> ResponseReturnValue:
    """Put a draft away."""
    try:
        orders.discard(session(), g.actor, order_id)
    except Conflict as refusal:
        session().rollback()
        return _show(order_id, [Problem("refused", "", refusal.reason)], 409)
    flash(_("The order is discarded."), "success")
    return redirect(url_for(".show", order_id=order_id), 303)


def _show(order_id: UUID, problems: Sequence[Problem] = (), code: int = 200) -> ResponseReturnValue:
    current = session()
    order = orders.order_of(current, g.actor, order_id)
    people = [key for key in (order.drafted_by, order.signed_by, order.discarded_by) if key is not None]
    posting = queries.posting_of(current, g.actor, order.posting_id) if order.posting_id else None
    kept = queries.balances_after(current, posting.number) if posting else {}
    return render_template(
        "budget_orders/show.html",
        order=order,
        programme=find(current, g.actor, Programme, order.programme_id),
        posting=posting,
        moved=[
            (envelope, [_effect(line, envelope, kept.get(envelope.id)) for line in lines])
            for envelope, lines in orders.effects(order)
        ],
        names=names_of(current, people),
        refusal=_refusal(order),
        may_sign=allowed(g.actor, Permission.BUDGET_ORDER_SIGN),
        form=ActionForm(formdata=None),
        problems=problems,
    ), code


def _refusal(order: BudgetOrder) -> Message | None:
    return decide(g.actor, Permission.BUDGET_ORDER_SIGN, order).reason if order.waiting else None


def _effect(line: Line, envelope: Envelope, kept: EnvelopeBalance | None) -> Effect:
    """What the order does to an account: from its present balance, or from the one before its posting."""
    before = balance(envelope, line.account) if kept is None else getattr(kept, line.account.value) - line.amount
    return Effect(line.account, *seen(line, before))


def _labelled(envelope: EnvelopeFigures) -> str:
    words: str = _(
        "%(track)s, %(year)s: %(available)s available",
        track=say(TRACK_NAMES[Track(envelope.track)]),
        year=envelope.year,
        available=format_money(envelope.available, locale()),
    )
    return words


def _chosen(given: str | None, envelopes: Sequence[EnvelopeFigures]) -> UUID | None:
    """One of the envelopes that were offered."""
    return next((envelope.id for envelope in envelopes if str(envelope.id) == given), None)

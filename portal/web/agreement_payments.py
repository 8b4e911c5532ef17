"""The money of an agreement, page by page: pay a tranche, make tranches smaller, end, ask back, note what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements import payments as service
from portal.agreements import queries
from portal.agreements.models import Recovery, Tranche
from portal.agreements.queries import View
from portal.agreements.rules import return_due
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.identity.policy import Permission
from portal.web import agreement_forms as forms
from portal.web.agreements import TypedForm
from portal.web.days import written
from portal.web.language import say
from portal.web.page import page

pages = Blueprint("agreement_payments", __name__, url_prefix="/staff/agreements")

Verb = Callable[[dict[str, str], list[Problem]], None]
Context = Callable[[], dict[str, Any]]
"""What a form shows, loaded anew after a refusal: at least ``view``."""


@page(
    pages,
    "/<uuid:agreement_id>/tranches/<uuid:tranche_id>/pay",
    get=Permission.AGREEMENT_PAY,
    post=Permission.AGREEMENT_PAY,
)
def pay(agreement_id: UUID, tranche_id: UUID) -> ResponseReturnValue:
    """Write down that a tranche was paid."""
    day = today(session())

    def load() -> dict[str, Any]:
        view, tranche = _tranche(agreement_id, tranche_id)
        late = [due for due in view.agreement.dues if due.received_on is None and due.due_on < day]
        return {"view": view, "tranche": tranche, "late": late}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        paid_on = forms.day_of(typed["paid_on"], "paid_on", problems)
        _stop(problems)
        service.pay(session(), g.actor, tranche_id, document=typed["document"], paid_on=paid_on)

    first = {"document": "", "paid_on": written(day)}
    return _form("agreements/pay.html", load, first, make, _("The payment is booked."))


@page(pages, "/<uuid:agreement_id>/shrink", get=Permission.AGREEMENT_PAY, post=Permission.AGREEMENT_PAY)
def shrink(agreement_id: UUID) -> ResponseReturnValue:
    """Make open tranches smaller by a supplementary agreement."""

    def load() -> dict[str, Any]:
        view = queries.view(session(), g.actor, agreement_id)
        return {"view": view, "tranches": [each for each in view.agreement.tranches if each.state == "open"]}

    context = load()
    kept = {each.id: forms.typed_money(each.amount) for each in context["tranches"]}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        amounts = {key: forms.amount_of(typed[f"amounts-{key}"], f"amounts.{key}", problems) for key in kept}
        _stop(problems)
        service.shrink(
            session(),
            g.actor,
            agreement_id,
            amounts=amounts,
            document=typed["document"],
            reason=typed["reason"],
        )

    told = _("What the tranches no longer need is available again.")
    first = {"document": "", "reason": "", **{f"amounts-{key}": text for key, text in kept.items()}}
    return _form("agreements/shrink.html", load, first, make, told, context)


@page(pages, "/<uuid:agreement_id>/end", get=Permission.AGREEMENT_PAY, post=Permission.AGREEMENT_PAY)
def end(agreement_id: UUID) -> ResponseReturnValue:
    """End an agreement: fulfilled, or before its time."""

    def load() -> dict[str, Any]:
        return {"view": queries.view(session(), g.actor, agreement_id)}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        service.end(session(), g.actor, agreement_id, document=typed["document"], reason=typed["reason"])

    return _form("agreements/end.html", load, {"document": "", "reason": ""}, make, _("The agreement has ended."))


@page(
    pages,
    "/<uuid:agreement_id>/tranches/<uuid:tranche_id>/demand",
    get=Permission.AGREEMENT_PAY,
    post=Permission.AGREEMENT_PAY,
)
def demand(agreement_id: UUID, tranche_id: UUID) -> ResponseReturnValue:
    """Ask money of a paid tranche back."""
    day = today(session())

    def load() -> dict[str, Any]:
        view, tranche = _tranche(agreement_id, tranche_id)
        return {"view": view, "tranche": tranche}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        amount = forms.amount_of(typed["amount"], "amount", problems)
        demanded_on = forms.day_of(typed["demanded_on"], "demanded_on", problems)
        due_on = forms.day_of(typed["due_on"], "due_on", problems)
        _stop(problems)
        service.demand(
            session(),
            g.actor,
            tranche_id,
            amount=amount,
            demanded_on=demanded_on,
            due_on=due_on,
            document=typed["document"],
            reason=typed["reason"],
        )

    first = {
        "amount": "",
        "demanded_on": written(day),
        "due_on": written(return_due(day)),
        "document": "",
        "reason": "",
    }
    told = _("The demand is written down, and the recipient is told.")
    return _form("agreements/demand.html", load, first, make, told)


@page(
    pages,
    "/<uuid:agreement_id>/recoveries/<uuid:recovery_id>/receive",
    get=Permission.AGREEMENT_PAY,
    post=Permission.AGREEMENT_PAY,
)
def receive(agreement_id: UUID, recovery_id: UUID) -> ResponseReturnValue:
    """Write down that money came back."""

    def load() -> dict[str, Any]:
        view = queries.view(session(), g.actor, agreement_id)
        recovery: Recovery | None = next((each for each in view.recoveries if each.id == recovery_id), None)
        if recovery is None:
            raise NotFound
        return {"view": view, "recovery": recovery, "left": recovery.amount - recovery.returned}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        amount = forms.amount_of(typed["amount"], "amount", problems)
        day = forms.day_of(typed["received_on"], "received_on", problems)
        _stop(problems)
        service.receive(session(), g.actor, recovery_id, amount=amount, received_on=day, document=typed["document"])

    left = forms.typed_money(load()["left"])
    first = {"amount": left, "received_on": written(today(session())), "document": ""}
    return _form("agreements/receive.html", load, first, make, _("The return is booked."))


@page(pages, "/<uuid:agreement_id>/dues/<uuid:due_id>", get=Permission.AGREEMENT_DRAFT, post=Permission.AGREEMENT_DRAFT)
def due(agreement_id: UUID, due_id: UUID) -> ResponseReturnValue:
    """Write down that a report or a piece of evidence has come."""

    def load() -> dict[str, Any]:
        view = queries.view(session(), g.actor, agreement_id)
        row = next((each for each in view.agreement.dues if each.id == due_id), None)
        if row is None:
            raise NotFound
        return {"view": view, "due": row}

    def make(typed: dict[str, str], problems: list[Problem]) -> None:
        day = forms.day_of(typed["received_on"], "received_on", problems)
        _stop(problems)
        service.note_due(session(), g.actor, due_id, received_on=day)

    first = {"received_on": written(today(session()))}
    return _form("agreements/due.html", load, first, make, _("Noted."))


def _form(
    template: str, load: Context, first: dict[str, str], make: Verb, told: str, loaded: dict[str, Any] | None = None
) -> ResponseReturnValue:
    """Show the form, or do what it asks; what was typed stays after a refusal. ``loaded``: where it is already."""
    form = TypedForm()
    context = loaded or load()
    where = url_for("agreements.show", agreement_id=context["view"].agreement.id)
    typed, status = first, 200
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        typed = {name: request.form.get(name, "").strip() for name in first}
        try:
            make(typed, [])
        except Problems as found:
            problems, status = found.problems, 422
        except Conflict as refusal:
            problems, status = (Problem("refused", "", refusal.reason),), 409
        else:
            flash(told, "success")
            return redirect(where, 303)
        session().rollback()
        context = load()
        form.attach(())
    return render_template(
        template,
        form=form,
        agreement=context["view"].agreement,
        typed=typed,
        problems=problems,
        errors=forms.by_field(problems, say),
        **context,
    ), status


def _tranche(agreement_id: UUID, tranche_id: UUID) -> tuple[View, Tranche]:
    view = queries.view(session(), g.actor, agreement_id)
    found = next((tranche for tranche in view.agreement.tranches if tranche.id == tranche_id), None)
    if found is None:
        raise NotFound
    return view, found


def _stop(problems: list[Problem]) -> None:
    if problems:
        raise Problems(problems)

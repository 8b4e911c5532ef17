"""Later decisions on a track: from the reserve list, and corrections of what was published."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload
from wtforms import RadioField, SelectField, TextAreaField

from portal.awards import amending, grounds, later_limits, queries, reserve_list
from portal.awards.amendment_checks import MAX_GROUNDS, REVISED, Change
from portal.awards.commission.appeal_models import Appeal, AppealState
from portal.awards.models import Award, DecisionKind
from portal.awards.reserve_models import ProposalState, ReserveProposal
from portal.core.clock import MOSCOW
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.formats import format_date
from portal.core.language import N_
from portal.core.money import MoneyError, grouped, parse_money
from portal.identity.policy import Permission, scope
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.forms import PortalForm, as_choices, uuid_argument
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.status_words import WORDS
from portal.web.templating import localised

pages = Blueprint("award_changes", __name__, url_prefix="/staff/decisions")


class CorrectionForm(PortalForm):
    """One application that is decided anew; its amounts by year stand beside the form."""

    application = SelectField(_l("Application"), validate_choice=False)
    outcome = RadioField(_l("Outcome"), validate_choice=False)
    grounds = TextAreaField(
        _l("Why the published result is corrected"),
        description=_l("Stands in the new decision and is published, for example the ruling on an appeal"),
    )
    beyond = TextAreaField(
        _l("Why a limit of the programme gives way"),
        description=_l("Only where the correction breaks a limit; stands in the new decision and is published"),
    )


class ProposalForm(PortalForm):
    grounds = TextAreaField(_l("Why this decision is made"))


class DismissForm(PortalForm):
    reason = TextAreaField(_l("Why nothing is decided"))


@pages.context_processor
def _names() -> dict[str, Any]:
    return {"track_name": lambda track: say(TRACK_NAMES[Track(track)])}


@page(pages, "/<uuid:decision_id>", get=Permission.AWARD_VIEW)
def show(decision_id: UUID) -> ResponseReturnValue:
    """One decision of the chain as it was made."""
    view = queries.decision_view(session(), g.actor, decision_id)
    row = queries.track_of(session(), g.actor, view.decision.tender_track_id)
    limits = later_limits.of_decision(session(), row.track, view.decision, row.rules)
    return render_template("award_changes/show.html", row=row, view=view, decision=view.decision, limits=limits)


@page(pages, "/reserve/<uuid:proposal_id>", get=Permission.AWARD_DRAFT)
def proposal(proposal_id: UUID) -> ResponseReturnValue:
    """Who is next on the reserve list, and the decision that would follow."""
    drafting, dismissing = ProposalForm(formdata=None), DismissForm(formdata=None)
    drafting.grounds.data = say(grounds.RETURNED)
    return _proposal_page(proposal_id, drafting, dismissing)


@page(pages, "/reserve/<uuid:proposal_id>/draft", post=Permission.AWARD_DRAFT)
def draft(proposal_id: UUID) -> ResponseReturnValue:
    """Draft the supplementary decision."""
    form = ProposalForm()
    try:
        decision = reserve_list.draft(session(), g.actor, proposal_id, grounds=form.grounds.data or "")
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _proposal_page(proposal_id, form, DismissForm(formdata=None), code=422)
    except (Conflict, Refused) as refusal:
        session().rollback()
        return _proposal_page(proposal_id, form, DismissForm(formdata=None), refusal)
    flash(_("The supplementary decision is drafted. It is adopted and signed as the first one was."), "success")
    return redirect(url_for("awards.track", tender_track_id=decision.tender_track_id), 303)


@page(pages, "/reserve/<uuid:proposal_id>/dismiss", post=Permission.AWARD_DRAFT)
def dismiss(proposal_id: UUID) -> ResponseReturnValue:
    """Put a proposal away."""
    form = DismissForm()
    try:
        row = reserve_list.dismiss(session(), g.actor, proposal_id, reason=form.reason.data or "")
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _proposal_page(proposal_id, ProposalForm(formdata=None), form, code=422)
    except Conflict as refusal:
        session().rollback()
        return _proposal_page(proposal_id, ProposalForm(formdata=None), form, refusal)
    flash(_("The proposal is dismissed."), "success")
    return redirect(url_for("awards.track", tender_track_id=row.tender_track_id), 303)


@page(pages, "/tracks/<uuid:tender_track_id>/correct", get=Permission.AWARD_DRAFT, post=Permission.AWARD_DRAFT)
def correct(tender_track_id: UUID) -> ResponseReturnValue:
    """Draft a decision that corrects a published one."""
    form = CorrectionForm()
    if request.method == "GET":
        form.application.data = request.args.get("application", "")
        return _correction_page(tender_track_id, form, typed=_by_ruling(tender_track_id, form))
    amounts, problems = _amounts()
    change = _change(form, amounts)
    if change is None:
        problems.append(Problem("required", "application", N_("Choose the application and its new outcome.")))
    if problems or change is None:
        form.attach(problems)
        return _correction_page(tender_track_id, form, code=422)
    try:
        amending.amend(
            session(),
            g.actor,
            tender_track_id,
            kind=DecisionKind.CORRECTION,
            changes=[change],
            grounds=form.grounds.data or "",
            beyond=form.beyond.data or "",
        )
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _correction_page(tender_track_id, form, code=422)
    except (Conflict, Refused) as refusal:
        session().rollback()
        return _correction_page(tender_track_id, form, refusal)
    flash(_("The correction is drafted. The published decision stays; the new one cites it."), "success")
    return redirect(url_for("awards.track", tender_track_id=tender_track_id), 303)


def _by_ruling(tender_track_id: UUID, form: CorrectionForm) -> dict[int, str]:
    """Fill the form with what the upheld appeal of the query asks for; gives the amounts by year."""
    appeal_id = uuid_argument("appeal")
    if appeal_id is None:
        return {}
    appeal = session().scalar(
        scope(g.actor, Appeal)
        .where(Appeal.id == appeal_id, Appeal.state == AppealState.UPHELD)
        .options(joinedload(Appeal.application, innerjoin=True))
    )
    line = amending.in_force(session(), tender_track_id, [appeal.application_id]) if appeal is not None else {}
    if appeal is None or appeal.decided_at is None or appeal.application_id not in line:
        raise NotFound
    change = amending.better(session(), line[appeal.application_id])
    form.application.data, form.outcome.data = str(change.application_id), change.outcome.value
    form.grounds.data = _(
        "Ruling of %(day)s on the appeal on application %(number)s: %(ruling)s",
        day=format_date(appeal.decided_at.astimezone(MOSCOW).date(), locale()),
        number=appeal.application.number,
        ruling=" ".join((appeal.ruling or "").split()),
    )[:MAX_GROUNDS]
    return {year: grouped(amount) for year, amount in change.amounts.items()}


def _change(form: CorrectionForm, amounts: dict[int, Decimal]) -> Change | None:
    try:
        key = UUID(form.application.data or "")
        outcome = Award(form.outcome.data or "")
    except ValueError:
        return None
    return Change(key, outcome, amounts if outcome is Award.AWARD else {})


def _amounts() -> tuple[dict[int, Decimal], list[Problem]]:
    """The inputs ``amount-2018``: year -> roubles; empty ones are nothing."""
    found, problems = {}, []
    for name, text in request.form.items():
        prefix, _dash, year = name.partition("-")
        if prefix != "amount" or not year.isascii() or not year.isdigit() or len(year) != 4 or not text.strip():
            continue
        try:
            found[int(year)] = parse_money(text)
        except MoneyError as error:
            problems.append(Problem(error.code, "amounts", error.message))
    return found, problems


def _correction_page(
    place: UUID,
    form: CorrectionForm,
    refusal: Conflict | Refused | None = None,
    code: int = 200,
    typed: dict[int, str] | None = None,
) -> ResponseReturnValue:
    current = session()
    row = queries.track_of(current, g.actor, place)
    lines = [line for line in amending.in_force(current, place).values() if line.application.state in REVISED]
    if row.decision is None or not lines:
        raise NotFound
    words = WORDS["award"]
    form.application.choices = as_choices(
        [("", "")]
        + [
            (
                str(line.application_id),
                _(
                    "%(number)s, %(title)s: %(outcome)s",
                    number=line.application.number or "",
                    title=localised(line.application, "title"),
                    outcome=say(words[line.outcome][0]),
                ),
            )
            for line in lines
        ]
    )
    form.outcome.choices = as_choices([(str(outcome), say(words[outcome][0])) for outcome in Award])
    granted = {amount.year for line in lines for amount in line.amounts}
    wanted = granted.union(row.rules.years)
    years = sorted(year for year in map(int, row.decision.available) if year in wanted)
    return render_template(
        "award_changes/correct.html",
        row=row,
        form=form,
        years=years,
        limited=bool(row.rules.limits or row.track.tender.joint_limits),
        typed={year: request.form.get(f"amount-{year}", (typed or {}).get(year, "")) for year in years},
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
    ), _code(refusal, code)


def _proposal_page(
    proposal_id: UUID,
    drafting: ProposalForm,
    dismissing: DismissForm,
    refusal: Conflict | Refused | None = None,
    code: int = 200,
) -> ResponseReturnValue:
    current = session()
    held = current.get(ReserveProposal, proposal_id)
    if held is None:
        raise NotFound
    row = queries.track_of(current, g.actor, held.tender_track_id)
    before = {int(year): Decimal(amount) for year, amount in held.available.items()}
    lines = [{**line, "amounts": {int(y): Decimal(a) for y, a in line["amounts"].items()}} for line in held.lines]
    before = {year: amount for year, amount in before.items() if any(year in line["amounts"] for line in lines)}
    after = {
        year: amount - sum((line["amounts"].get(year, Decimal(0)) for line in lines), Decimal(0))
        for year, amount in before.items()
    }
    return render_template(
        "award_changes/proposal.html",
        place=row.track,
        held=held,
        lines=lines,
        before=before,
        after=after,
        **_limits(held, row),
        drafting=drafting,
        dismissing=dismissing,
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
    ), _code(refusal, code)


def _limits(held: ReserveProposal, row: queries.TrackNow) -> dict[str, Any]:
    """What an open proposal does to the limits, and whom they pass over: ``{limits, passed}``."""
    if held.state != ProposalState.OPEN:
        return {"limits": (), "passed": ()}
    waiting = reserve_list.waiting_of(session(), row.track.id)
    named = {line["application"] for line in held.lines}
    found = [item for item in waiting if str(item.application_id) in named]
    stands = later_limits.standing(session(), row.track, row.rules, [item.application_id for item in waiting])
    return {
        "limits": stands.after({item.application_id: item.amounts for item in found}),
        "passed": reserve_list.passed_over(waiting, found, stands),
    }


def _code(refusal: Conflict | Refused | None, code: int) -> int:
    if refusal is None:
        return code
    return 409 if isinstance(refusal, Conflict) else 403

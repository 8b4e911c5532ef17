"""Dry runs of rules that are being edited: who would have moved in an earlier tender."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older

from portal.core.db import session
from portal.core.errors import Problems
from portal.core.jobs import Task
from portal.core.language import N_
from portal.identity.policy import Permission, allowed
from portal.scoring import dry_runs
from portal.scoring.dry_runs import Base
from portal.tenders import queries
from portal.tenders.models import TenderTrack
from portal.web.forms import PortalForm
from portal.web.language import say
from portal.web.page import page
from portal.web.rule_fields import SECTIONS
from portal.web.templating import instant, localised
from portal.web.trial_picture import slopes

pages = Blueprint("rule_trials", __name__, url_prefix="/staff/rules/<uuid:rule_set_id>/trials")

PLACES: Final = 40


class TrialForm(PortalForm):
    """On which tender the rules are tried."""

    run_id = SelectField(_l("Tender and its latest scoring run"), validate_choice=False)


@page(pages, "", get=Permission.SCORE_DRY_RUN, post=Permission.SCORE_DRY_RUN)
def index(rule_set_id: UUID) -> ResponseReturnValue:
    """The trials of these rules, and starting another one."""
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    bases = dry_runs.bases(session(), held.track)
    form = TrialForm()
    form.run_id.choices = [SelectChoice(str(base.run_id), _named(base)) for base in bases]
    if form.validate_on_submit():
        try:
            trial = dry_runs.start_dry_run(session(), g.actor, rule_set_id=rule_set_id, run_id=_key(form.run_id.data))
        except Problems as problems:
            flash(say(problems.problems[0].message), "warning")
            return redirect(url_for(".index", rule_set_id=rule_set_id), 303)
        return redirect(url_for(".show", rule_set_id=rule_set_id, trial_id=trial.id), 303)
    found = dry_runs.trials(session(), rule_set_id)
    against = dry_runs.bases_of(session(), [trial.run_id for trial in found])
    return render_template(
        "tenders/trials.html",
        **_frame(held),
        form=form,
        bases=bases,
        trials=found,
        against=lambda trial: _named(against[trial.run_id]),
    )


@page(pages, "/<uuid:trial_id>", get=Permission.SCORE_DRY_RUN)
def show(rule_set_id: UUID, trial_id: UUID) -> ResponseReturnValue:
    """How far a trial is, and who would have moved; htmx asks for the box alone."""
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    trial = dry_runs.trial_of(session(), rule_set_id, trial_id)
    task = session().get(Task, trial.task_id) if trial.task_id else None
    if request.headers.get("HX-Request"):
        return render_template("tenders/_trial.html", trial=trial, task=task)
    first = max(request.args.get("from", 1, type=int), 1)
    rows = dry_runs.moved(session(), trial_id, first, PLACES) if trial.ended_at else []
    return render_template(
        "tenders/trial.html",
        **_frame(held),
        trial=trial,
        task=task,
        base=_named(dry_runs.bases_of(session(), [trial.run_id])[trial.run_id]),
        rows=rows,
        picture=slopes(rows),
        summary=dry_runs.summary(session(), trial_id) if trial.ended_at else None,
        first=first,
        earlier=max(first - PLACES, 1) if first > 1 else None,
        later=first + PLACES if first - 1 + PLACES < trial.total else None,
    )


def _key(chosen: str | None) -> UUID:
    try:
        return UUID(chosen or "")
    except ValueError:
        raise Problems.one("no_run", "run_id", N_("Choose a run over the same track that has ended.")) from None


def _named(base: Base) -> str:
    text: str = _(
        "%(tender)s: %(count)s applications, scored on %(time)s",
        tender=localised(base, "tender"),
        count=base.applications,
        time=instant(base.ended_at),
    )
    return text


def _frame(held: TenderTrack) -> dict[str, Any]:
    frozen = held.rule_set.frozen_at is not None
    return {
        "held": held,
        "tender": held.tender,
        "editable": not frozen and not held.tender.cancelled_at and allowed(g.actor, Permission.TENDER_EDIT),
        "sections": SECTIONS,
    }

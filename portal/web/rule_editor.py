"""The rules of a track: reading them, editing them section by section, and as a file."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older

from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.figures import decimal_of
from portal.core.language import N_
from portal.identity.policy import Permission, allowed
from portal.tenders import queries, service, wording
from portal.tenders.checks import CHECKS
from portal.tenders.metrics import METRICS
from portal.tenders.models import TenderTrack
from portal.tenders.rulebook import load_lanes
from portal.tenders.ruleset import from_json, to_json
from portal.web import commission_fields, question_words, rule_fields, rule_input
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import say
from portal.web.page import page
from portal.web.public import download
from portal.web.rule_fields import SECTIONS
from portal.web.scales import as_typed, picture
from portal.web.schemas import read_rule_set
from portal.web.tenders import OFFICIAL, copies, source_key

pages = Blueprint("rules", __name__, url_prefix="/staff/rules")


class SectionForm(PortalForm):
    """A section: its inputs are read by :mod:`portal.web.rule_fields`."""


class FileForm(PortalForm):
    """The whole rule set as a file."""

    file = FileField(
        _l("Rule set as JSON"),
        description=_l("As downloaded from this page; at most 1 MB"),
        render_kw={"accept": ".json,application/json"},
    )


class CopyForm(PortalForm):
    """Starting anew from other rules."""

    copy_of = SelectField(_l("Start anew from"), validate_choice=False)


@page(pages, "/<uuid:rule_set_id>", get=Permission.TENDER_VIEW)
def show(rule_set_id: UUID) -> ResponseReturnValue:
    """The rules for reading; while they are not frozen, an administrator can go on to edit them."""
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    version = held.rule_set.version
    copying = CopyForm(version=version)
    copying.copy_of.choices = _choices(held)
    return render_template(
        "tenders/rules.html",
        **_frame(held),
        rules=from_json(held.rule_set.content),
        upload=FileForm(version=version),
        copying=copying,
    )


@page(pages, "/<uuid:rule_set_id>.json", get=Permission.TENDER_VIEW)
def as_json(rule_set_id: UUID) -> ResponseReturnValue:
    """The rules as a file."""
    return download(queries.rule_set_place(session(), g.actor, rule_set_id))


@page(pages, "/<uuid:rule_set_id>/<section>", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def edit(rule_set_id: UUID, section: str) -> ResponseReturnValue:
    """Edit one section; the whole rule set is checked each time."""
    if section not in SECTIONS:
        raise NotFound
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    if request.method == "GET" and held.rule_set.frozen_at is not None:
        return redirect(url_for(".show", rule_set_id=rule_set_id))
    form = SectionForm(version=held.rule_set.version)
    content: dict[str, Any] = held.rule_set.content
    problems: tuple[Problem, ...] = ()
    if form.validate_on_submit():
        content = rule_input.read_section(section, request.form, content)
        try:
            service.edit_rules(
                session(), g.actor, rule_set_id, content=content, expected_version=form.version.data or 0
            )
        except Problems as found:
            problems = found.problems
            form.attach([])
        else:
            flash(_("The section is saved."), "success")
            return redirect(url_for(".edit", rule_set_id=rule_set_id, section=section), 303)
    answer = render_template(
        "tenders/section.html",
        **_frame(held),
        section=section,
        spec=SECTIONS[section],
        form=form,
        lanes_form=ActionForm(formdata=None, version=held.rule_set.version),
        content={**content, commission_fields.VIEW: commission_fields.flat(content)},
        problems=problems,
        errors=by_input(problems),
        fields=rule_fields,
        values=rule_input,
        checks=CHECKS,
        weights=_sum_of(item.get("weight") for item in content["criteria"]),
    )
    return answer, 422 if problems or form.errors else 200


@page(pages, "/<uuid:rule_set_id>/weights", get=Permission.TENDER_EDIT)
def weights(rule_set_id: UUID) -> ResponseReturnValue:
    """The sum of the weights typed so far, for the criteria page."""
    typed = (text.replace(",", ".").strip() for name, text in request.args.items() if name.endswith("-weight"))
    return render_template("tenders/weights.html", weights=_sum_of(text for text in typed if text))


@page(pages, "/<uuid:rule_set_id>/lanes", post=Permission.TENDER_EDIT)
def usual_lanes(rule_set_id: UUID) -> ResponseReturnValue:
    """Take over the three lanes of the rulebook, where the rules have none and their aspects fit."""
    form = ActionForm()
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    content = {
        **held.rule_set.content,
        "lanes": to_json(replace(from_json(held.rule_set.content), lanes=load_lanes()))["lanes"],
    }
    try:
        service.edit_rules(session(), g.actor, rule_set_id, content=content, expected_version=form.version.data or 0)
    except Problems:
        flash(_("The usual lanes do not fit the aspects of these criteria: add lanes of your own."), "warning")
    else:
        flash(_("The section is saved."), "success")
    return redirect(url_for(".edit", rule_set_id=rule_set_id, section="criteria") + "#lanes", 303)


@page(pages, "/<uuid:rule_set_id>/upload", post=Permission.TENDER_EDIT)
def upload(rule_set_id: UUID) -> ResponseReturnValue:
    """Replace the rules by those of a file."""
    form = FileForm()
    held = queries.rule_set_place(session(), g.actor, rule_set_id)
    try:
        if not form.file.data:
            raise Problems.one("required", "file", N_("Choose a file."))
        content = read_rule_set(form.file.data.read())
        service.edit_rules(session(), g.actor, rule_set_id, content=content, expected_version=form.version.data or 0)
    except Problems as problems:
        found = problems.problems
        return render_template("tenders/upload.html", **_frame(held), problems=found), 422
    flash(_("The rules are replaced by those of the file."), "success")
    return redirect(url_for(".show", rule_set_id=rule_set_id), 303)


@page(pages, "/<uuid:rule_set_id>/copy", post=Permission.TENDER_EDIT)
def copy(rule_set_id: UUID) -> ResponseReturnValue:
    """Start the rules anew from the official rulebook or from another tender."""
    form = CopyForm()
    service.replace_rules(
        session(),
        g.actor,
        rule_set_id,
        copy_of=source_key(form.copy_of.data or ""),
        expected_version=form.version.data or 0,
    )
    flash(_("The rules start anew."), "success")
    return redirect(url_for(".show", rule_set_id=rule_set_id), 303)


def _frame(held: TenderTrack) -> dict[str, Any]:
    frozen = held.rule_set.frozen_at is not None
    return {
        "held": held,
        "tender": held.tender,
        "editable": not frozen and not held.tender.cancelled_at and allowed(g.actor, Permission.TENDER_EDIT),
        "sections": SECTIONS,
    }


def _choices(held: TenderTrack) -> list[Any]:
    others = copies(queries.sources(session()), held.track, held.rule_set_id)
    return [SelectChoice(OFFICIAL, _("Official rulebook")), *others]


def by_input(problems: tuple[Problem, ...]) -> dict[str, list[str]]:
    """Name of the input -> what is wrong with it."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        name = problem.field.replace(".", "-").replace("-scale-bands-", "-scale-points-")
        found.setdefault(name, []).append(say(problem.message))
    return found


def _sum_of(typed: Any) -> Decimal | None:
    """The sum, None while one of the texts is no number."""
    total = Decimal(0)
    for text in typed:
        number = decimal_of(text)
        if number is None:
            return None
        total += number
    return total


@pages.context_processor
def _rule_words() -> dict[str, Any]:
    return {
        "wording": wording,
        "METRICS": METRICS,
        "picture": picture,
        "as_typed": as_typed,
        "question_words": question_words,
    }

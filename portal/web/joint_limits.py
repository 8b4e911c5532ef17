"""Limits over both tracks of a tender in preparation: the administrator's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.policy import Permission
from portal.tenders import queries, service
from portal.tenders.checks import CHECKS
from portal.tenders.rules import ALLOWED
from portal.web import rule_fields, rule_input
from portal.web.forms import PortalForm
from portal.web.page import page
from portal.web.rule_editor import by_input

pages = Blueprint("joint_limits", __name__, url_prefix="/staff/tenders")


class LimitsForm(PortalForm):
    """The limits: their inputs are read by :mod:`portal.web.rule_input`."""


@page(pages, "/<uuid:tender_id>/limits", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def edit(tender_id: UUID) -> ResponseReturnValue:
    """Edit the limits; those of a published tender can only be read."""
    row = queries.by_id(session(), g.actor, tender_id)
    form = LimitsForm(version=row.tender.version)
    content: list[Any] = row.tender.joint_limits
    problems: tuple[Problem, ...] = ()
    if form.validate_on_submit():
        content = rule_input.read_rows(rule_fields.LIMITS, request.form)
        try:
            service.edit_joint_limits(
                session(), g.actor, tender_id, content=content, expected_version=form.version.data or 0
            )
        except Problems as found:
            problems = tuple(found.problems)
            form.attach([])
        else:
            flash(_("Saved."), "success")
            return redirect(url_for(".edit", tender_id=tender_id), 303)
    answer = render_template(
        "tenders/joint_limits.html",
        row=row,
        tender=row.tender,
        editable=row.status in ALLOWED["edit"],
        form=form,
        content=content,
        rows=rule_fields.LIMITS,
        problems=problems,
        errors=by_input(problems),
        fields=rule_fields,
        values=rule_input,
        checks=CHECKS,
    )
    return answer, 422 if problems or form.errors else 200

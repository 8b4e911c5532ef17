"""Asking organisations into a project that are not members of the cluster yet."""

from __future__ import annotations

from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import EmailField, StringField, TextAreaField

from portal.applications.partners import prospects
from portal.applications.rules import EDITABLE
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import Problems
from portal.identity.policy import Permission, authorize
from portal.web.application_frame import Tasks, blueprint, opened
from portal.web.forms import ActionForm, PortalForm
from portal.web.page import page


class ProspectForm(PortalForm):
    """Whom to ask."""

    inn = StringField(_l("INN of the organisation"), render_kw={"inputmode": "numeric", "autocomplete": "off"})
    email = EmailField(_l("E-mail address of its people"), render_kw={"autocomplete": "off"})
    note = TextAreaField(_l("A word to them"), description=_l("What you would like them to supply; may be left empty"))


@page(
    blueprint,
    "/<uuid:application_id>/prospects",
    get=Permission.APPLICATION_INVITE,
    post=Permission.APPLICATION_INVITE,
)
def prospects_page(application_id: UUID) -> ResponseReturnValue:
    """Who was asked this way, what became of it, and asking one more."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_INVITE, dossier.application)
    current = session()
    form, status = ProspectForm(data={"inn": request.args.get("inn", "")[:12]}), 200
    if form.validate_on_submit():
        try:
            prospects.invite(
                current,
                g.actor,
                application_id=application_id,
                inn=form.inn.data or "",
                email=form.email.data or "",
                note=form.note.data or "",
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The letter is on its way. You see here what becomes of it."), "success")
            return redirect(url_for("applications.prospects_page", application_id=application_id), 303)
    elif form.is_submitted():
        status = 422
    return render_template(
        "applications/prospects.html",
        dossier=dossier,
        application=dossier.application,
        form=form,
        found=prospects.of_application(current, application_id),
        editable=dossier.application.state in EDITABLE,
        now=now(current),
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier, current=("participants", None)).mine(),
    ), status


@page(
    blueprint,
    "/<uuid:application_id>/prospects/<uuid:prospect_id>/withdraw",
    post=Permission.APPLICATION_INVITE,
)
def withdraw_prospect(application_id: UUID, prospect_id: UUID) -> ResponseReturnValue:
    """Take a waiting one back."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_INVITE, dossier.application)
    prospects.withdraw(session(), g.actor, application_id=application_id, prospect_id=prospect_id)
    flash(_("The invitation is taken back."), "success")
    return redirect(url_for("applications.prospects_page", application_id=application_id), 303)

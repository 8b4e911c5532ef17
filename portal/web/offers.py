"""The initiator's page of an offer: what was asked, what is offered, and the answer."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from wtforms import HiddenField, RadioField, TextAreaField

from portal.applications.models import Application
from portal.awards.offers import queries as offer_queries
from portal.awards.offers import service as offers
from portal.awards.offers.models import OfferState
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Permission, authorize
from portal.web import fresh
from portal.web.forms import PortalForm, as_choices
from portal.web.page import page

pages = Blueprint("offers", __name__, url_prefix="/applications")


class AnswerForm(PortalForm):
    offer = HiddenField()
    answer = RadioField(_l("Your answer"), validate_choice=False)
    reason = TextAreaField(_l("Reason"), description=_l("Needed for a no; the fund reads it"))


@page(pages, "/<uuid:application_id>/offer", get=Permission.OFFER_ANSWER, post=Permission.OFFER_ANSWER)
def show(application_id: UUID) -> ResponseReturnValue:
    """What is offered, and the yes or no of an owner or signatory of the initiator."""
    application = _own(application_id)
    form = AnswerForm()
    if request.method == "GET":
        return _page(application, form)
    chosen = form.answer.data
    try:
        if chosen not in ("yes", "no"):
            raise Problems.one("required", "answer", N_("Choose yes or no."))
        offer_id = next(
            (
                row.id
                for row in offer_queries.of_application(session(), application_id)
                if str(row.id) == form.offer.data
            ),
            None,
        )
        if offer_id is None:
            raise NotFound
        answered = offers.answer(
            session(),
            g.actor,
            offer_id,
            agree=chosen == "yes",
            reason=form.reason.data or "",
            shown=fresh.show(),
        )
    except Problems as found:
        session().rollback()
        return _page(_own(application_id), form, found.problems, 422)
    except Conflict as refusal:
        session().rollback()
        return _page(_own(application_id), form, [Problem("refused", "", refusal.reason)], 409)
    if answered.state == OfferState.ACCEPTED:
        flash(_("Your yes is registered. The fund is told."), "success")
    else:
        flash(_("Your no is registered. The fund is told."), "success")
    return redirect(url_for(".show", application_id=application_id), 303)


def _own(application_id: UUID) -> Application:
    """The application with its tender, for those who may answer for its initiator."""
    application = session().scalar(
        select(Application)
        .where(Application.id == application_id)
        .options(joinedload(Application.tender, innerjoin=True))
        .execution_options(populate_existing=True)
    )
    if application is None:
        raise NotFound
    authorize(g.actor, Permission.OFFER_ANSWER, application)
    return application


def _page(
    application: Application, form: AnswerForm, problems: tuple[Problem, ...] | list[Problem] = (), code: int = 200
) -> ResponseReturnValue:
    current = session()
    held = offer_queries.of_application(current, application.id)
    if not held:
        raise NotFound
    last = held[0]
    may = last.state == OfferState.OPEN and now(current) < last.due_at
    form.answer.choices = as_choices(
        [
            ("yes", _("Yes, we carry the project out with the part that is offered")),
            ("no", _("No, we need the whole amount")),
        ]
    )
    form.offer.data = str(last.id)
    form.attach(problem for problem in problems if problem.field != "password")
    return render_template(
        "offers/show.html",
        application=application,
        offer=last,
        earlier=held[1:],
        may=may,
        form=form,
        asked=None if fresh.fresh() else fresh.kind(),
        wrong=[problem for problem in problems if problem.field == "password"],
    ), code

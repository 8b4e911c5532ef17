"""The recipient's own agreement: its schedule, what has been paid, what is due."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from portal.agreements import queries
from portal.core.clock import today
from portal.core.db import session
from portal.identity.policy import Permission, authorize
from portal.web.page import page

pages = Blueprint("own_agreement", __name__, url_prefix="/applications")


@page(pages, "/<uuid:application_id>/agreement", get=Permission.AGREEMENT_READ)
def show(application_id: UUID) -> ResponseReturnValue:
    """The agreement on an application, for the people of the initiator's organisation."""
    current = session()
    view = queries.of_application(current, g.actor, application_id)
    authorize(g.actor, Permission.AGREEMENT_READ, view.agreement)
    return render_template(
        "agreements/own.html", view=view, agreement=view.agreement, application=view.application, today=today(current)
    )

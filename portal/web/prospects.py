"""What an organisation that was asked into a project sees before it is a member: what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal.applications.partners import prospects
from portal.applications.partners.prospect_models import Prospect
from portal.clusters import queries
from portal.clusters.models import MembershipState
from portal.core.db import session
from portal.identity.models import Organisation
from portal.identity.policy import Permission
from portal.identity.queries import organisations_of
from portal.web.page import current_actor, page

pages = Blueprint("prospects", __name__, url_prefix="/prospects")


@dataclass(frozen=True, slots=True)
class Step:
    """Where an organisation stands on its way into a project: ``register``, ``join`` or ``wait``."""

    prospect: Prospect
    organisation: Organisation | None
    next: str


@page(pages, "/", get=Permission.SIGNED_IN)
def index() -> ResponseReturnValue:
    """The projects the reader was asked into, each with the next step."""
    actor, current = current_actor(), session()
    found = prospects.addressed_to(current, actor)
    mine = {row.inn: row for row, _role in organisations_of(current, actor)} if found else {}
    standing = {
        (row.organisation_id, row.cluster_id): row.state
        for row in (queries.memberships_of(current, actor.memberships) if found else [])
    }
    steps = []
    for prospect in found:
        organisation = mine.get(prospect.inn)
        state = standing.get((organisation.id, prospect.application.cluster_id)) if organisation else None
        waits = state in (MembershipState.REQUESTED, MembershipState.CONFIRMED)
        steps.append(Step(prospect, organisation, "wait" if waits else "join" if organisation else "register"))
    return render_template("prospects/index.html", steps=steps)

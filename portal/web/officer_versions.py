"""The officer's view of an application's versions: the list, and what differs between two of them."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal.applications.following import corrections
from portal.applications.queries import submissions_of
from portal.core.db import session
from portal.identity.policy import Permission
from portal.review import queries
from portal.web.application_following import people, version_of
from portal.web.application_frame import wording
from portal.web.differences import lines
from portal.web.page import current_actor, page

pages = Blueprint("officer_versions", __name__, url_prefix="/staff/applications")


@page(pages, "/<uuid:application_id>/versions", get=Permission.APPLICATION_LIST_ALL)
def index(application_id: UUID) -> ResponseReturnValue:
    """Every frozen version; after a correction, what was asked and what was answered."""
    case = queries.case(session(), current_actor(), application_id)
    rounds = submissions_of(session(), application_id)
    requests = corrections.requests_of(session(), application_id)
    returned = next((row for row in rounds if requests and row.id == requests[0].submission_id), None)
    return render_template(
        "officer/versions.html",
        case=case,
        application=case.application,
        view="versions",
        rounds=rounds,
        people=people(rounds),
        requests=[
            (row, corrections.label_of(row.field, returned.snapshot, case.rules)) for row in requests if returned
        ],
    )


@page(pages, "/<uuid:application_id>/versions/compare", get=Permission.APPLICATION_LIST_ALL)
def compare(application_id: UUID) -> ResponseReturnValue:
    """What differs between two frozen versions: ``?from=1&to=2``."""
    case = queries.case(session(), current_actor(), application_id)
    rounds = submissions_of(session(), application_id)
    before = version_of(rounds, request.args.get("from", ""))
    after = version_of(rounds, request.args.get("to", ""))
    requests = [row for row in corrections.requests_of(session(), application_id) if row.submission_id == before.id]
    return render_template(
        "officer/compare.html",
        case=case,
        application=case.application,
        view="versions",
        before=before,
        after=after,
        lines=lines(before.snapshot, after.snapshot, case.rules, requests),
        requests=requests,
        wording=wording,
    )

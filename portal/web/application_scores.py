"""The explained score of one's own application, once the results of the tender are published."""

from __future__ import annotations

from uuid import UUID

from flask.typing import ResponseReturnValue

from portal.applications.following.dossier import Dossier
from portal.applications.rules import DECIDED
from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.scoring.queries import Explained, explained
from portal.web.application_frame import blueprint, opened
from portal.web.page import page
from portal.web.score_paper import as_pdf, paper_data


def published(dossier: Dossier) -> Explained | None:
    """The scores behind a decision, once the results are published."""
    application = dossier.application
    decided = application.state in DECIDED and application.tender.results_published_at is not None
    if not decided or application.submission_id is None:
        return None
    return explained(session(), application.submission_id)


@page(blueprint, "/<uuid:application_id>/score.pdf", get=Permission.APPLICATION_VIEW)
def score_pdf(application_id: UUID) -> ResponseReturnValue:
    """The score as PDF, without the values of single reviewers."""
    found = published(opened(application_id))
    if found is None:
        raise NotFound
    data = paper_data(found)
    return as_pdf({**data, "lines": [{**line, "reviewers": ""} for line in data["lines"]]}, found.number)

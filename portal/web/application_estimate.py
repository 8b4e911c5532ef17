"""How the subsidy of an application is computed: categories, limits, participants and years, line by line."""

from __future__ import annotations

from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue

from portal.applications.estimate import estimate
from portal.identity.policy import Permission
from portal.web.application_frame import Tasks, blueprint, opened, section_url, wording
from portal.web.page import page
from portal.web.templating import localised


@page(blueprint, "/<uuid:application_id>/estimate", get=Permission.APPLICATION_VIEW)
def estimate_page(application_id: UUID) -> ResponseReturnValue:
    """The arithmetic of the package as it is now."""
    dossier = opened(application_id)
    found = estimate(dossier.package.content, dossier.rules)
    return render_template(
        "applications/estimate.html",
        dossier=dossier,
        application=dossier.application,
        rules=dossier.rules,
        found=found,
        names={str(part.id): localised(part.organisation, "name") for part in dossier.accepted},
        hrefs={str(part.id): section_url(dossier, "costs", part.id) for part in dossier.accepted},
        tasks=Tasks(dossier).mine(),
        wording=wording,
    )

"""What the portal computes from the tables of an application: the subsidy line by line, and the economics."""

from __future__ import annotations

from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue

from portal.applications.figures.economics import economics, productivity
from portal.applications.figures.estimate import estimate
from portal.identity.policy import Permission
from portal.web.application_frame import blueprint, opened, section_url, seen, wording
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
        hrefs={str(key): section_url(dossier, "costs", key) for key in seen(dossier)},
        seen={str(key) for key in seen(dossier)},
        wording=wording,
    )


@page(blueprint, "/<uuid:application_id>/finance", get=Permission.APPLICATION_VIEW)
def finance(application_id: UUID) -> ResponseReturnValue:
    """Present value, rate of return, payback, budget efficiency and labour productivity, with their inputs."""
    dossier = opened(application_id)
    content, shown = dossier.package.content, seen(dossier)
    return render_template(
        "applications/finance.html",
        dossier=dossier,
        application=dossier.application,
        found=economics(content, dossier.rules),
        productivity=[item for item in productivity(content, dossier.rules) if UUID(item.id) in shown],
        names={str(part.id): localised(part.organisation, "name") for part in dossier.accepted},
        hrefs={
            str(part.id): section_url(dossier, "productivity", part.id) for part in dossier.accepted if part.id in shown
        },
        cash_flow_url=section_url(dossier, "cashflow", None),
        economics_url=section_url(dossier, "economics", None),
    )

"""The applicant's own page: that its submission is in the results bundle, and how to check it."""

from __future__ import annotations

from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, and_, select
from sqlalchemy.orm import load_only

from portal.applications.models import Application, Submission
from portal.audit.models import AuditEvent
from portal.awards.proof import bundles
from portal.awards.proof.trail import SUBMIT
from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.web import proof
from portal.web.application_frame import blueprint, opened
from portal.web.page import page


@page(blueprint, "/<uuid:application_id>/proof", get=Permission.APPLICATION_VIEW, endpoint="proof")
def show(application_id: UUID) -> ResponseReturnValue:
    """Number, digest of the frozen package, the row of the trail, and the line of the bundle; all of it is public."""
    dossier = opened(application_id)
    application = dossier.application
    received = session().execute(_received(application)).first()
    if received is None:
        raise NotFound
    submission, event = received
    versions = bundles.versions(session(), application.tender_id)
    bundle = versions[0] if versions else None
    entry = bundles.entry(bundle, submission.number) if bundle else None
    more = f" \\\n  --number {submission.number} \\\n  --sha256 {submission.sha256}"
    return render_template(
        "proof/mine.html",
        dossier=dossier,
        application=application,
        tender=application.tender,
        submission=submission,
        event=event,
        bundle=bundle,
        versions=versions,
        entry=entry,
        commands=proof.commands(application.tender.code, more),
    )


def _received(application: Application) -> Select[Submission, AuditEvent]:
    """The submission that counts, without its package, and the row of the trail that tells of it, if any."""
    told = and_(
        AuditEvent.object_type == "application",
        AuditEvent.object_id == str(application.id),
        AuditEvent.tag == SUBMIT,
        AuditEvent.changes["sha256"].astext == Submission.sha256,
    )
    return (
        select(Submission, AuditEvent)
        .outerjoin(AuditEvent, told)
        .where(Submission.id == application.submission_id)
        .options(load_only(Submission.number, Submission.sha256))
        .order_by(AuditEvent.seq.desc())
        .limit(1)
    )

"""Following an application: what the officer asks to correct, all versions, and what differs between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import Select, select

from portal.applications.drafts.sections import place_of
from portal.applications.following import corrections
from portal.applications.following.corrections import RULE, concerns, label_of, may_answer
from portal.applications.following.dossier import Dossier
from portal.applications.models import Application, CorrectionRequest, State, Submission
from portal.applications.queries import submissions_of
from portal.applications.submissions.changes import compare
from portal.audit.models import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import Message
from portal.identity.policy import Permission
from portal.identity.queries import names_of
from portal.web.application_frame import blueprint, opened, where, wording
from portal.web.differences import lines
from portal.web.forms import ActionForm
from portal.web.history_words import applicants_tags, for_applicants
from portal.web.page import page
from portal.web.paging import Page, keyset

DRAFT: Final = "draft"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its place in words, the address of the place, and what the reader may do about it."""

    row: CorrectionRequest
    label: Message
    href: str
    answerable: bool
    changed: bool


def asked(dossier: Dossier, rows: list[CorrectionRequest]) -> list[Asked]:
    """The officer's requests of a returned application for its pages."""
    if not rows:
        return []
    returned = session().get_one(Submission, rows[0].submission_id)
    found = compare(returned.snapshot, dossier.package.content)
    return [
        Asked(
            row,
            label_of(row.field, returned.snapshot, dossier.rules),
            "" if row.field.startswith(RULE) else where(dossier, row.field),
            may_answer(g.actor, dossier, row),
            any(concerns(row.field, change.path) for change in found),
        )
        for row in rows
    ]


@page(blueprint, "/<uuid:application_id>/corrections", get=Permission.APPLICATION_VIEW)
def corrections_page(application_id: UUID) -> ResponseReturnValue:
    """The checklist of what the officer asks for, each with its answer."""
    return _corrections(opened(application_id))


@page(
    blueprint,
    "/<uuid:application_id>/corrections/<uuid:correction_id>",
    post=Permission.APPLICATION_VIEW,
)
def answer_correction(application_id: UUID, correction_id: UUID) -> ResponseReturnValue:
    """Say what was done about one request."""
    dossier = opened(application_id)
    try:
        corrections.answer(
            session(),
            g.actor,
            application_id=application_id,
            request_id=correction_id,
            choice=request.form.get("answer", ""),
            explanation=request.form.get("explanation", ""),
        )
    except Problems as refused:
        return _corrections(dossier, correction_id, refused.problems), 422
    flash(_("The answer is saved."), "success")
    return redirect(
        url_for(".corrections_page", application_id=application_id, _anchor=f"request-{correction_id}"), 303
    )


def _corrections(dossier: Dossier, wrong: UUID | None = None, problems: tuple[Problem, ...] = ()) -> str:
    rows = corrections.requests_of(session(), dossier.application.id)
    return render_template(
        "applications/corrections.html",
        dossier=dossier,
        application=dossier.application,
        items=asked(dossier, rows),
        done=sum(row.answer is not None for row in rows),
        wrong=wrong,
        problems=problems,
        typed=request.form,
        action_form=ActionForm(formdata=None),
        returned=dossier.application.state == State.RETURNED,
        wording=wording,
    )


def corrections_here() -> list[tuple[CorrectionRequest, str]]:
    """What is asked on the section's page that is being drawn: requests with the id of the input they are about.

    For templates (a global): it asks nothing where the address names no application or nothing is returned.
    """
    given = request.view_args or {}
    if "application_id" not in given:
        return []
    if "corrections_here" not in g:
        found = corrections.requests_of(session(), given["application_id"])
        participant, name = given.get("participant_id"), given.get("name", "documents")
        g.corrections_here = [
            (row, place.key)
            for row in found
            if (place := place_of(row.field)).section == name
            and (UUID(place.participant_id) if place.participant_id else None) == participant
        ]
    here: list[tuple[CorrectionRequest, str]] = g.corrections_here
    return here


def history_of(application: Application) -> Select[AuditEvent]:
    """The events of an application that those who take part may read, the newest first."""
    tags = applicants_tags(published=application.tender.results_published_at is not None)
    return (
        select(AuditEvent)
        .where(
            AuditEvent.object_type == "application",
            AuditEvent.object_id == str(application.id),
            AuditEvent.tag.in_(tags),
        )
        .order_by(AuditEvent.seq.desc())
    )


def corrections_read() -> list[tuple[CorrectionRequest, str]]:
    """The same for the fields below, where the page has asked :func:`corrections_here`; nothing on all other pages."""
    here: list[tuple[CorrectionRequest, str]] = g.get("corrections_here", [])
    return here


@page(blueprint, "/<uuid:application_id>/history", get=Permission.APPLICATION_VIEW)
def history(application_id: UUID) -> ResponseReturnValue:
    """What happened to the application, in human words, the newest first."""
    application = opened(application_id).application
    found: Page[AuditEvent] = keyset(
        session(),
        history_of(application).order_by(None),
        (AuditEvent.seq,),
        lambda row: (row.seq,),
        request.args.get("cursor"),
        size=50,
    )
    return render_template(
        "applications/history.html", application=application, page=found, lines=for_applicants(found.rows)
    )


@page(blueprint, "/<uuid:application_id>/versions", get=Permission.APPLICATION_VIEW)
def versions(application_id: UUID) -> ResponseReturnValue:
    """Every frozen version, and the draft while it can be changed."""
    dossier = opened(application_id)
    rounds = submissions_of(session(), application_id)
    return render_template(
        "applications/versions.html",
        dossier=dossier,
        application=dossier.application,
        rounds=rounds,
        people=people(rounds),
        draft=may_compare_draft(dossier),
        wording=wording,
    )


@page(blueprint, "/<uuid:application_id>/versions/compare", get=Permission.APPLICATION_VIEW)
def compare_versions(application_id: UUID) -> ResponseReturnValue:
    """What differs between two versions: ``?from=1&to=2``, ``to=draft`` for what is typed now."""
    dossier = opened(application_id)
    rounds = submissions_of(session(), application_id)
    before = version_of(rounds, request.args.get("from", ""))
    wanted = request.args.get("to", "")
    if wanted == DRAFT and may_compare_draft(dossier):
        after, content = None, dossier.package.content
    else:
        after = version_of(rounds, wanted)
        content = after.snapshot
    requests = [row for row in corrections.requests_of(session(), application_id) if row.submission_id == before.id]
    return render_template(
        "applications/compare.html",
        dossier=dossier,
        application=dossier.application,
        before=before,
        after=after,
        lines=lines(before.snapshot, content, dossier.rules, requests),
        requests=requests,
        wording=wording,
    )


def may_compare_draft(dossier: Dossier) -> bool:
    """Only those who take part see what is typed now."""
    return any(g.actor.acts_for(part.organisation_id) for part in dossier.accepted)


def version_of(rounds: list[Submission], number: str) -> Submission:
    """The version with this number. Raises :class:`NotFound`."""
    for row in rounds:
        if str(row.round) == number:
            return row
    raise NotFound


def people(rounds: list[Submission]) -> dict[UUID, str]:
    """Who sent each version: person's key -> name, in one query."""
    return names_of(session(), {row.submitted_by for row in rounds})

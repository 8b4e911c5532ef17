"""The documents of an application: upload, list, correct the date, remove, and fetch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import FileStorage

from portal.applications import attachments
from portal.applications.dossier import Dossier
from portal.applications.models import Attachment
from portal.applications.service import authorize_edit
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.documents import kinds
from portal.documents import service as documents_service
from portal.documents.models import StoredFile
from portal.identity.policy import Permission
from portal.tenders.ruleset import DocumentRequirement
from portal.web.application_frame import Tasks, blueprint, editable, opened, section_url, wording
from portal.web.forms import ActionForm
from portal.web.page import page

MAX_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One required or possible document with what was attached for it."""

    requirement: DocumentRequirement
    files: list[Attachment]
    accept: str
    listed: str
    problems: list[Problem]


@page(
    blueprint,
    "/<uuid:application_id>/documents",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
)
def documents(application_id: UUID) -> ResponseReturnValue:
    """The documents of the project as a whole."""
    return _page(application_id, None)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/documents",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
)
def part_documents(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """The documents of one participant."""
    return _page(application_id, participant_id)


def _page(application_id: UUID, participant_id: UUID | None) -> ResponseReturnValue:
    dossier = opened(application_id)
    if participant_id is not None:
        dossier.participant(participant_id)
    if request.method == "GET":
        return _render(dossier, participant_id)
    authorize_edit(g.actor, dossier, participant_id)
    code = request.form.get("code", "")[:20]
    try:
        count = _attach(dossier, participant_id, code)
    except Problems as refused:
        problems = [Problem(p.code, f"{code}-{p.field}", p.message) for p in refused.problems]
        return _render(dossier, participant_id, problems), 422
    flash(ngettext("%(num)s file attached.", "%(num)s files attached.", count), "success")
    return redirect(section_url(dossier, "documents", participant_id) + f"#{code}", 303)


def _attach(dossier: Dossier, participant_id: UUID | None, code: str) -> int:
    """Attach every file that was sent, all or none. Raises :class:`Problems` that name the file."""
    files = [item for item in request.files.getlist("file") if item.filename]
    if not files:
        raise Problems.one("required", "file", N_("Choose a file."))
    if len(files) > MAX_AT_ONCE:
        raise Problems.one("too_many", "file", N_("Choose no more than %(limit)s files at once.", limit=MAX_AT_ONCE))
    problems: list[Problem] = []
    for item in files:
        try:
            _attach_one(dossier, participant_id, code, item)
        except Problems as refused:
            problems += [_named(problem, item.filename or "") for problem in refused.problems]
    if problems:
        raise Problems(problems)
    return len(files)


def _attach_one(dossier: Dossier, participant_id: UUID | None, code: str, item: FileStorage) -> None:
    attachments.attach(
        session(),
        g.actor,
        application_id=dossier.application.id,
        participant_id=participant_id,
        code=code,
        name=item.filename or "",
        stream=item.stream,  # type: ignore[arg-type]
        issued_on=request.form.get("issued_on", ""),
    )


def _named(problem: Problem, name: str) -> Problem:
    about = N_("%(name)s: %(problem)s", name=name[:100], problem=problem.message)
    return Problem(problem.code, problem.field, about if problem.field == "file" else problem.message)


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>/remove",
    post=Permission.APPLICATION_EDIT,
)
def remove_attachment(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """Take a file out of the draft."""
    dossier = opened(application_id)
    row = attachments.open_attachment(session(), application_id, attachment_id)
    attachments.remove(session(), g.actor, attachment_id=row.id)
    flash(_("The file has been removed."), "success")
    return redirect(section_url(dossier, "documents", row.participant_id) + f"#{row.code}", 303)


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>/date",
    post=Permission.APPLICATION_EDIT,
)
def date_attachment(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """Correct the date of issue."""
    dossier = opened(application_id)
    row = attachments.open_attachment(session(), application_id, attachment_id)
    try:
        attachments.date_attachment(
            session(),
            g.actor,
            attachment_id=row.id,
            issued_on=request.form.get(f"issued_on-{attachment_id}", ""),
        )
    except Problems as refused:
        problems = [Problem(p.code, f"issued_on-{attachment_id}", p.message) for p in refused.problems]
        return _render(dossier, row.participant_id, problems), 422
    flash(_("Saved."), "success")
    return redirect(section_url(dossier, "documents", row.participant_id) + f"#{row.code}", 303)


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>",
    get=Permission.APPLICATION_VIEW,
    writes=True,
)
def download(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """The file itself; who fetched it is noted. Removed files stay with those who may see a submission."""
    opened(application_id)
    row = attachments.open_attachment(session(), application_id, attachment_id)
    attachments.record_download(session(), g.actor, row)
    return send(row.file)


def send(file: StoredFile) -> Response:
    """A stored file as a download that no browser runs or shows. :class:`NotFound` when the store lost it."""
    try:
        content = documents_service.chunks(file)
    except FileNotFoundError:
        raise NotFound from None
    response = Response(content, mimetype=file.content_type)
    response.content_length = file.size
    plain = file.name.encode("ascii", "replace").decode().replace('"', "_").replace("\\", "_")
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _render(dossier: Dossier, participant_id: UUID | None, problems: list[Problem] | None = None) -> str:
    tasks = Tasks(dossier, current=("documents", participant_id))
    lacking = tasks.problems("documents", participant_id) if "missing" in request.args else []
    lines = [
        Line(
            requirement,
            dossier.attached(participant_id, requirement.code),
            kinds.accept(attachments.allowed(requirement)),
            kinds.listed(attachments.allowed(requirement)),
            [p for p in problems or [] if p.field.startswith(f"{requirement.code}-")]
            + [p for p in lacking if p.field.endswith(f".{requirement.code}")],
        )
        for requirement in attachments.wanted(dossier, participant_id)
    ]
    shown = [*(problems or []), *lacking]
    return render_template(
        "applications/documents.html",
        dossier=dossier,
        application=dossier.application,
        part=dossier.participant(participant_id) if participant_id else None,
        lines=lines,
        problems=shown,
        hrefs={p.field: f"#{_anchor(p.field)}" for p in shown},
        wording=wording,
        writable=editable(dossier, participant_id),
        action_form=ActionForm(formdata=None),
        tasks=tasks.mine(),
        place=tasks.place("documents", participant_id),
        following=tasks.following("documents", participant_id),
        here=section_url(dossier, "documents", participant_id),
    )


def _anchor(field: str) -> str:
    return f"{field.rpartition('.')[2]}-file" if "." in field else field

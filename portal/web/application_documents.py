"""The documents of an application: what is asked of whom, how it stands, upload, correct the date, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from portal.applications.following.dossier import Dossier
from portal.applications.models import Attachment
from portal.applications.papers import attachments, downloads
from portal.applications.papers import standing as papers
from portal.applications.papers.blanks import has_blank
from portal.applications.papers.purposes import PURPOSES
from portal.applications.papers.standing import PaperState, Validity
from portal.applications.service import authorize_edit
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.core.language import N_, Message
from portal.documents import kinds, uploads
from portal.documents.models import Upload
from portal.documents.names import visible
from portal.documents.service import MAX_SIZE
from portal.identity.models import User
from portal.identity.policy import Permission
from portal.tenders.ruleset import DocumentRequirement, EligibilityRule, Need
from portal.web.application_frame import Tasks, blueprint, editable, opened, section_url, wording
from portal.web.forms import ActionForm
from portal.web.page import page
from portal.web.templating import localised

MAX_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Held:
    """A file that was given, with the versions before it, newest first."""

    item: Attachment
    valid: Validity
    state: PaperState
    earlier: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A document that is asked for, with what was given for it and how it stands."""

    requirement: DocumentRequirement
    state: PaperState
    purpose: Message | None = None
    rules: Sequence[EligibilityRule] = ()
    held: Sequence[Held] = ()
    removed: Sequence[Attachment] = ()
    unfinished: Sequence[Upload] = ()
    problems: Sequence[Problem] = field(default=())
    form: str = ""

    @property
    def code(self) -> str:
        return self.requirement.code

    @property
    def accept(self) -> str:
        return kinds.accept(attachments.allowed(self.requirement))

    @property
    def listed(self) -> str:
        return kinds.listed(attachments.allowed(self.requirement))


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


@page(blueprint, "/<uuid:application_id>/documents/all", get=Permission.APPLICATION_VIEW)
def all_documents(application_id: UUID) -> ResponseReturnValue:
    """What is asked of whom, and how it stands: the project, then each participant."""
    dossier = opened(application_id)
    owners: list[tuple[UUID | None, str]] = [(None, _("Project as a whole"))]
    owners += [
        (part.id, localised(part.organisation, "name"))
        for part in dossier.accepted
        if downloads.sees(g.actor, dossier, part.id)
    ]
    groups = [(name, _brief(dossier, owner), section_url(dossier, "documents", owner)) for owner, name in owners]
    return render_template(
        "applications/all_documents.html",
        dossier=dossier,
        application=dossier.application,
        groups=groups,
        made=[item for item in dossier.rules.documents if item.need is Need.PORTAL],
        wording=wording,
    )


def _brief(dossier: Dossier, owner: UUID | None) -> list[Line]:
    return [
        Line(item, papers.document_state(dossier, item, owner), held=_held(dossier, item, owner))
        for item in attachments.wanted(dossier, owner)
    ]


def _page(application_id: UUID, participant_id: UUID | None) -> ResponseReturnValue:
    dossier = opened(application_id)
    if participant_id is not None:
        dossier.participant(participant_id)
        downloads.require_seen(g.actor, dossier, participant_id)
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
    replaces = _replaces()
    if replaces is not None and len(files) > 1:
        raise Problems.one("too_many", "file", N_("Choose the one file that replaces the earlier version."))
    problems: list[Problem] = []
    for item in files:
        try:
            _attach_one(dossier, participant_id, code, item, replaces)
        except Problems as refused:
            problems += [_named(problem, item.filename or "") for problem in refused.problems]
    if problems:
        raise Problems(problems)
    return len(files)


def _replaces() -> UUID | None:
    try:
        return UUID(request.form["replaces"])
    except (KeyError, ValueError):
        return None


def _attach_one(
    dossier: Dossier, participant_id: UUID | None, code: str, item: FileStorage, replaces: UUID | None
) -> None:
    attachments.attach(
        session(),
        g.actor,
        application_id=dossier.application.id,
        participant_id=participant_id,
        code=code,
        name=item.filename or "",
        stream=item.stream,  # type: ignore[arg-type]
        issued_on=request.form.get("issued_on", ""),
        replaces=replaces,
    )


def _named(problem: Problem, name: str) -> Problem:
    about = N_("%(name)s: %(problem)s", name=visible(name)[-100:], problem=problem.message)
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


def _render(dossier: Dossier, participant_id: UUID | None, problems: list[Problem] | None = None) -> str:
    tasks = Tasks(dossier, current=("documents", participant_id))
    lacking = tasks.problems("documents", participant_id) if "missing" in request.args else []
    writable = editable(dossier, participant_id)
    coming = uploads.unfinished(session(), g.actor, dossier.application.id) if writable else []
    lines = [
        _line(dossier, requirement, participant_id, [*(problems or []), *lacking], coming)
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
        writable=writable,
        authors=_authors(dossier, participant_id, lines),
        megabytes=MAX_SIZE // 1024 // 1024,
        begin_url=url_for("applications.begin_upload", application_id=dossier.application.id),
        action_form=ActionForm(formdata=None),
        tasks=tasks.mine(),
        place=tasks.place("documents", participant_id),
        following=tasks.following("documents", participant_id),
        here=section_url(dossier, "documents", participant_id),
        reads_log=any(g.actor.acts_for(part.organisation_id) for part in dossier.accepted),
    )


def _line(
    dossier: Dossier,
    requirement: DocumentRequirement,
    owner: UUID | None,
    problems: Sequence[Problem],
    coming: Sequence[Upload],
) -> Line:
    code, place = requirement.code, str(owner) if owner else None
    held = _held(dossier, requirement, owner)
    current = {each.item.series_id for each in held}
    return Line(
        requirement,
        papers.document_state(dossier, requirement, owner),
        PURPOSES.get(code),
        [rule for rule in dossier.rules.eligibility if rule.params.get("document") == code],
        held,
        [item for item in _given(dossier, code, owner) if item.removed_at and item.series_id not in current],
        [row for row in coming if (row.place["code"], row.place["participant"]) == (code, place)],
        [p for p in problems if p.field.startswith(f"{code}-") or p.field.endswith(f".{code}")],
        _form(dossier, owner, code),
    )


def _form(dossier: Dossier, owner: UUID | None, code: str) -> str:
    """The address of the document's blank form; "" where the portal has none."""
    if not has_blank(code):
        return ""
    application_id = dossier.application.id
    if owner is None:
        return url_for(".blank_form", application_id=application_id, code=code)
    return url_for(".part_blank_form", application_id=application_id, participant_id=owner, code=code)


def _held(dossier: Dossier, requirement: DocumentRequirement, owner: UUID | None) -> list[Held]:
    every = _given(dossier, requirement.code, owner)
    return [
        Held(
            item,
            papers.validity(dossier, requirement, item),
            papers.file_state(dossier, requirement, item),
            [each for each in reversed(every) if each.series_id == item.series_id and each.version < item.version],
        )
        for item in dossier.attached(owner, requirement.code)
    ]


def _given(dossier: Dossier, code: str, owner: UUID | None) -> list[Attachment]:
    return [item for item in dossier.attachments if (item.code, item.participant_id) == (code, owner)]


def _authors(dossier: Dossier, owner: UUID | None, lines: Sequence[Line]) -> Mapping[UUID, str]:
    """Who gave or removed each file, for colleagues by name; for others it was the organisation."""
    part = dossier.participant(owner) if owner else dossier.initiator
    files = [each for line in lines for held in line.held for each in (held.item, *held.earlier)]
    files += [each for line in lines for each in line.removed]
    people = {key for each in files for key in (each.added_by, each.removed_by) if key}
    if not g.actor.acts_for(part.organisation_id):
        return dict.fromkeys(people, localised(part.organisation, "name"))
    found = session().execute(select(User.id, User.full_name).where(User.id.in_(people)))
    return {key: name or _("A colleague") for key, name in found}


def _anchor(field: str) -> str:
    return f"{field.rpartition('.')[2]}-file" if "." in field else field

"""The whole application on paper and as an archive: PDF in the reader's language, ZIP with all documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import unescape
from typing import Any
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from portal.applications.following.dossier import Dossier
from portal.applications.models import Submission
from portal.applications.papers import exports
from portal.applications.queries import submissions_of
from portal.core.canonical import digest
from portal.core.db import session
from portal.core.formats import format_datetime
from portal.core.jobs import Task
from portal.documents import pdf
from portal.identity.policy import Permission
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.application_frame import blueprint, opened
from portal.web.files import disposition
from portal.web.forms import ActionForm
from portal.web.frozen import Block, Given, laid_out
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.templating import localised


@page(blueprint, "/<uuid:application_id>/application.pdf", get=Permission.APPLICATION_VIEW)
def paper(application_id: UUID) -> ResponseReturnValue:
    """A frozen version (``?version=2``), or what is typed now (``?version=draft``), as PDF."""
    dossier = opened(application_id)
    version = exports.version_of(request.args.get("version", "draft"))
    submission, content = exports.content_of(session(), g.actor, dossier, version)
    response = Response(pdf.render("application", paper_data(dossier, submission, content)), mimetype="application/pdf")
    stem = f"{dossier.application.number}-{version}" if version else dossier.application.number or "draft"
    response.headers["Content-Disposition"] = disposition("attachment", f"{stem}.pdf")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


@page(blueprint, "/<uuid:application_id>/exports", get=Permission.APPLICATION_VIEW, post=Permission.APPLICATION_VIEW)
def exported(application_id: UUID) -> ResponseReturnValue:
    """What can be taken home, and the archives that the reader has asked for."""
    dossier = opened(application_id)
    if request.method == "POST":
        wanted = exports.version_of(request.form.get("version", ""))
        row = exports.ask(session(), g.actor, application_id=application_id, version=wanted, locale=locale())
        flash(_("The archive is being made."), "success")
        return redirect(url_for(".export_state", application_id=application_id, export_id=row.id), 303)
    return render_template(
        "applications/exports.html",
        application=dossier.application,
        rounds=submissions_of(session(), application_id),
        draft=exports.may_read_draft(g.actor, dossier),
        rows=exports.exports_of(session(), g.actor, application_id),
        form=ActionForm(formdata=None),
    )


@page(blueprint, "/<uuid:application_id>/exports/<uuid:export_id>", get=Permission.APPLICATION_VIEW)
def export_state(application_id: UUID, export_id: UUID) -> ResponseReturnValue:
    """How far an archive is; htmx asks for the box alone."""
    dossier = opened(application_id)
    row = exports.export_of(session(), g.actor, application_id, export_id)
    task = session().get(Task, row.task_id) if row.task_id else None
    template = "_export" if request.headers.get("HX-Request") else "export"
    return render_template(f"applications/{template}.html", application=dossier.application, row=row, task=task)


@page(blueprint, "/<uuid:application_id>/exports/<uuid:export_id>/file", get=Permission.APPLICATION_VIEW, writes=True)
def export_file(application_id: UUID, export_id: UUID) -> ResponseReturnValue:
    """The archive, streamed; the right to its content is asked again."""
    opened(application_id)
    row, content = exports.fetch(session(), g.actor, application_id, export_id)
    response = Response(content, mimetype="application/zip")
    response.content_length = row.size or 0
    response.headers["Content-Disposition"] = disposition("attachment", row.name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def paper_data(dossier: Dossier, submission: Submission | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the paper says, as plain JSON in the present language; ``submission`` is None for the draft."""
    language, application = locale(), dossier.application
    found = laid_out(content, dossier.rules, submission.sha256 if submission else digest(content))
    title = localised({"name_ru": "", "name_en": "", **(content.get("project") or {})}, "name")
    day = submission.received_at if submission else dossier.intake.now
    track = TRACK_NAMES[Track(application.track)]
    return {
        "locale": language,
        "labels": _labels(),
        "draft": submission is None,
        "title": title or _("Project without a name"),
        "running": f"{application.number or _('Draft')} · {title}",
        "day": [day.year, day.month, day.day],
        "sha256": submission.sha256 if submission else None,
        "head": [
            [_("Registration number"), application.number],
            [_("Version"), str(submission.round) if submission else _("draft, as typed now")],
            [_("Received") if submission else _("Printed"), format_datetime(day, dossier.zone, language)],
            [_("Tender"), localised(application.tender, "title")],
            [_("Track"), say(track)],
            [_("Cluster"), localised(application.cluster, "name")],
        ],
        "blocks": [_block(block) for block in found.blocks],
        "documents": _papers(found.documents),
        "parts": [
            {
                "name": part.name,
                "role": part.role,
                "facts": [[name, _plain(value)] for name, value in part.facts],
                "blocks": [_block(block) for block in part.blocks],
                "documents": _papers(part.documents),
            }
            for part in found.parts
        ],
        "signed": [
            {
                "name": localised(item["organisation"], "name"),
                "signer": item["signer"],
                "signed_at": format_datetime(datetime.fromisoformat(item["signed_at"]), dossier.zone, language),
                "digest": item["digest"],
            }
            for item in content.get("signatures") or ()
        ],
    }


def _labels() -> dict[str, str]:
    return {
        "portal": _("Joint Projects Portal"),
        "draft": _("DRAFT"),
        "draft_note": _("This is a draft: it has not been submitted in this form and can still change."),
        "sha256": _("SHA-256 of the frozen version"),
        "project": _("Joint project"),
        "project_documents": _("Documents of the project"),
        "documents": _("Documents"),
        "document": _("Document"),
        "issued": _("Issued"),
        "signatures": _("Signatures"),
        "not_signed": _("No signatures are kept with this version."),
        "empty": _("Not filled in yet"),
        "nothing": _("Nothing was entered here."),
        "no_documents": _("No documents were given."),
    }


def _block(block: Block) -> dict[str, Any]:
    table = block.table
    return {
        "title": block.title,
        "answers": None if block.answers is None else [[name, _plain(value)] for name, value in block.answers],
        "columns": [column["label"] if isinstance(column, dict) else column for column in table.columns]
        if table
        else [],
        "rows": table.rows if table else [],
        "total": table.total if table else None,
    }


def _papers(given: Iterable[Given]) -> list[dict[str, str]]:
    return [
        {
            "title": f"{item.code} {item.title}".strip(),
            "name": item.name,
            "issued": item.issued_on or "—",
            "sha256": item.sha256.ljust(64),
        }
        for item in given
    ]


def _plain(value: Any) -> str | None:
    """A value that pages show, as text for paper; lines stay lines."""
    if value is None or value == "":
        return None
    if isinstance(value, Markup):
        return "\n".join(unescape(line) for line in str(value).split("<br>"))
    return str(value)

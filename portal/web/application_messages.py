"""The participants' side of the messages with the fund's officers."""

from __future__ import annotations

from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following import messages
from portal.applications.following.dossier import Dossier
from portal.applications.following.messages import Attached
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.documents.kinds import DOCUMENTS, accept
from portal.identity.policy import Permission, allowed, authorize
from portal.web.application_frame import blueprint, opened
from portal.web.files import send as download
from portal.web.forms import ActionForm
from portal.web.page import page


@page(
    blueprint,
    "/<uuid:application_id>/messages",
    get=Permission.MESSAGE_READ,
    post=Permission.MESSAGE_WRITE,
    endpoint="messages",
    writes=True,
)
def thread(application_id: UUID) -> ResponseReturnValue:
    """The correspondence of the application; reading it marks its notices as read."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.MESSAGE_READ, dossier.application)
    if request.method == "GET":
        messages.read(session(), g.actor, application_id)
        return _thread(dossier)
    try:
        messages.send(
            session(), g.actor, application_id=application_id, text=request.form.get("text", ""), attached=attached()
        )
    except Problems as refused:
        return _thread(dossier, refused.problems), 422
    flash(_("The message is sent to the programme officers."), "success")
    return redirect(url_for(".messages", application_id=application_id), 303)


def attached() -> Attached | None:
    """The file that was chosen with the message."""
    item = request.files.get("file")
    return Attached(item.filename, item.stream) if item is not None and item.filename else None  # type: ignore[arg-type]


def _thread(dossier: Dossier, problems: tuple[Problem, ...] = ()) -> str:
    application = dossier.application
    return render_template(
        "applications/messages.html",
        dossier=dossier,
        application=application,
        thread=messages.thread_of(session(), application.id),
        rows=messages.messages_of(session(), application.id),
        begun=application.number is not None,
        writable=allowed(g.actor, Permission.MESSAGE_WRITE, application),
        problems=problems,
        typed=request.form.get("text", ""),
        maximum=messages.MAX_TEXT,
        accepted=accept(DOCUMENTS),
        form=ActionForm(formdata=None),
    )


@page(blueprint, "/<uuid:application_id>/messages/<uuid:message_id>/file", get=Permission.MESSAGE_READ, writes=True)
def message_file(application_id: UUID, message_id: UUID) -> ResponseReturnValue:
    """A file that came with a message."""
    opened(application_id)
    return download(messages.file_of(session(), g.actor, application_id, message_id))

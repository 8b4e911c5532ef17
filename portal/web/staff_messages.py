"""The officers' side of the messages: the inbox, one correspondence, its end."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following import messages
from portal.applications.models import Thread
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.documents.kinds import DOCUMENTS, accept
from portal.identity.policy import Permission, allowed, authorize
from portal.review import queries
from portal.review.queries import Case
from portal.web.application_messages import attached
from portal.web.files import send as download
from portal.web.forms import ActionForm
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("staff_messages", __name__, url_prefix="/staff/messages")


@page(pages, "/", get=Permission.MESSAGE_LIST)
def index() -> ResponseReturnValue:
    """All correspondences, the newest first; those that wait for an answer, or every one."""
    everything = request.args.get("show") == "all"
    found: Page[Thread] = keyset(
        session(),
        messages.threads(waiting=not everything),
        (Thread.last_at, Thread.application_id),
        lambda row: (row.last_at, row.application_id),
        request.args.get("cursor"),
    )
    return render_template("staff/messages.html", page=found, everything=everything)


@page(
    pages,
    "/<uuid:application_id>",
    get=Permission.MESSAGE_LIST,
    post=Permission.MESSAGE_ANSWER,
    writes=True,
)
def show(application_id: UUID) -> ResponseReturnValue:
    """One correspondence; officers answer here."""
    case = _case(application_id)
    if request.method == "GET":
        messages.read(session(), current_actor(), application_id)
        return _show(case)
    try:
        messages.send(
            session(),
            current_actor(),
            application_id=application_id,
            text=request.form.get("text", ""),
            attached=attached(),
            for_fund=True,
        )
    except Problems as refused:
        return _show(case, refused.problems), 422
    flash(_("The message is sent to the participants."), "success")
    return redirect(url_for(".show", application_id=application_id), 303)


@page(pages, "/<uuid:application_id>/close", post=Permission.MESSAGE_ANSWER)
def close(application_id: UUID) -> ResponseReturnValue:
    """End the correspondence; an officer's next message opens it again."""
    _case(application_id)
    messages.close(session(), current_actor(), application_id=application_id)
    flash(_("The correspondence is closed."), "success")
    return redirect(url_for(".show", application_id=application_id), 303)


@page(pages, "/<uuid:application_id>/<uuid:message_id>/file", get=Permission.MESSAGE_LIST, writes=True)
def file(application_id: UUID, message_id: UUID) -> ResponseReturnValue:
    """A file that came with a message."""
    _case(application_id)
    return download(messages.file_of(session(), current_actor(), application_id, message_id))


def _case(application_id: UUID) -> Case:
    case = queries.case(session(), current_actor(), application_id)
    authorize(current_actor(), Permission.MESSAGE_READ, case.application)
    return case


def _show(case: Case, problems: tuple[Problem, ...] = ()) -> str:
    application = case.application
    return render_template(
        "officer/messages.html",
        case=case,
        application=application,
        view="messages",
        thread=messages.thread_of(session(), application.id),
        rows=messages.messages_of(session(), application.id),
        writable=allowed(current_actor(), Permission.MESSAGE_ANSWER, application),
        problems=problems,
        typed=request.form.get("text", ""),
        maximum=messages.MAX_TEXT,
        accepted=accept(DOCUMENTS),
        form=ActionForm(formdata=None),
    )

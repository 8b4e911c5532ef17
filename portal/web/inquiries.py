"""Questions of reviewers to the applicant: the reviewer's page, and the officer's, who passes them on."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.models import State
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Permission, authorize
from portal.review import inquiries, queries
from portal.review.models import AssignmentState
from portal.review.policy import knows_reviewers
from portal.web.experts import called, peers_of
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import current_actor, page
from portal.web.reviews import render

pages = Blueprint("inquiries", __name__)


@page(pages, "/reviews/<uuid:assignment_id>/questions", get=Permission.REVIEW_WRITE, post=Permission.REVIEW_WRITE)
def desk(assignment_id: UUID) -> ResponseReturnValue:
    """The reviewer's own questions and the answers that all reviewers read; ask another."""
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        try:
            inquiries.ask(session(), current_actor(), assignment_id=assignment_id, text=request.form.get("text", ""))
        except Problems as refused:
            problems = refused.problems
        else:
            flash(_("The officer has your question."), "success")
            return redirect(url_for(".desk", assignment_id=assignment_id), 303)
    held = queries.desk(session(), current_actor(), assignment_id)
    if held.assignment.declared_at is None:
        raise NotFound
    asks = held.assignment.state == AssignmentState.OPEN and held.case.application.state == State.EXPERTISE
    answer = render(
        "questions",
        held,
        rows=inquiries.seen_at(session(), held.assignment),
        form=ActionForm(formdata=None) if asks else None,
        typed=request.form.get("text", ""),
        problems=problems,
        errors=[say(problem.message) for problem in problems],
        longest=inquiries.MAX_TEXT,
    )
    return answer, 422 if problems else 200


@page(
    pages,
    "/staff/applications/<uuid:application_id>/inquiries",
    get=Permission.REVIEW_READ,
    post=Permission.REVIEW_ASSIGN,
)
def of_application(application_id: UUID) -> ResponseReturnValue:
    """All questions about the application; officers pass them on, decline them, and give the answers."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    authorize(actor, Permission.REVIEW_READ, case.subject)
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        try:
            said = _settle()
        except Problems as refused:
            problems = refused.problems
        else:
            flash(said, "success")
            return redirect(url_for(".of_application", application_id=application_id), 303)
    asked, named = queries.assignments_of(session(), case.submission.id), knows_reviewers(actor)
    answer = render_template(
        "officer/inquiries.html",
        called=called(asked, named=named),
        peers=None if named else peers_of(asked),
        case=case,
        application=case.application,
        view="reviews",
        rows=inquiries.of_submission(session(), case.submission.id),
        forms=lambda row: ActionForm(formdata=None, version=row.version),
        deals=case.application.state == State.EXPERTISE,
        typed={request.form.get("inquiry", ""): request.form.get("text", "")},
        problems=problems,
        longest=inquiries.MAX_TEXT,
    )
    return answer, 422 if problems else 200


def _settle() -> str:
    """Do what the officer chose for one question; what to say then."""
    form, verb = ActionForm(), request.form.get("then", "")
    try:
        key = UUID(request.form.get("inquiry", ""))
    except ValueError:
        incomplete = N_(
            "The form was sent incompletely. What you typed is below: open the page again and send it anew."
        )
        raise Problems.one("incomplete_form", "", incomplete) from None
    actor, version, text = current_actor(), form.version.data or 0, request.form.get("text", "")
    match verb:
        case "pass_on":
            inquiries.pass_on(session(), actor, inquiry_id=key, text=text, expected_version=version)
            return str(_("The question is sent to the participants."))
        case "decline":
            inquiries.decline(session(), actor, inquiry_id=key, reason=text, expected_version=version)
            return str(_("The question is declined; the reviewer is told."))
        case "answer":
            inquiries.answer(session(), actor, inquiry_id=key, text=text, expected_version=version)
            return str(_("The reviewers have the answer."))
        case _:
            raise NotFound

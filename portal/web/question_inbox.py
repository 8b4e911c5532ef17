"""The fund's inbox of questions: who asks what, and answering, merging, declining."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from wtforms import SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older

import portal.applications.jobs  # noqa: F401 - an answer's letters are its work
from portal.applications.drafts import sections
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.identity.policy import Permission, scope
from portal.tenders import queries, questions
from portal.tenders.models import Answer, Question, QuestionState, Tender
from portal.tenders.questions import LONGEST_ANSWER, LONGEST_QUESTION, AnswerValues
from portal.web.forms import PortalForm, uuid_argument
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import localised
from portal.web.tender_questions import STATES, subject_words, subjects

pages = Blueprint("question_inbox", __name__, url_prefix="/staff/questions")

TEXTS: Final = ("question_ru", "question_en", "answer_ru", "answer_en")
MERGEABLE: Final = 200


class AnswerForm(PortalForm):
    """The public wording of the question, and the answer; both languages before it is published."""

    question_ru = TextAreaField(_l("Question in Russian"))
    question_en = TextAreaField(_l("Question in English"))
    answer_ru = TextAreaField(_l("Answer in Russian"))
    answer_en = TextAreaField(_l("Answer in English"))

    def values(self) -> AnswerValues:
        return AnswerValues(**{name: self[name].data or "" for name in TEXTS})


class DeclineForm(PortalForm):
    """Why there is no public answer."""

    reason = TextAreaField(_l("Reason"), description=_l("Only those who asked read it, by mail and on their page"))


class MergeForm(PortalForm):
    """The question that answers this one as well."""

    into = SelectField(_l("Answered by"), validate_choice=False)


@page(pages, "", get=Permission.QUESTION_VIEW)
def index() -> ResponseReturnValue:
    """Questions, newest first; those that wait unless another state is asked for."""
    state = request.args.get("state", QuestionState.WAITING)
    tender_id = uuid_argument("tender")
    found: Page[Question] = keyset(
        session(),
        questions.inbox_select(g.actor, state=state, tender_id=tender_id),
        (Question.created_at, Question.__table__.c.id),
        lambda row: (row.created_at, row.id),
        request.args.get("cursor"),
    )
    tenders = session().scalars(
        scope(g.actor, Tender).where(Tender.published_at.is_not(None)).order_by(Tender.closes_at.desc()).limit(50)
    )
    return render_template(
        "question_inbox/index.html",
        page=found,
        state=state,
        states=STATES,
        tenders=[(row.id, f"{row.code} {localised(row, 'title')}") for row in tenders],
        tender_id=tender_id,
        section_titles={section.name: section.title for section in sections.SECTIONS},
    )


@page(pages, "/<uuid:question_id>", get=Permission.QUESTION_VIEW, post=Permission.QUESTION_ANSWER)
def show(question_id: UUID) -> ResponseReturnValue:
    """One question with its asker; the officer drafts the answer here and publishes it."""
    row = _question(question_id)
    if request.method == "GET":
        return _page(row)
    form = AnswerForm()
    saving = "save" in request.form
    verb = questions.save_draft if saving else questions.publish
    try:
        if not form.validate():
            raise Problems([])
        verb(session(), g.actor, question_id, values=form.values(), expected_version=form.version.data or 0)
    except Problems as problems:
        form.attach(problems.problems)
        return _page(_question(question_id), answer=form), 422
    flash(
        _("The draft is kept. Nobody outside the fund sees it.")
        if saving
        else _("The answer is published. Those who asked, take part or follow are told."),
        "success",
    )
    return redirect(url_for(".show", question_id=question_id), 303)


@page(pages, "/<uuid:question_id>/decline", post=Permission.QUESTION_ANSWER)
def decline(question_id: UUID) -> ResponseReturnValue:
    """No public answer; the asker reads why."""
    _question(question_id)
    form = DeclineForm()
    try:
        questions.decline(
            session(), g.actor, question_id, reason=form.reason.data or "", expected_version=form.version.data or 0
        )
    except Problems as problems:
        form.attach(problems.problems)
        return _page(_question(question_id), declining=form), 422
    flash(_("The question is declined. The asker gets your reason by mail."), "success")
    return redirect(url_for(".index"), 303)


@page(pages, "/<uuid:question_id>/merge", post=Permission.QUESTION_ANSWER)
def merge(question_id: UUID) -> ResponseReturnValue:
    """Let another question answer this one."""
    _question(question_id)
    form = MergeForm()
    try:
        into = UUID(form.into.data or "")
    except ValueError:
        into = question_id
    try:
        questions.merge(session(), g.actor, question_id, into=into, expected_version=form.version.data or 0)
    except Problems as problems:
        form.attach(problems.problems)
        return _page(_question(question_id), merging=form), 422
    flash(_("The question is merged. Its asker is told with the other answer."), "success")
    return redirect(url_for(".show", question_id=into), 303)


def _question(question_id: UUID) -> Question:
    """The question with tender, organisation and asker, through the scope."""
    row = session().scalar(
        questions.inbox_select(g.actor).where(Question.id == question_id).execution_options(populate_existing=True)
    )
    if not isinstance(row, Question):
        raise NotFound
    return row


def _page(
    row: Question,
    *,
    answer: AnswerForm | None = None,
    declining: DeclineForm | None = None,
    merging: MergeForm | None = None,
) -> str:
    current = session()
    published = questions.versions(current, row.id)
    groups = subjects(queries.rules_of(current, g.actor, row.tender_id))
    others = _others(row)
    merging = merging or MergeForm(formdata=None, version=row.version)
    merging.into.choices = [SelectChoice("", _("Choose a question")), *others]
    failed = next((form for form in (answer, declining, merging) if form is not None and form.errors), None)
    return render_template(
        "question_inbox/show.html",
        question=row,
        tender=row.tender,
        about=subject_words(groups, row.about, row.about_code),
        states=STATES,
        versions=published,
        same=_same(row),
        main=current.get(Question, row.merged_into) if row.merged_into else None,
        form=failed,
        answer=answer or AnswerForm(formdata=None, version=row.version, data=_present(row, published)),
        declining=declining or DeclineForm(formdata=None, version=row.version),
        merging=merging,
        mergeable=len(others),
        longest_question=LONGEST_QUESTION,
        longest_answer=LONGEST_ANSWER,
    )


def _present(row: Question, published: list[Answer]) -> dict[str, str]:
    """What the form starts from: the draft, else the published answer, else the question as it was asked."""
    if row.draft:
        return {name: row.draft.get(name, "") for name in TEXTS}
    if published:
        return {name: getattr(published[0], name) for name in TEXTS}
    return {f"question_{row.locale}": row.text}


def _others(row: Question) -> list[Any]:
    """The questions of the tender that this one can be merged into, newest first."""
    wanted = (
        scope(g.actor, Question)
        .where(
            Question.tender_id == row.tender_id,
            Question.id != row.id,
            Question.state.in_((QuestionState.WAITING, QuestionState.ANSWERED)),
        )
        .order_by(Question.id.desc())
        .limit(MERGEABLE)
    )
    return [
        SelectChoice(str(other.id), (f"{other.number}. " if other.number else "") + other.text[:90])
        for other in session().scalars(wanted)
    ]


def _same(row: Question) -> list[Question]:
    """The questions that are merged into this one, with who asked."""
    wanted = (
        select(Question)
        .where(Question.merged_into == row.id)
        .options(joinedload(Question.organisation), joinedload(Question.asker))
        .order_by(Question.id)
        .limit(MERGEABLE)
    )
    return list(session().scalars(wanted))

"""Questions and answers of a tender: everyone reads and searches them, people of an organisation ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from wtforms import SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older

import portal.applications.jobs  # noqa: F401 - an answer's letters are its work
from portal.applications.drafts import sections
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import Problems
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.identity.policy import Permission
from portal.tenders import answers, following, queries, questions
from portal.tenders.answers import Published
from portal.tenders.models import Question, QuestionState, Subject
from portal.tenders.questions import LONGEST_QUESTION, QuestionValues
from portal.tenders.ruleset import RuleSet
from portal.tenders.schedule import questions_until
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import localised

pages = Blueprint("tender_questions", __name__)

GROUPS: Final[Mapping[str, Message]] = {
    Subject.RULE: N_("Rules and criteria"),
    Subject.DOCUMENT: N_("Documents"),
    Subject.SECTION: N_("Sections of the application"),
}
STATES: Final[Mapping[str, tuple[Message, str]]] = {
    QuestionState.WAITING: (N_("Waits for an answer"), "yellow"),
    QuestionState.ANSWERED: (N_("Answered"), "green"),
    QuestionState.DECLINED: (N_("Not answered publicly"), "red"),
    QuestionState.MERGED: (N_("Answered together with another"), "blue"),
}


class AskForm(PortalForm):
    """A question; who asks is known to the fund only."""

    organisation = SelectField(_l("You ask for"), validate_choice=False)
    about = SelectField(_l("What is it about?"), validate_choice=False, default="")
    locale = SelectField(_l("Language of your question"), validate_choice=False)
    text = TextAreaField(
        _l("Your question"),
        description=_l("It is published with the answer, without your name: leave out what would tell who you are"),
    )


def subjects(rules: Mapping[str, RuleSet]) -> dict[str, list[tuple[str, str]]]:
    """What a question may be about, by group: ``{group: [(value, label)]}``."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in Subject}
    for held in rules.values():
        titles = [(rule.code, rule.title) for rule in held.eligibility]
        titles += [(criterion.code, criterion.title) for criterion in held.criteria]
        for code, title in titles:
            found[Subject.RULE].setdefault(code, f"{code} {title[locale()]}")
        for paper in held.documents:
            found[Subject.DOCUMENT].setdefault(paper.code, f"{paper.code} {paper.title[locale()]}")
    found[Subject.SECTION] = {section.name: say(section.title) for section in sections.SECTIONS}
    return {
        say(GROUPS[kind]): [(f"{kind}:{code}", label) for code, label in sorted(items.items())]
        for kind, items in found.items()
    }


def subject_words(groups: Mapping[str, list[tuple[str, str]]], about: str | None, code: str | None) -> str:
    """What a question is about in words, "" for nothing in particular."""
    if not about:
        return ""
    labels = dict(pair for pairs in groups.values() for pair in pairs)
    return labels.get(f"{about}:{code}", code or "")


@page(pages, "/tenders/<code>/questions", get=Permission.PUBLIC)
def index(code: str) -> ResponseReturnValue:
    """The answered questions, newest first; narrowed by words and by what they are about. The reader's own below."""
    current = session()
    row = queries.by_code(current, g.actor, code)
    words, about = request.args.get("q", "").strip()[: answers.LONGEST_SEARCH], request.args.get("about", "")
    found: Page[Any] = keyset(
        current,
        answers.published_select(row.tender.id, words=words, about=about),
        (Question.__table__.c.number,),
        lambda item: (item.number,),
        request.args.get("cursor"),
    )
    groups = subjects(queries.rules_of(current, g.actor, row.tender.id))
    published = [Published(*item) for item in found.rows]
    until = questions_until(row.tender, ZoneInfo(row.tender.zone))
    instant = now(current)
    return render_template(
        "questions/index.html",
        row=row,
        tender=row.tender,
        page=found,
        questions=published,
        earlier=answers.earlier(current, [item.question_id for item in published]),
        about_words={item.question_id: subject_words(groups, item.about, item.about_code) for item in published},
        groups=groups,
        words=words,
        about=about,
        until=until,
        taken=until is not None and instant < until and row.tender.cancelled_at is None and row.status != "draft",
        now=instant,
        own=questions.own(current, g.actor, row.tender.id),
        states=STATES,
        follows=following.follows(current, g.actor, row.tender.id),
        action=ActionForm(formdata=None),
    )


@page(pages, "/tenders/<code>/questions/ask", get=Permission.QUESTION_ASK, post=Permission.QUESTION_ASK)
def ask(code: str) -> ResponseReturnValue:
    """Put a question to the fund."""
    current = session()
    row = queries.by_code(current, g.actor, code)
    form = AskForm()
    groups = subjects(queries.rules_of(current, g.actor, row.tender.id))
    organisations = current.scalars(
        select(Organisation).where(Organisation.id.in_(g.actor.memberships)).order_by(Organisation.name_ru)
    ).all()
    form.organisation.choices = [SelectChoice(str(item.id), localised(item, "name")) for item in organisations]
    form.about.choices = [SelectChoice("", _("The tender in general"))]
    form.about.choices += [SelectChoice(value, label) for pairs in groups.values() for value, label in pairs]
    form.locale.choices = [SelectChoice("ru", _("Russian")), SelectChoice("en", _("English"))]
    if request.method == "GET":
        form.locale.data, form.about.data = locale(), request.args.get("about", "")
    if form.validate_on_submit():
        values = QuestionValues(
            organisation_id=_key(form.organisation.data),
            text=form.text.data or "",
            locale=form.locale.data or "",
            about=form.about.data or "",
        )
        try:
            questions.ask(current, g.actor, row.tender.id, values=values)
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("Your question is with the fund. You get a letter when it is answered."), "success")
            return redirect(url_for(".index", code=row.tender.code) + "#mine", 303)
    until = questions_until(row.tender, ZoneInfo(row.tender.zone))
    return (
        render_template(
            "questions/ask.html",
            form=form,
            row=row,
            tender=row.tender,
            groups=groups,
            until=until,
            now=now(current),
            longest=LONGEST_QUESTION,
        ),
        422 if form.errors else 200,
    )


def _key(value: str | None) -> UUID | None:
    try:
        return UUID(value or "")
    except ValueError:
        return None

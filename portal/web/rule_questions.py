"""The extra questions of a rule set: the list in its order, the form of one, and the applicant's view of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.drafts import questions
from portal.applications.drafts.project_fields import Field
from portal.applications.drafts.values import Kind
from portal.core import regions
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Permission, allowed
from portal.tenders import queries, service
from portal.tenders.models import TenderTrack
from portal.tenders.rulebook import load_questions
from portal.tenders.ruleset import Fact, Giver, RuleSet, from_json, to_json
from portal.tenders.ruleset.questions import FACT_VALUES, FORMATS, MOST_QUESTIONS, allowed_answers
from portal.web import question_form, question_words
from portal.web.application_frame import wording
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.rule_fields import SECTIONS

pages = Blueprint("rule_questions", __name__, url_prefix="/staff/rules/<uuid:rule_set_id>/questions")
SAVED: Final = N_("The questions are saved.")


@dataclass(frozen=True)
class Preview:
    """The questions of one giver as the page of an application would show them, with nothing typed."""

    rules: RuleSet
    giver: Giver

    words = question_words
    preview = True
    participant_id = None
    documents_url = ""

    @property
    def dossier(self) -> Preview:
        return self

    @property
    def fields(self) -> tuple[Field, ...]:
        return questions.fields(self.rules, self.giver)

    @property
    def typed(self) -> Mapping[str, str]:
        return {}

    @property
    def asked(self) -> frozenset[str]:
        return frozenset(item.code for item in self.rules.questions)

    def attached(self, participant_id: UUID | None, code: str) -> list[Any]:
        return []

    def changed(self, key: str) -> str | None:
        return None

    def errors(self, key: str) -> list[str]:
        return []

    def ticked(self, item: Field) -> list[str]:
        return []


@page(pages, "", get=Permission.TENDER_EDIT)
def index(rule_set_id: UUID) -> ResponseReturnValue:
    """All questions in their order."""
    return _index(_held(rule_set_id), ())


@page(pages, "/new", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def new(rule_set_id: UUID) -> ResponseReturnValue:
    """Add a question at the end."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    return _edit(held, rules, len(rules.questions), _next_code(rules), question_form.blank())


@page(pages, "/preview", get=Permission.TENDER_VIEW)
def preview(rule_set_id: UUID) -> ResponseReturnValue:
    """The questions as applicants see them; nothing is sent."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    return render_template(
        "tenders/questions_preview.html",
        **_frame(held),
        sheets=[(question_words.GIVERS[giver], Preview(rules, giver)) for giver in Giver],
        question_wording=wording,
        regions=regions.choices(locale()),
        Kind=Kind,
    )


@page(pages, "/<code>", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def edit(rule_set_id: UUID, code: str) -> ResponseReturnValue:
    """Change a question."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    place = _place(rules, code)
    return _edit(held, rules, place, code, question_form.typed_of(rules.questions[place]))


@page(pages, "/<code>/move", post=Permission.TENDER_EDIT)
def move(rule_set_id: UUID, code: str) -> ResponseReturnValue:
    """Change places with the question above or below; at the end of the list nothing happens."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    place = _place(rules, code)
    other = place - 1 if request.form.get("to") == "up" else place + 1
    order = list(rules.questions)
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
        _write(held, replace(rules, questions=tuple(order)))
    return redirect(url_for(".index", rule_set_id=rule_set_id) + f"#{code}", 303)


@page(pages, "/<code>/remove", post=Permission.TENDER_EDIT)
def remove(rule_set_id: UUID, code: str) -> ResponseReturnValue:
    """Take a question out; not while another one depends on it."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    _place(rules, code)
    needing = [item.code for item in rules.questions if item.condition and item.condition.question == code]
    if needing:
        message = N_(
            "%(code)s cannot be removed: %(codes)s depend on it. Change their conditions first.",
            code=code,
            codes=", ".join(needing),
        )
        return _index(held, (Problem("needed", code, message),)), 422
    _write(held, replace(rules, questions=tuple(item for item in rules.questions if item.code != code)))
    flash(_("The question %(code)s is removed.", code=code), "success")
    return redirect(url_for(".index", rule_set_id=rule_set_id), 303)


@page(pages, "/usual", post=Permission.TENDER_EDIT)
def usual(rule_set_id: UUID) -> ResponseReturnValue:
    """Take over the questions of the rulebook, where there are none yet."""
    held = _held(rule_set_id)
    rules = from_json(held.rule_set.content)
    if not rules.questions:
        _write(held, replace(rules, questions=load_questions(rules.track)))
        flash(say(SAVED), "success")
    return redirect(url_for(".index", rule_set_id=rule_set_id), 303)


def _edit(held: TenderTrack, rules: RuleSet, place: int, code: str, typed: question_form.Typed) -> ResponseReturnValue:
    form = ActionForm(version=held.rule_set.version)
    problems: list[Problem] = []
    if form.validate_on_submit():
        typed = question_form.typed_in(request.form)
        content = to_json(rules)
        listed = content.setdefault("questions", [])
        listed[place : place + 1] = [question_form.to_content(code, typed, rules, problems)]
        try:
            if problems:
                from_json(content)
                raise Problems(())
            _save(held, content)
        except Problems as refused:
            problems += question_form.on_inputs(refused.problems, place, rules)
            form.attach([])
        else:
            flash(_("The question %(code)s is saved.", code=code), "success")
            return redirect(url_for(".index", rule_set_id=held.rule_set_id) + f"#{code}", 303)
    errors: dict[str, list[str]] = {}
    for problem in problems:
        errors.setdefault(problem.field, []).append(say(problem.message))
    answer = render_template(
        "tenders/question.html",
        **_frame(held),
        code=code,
        form=form,
        typed=typed,
        rows=question_form.rows(typed) + question_form.BLANK_OPTIONS,
        problems=problems,
        errors=errors,
        words=question_words,
        subjects=_subjects(rules, code),
        formats=FORMATS,
    )
    return answer, 422 if problems or form.errors else 200


def _index(held: TenderTrack, problems: tuple[Problem, ...]) -> str:
    rules = from_json(held.rule_set.content)
    return render_template(
        "tenders/questions.html",
        **_frame(held),
        rules=rules,
        words=question_words,
        action_form=ActionForm(formdata=None, version=held.rule_set.version),
        problems=problems,
        full=len(rules.questions) >= MOST_QUESTIONS,
    )


def _held(rule_set_id: UUID) -> TenderTrack:
    return queries.rule_set_place(session(), g.actor, rule_set_id)


def _place(rules: RuleSet, code: str) -> int:
    for place, item in enumerate(rules.questions):
        if item.code == code:
            return place
    raise NotFound


def _next_code(rules: RuleSet) -> str:
    taken = {item.code for item in rules.questions}
    return next(code for number in range(1, 100) if (code := f"Q-{number:02}") not in taken)


def _write(held: TenderTrack, rules: RuleSet) -> None:
    _save(held, to_json(rules))


def _save(held: TenderTrack, content: dict[str, Any]) -> None:
    version = ActionForm().version.data or 0
    service.edit_rules(session(), g.actor, held.rule_set_id, content=content, expected_version=version)


def _frame(held: TenderTrack) -> dict[str, Any]:
    frozen = held.rule_set.frozen_at is not None
    return {
        "held": held,
        "tender": held.tender,
        "editable": not frozen and not held.tender.cancelled_at and allowed(g.actor, Permission.TENDER_EDIT),
        "sections": SECTIONS,
    }


def _subjects(rules: RuleSet, code: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """What a condition can look at: its key, its words, and the answers it can have, code and words."""
    found = [
        (
            f"fact:{fact}",
            say(question_words.FACTS[fact]),
            [(value, question_words.answer_word(value, None)) for value in FACT_VALUES.get(fact, ())],
        )
        for fact in Fact
    ]
    for item in rules.questions:
        if item.code != code and (item.kind.is_number or allowed_answers(item)):
            answers = [(value, question_words.answer_word(value, item)) for value in allowed_answers(item)]
            found.append((item.code, f"{item.code} {item.title[locale()]}", answers))
    return found

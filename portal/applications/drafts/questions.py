"""Extra questions in an application: which are asked, what their answers mean, and what is missing.

Pure: everything follows from a package (a draft with gaps, or a frozen submission) and the rule set. An answer
to a question that is not asked stays in the draft and is no part of the package. Of several answers to choose
the package keeps ``{"option": True}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts.project_fields import Field
from portal.applications.drafts.reading import listed, mapping, parts, sums
from portal.applications.drafts.values import Kind, Unreadable
from portal.core.errors import Problem
from portal.core.figures import decimal_of
from portal.core.language import N_
from portal.tenders.ruleset import Comparison, Condition, Fact, Giver, Question, QuestionKind, RuleSet

PROJECT, EACH = "questions", "own_questions"
"""Names of the two sections, and of the answers in a package and in a participant's part."""

KINDS: Final[Mapping[QuestionKind, Kind]] = {
    QuestionKind.SHORT: Kind.TEXT,
    QuestionKind.LONG: Kind.LONG,
    QuestionKind.WHOLE: Kind.WHOLE,
    QuestionKind.NUMBER: Kind.NUMBER,
    QuestionKind.MONEY: Kind.MONEY,
    QuestionKind.PERCENT: Kind.PERCENT,
    QuestionKind.ONE: Kind.CHOICE,
    QuestionKind.SEVERAL: Kind.CHOICES,
    QuestionKind.DATE: Kind.DATE,
    QuestionKind.FILE: Kind.FILE,
    QuestionKind.YES_NO: Kind.YES_NO,
}


def fields(rules: RuleSet, giver: Giver) -> tuple[Field, ...]:
    """The questions of one giver as fields of a section, in their order."""
    return tuple(
        Field(item.code, KINDS[item.kind], item.title, item.help if item.help.en else None, question=item)
        for item in rules.questions
        if item.giver is giver
    )


def within(question: Question, value: Any) -> None:
    """Raise :class:`Unreadable` for an answer that its question does not take."""
    if value is None:
        return
    if question.kind is QuestionKind.ONE and question.option(value) is None:
        raise Unreadable("not_answer", N_("Choose one of the answers."))
    if question.max_length is not None and len(value) > question.max_length:
        message = N_(
            "Write no more than %(most)s characters; these are %(length)s.",
            most=question.max_length,
            length=len(value),
        )
        raise Unreadable("too_long", message)
    number = decimal_of(value) if question.kind.is_number else None
    if number is None:
        return
    if question.least is not None and number < question.least:
        raise Unreadable("too_small", N_("Enter a number that is not less than %(limit)s.", limit=question.least))
    if question.most is not None and number > question.most:
        raise Unreadable("too_large", N_("Enter a number that is not more than %(limit)s.", limit=question.most))


def asked(package: Mapping[str, Any], rules: RuleSet, part: Mapping[str, Any] | None = None) -> frozenset[str]:
    """Codes of the questions that are asked: of the project, or of the participant ``part`` of the package."""
    giver = Giver.PROJECT if part is None else Giver.EACH
    if not rules.questions:
        return frozenset()
    answers = {**mapping(package.get(PROJECT)), **(mapping(part.get(EACH)) if part is not None else {})}
    known = _known(package, part)
    return frozenset(
        item.code for item in rules.questions if item.giver is giver and _is_asked(item, rules, answers, known)
    )


def settled(question: Question, rules: RuleSet) -> bool:
    """Whether nothing on the question's own page decides if it is asked: facts, or answers to the project."""
    condition = question.condition
    subject = rules.question(condition.question) if condition is not None and condition.question else None
    return subject is None or subject.giver is not question.giver


def missing(package: Mapping[str, Any], rules: RuleSet) -> Iterator[Problem]:
    """Required questions that are asked and not answered."""
    yield from _missing(package, rules, None)
    for part in parts(package):
        yield from _missing(package, rules, part)


def _missing(package: Mapping[str, Any], rules: RuleSet, part: Mapping[str, Any] | None) -> Iterator[Problem]:
    codes = asked(package, rules, part)
    held = package if part is None else part
    before = "" if part is None else f"participant.{part.get('id')}."
    name = PROJECT if part is None else EACH
    answers = mapping(held.get(name))
    given = {item.get("code") for item in listed(held.get("documents"))}
    for question in rules.questions:
        if question.code not in codes or not question.required:
            continue
        if question.kind is QuestionKind.FILE:
            if question.code not in given:
                message = N_("Attach the document: %(title)s.", title=question.title.both())
                yield Problem("required", f"{before}documents.{question.code}", message)
        elif answers.get(question.code) in (None, "", {}):
            yield Problem("required", f"{before}{name}.{question.code}", N_("Answer this question."))


def _known(package: Mapping[str, Any], part: Mapping[str, Any] | None) -> dict[Fact, Any]:
    together = parts(package)
    subsidy = sum((sum(sums(item.get("subsidy")).values(), Decimal(0)) for item in together), Decimal(0))
    found: dict[Fact, Any] = {
        Fact.TRACK: package.get("track"),
        Fact.PARTICIPANTS: len(together),
        Fact.SUBSIDY: subsidy,
    }
    if part is not None:
        found[Fact.ROLE] = part.get("role")
        found[Fact.SME] = mapping(part.get("organisation")).get("sme")
    return found


def _is_asked(question: Question, rules: RuleSet, answers: Mapping[str, Any], known: Mapping[Fact, Any]) -> bool:
    condition = question.condition
    if condition is None:
        return True
    if condition.fact is not None:
        return _holds(condition, known.get(condition.fact))
    subject = rules.question(condition.question or "")
    if subject is None or not _is_asked(subject, rules, answers, known):
        return False
    return _holds(condition, answers.get(subject.code))


def _holds(condition: Condition, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, bool):
        return ("yes" if value else "no") in condition.values
    if isinstance(value, Mapping):
        return any(value.get(name) for name in condition.values)
    number = decimal_of(value)
    limits = [decimal_of(name) for name in condition.values]
    if number is not None and None not in limits:
        if condition.test is Comparison.GREATER:
            return number > (limits[0] or 0)
        return number in limits
    return str(value) in condition.values

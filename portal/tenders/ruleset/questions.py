"""Extra questions of a rule set: their kinds, limits and conditions, and what must hold among them.

A condition compares one thing, another question's answer or a typed fact, with listed values. There are no
expressions; a question under a condition whose own question is not asked is not asked either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from portal.core.errors import Problem
from portal.core.figures import decimal_of
from portal.core.language import N_
from portal.tenders.ruleset.texts import Giver, Text

CODE: Final = re.compile(r"Q-[0-9]{2}", re.ASCII)
OPTION: Final = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)
MOST_QUESTIONS: Final = 60
MOST_OPTIONS: Final = 30
SHORT_TEXT: Final = 300
LONG_TEXT: Final = 20_000
NO_TEXT: Final = Text("", "")
FORMATS: Final = ("pdf", "docx", "xlsx", "xml", "csv")


class QuestionKind(StrEnum):
    """What the answer is: money in roubles, percent from 0 to 100, no number below zero."""

    SHORT = "short"
    LONG = "long"
    WHOLE = "whole"
    NUMBER = "number"
    MONEY = "money"
    PERCENT = "percent"
    ONE = "one"
    SEVERAL = "several"
    DATE = "date"
    FILE = "file"
    YES_NO = "yes_no"

    @property
    def is_number(self) -> bool:
        return self in _NUMBERS

    @property
    def is_text(self) -> bool:
        return self in (QuestionKind.SHORT, QuestionKind.LONG)

    @property
    def has_options(self) -> bool:
        return self in (QuestionKind.ONE, QuestionKind.SEVERAL)


_NUMBERS: Final = frozenset({QuestionKind.WHOLE, QuestionKind.NUMBER, QuestionKind.MONEY, QuestionKind.PERCENT})


class Fact(StrEnum):
    """What a condition may ask of the application itself. ``subsidy``: requested by all, roubles.

    ``role`` and ``sme`` are those of the participant that is asked; a question to the project has none.
    """

    TRACK = "track"
    PARTICIPANTS = "participants"
    SUBSIDY = "subsidy"
    ROLE = "role"
    SME = "sme"

    @property
    def is_number(self) -> bool:
        return self in (Fact.PARTICIPANTS, Fact.SUBSIDY)

    @property
    def of_participant(self) -> bool:
        return self in (Fact.ROLE, Fact.SME)


FACT_VALUES: Final[Mapping[Fact, tuple[str, ...]]] = {
    Fact.TRACK: ("import_substitution", "export"),
    Fact.ROLE: ("initiator", "participant"),
    Fact.SME: ("micro", "small", "medium", "none"),
}


class Comparison(StrEnum):
    """How a condition compares: with one value, with any of several, or with a number to be exceeded."""

    EQUALS = "equals"
    ONE_OF = "one_of"
    GREATER = "greater"


@dataclass(frozen=True, slots=True)
class Condition:
    """Exactly one of ``question`` (a code) and ``fact``. Values: option codes, yes/no, or plain decimals."""

    test: Comparison
    values: tuple[str, ...]
    question: str | None = None
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """An answer to choose."""

    code: str
    title: Text


@dataclass(frozen=True, slots=True)
class Question:
    """An extra question. ``heading`` begins a group; limits belong to kinds that can have them.

    ``max_length``: characters of a text; ``least`` and ``most``: of a number, inclusive; ``formats`` of a file.
    """

    code: str
    kind: QuestionKind
    title: Text
    giver: Giver
    required: bool
    heading: Text = NO_TEXT
    help: Text = NO_TEXT
    options: tuple[Option, ...] = ()
    max_length: int | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    formats: tuple[str, ...] = ()
    condition: Condition | None = None

    def option(self, code: str) -> Option | None:
        return next((item for item in self.options if item.code == code), None)


def faults(questions: Sequence[Question]) -> Iterator[Problem]:
    """All that is wrong with the questions of a rule set; fields are ``questions.<place>.<name>``."""
    if len(questions) > MOST_QUESTIONS:
        message = N_("No more than %(most)s questions can be asked.", most=MOST_QUESTIONS)
        yield Problem("too_many", "questions", message)
    by_code: dict[str, Question] = {}
    for at, question in enumerate(questions):
        field = f"questions.{at}"
        if not CODE.fullmatch(question.code):
            yield Problem("bad_code", f"{field}.code", N_("A code has the form Q-01."))
        elif question.code in by_code:
            message = N_("The code %(code)s is used twice.", code=question.code)
            yield Problem("duplicate", f"{field}.code", message)
        by_code.setdefault(question.code, question)
    for at, question in enumerate(questions):
        field = f"questions.{at}"
        yield from _texts(field, question)
        yield from _options(field, question)
        yield from _limits(field, question)
        if question.condition is not None:
            yield from _condition(f"{field}.condition", question, question.condition, by_code)


def _texts(field: str, question: Question) -> Iterator[Problem]:
    for locale in ("ru", "en"):
        if not question.title[locale].strip():
            yield Problem("required", f"{field}.title.{locale}", N_("Give this text in both languages."))
        for name, text in (("heading", question.heading), ("help", question.help)):
            if not text[locale].strip() and any(text.both().values()):
                yield Problem("required", f"{field}.{name}.{locale}", N_("Give this text in both languages."))


def _options(field: str, question: Question) -> Iterator[Problem]:
    if not question.kind.has_options:
        if question.options:
            yield Problem("not_asked", f"{field}.options", N_("Only a choice has answers to choose from."))
        return
    if not 2 <= len(question.options) <= MOST_OPTIONS:
        message = N_("A choice needs two to %(most)s answers.", most=MOST_OPTIONS)
        yield Problem("too_few", f"{field}.options", message)
    seen: set[str] = set()
    for at, option in enumerate(question.options):
        place = f"{field}.options.{at}"
        if not OPTION.fullmatch(option.code):
            message = N_("The code of an answer has small Latin letters and digits, up to 20.")
            yield Problem("bad_code", f"{place}.code", message)
        elif option.code in seen:
            message = N_("The code %(code)s is used twice.", code=option.code)
            yield Problem("duplicate", f"{place}.code", message)
        seen.add(option.code)
        for locale in ("ru", "en"):
            if not option.title[locale].strip():
                yield Problem("required", f"{place}.title.{locale}", N_("Give this text in both languages."))


def _limits(field: str, question: Question) -> Iterator[Problem]:
    yield from _length(field, question)
    for name in ("least", "most"):
        yield from _bound(f"{field}.{name}", question.kind, getattr(question, name))
    if question.least is not None and question.most is not None and question.least > question.most:
        yield Problem("order", f"{field}.most", N_("The greatest value must not be below the least one."))
    if question.kind is QuestionKind.FILE:
        if not question.formats or set(question.formats) - set(FORMATS):
            message = N_("Name at least one of the formats: %(known)s.", known=", ".join(FORMATS))
            yield Problem("bad_formats", f"{field}.formats", message)
    elif question.formats:
        yield Problem("not_asked", f"{field}.formats", N_("Only a file has formats."))


def _length(field: str, question: Question) -> Iterator[Problem]:
    longest = LONG_TEXT if question.kind is QuestionKind.LONG else SHORT_TEXT
    if question.max_length is None:
        return
    if not question.kind.is_text:
        yield Problem("not_asked", f"{field}.max_length", N_("Only a text has a greatest length."))
    elif not 1 <= question.max_length <= longest:
        message = N_("The greatest length must be between 1 and %(most)s.", most=longest)
        yield Problem("out_of_range", f"{field}.max_length", message)


def _bound(field: str, kind: QuestionKind, value: Decimal | None) -> Iterator[Problem]:
    if value is None:
        return
    if not kind.is_number:
        yield Problem("not_asked", field, N_("Only a number has a least and a greatest value."))
    elif value < 0 or (kind is QuestionKind.PERCENT and value > 100):
        message = N_("A limit must not be below zero, and of a percentage not above 100.")
        yield Problem("out_of_range", field, message)
    elif kind is QuestionKind.WHOLE and value != value.to_integral_value():
        yield Problem("not_whole", field, N_("Give a whole number."))


def _condition(
    field: str, question: Question, condition: Condition, by_code: Mapping[str, Question]
) -> Iterator[Problem]:
    if (condition.question is None) == (condition.fact is None):
        yield Problem("one_subject", field, N_("A condition looks at one question or at one fact."))
        return
    if not condition.values or (condition.test is not Comparison.ONE_OF and len(condition.values) != 1):
        message = N_("Give one value to compare with; several only for “is one of”.")
        yield Problem("wrong_values", f"{field}.values", message)
        return
    if condition.fact is not None:
        if condition.fact.of_participant and question.giver is not Giver.EACH:
            message = N_("Only a question to each participant can depend on its role or size.")
            yield Problem("other_giver", f"{field}.fact", message)
        yield from _comparable(field, condition, condition.fact.is_number, FACT_VALUES.get(condition.fact, ()))
        return
    subject = by_code.get(condition.question or "")
    if subject is None:
        message = N_("The condition looks at the question %(code)s, which does not exist.", code=condition.question)
        yield Problem("unknown_question", f"{field}.question", message)
        return
    if _circular(question, by_code):
        message = N_("Conditions form a circle: the question would depend on itself.")
        yield Problem("circle", f"{field}.question", message)
    if question.giver is Giver.PROJECT and subject.giver is Giver.EACH:
        message = N_("A question to the project cannot depend on an answer of one participant.")
        yield Problem("other_giver", f"{field}.question", message)
    if not (subject.kind.is_number or subject.kind.has_options or subject.kind is QuestionKind.YES_NO):
        message = N_("A condition can look at a choice, a yes/no answer or a number, not at a text, a date or a file.")
        yield Problem("wrong_kind", f"{field}.question", message)
        return
    yield from _comparable(field, condition, subject.kind.is_number, allowed_answers(subject))


def allowed_answers(question: Question) -> tuple[str, ...]:
    """The values that a condition may name; empty for numbers."""
    if question.kind is QuestionKind.YES_NO:
        return ("yes", "no")
    return tuple(option.code for option in question.options)


def _comparable(field: str, condition: Condition, numeric: bool, allowed: Sequence[str]) -> Iterator[Problem]:
    if numeric:
        if any(decimal_of(value) is None for value in condition.values):
            yield Problem("not_number", f"{field}.values", N_("Compare this with a number."))
    elif condition.test is Comparison.GREATER:
        yield Problem("wrong_test", f"{field}.test", N_("Only a number can be greater than a value."))
    elif unknown := [value for value in condition.values if value not in allowed]:
        message = N_("“%(value)s” is none of the answers: %(known)s.", value=unknown[0][:60], known=", ".join(allowed))
        yield Problem("unknown_value", f"{field}.values", message)


def _circular(question: Question, by_code: Mapping[str, Question]) -> bool:
    """Whether following the conditions from ``question`` leads back to it."""
    seen = {question.code}
    subject: Question | None = question
    while subject is not None and subject.condition is not None and subject.condition.question is not None:
        code = subject.condition.question
        if code == question.code:
            return True
        if code in seen:
            return False
        seen.add(code)
        subject = by_code.get(code)
    return False

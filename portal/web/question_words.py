"""Extra questions in words: answers for readers, answers to choose from, and when a question is asked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts import questions
from portal.core.figures import decimal_of
from portal.core.formats import format_money, format_number
from portal.core.language import N_, Message
from portal.tenders.rules import TRACK_NAMES
from portal.tenders.ruleset import Comparison, Condition, Fact, Giver, Question, QuestionKind, RuleSet
from portal.web.language import locale, say

FACTS: Final[Mapping[Fact, Message]] = {
    Fact.TRACK: N_("Track of the tender"),
    Fact.PARTICIPANTS: N_("Number of participants"),
    Fact.SUBSIDY: N_("Requested subsidy of the whole project, RUB"),
    Fact.ROLE: N_("Role of the organisation in the project"),
    Fact.SME: N_("Size of the organisation"),
}
_FACT_ANSWERS: Final[Mapping[str, Message]] = {
    **{str(track): name for track, name in TRACK_NAMES.items()},
    "initiator": N_("Initiator"),
    "participant": N_("Participant"),
    "micro": N_("Micro enterprise"),
    "small": N_("Small enterprise"),
    "medium": N_("Medium enterprise"),
    "none": N_("Not a small or medium enterprise"),
}
KINDS: Final[Mapping[QuestionKind, Message]] = {
    QuestionKind.SHORT: N_("Short text"),
    QuestionKind.LONG: N_("Long text"),
    QuestionKind.WHOLE: N_("Whole number"),
    QuestionKind.NUMBER: N_("Number with a fraction"),
    QuestionKind.MONEY: N_("Sum in roubles"),
    QuestionKind.PERCENT: N_("Percentage"),
    QuestionKind.ONE: N_("One of several answers"),
    QuestionKind.SEVERAL: N_("Several answers"),
    QuestionKind.DATE: N_("Date"),
    QuestionKind.FILE: N_("File"),
    QuestionKind.YES_NO: N_("Yes or no"),
}
GIVERS: Final[Mapping[Giver, Message]] = {
    Giver.PROJECT: N_("The project as a whole"),
    Giver.EACH: N_("Each participant"),
}
TESTS: Final[Mapping[Comparison, Message]] = {
    Comparison.EQUALS: N_("is"),
    Comparison.ONE_OF: N_("is one of"),
    Comparison.GREATER: N_("is more than"),
}
MOST_RADIOS: Final = 7


def choices(question: Question) -> list[tuple[str, str]]:
    """The answers to choose from, code and words."""
    return [(option.code, option.title[locale()]) for option in question.options]


def chosen(question: Question, value: Any) -> str | None:
    """The answer of a choice in a package, in words; None where there is none."""
    codes = [value] if isinstance(value, str) else [code for code, given in (value or {}).items() if given]
    words = [option.title[locale()] for option in question.options if option.code in codes]
    return "; ".join(words) or None


def answer_word(code: str, question: Question | None) -> str:
    """A value of a condition in words: a sum, an option, yes or no."""
    number = decimal_of(code)
    if number is not None:
        money = question is not None and question.kind is QuestionKind.MONEY
        return format_money(number, locale()) if money else format_number(Decimal(number), locale(), 4)
    if code in ("yes", "no"):
        return say(N_("Yes") if code == "yes" else N_("No"))
    option = question.option(code) if question is not None else None
    if option is not None:
        return option.title[locale()]
    return say(_FACT_ANSWERS[code]) if code in _FACT_ANSWERS else code


def condition_text(condition: Condition, rules: RuleSet) -> str:
    """When a question is asked, as a sentence."""
    subject = rules.question(condition.question) if condition.question else None
    about = say(FACTS[condition.fact]) if condition.fact else subject.title[locale()] if subject else ""
    values = "; ".join(answer_word(code, subject) for code in condition.values)
    if condition.test is Comparison.GREATER:
        return say(N_("Only if “%(question)s” is more than %(value)s.", question=about, value=values))
    if condition.fact:
        return say(N_("Only if “%(question)s” is: %(values)s.", question=about, values=values))
    return say(N_("Only if the answer to “%(question)s” is: %(values)s.", question=about, values=values))


def live(question: Question, rules: RuleSet) -> Condition | None:
    """The condition that the page itself can follow: one on an answer that is given on the same page."""
    return None if questions.settled(question, rules) else question.condition


def ruled_out(question: Question, rules: RuleSet, asked: frozenset[str]) -> bool:
    """Whether no answer on the question's page can make it be asked."""
    subject: Question | None = question
    while subject is not None:
        if questions.settled(subject, rules):
            return subject.code not in asked
        subject = rules.question(subject.condition.question or "") if subject.condition else None
    return False

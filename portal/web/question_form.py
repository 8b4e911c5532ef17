"""One extra question as a form: its inputs by name, and how what was typed becomes the JSON of the question.

An input is named by the path of its value in the JSON with dashes for dots (``options-0-title-ru``). What cannot
be read stays as it was typed: the rules say what is wrong with it, and the page shows it again. Limits that the
kind of the question cannot have are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from portal.core.errors import Problem
from portal.core.figures import decimal_of
from portal.core.language import N_
from portal.tenders.ruleset import Fact, Question, QuestionKind, RuleSet, Text
from portal.tenders.ruleset.questions import MOST_OPTIONS
from portal.web.rule_input import shown

BLANK_OPTIONS: Final = 3
TEXTS: Final = ("heading", "title", "help")
_YES: Final = {"yes": "yes", "да": "yes", "no": "no", "нет": "no"}
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_NAMES: Final = {"condition": "condition-subject", "condition-question": "condition-subject",
                 "condition-fact": "condition-subject"}  # fmt: skip

Typed = dict[str, str]


def blank() -> Typed:
    """The inputs of a new question."""
    return {"kind": QuestionKind.SHORT, "giver": "project", "required": "yes", "formats": "pdf"}


def typed_of(question: Question) -> Typed:
    """The inputs of a question that is there."""
    typed: Typed = {
        "kind": question.kind,
        "giver": question.giver,
        "required": "yes" if question.required else "no",
        "max_length": shown(question.max_length),
        "least": shown(question.least),
        "most": shown(question.most),
        "formats": ", ".join(question.formats),
    }
    for name in TEXTS:
        text: Text = getattr(question, name)
        typed |= {f"{name}-ru": text.ru, f"{name}-en": text.en}
    for place, option in enumerate(question.options):
        typed |= _option(place, option.code, option.title.ru, option.title.en)
    condition = question.condition
    if condition is not None:
        typed["condition-subject"] = condition.question or f"fact:{condition.fact}"
        typed["condition-test"] = condition.test
        typed["condition-values"] = "; ".join(condition.values)
    return typed


def typed_in(form: Mapping[str, str]) -> Typed:
    """What was typed, with the rows of answers closed up."""
    kept = {name: form.get(name, "").strip() for name in form if not name.startswith("options-")}
    place = 0
    for row in range(MOST_OPTIONS + BLANK_OPTIONS):
        code, ru, en = (
            form.get(f"options-{row}-{name}", "").strip().replace("\x00", "")
            for name in ("code", "title-ru", "title-en")
        )
        if code or ru or en:
            kept |= _option(place, code, ru, en)
            place += 1
    return kept


def _option(place: int, code: str, ru: str, en: str) -> Typed:
    return {f"options-{place}-code": code, f"options-{place}-title-ru": ru, f"options-{place}-title-en": en}


def rows(typed: Typed) -> int:
    """How many rows of answers have something in them."""
    return sum(1 for name in typed if re.fullmatch(r"options-\d+-code", name))


def to_content(code: str, typed: Typed, rules: RuleSet, problems: list[Problem]) -> dict[str, Any]:
    """The JSON of the question; answers without a code get the next free letter, also in ``typed``.

    A limit that is no number is left out and noted in ``problems``, so that the rules can say what else is wrong.
    """
    kind = typed.get("kind", "")
    known = QuestionKind(kind) if kind in list(QuestionKind) else None
    content: dict[str, Any] = {
        "code": code,
        "kind": kind,
        "giver": typed.get("giver", ""),
        "required": typed.get("required") == "yes",
        **{name: {"ru": typed.get(f"{name}-ru", ""), "en": typed.get(f"{name}-en", "")} for name in TEXTS},
    }
    if known is None or known.has_options:
        _letter(typed)
        content["options"] = [
            {
                "code": typed[f"options-{place}-code"],
                "title": {"ru": typed[f"options-{place}-title-ru"], "en": typed[f"options-{place}-title-en"]},
            }
            for place in range(rows(typed))
        ]
    if known is not None and known.is_text:
        content["max_length"] = _whole(typed.get("max_length", ""), problems)
    if known is not None and known.is_number:
        content |= {name: _limit(name, typed.get(name, ""), problems) for name in ("least", "most")}
    if known is QuestionKind.FILE:
        content["formats"] = [word for word in re.split(r"[\s,;.]+", typed.get("formats", "").lower()) if word]
    content["condition"] = _condition(typed, rules)
    return content


def _letter(typed: Typed) -> None:
    taken = {typed[f"options-{place}-code"] for place in range(rows(typed))}
    free = (letter for letter in _LETTERS if letter not in taken)
    for place in range(rows(typed)):
        if not typed[f"options-{place}-code"]:
            typed[f"options-{place}-code"] = next(free, "")


def _condition(typed: Typed, rules: RuleSet) -> dict[str, Any] | None:
    subject = typed.get("condition-subject", "")
    if not subject:
        return None
    name, _, fact = subject.partition(":")
    where = {"fact": fact} if name == "fact" else {"question": subject}
    values = _values(typed.get("condition-values", ""), None if name == "fact" else rules.question(subject), fact)
    return {"test": typed.get("condition-test", ""), "values": values, **where}


def _values(text: str, question: Question | None, fact: str) -> list[str]:
    """Codes, or the words that stand for them; numbers are set off by semicolons, for they may hold a comma."""
    numeric = question.kind.is_number if question is not None else fact in list(Fact) and Fact(fact).is_number
    parts = [part.strip() for part in re.split(r"[;\n]" if numeric else r"[;,\n]", text) if part.strip()]
    if numeric:
        return [_number(part) for part in parts]
    words = dict(_YES)
    for option in question.options if question is not None else ():
        words |= {option.title.ru.casefold(): option.code, option.title.en.casefold(): option.code}
    return [words.get(part.casefold(), part) for part in parts]


def _number(text: str) -> str:
    return re.sub(r"[\s₽%]", "", text).replace(",", ".")


def _limit(name: str, text: str, problems: list[Problem]) -> str | None:
    number = _number(text)
    if not number or decimal_of(number) is not None:
        return number or None
    problems.append(Problem("not_number", name, N_("Enter a number.")))
    return None


def _whole(text: str, problems: list[Problem]) -> int | None:
    plain = re.sub(r"\s", "", text)
    if not plain or re.fullmatch(r"[0-9]{1,9}", plain, re.ASCII):
        return int(plain) if plain else None
    problems.append(Problem("not_whole", "max_length", N_("Give a whole number.")))
    return None


def on_inputs(problems: Iterable[Problem], place: int, rules: RuleSet) -> list[Problem]:
    """The problems of a rule set under the names of this form's inputs; those of other questions name them."""
    own = f"questions.{place}."
    found = []
    for problem in problems:
        if problem.field.startswith(own):
            name = problem.field.removeprefix(own).replace(".", "-")
            name = "condition-values" if name.startswith("condition-values") else _NAMES.get(name, name)
            found.append(Problem(problem.code, name, problem.message))
        else:
            found.append(Problem(problem.code, "", _named(problem, rules)))
    return found


def _named(problem: Problem, rules: RuleSet) -> Any:
    head, _, rest = problem.field.partition(".")
    number = rest.partition(".")[0]
    if head == "questions" and number.isdigit() and int(number) < len(rules.questions):
        code = rules.questions[int(number)].code
        return N_("%(about)s: %(problem)s", about=code, problem=problem.message)
    return problem.message

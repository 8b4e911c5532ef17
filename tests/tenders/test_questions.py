"""Extra questions of a rule set: additive to the format, and what must hold among them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import pytest

from portal.core.errors import Problems
from portal.tenders.rulebook import TRACKS, load_questions, load_rulebook
from portal.tenders.ruleset import RuleSet, from_json, rules_digest, to_json


def asking(track: str = "import_substitution") -> RuleSet:
    return replace(load_rulebook(track), questions=load_questions(track))


def changed(place: int, **values: Any) -> dict[str, Any]:
    data = deepcopy(to_json(asking()))
    data["questions"][place] |= values
    return data


def faults(data: object) -> list[tuple[str, str]]:
    with pytest.raises(Problems) as caught:
        from_json(data)
    return [(problem.field, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize("track", TRACKS)
def test_rules_without_questions_are_written_as_before_there_were_any(track: str) -> None:
    """So that the digest of a tender that was frozen then stays what it is."""
    rules = load_rulebook(track)
    assert set(to_json(rules)) == {field.name for field in fields(RuleSet)} - {"questions"}
    assert rules_digest(from_json(to_json(rules))) == rules_digest(rules) == rules_digest(to_json(rules))


@pytest.mark.parametrize("track", TRACKS)
def test_questions_survive_json_without_loss(track: str) -> None:
    rules = asking(track)
    assert rules.questions
    assert from_json(to_json(rules)) == rules
    assert rules_digest(rules) != rules_digest(load_rulebook(track))


def condition(test: str, *values: str, **subject: str) -> dict[str, Any]:
    return {"condition": {"test": test, "values": list(values), **subject}}


# Places: 0 one of several, 1 long, 2 whole, 3 several, 4 short, 5 yes/no; from 6 on each participant's.
@pytest.mark.parametrize(
    ("place", "values", "fault"),
    [
        (0, {"code": "Q1"}, ("questions.0.code", "bad_code")),
        (1, {"code": "Q-01"}, ("questions.1.code", "duplicate")),
        (0, {"title": {"ru": "Да", "en": " "}}, ("questions.0.title.en", "required")),
        (0, {"help": {"ru": "", "en": "Help"}}, ("questions.0.help.ru", "required")),
        (0, {"options": []}, ("questions.0.options", "too_few")),
        (2, {"options": [{"code": "a", "title": {"ru": "а", "en": "a"}}]}, ("questions.2.options", "not_asked")),
        (0, {"kind": "dropdown"}, ("questions.0.kind", "not_allowed")),
        (1, {"max_length": 20_001}, ("questions.1.max_length", "out_of_range")),
        (4, {"max_length": 301}, ("questions.4.max_length", "out_of_range")),
        (2, {"max_length": 5}, ("questions.2.max_length", "not_asked")),
        (2, {"least": "-1"}, ("questions.2.least", "out_of_range")),
        (2, {"least": "1.5"}, ("questions.2.least", "not_whole")),
        (2, {"least": "5", "most": "4"}, ("questions.2.most", "order")),
        (1, {"most": "4"}, ("questions.1.most", "not_asked")),
        (5, {"kind": "file"}, ("questions.5.formats", "bad_formats")),
        (5, {"kind": "file", "formats": ["exe"]}, ("questions.5.formats", "bad_formats")),
        (1, {"formats": ["pdf"]}, ("questions.1.formats", "not_asked")),
        (1, condition("equals", "no", question="Q-99"), ("questions.1.condition.question", "unknown_question")),
        (1, condition("equals", "maybe", question="Q-01"), ("questions.1.condition.values", "unknown_value")),
        (1, condition("greater", "no", question="Q-01"), ("questions.1.condition.test", "wrong_test")),
        (1, condition("greater", "many", question="Q-03"), ("questions.1.condition.values", "not_number")),
        (1, condition("equals", "no", "audit", question="Q-01"), ("questions.1.condition.values", "wrong_values")),
        (1, condition("one_of", question="Q-01"), ("questions.1.condition.values", "wrong_values")),
        (1, condition("equals", "x", question="Q-05"), ("questions.1.condition.question", "wrong_kind")),
        (1, condition("equals", "yes", question="Q-11"), ("questions.1.condition.question", "other_giver")),
        (1, condition("equals", "none", fact="sme"), ("questions.1.condition.fact", "other_giver")),
        (1, condition("equals", "x"), ("questions.1.condition", "one_subject")),
        (1, condition("equals", "1", fact="participants", question="Q-03"), ("questions.1.condition", "one_subject")),
        (0, condition("equals", "yes", question="Q-06"), None),
    ],
)
def test_every_fault_is_named_with_its_place(place: int, values: dict[str, Any], fault: tuple[str, str] | None) -> None:
    data = changed(place, **values)
    if fault is None:
        from_json(data)
    else:
        assert fault in faults(data)


def test_conditions_form_no_circle() -> None:
    data = changed(0, **condition("greater", "1", question="Q-03"))
    data["questions"][2] |= condition("equals", "yes", question="Q-06")
    data["questions"][5] |= condition("equals", "no", question="Q-01")
    found = faults(data)
    assert {field for field, code in found if code == "circle"} == {
        "questions.0.condition.question",
        "questions.2.condition.question",
        "questions.5.condition.question",
    }
    alone = changed(2, **condition("greater", "1", question="Q-03"))
    assert faults(alone) == [("questions.2.condition.question", "circle")]


def test_too_many_questions_are_refused() -> None:
    data = to_json(asking())
    data["questions"] = [{**data["questions"][4], "code": f"Q-{n:02}"} for n in range(61)]
    assert ("questions", "too_many") in faults(data)


def test_files_of_questions_are_documents_of_the_rules() -> None:
    rules = asking("export")
    paper = rules.document("Q-08")
    assert paper is not None
    assert (paper.formats, paper.need) == (("pdf",), "optional")
    assert rules.document("Q-07") is None

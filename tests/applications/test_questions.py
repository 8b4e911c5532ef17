"""Extra questions in an application: what is asked, read, missing and frozen."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from portal.applications.drafts import questions
from portal.applications.drafts.values import Unreadable
from portal.applications.following.corrections import targets
from portal.applications.submissions import submission
from portal.applications.submissions.changes import label
from portal.applications.submissions.package import unpack
from portal.core.errors import NotFound
from portal.core.language import both
from portal.tenders.rulebook import load_questions, load_rulebook
from portal.tenders.ruleset import (
    Comparison,
    Condition,
    Fact,
    Giver,
    Option,
    Question,
    QuestionKind,
    RuleSet,
    Text,
)
from tests.factories import applications
from tests.factories import questions as asking

TITLE = Text("Вопрос", "Question")
RULES = replace(load_rulebook("import_substitution"), questions=load_questions("import_substitution"))


def rules(*items: Question) -> RuleSet:
    return replace(RULES, questions=items)


def question(code: str, kind: QuestionKind, giver: Giver = Giver.PROJECT, **more: Any) -> Question:
    return Question(code, kind, TITLE, giver, **{"required": True, **more})


def package(answers: dict[str, Any], *parts: dict[str, Any]) -> dict[str, Any]:
    return {"track": "import_substitution", "questions": answers, "participants": list(parts)}


def part(key: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": key, "role": "participant", "organisation": {"sme": "small"}, "subsidy": {"2018": "100.00"}, **more}


def when(test: Comparison, *values: str, of: str | None = None, fact: Fact | None = None) -> dict[str, Any]:
    return {"condition": Condition(test, values, of, fact)}


@pytest.mark.parametrize(
    ("kind", "test", "values", "answer", "asked"),
    [
        (QuestionKind.YES_NO, Comparison.EQUALS, ("yes",), True, True),
        (QuestionKind.YES_NO, Comparison.EQUALS, ("yes",), False, False),
        (QuestionKind.YES_NO, Comparison.EQUALS, ("no",), None, False),
        (QuestionKind.ONE, Comparison.ONE_OF, ("a", "b"), "b", True),
        (QuestionKind.ONE, Comparison.ONE_OF, ("a", "b"), "c", False),
        (QuestionKind.SEVERAL, Comparison.EQUALS, ("a",), {"a": True, "c": True}, True),
        (QuestionKind.SEVERAL, Comparison.ONE_OF, ("a", "b"), {"c": True}, False),
        (QuestionKind.WHOLE, Comparison.GREATER, ("0",), 1, True),
        (QuestionKind.WHOLE, Comparison.GREATER, ("0",), 0, False),
        (QuestionKind.MONEY, Comparison.GREATER, ("1000.5",), "1000.51", True),
        (QuestionKind.MONEY, Comparison.EQUALS, ("1000.5",), "1000.50", True),
        (QuestionKind.PERCENT, Comparison.ONE_OF, ("1", "2"), "3", False),
    ],
)
def test_a_condition_compares_the_answer(
    kind: QuestionKind, test: Comparison, values: tuple[str, ...], answer: Any, asked: bool
) -> None:
    options = tuple(Option(code, TITLE) for code in "abc") if kind.has_options else ()
    both = rules(
        question("Q-01", kind, options=options),
        question("Q-02", QuestionKind.SHORT, **when(test, *values, of="Q-01")),
    )
    assert ("Q-02" in questions.asked(package({"Q-01": answer}), both)) is asked


@pytest.mark.parametrize(
    ("fact", "test", "values", "asked"),
    [
        (Fact.TRACK, Comparison.EQUALS, ("import_substitution",), True),
        (Fact.TRACK, Comparison.EQUALS, ("export",), False),
        (Fact.PARTICIPANTS, Comparison.GREATER, ("1",), True),
        (Fact.PARTICIPANTS, Comparison.GREATER, ("2",), False),
        (Fact.SUBSIDY, Comparison.GREATER, ("199",), True),
        (Fact.SUBSIDY, Comparison.GREATER, ("200",), False),
        (Fact.ROLE, Comparison.EQUALS, ("participant",), True),
        (Fact.SME, Comparison.ONE_OF, ("micro", "none"), False),
    ],
)
def test_a_condition_looks_at_facts(fact: Fact, test: Comparison, values: tuple[str, ...], asked: bool) -> None:
    one = rules(question("Q-01", QuestionKind.SHORT, Giver.EACH, **when(test, *values, fact=fact)))
    content = package({}, part("a"), part("b"))
    assert bool(questions.asked(content, one, content["participants"][0])) is asked
    assert questions.asked(content, one) == frozenset()


def test_a_question_under_one_that_is_not_asked_is_not_asked() -> None:
    chain = rules(
        question("Q-01", QuestionKind.YES_NO),
        question("Q-02", QuestionKind.YES_NO, **when(Comparison.EQUALS, "yes", of="Q-01")),
        question("Q-03", QuestionKind.SHORT, Giver.EACH, **when(Comparison.EQUALS, "yes", of="Q-02")),
    )
    content = package({"Q-01": True, "Q-02": True}, part())
    assert questions.asked(content, chain, content["participants"][0]) == {"Q-03"}
    content = package({"Q-01": False, "Q-02": True}, part())
    assert questions.asked(content, chain) == {"Q-01"}
    assert questions.asked(content, chain, content["participants"][0]) == frozenset()


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=9))
def test_conditions_of_any_shape_are_decided(links: list[tuple[int, bool]]) -> None:
    """Each question depends on an earlier one at most, wherever it stands in the list."""
    items = []
    for place, (above, needed) in enumerate(links):
        condition = when(Comparison.EQUALS, "yes", of=f"Q-{above:02}") if above < place else {}
        items.append(question(f"Q-{place:02}", QuestionKind.YES_NO, required=needed, **condition))
    answers = {item.code: int(item.code[2:]) % 2 == 0 for item in items}
    found = questions.asked(package(answers), rules(*reversed(items)))
    for item in items:
        subject = item.condition.question if item.condition else None
        assert (item.code in found) is (subject is None or (subject in found and answers[subject]))


@pytest.mark.parametrize(
    ("item", "value", "code"),
    [
        (question("Q-01", QuestionKind.SHORT, max_length=3), "абвг", "too_long"),
        (question("Q-01", QuestionKind.WHOLE, least=Decimal(2)), 1, "too_small"),
        (question("Q-01", QuestionKind.MONEY, most=Decimal(2)), "2.01", "too_large"),
        (question("Q-01", QuestionKind.ONE, options=(Option("a", TITLE),)), "b", "not_answer"),
        (question("Q-01", QuestionKind.SHORT, max_length=4), "абвг", None),
        (question("Q-01", QuestionKind.WHOLE, least=Decimal(2), most=Decimal(2)), 2, None),
        (question("Q-01", QuestionKind.ONE, options=(Option("a", TITLE),)), "a", None),
        (question("Q-01", QuestionKind.WHOLE, least=Decimal(2)), None, None),
    ],
)
def test_limits_hold(item: Question, value: Any, code: str | None) -> None:
    if code is None:
        questions.within(item, value)
        return
    with pytest.raises(Unreadable) as refused:
        questions.within(item, value)
    assert refused.value.code == code


def missing(joint: applications.Joint) -> set[str]:
    keys = {str(row.id): place for place, row in enumerate(joint.parts)}
    fields = {problem.field for problem in submission.standing(joint.dossier).problems}
    for key, place in keys.items():
        fields = {field.replace(key, str(place)) for field in fields}
    return fields


def test_required_questions_keep_an_application_from_submission(session: Session) -> None:
    joint = applications.filled(session, tender=asking.asking_tender(session))
    assert missing(joint) == {
        "questions.Q-01",
        "questions.Q-03",
        "questions.Q-05",
        "participant.0.own_questions.Q-11",
        "participant.1.own_questions.Q-11",
    }
    asking.save(joint, {"Q-01": "programme", "Q-03": "5", "Q-05": "1.1"})
    asking.save(joint, {"Q-11": "no"}, 0)
    asking.save(joint, {"Q-11": "yes"}, 1)
    assert missing(joint) == {"questions.Q-02", "questions.Q-04", "participant.1.own_questions.Q-12"}


def test_answers_are_frozen_and_what_is_not_asked_stays_in_the_draft(session: Session) -> None:
    joint = asking.answered(session)
    asking.save(joint, {**asking.ANSWERS, "Q-01": "no", "Q-04.college": "yes"})
    applications.confirm_all(joint)
    row = submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    assert row.snapshot["questions"] == {
        "Q-01": "no",
        "Q-03": 12,
        "Q-04": {"own": True, "college": True},
        "Q-05": "11.08",
        "Q-06": False,
    }
    # The first participant is a large enterprise, the second a small one: Q-13 is asked of the first only.
    own = {"Q-11": True, "Q-12": "2018-02-01", "Q-14": "0.00"}
    assert [item["own_questions"] for item in row.snapshot["participants"]] == [{**own, "Q-13": "12.5"}, own]
    kept = joint.dossier.sections
    assert kept[None, "questions"].data["Q-02"] == "Поток сборки"
    assert kept[joint.parts[1].id, "own_questions"].data["Q-13"] == "12,5"
    typed = unpack(row.snapshot, joint.dossier.rules)
    assert typed[None, "questions"]["Q-04.college"] == "yes"


def test_what_cannot_be_read_is_a_problem_only_where_it_is_asked(session: Session) -> None:
    joint = asking.answered(session)
    asking.save(joint, {**asking.ANSWERS, "Q-03": "twelve", "Q-05": "x" * 101, "Q-02": "y" * 1001})
    assert {"questions.Q-03", "questions.Q-05", "questions.Q-02"} <= missing(joint)
    asking.save(joint, {**asking.ANSWERS, "Q-01": "no", "Q-02": "y" * 1001})
    assert missing(joint) == set()


def test_a_file_answers_only_where_it_is_asked(session: Session) -> None:
    paper = question("Q-02", QuestionKind.FILE, formats=("pdf",), **when(Comparison.EQUALS, "yes", of="Q-01"))
    own = question("Q-03", QuestionKind.FILE, Giver.EACH, formats=("pdf",), required=False)
    tender = asking.tenders.open_tender(
        session, rules={"questions": (question("Q-01", QuestionKind.YES_NO), paper, own)}
    )
    joint = applications.filled(session, tender=tender)
    asking.save(joint, {"Q-01": "yes"})
    assert missing(joint) == {"documents.Q-02"}
    applications.attach(joint, "Q-02")
    applications.attach(joint, "Q-03", joint.parts[1], 1)
    assert missing(joint) == set()
    content = joint.dossier.package.content
    assert "Q-02" in {item["code"] for item in content["documents"]}
    assert "Q-03" in {item["code"] for item in content["participants"][1]["documents"]}
    asking.save(joint, {"Q-01": "no"})
    assert "Q-02" not in {item["code"] for item in joint.dossier.package.content["documents"]}
    assert joint.dossier.attached(None, "Q-02")


def test_an_unknown_answer_never_reaches_the_package(session: Session) -> None:
    joint = asking.answered(session)
    asking.save(joint, {**asking.ANSWERS, "Q-01": "<script>", "Q-99": "x", "Q-04.unknown": "yes"})
    content = joint.dossier.package.content["questions"]
    assert content.get("Q-01") is None
    assert set(content["Q-04"]) == {"own"}
    assert "Q-99" not in content
    assert "questions.Q-01" in missing(joint)


def test_a_tender_without_questions_has_a_package_as_before(session: Session) -> None:
    joint = applications.filled(session)
    content = joint.dossier.package.content
    assert "questions" not in content
    assert all("own_questions" not in item for item in content["participants"])
    with pytest.raises(NotFound):
        asking.save(joint, {"Q-01": "no"})


def test_a_change_of_an_answer_is_named_by_its_question() -> None:
    for path in ("questions.Q-04.own", "questions.Q-04"):
        assert "Where does the retraining take place?" in both(label(path, RULES, {}))["en"]


def test_a_correction_can_be_asked_of_an_answer_and_of_its_file() -> None:
    exporting = replace(load_rulebook("export"), questions=load_questions("export"))
    content = {"participants": [{"id": "a", "organisation": {"name_ru": "Демо", "name_en": "Demo"}}]}
    fields = {target.field for target in targets(content, exporting)}
    assert {"questions.Q-07", "documents.Q-08", "participant.a.own_questions.Q-11"} <= fields

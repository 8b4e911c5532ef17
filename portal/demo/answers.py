"""What the projects of the demo answer to the extra questions of the rulebook."""

from __future__ import annotations

from typing import Any, Final

from portal.applications.drafts import questions
from portal.demo.projects import Project
from portal.tenders.ruleset import Giver, RuleSet

_FLOWS: Final = (
    "Поток механической обработки корпусных деталей. Время протекания процесса: 14 дней, станет 8;"
    " незавершённое производство: 120 штук, станет 60."
)
_PLAN_ITEM: Final = "11.{number}"


def with_answers(package: dict[str, Any], project: Project, rules: RuleSet) -> dict[str, Any]:
    """The package with answers to those questions that the rules have; the same one where there are none."""
    if not rules.questions:
        return package
    number = int(project.code[1:])
    package[questions.PROJECT] = _known(rules, Giver.PROJECT, _of_project(number, project))
    for place, part in enumerate(package["participants"]):
        part[questions.EACH] = _known(rules, Giver.EACH, _of_part(number + place, str(package["project"]["start_on"])))
    return package


def _known(rules: RuleSet, giver: Giver, answers: dict[str, Any]) -> dict[str, Any]:
    codes = {item.code for item in rules.questions if item.giver is giver}
    return {code: value for code, value in answers.items() if code in codes}


def _of_project(number: int, project: Project) -> dict[str, Any]:
    places = project.hpj * 3 // 4 if number % 4 else 0
    return {
        "Q-01": ("no", "audit", "programme")[number % 3],
        "Q-02": _FLOWS,
        "Q-03": places,
        "Q-04": {"own": True, "rcc": True} if number % 2 else {"college": True},
        "Q-05": _PLAN_ITEM.format(number=f"{number:02}"),
        "Q-06": number % 3 != 0,
        "Q-07": {"eac": True, "ce": "DE" in project.countries or None},
    }


def _of_part(number: int, day: str) -> dict[str, Any]:
    return {
        "Q-11": number % 2 == 0,
        "Q-12": day,
        "Q-13": str(8 + number % 20),
        "Q-14": f"{number % 5 * 1_500_000}.00",
    }

"""Complete packages for tests: a row of the demonstration with parts replaced."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from functools import lru_cache
from typing import Any

from portal.demo import projects
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import RuleSet

ROWS = {"import_substitution": "P01", "export": "P10"}


@lru_cache
def rules(track: str = "import_substitution") -> RuleSet:
    """The official rule set of a track."""
    return load_rulebook(track)


def package(track: str = "import_substitution", row: str | None = None, **overrides: Any) -> dict[str, Any]:
    """A valid package of ``track`` (or of a row such as "P06").

    An override of an object is merged into it: ``package(project={"npv": None})``; any other replaces it.
    """
    project = projects.PROJECTS[row or ROWS[track]]
    built = deepcopy(projects.package(project, rules(project.track)))
    for name, value in overrides.items():
        built[name] = {**built[name], **value} if isinstance(value, dict) else value
    return built


def marks(value: str = "8", track: str = "import_substitution", **aspects: str) -> dict[str, dict[str, Any]]:
    """One reviewer's marks of every expert criterion, all ``value`` but the aspects given."""
    return {
        criterion.code: {aspect.code: Decimal(aspects.get(aspect.code, value)) for aspect in criterion.aspects}
        for criterion in rules(track).expert_criteria()
    }

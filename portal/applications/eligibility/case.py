"""What a check looks at, what it answers, and the small things the checks share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from portal.applications.drafts.reading import mapping, parts
from portal.applications.figures.facts import Facts
from portal.core.language import N_, Message
from portal.tenders.ruleset import EligibilityRule, RuleSet

LETTER_OF_FIT: Final = "DOC-09"
"""The document that the specialised organisation may sign in the portal instead (``letter_of_fit`` of a package)."""
NOT_YET: Final = N_("Not filled in yet.")


@dataclass(frozen=True, slots=True)
class Case:
    """What a check may look at."""

    package: Mapping[str, Any]
    facts: Facts
    rules: RuleSet
    on: date | None
    rule: EligibilityRule

    @property
    def project(self) -> Mapping[str, Any]:
        return mapping(self.package.get("project"))


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's answer; ``check`` adds the rule to it."""

    holds: bool | None
    reason: Message
    value: Message | None = None
    limit: Message | None = None
    todo: Message | None = None
    field: str = ""
    participants: tuple[str, ...] = ()


def figure_of(figure: Mapping[str, str] | date | str) -> Message:
    """A value or a limit that is nothing but a figure, a date or a range."""
    return N_("%(figure)s", figure=figure)


def unknown(todo: Message, field: str, limit: Message | None = None, who: Iterable[str] = ()) -> Finding:
    return Finding(None, NOT_YET, limit=limit, todo=todo, field=field, participants=tuple(who))


def names_of(case: Case, ids: Iterable[str]) -> dict[str, str]:
    """The names of participants in both languages, for sentences."""
    wanted = set(ids)
    found = [mapping(part.get("organisation")) for part in parts(case.package) if part.get("id") in wanted]
    russian = [str(item.get("name_ru") or item.get("name_en") or "?") for item in found]
    english = [str(item.get("name_en") or item.get("name_ru") or "?") for item in found]
    return {"ru": ", ".join(russian), "en": ", ".join(english)}


def missing_field(project: Mapping[str, Any], names: Iterable[str]) -> str:
    """The path of the first field that is empty, or ""."""
    return next((f"project.{name}" for name in names if project.get(name) in (None, "", [], ())), "")


def date_of(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def answers(case: Case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the participants who answered no, and of those who did not answer."""
    answers = {
        str(part.get("id")): mapping(part.get("declarations")).get(case.rule.code) for part in parts(case.package)
    }
    return (
        tuple(id_ for id_, answer in answers.items() if answer is False),
        tuple(id_ for id_, answer in answers.items() if not isinstance(answer, bool)),
    )


def given(documents: object) -> dict[str, Mapping[str, Any]]:
    """The attached documents by code; of several with one code the last."""
    items = documents if isinstance(documents, (list, tuple)) else ()
    return {str(mapping(item).get("code")): mapping(item) for item in items}

"""The score sheet as what was typed: for each aspect a score, a justification and the places it rests on. Pure.

On a page and on the wire each input is a field of its own: ``CR-10-market-score``, ``CR-10-market-justification``,
``CR-10-market-evidence-1``, and ``notes``, the reviewer's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from portal.applications.drafts.sections import SECTIONS
from portal.applications.drafts.values import tidy
from portal.core.language import Message
from portal.core.money import NumberError
from portal.review.rules import parse_score
from portal.tenders.ruleset import RuleSet

MAX_DRAFT: Final = 20_000
MAX_EVIDENCE: Final = 3
NOTES: Final = "notes"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed for one aspect; ``evidence``: places of the application, see :func:`places`."""

    score: str = ""
    justification: str = ""
    evidence: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As a draft keeps it."""
        kept: dict[str, Any] = {"score": tidy(self.score), "justification": tidy(self.justification)}
        return {**kept, "evidence": list(self.evidence)} if any(self.evidence) else kept

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Typed:
        """The same, back from a draft."""
        return cls(kept.get("score", ""), kept.get("justification", ""), tuple(kept.get("evidence") or ()))


def cited(typed: Typed) -> tuple[str, ...]:
    """The places that were chosen, each once, in the order of the choices."""
    return tuple(dict.fromkeys(place for place in typed.evidence if place))


def inputs(key: str) -> tuple[str, ...]:
    """The names of an aspect's inputs."""
    evidence = (f"{key}-evidence-{number}" for number in range(1, MAX_EVIDENCE + 1))
    return (f"{key}-score", f"{key}-justification", *evidence)


def texts_of(keys: Iterable[str], values: Mapping[str, Typed], notes: str) -> dict[str, str]:
    """The text of every input of the sheet."""
    found: dict[str, str] = {}
    for key in keys:
        typed = values.get(key, Typed())
        evidence = (*typed.evidence, *[""] * MAX_EVIDENCE)[:MAX_EVIDENCE]
        found |= zip(inputs(key), (typed.score, typed.justification, *evidence), strict=True)
    return found | {NOTES: notes}


def typed_of(keys: Iterable[str], texts: Mapping[str, str]) -> dict[str, Typed]:
    """What the texts of the inputs say for each aspect."""
    return {
        key: Typed(score, justification, tuple(evidence))
        for key in keys
        for score, justification, *evidence in [[texts.get(name, "") for name in inputs(key)]]
    }


def reading_error(name: str, text: str) -> Message | None:
    """Why a score that was typed is none; None for one, for an empty one, and for every other input."""
    if not name.endswith("-score") or not text.strip():
        return None
    try:
        parse_score(text)
    except NumberError as error:
        return error.message
    return None


def places(package: Mapping[str, Any], rules: RuleSet) -> tuple[str, ...]:
    """The places of a package that a justification may cite, in the order of the page.

    ``subsidy``: a section of the project; ``part-2-costs``: one of the second participant; ``file-<id>``: a document.
    """
    found = [item.name for item in SECTIONS if not item.each and item.present(rules)]
    found += [f"file-{item.get('file_id')}" for item in package.get("documents") or ()]
    for number, part in enumerate(package.get("participants") or (), start=1):
        found += [part_place(number, item.name) for item in SECTIONS if item.each and item.present(rules)]
        found += [f"file-{item.get('file_id')}" for item in part.get("documents") or ()]
    return tuple(found)


def part_place(number: int, section: str) -> str:
    """The place of a section of a participant, counted from 1."""
    return f"part-{number}-{section}"


def progress(draft: Mapping[str, Any]) -> tuple[int, int]:
    """How many aspects of a draft are scored and justified at all, and how many there are."""
    done = sum(bool(kept.get("score", "").strip() and kept.get("justification", "").strip()) for kept in draft.values())
    return done, len(draft)

"""The official rule sets of both tracks as data: ``common.json`` and what each track adds or replaces.

Sources: Decree 41 of 28.01.2016 and the news on it, usual practice of federal subsidies, and parameters of
the programme; each entry says which. Weights, scales and most limits are programme parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from portal.core.errors import Problem
from portal.core.typed_json import read
from portal.tenders.ruleset import Anchor, Commission, Lane, Question, RuleSet, aspect_key, from_json

TRACKS: Final = ("import_substitution", "export")
_FOLDER: Final = Path(__file__).resolve().parent


def load_rulebook(track: str, years: Sequence[int] | None = None) -> RuleSet:
    """The official rule set of a track; ``years`` replaces the track's own (2018-2020, 2019-2021).

    KeyError for an unknown track; Problems if the data files break an invariant.
    """
    if track not in TRACKS:
        raise KeyError(track)
    return _official(str(track), None if years is None else tuple(years))


@lru_cache(maxsize=64)
def _official(track: str, years: tuple[int, ...] | None) -> RuleSet:
    """Read once: a rule set never changes, and the files are part of the program."""
    data = _merged(_load("common"), _load(track))
    if years is not None:
        data["years"] = list(years)
    return from_json(data)


def load_questions(track: str) -> tuple[Question, ...]:
    """Extra questions that a tender of the track may ask, ready to become part of its rule set.

    They belong to no official rule set: what a tender asks besides is the fund's choice each year.
    """
    items = json.loads((_FOLDER / "questions.json").read_text(encoding="utf-8"))
    mine = [{**item} for item in items if item.pop("track", track) == track]
    ignored: list[Problem] = []
    questions: tuple[Question, ...] = read(tuple[Question, ...], mine, "questions", ignored)
    return questions


def load_lanes() -> tuple[Lane, ...]:
    """The three lanes of the fund's expertise, for the criteria of both official rule sets.

    As at the Industry Development Fund: technical, financial and economic, legal.
    """
    items = json.loads((_FOLDER / "lanes.json").read_text(encoding="utf-8"))
    ignored: list[Problem] = []
    lanes: tuple[Lane, ...] = read(tuple[Lane, ...], items, "lanes", ignored)
    return lanes


def load_commission() -> Commission:
    """How a commission may decide: quorum of two thirds, signatures by amount, letters held for two hours.

    Parameters of the programme; they belong to no official rule set.
    """
    data = json.loads((_FOLDER / "commission.json").read_text(encoding="utf-8"))
    ignored: list[Problem] = []
    found: Commission = read(Commission, data, "commission", ignored)
    return found


def anchored(rules: RuleSet) -> RuleSet:
    """The rules with what the scores of their aspects mean, for the aspects of both official rule sets.

    Words and bands are parameters of the programme, to be changed in the editor of the rules.
    """
    items = json.loads((_FOLDER / "anchors.json").read_text(encoding="utf-8"))
    ignored: list[Problem] = []
    known: dict[str, tuple[Anchor, ...]] = {
        key: read(tuple[Anchor, ...], rows, key, ignored) for key, rows in items.items()
    }
    criteria = tuple(
        replace(
            criterion,
            aspects=tuple(
                replace(aspect, anchors=known.get(aspect_key(criterion, aspect), aspect.anchors))
                for aspect in criterion.aspects
            ),
        )
        for criterion in rules.criteria
    )
    return replace(rules, criteria=criteria)


def _load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return data


def _merged(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``own`` over ``common``; lists of coded entries are joined in the order of their codes."""
    merged = common | own
    for name, entries in own.items():
        if name in common and isinstance(entries, list):
            merged[name] = sorted([*common[name], *entries], key=lambda entry: _code_order(entry["code"]))
    return merged


def _code_order(code: str) -> tuple[str, int]:
    letters, digits = re.fullmatch(r"(\D+)(\d+)", code).groups()  # type: ignore[union-attr]
    return letters, int(digits)

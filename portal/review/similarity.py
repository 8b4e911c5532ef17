"""How alike two projects are, with each reason and its evidence. Pure.

Each reason has a strength between 0 and 1; together they are ``1 - product of (1 - strength)``, so that a second
reason adds to the first without ever passing 1. Weights are the fund's parameters, not measured ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from math import sqrt
from typing import Any, Final

from portal.core.figures import percent, roubles
from portal.core.language import N_, Message
from portal.review.traces import Trace, shingles

THRESHOLD: Final = 0.5
"""Pairs below it are not shown."""
LEAST_TEXT, SAME_TEXT = 0.3, 0.7
"""Closeness below which texts are different (the language itself makes them share as much), and above which they
are the same; measured on texts of which a third of the words was changed: 0.43 to 0.76, against 0.26 at most.
"""
MOST_EVIDENCE: Final = 5
PHRASE: Final = 4
"""Words in a row that stand in both texts and are worth showing."""

_WEIGHTS: Final = {"okpd2": 0.25, "tn_ved": 0.2, "lines": 0.6, "files": 0.5, "text": 0.8}
_GROUPS: Final = {"okpd2": 8, "tn_ved": 6}
"""Characters of a code that make its group: 28.92.61 and 843143."""


class Reason(StrEnum):
    """Why two projects are thought to be alike."""

    INITIATOR = "initiator"
    PARTICIPANTS = "participants"
    BENEFICIARIES = "beneficiaries"
    OKPD2 = "okpd2"
    OKPD2_GROUP = "okpd2_group"
    TN_VED = "tn_ved"
    TN_VED_GROUP = "tn_ved_group"
    LINES = "lines"
    FILES = "files"
    TEXT = "text"


_OF_CONTENT: Final = frozenset({Reason.TEXT, Reason.LINES, Reason.FILES})


@dataclass(frozen=True, slots=True)
class Found:
    """A reason with its strength and what it rests on, ready for JSON."""

    reason: Reason
    strength: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two projects compared; ``score`` from 0 to 1, three decimals."""

    score: Decimal
    found: tuple[Found, ...]

    @property
    def remarkable(self) -> bool:
        """Whether an officer should see it: alike in content, or the same people with the same product."""
        kinds = {item.reason for item in self.found}
        same_product = bool(kinds & {Reason.OKPD2, Reason.TN_VED}) and bool(
            kinds & {Reason.INITIATOR, Reason.PARTICIPANTS}
        )
        return self.score >= Decimal(str(THRESHOLD)) and (same_product or bool(kinds & _OF_CONTENT))

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"reason": item.reason.value, "strength": f"{item.strength:.3f}", "evidence": dict(item.evidence)}
            for item in self.found
        ]


def compare(one: Trace, other: Trace) -> Likeness:
    """Everything that two projects share."""
    found = [*_people(one, other), *_codes(one, other), *_content(one, other)]
    left = 1.0
    for item in found:
        left *= 1 - item.strength
    found.sort(key=lambda item: -item.strength)
    return Likeness(Decimal(f"{1 - left:.3f}"), tuple(found))


def closeness(one: str, other: str) -> float:
    """Cosine of the two texts' sets of shingles (Ochiai's coefficient), 0 to 1."""
    left, right = shingles(one), shingles(other)
    if not left or not right:
        return 0.0
    return len(left & right) / sqrt(len(left) * len(right))


def _people(one: Trace, other: Trace) -> list[Found]:
    others = {firm.inn: firm for firm in other.firms if firm.inn}
    shared = [(firm, others[firm.inn]) for firm in one.firms if firm.inn in others]
    if not shared:
        return []
    found = []
    heads = [a for a, b in shared if a.initiator and b.initiator]
    if heads:
        found.append(Found(Reason.INITIATOR, 0.25, _names(heads)))
    if rest := [a for a, _ in shared if a not in heads]:
        found.append(Found(Reason.PARTICIPANTS, 0.15, _names(rest)))
    if asking := [a for a, b in shared if a.asks and b.asks]:
        found.append(Found(Reason.BENEFICIARIES, 0.15, _names(asking)))
    return found


def _names(firms: list[Any]) -> dict[str, Any]:
    some = firms[:MOST_EVIDENCE]
    return {
        "ru": "; ".join(f"{firm.name_ru} (ИНН {firm.inn})" for firm in some),
        "en": "; ".join(f"{firm.name_en or firm.name_ru} (INN {firm.inn})" for firm in some),
    }


def _codes(one: Trace, other: Trace) -> list[Found]:
    found = []
    for name in ("okpd2", "tn_ved"):
        left, right = getattr(one, name), getattr(other, name)
        group = left[: _GROUPS[name]]
        if not left or not right:
            continue
        if left == right:
            found.append(Found(Reason(name), _WEIGHTS[name], {"code": left}))
        elif len(group) == _GROUPS[name] and right.startswith(group):
            found.append(Found(Reason(f"{name}_group"), _WEIGHTS[name] / 2, {"code": group}))
    return found


def _content(one: Trace, other: Trace) -> list[Found]:
    found = []
    alike = closeness(one.text, other.text)
    if alike > LEAST_TEXT:
        strength = min(1.0, (alike - LEAST_TEXT) / (SAME_TEXT - LEAST_TEXT)) * _WEIGHTS["text"]
        evidence = {"percent": f"{alike * 100:.0f}", "phrases": _phrases(one.text, other.text)}
        found.append(Found(Reason.TEXT, strength, evidence))
    if lines := sorted(one.lines & other.lines):
        strength = min(1.0, len(lines) / 4) * _WEIGHTS["lines"]
        found.append(Found(Reason.LINES, strength, {"count": len(lines), "lines": lines[:MOST_EVIDENCE]}))
    if files := sorted(set(one.files) & set(other.files)):
        strength = min(1.0, len(files) / 2) * _WEIGHTS["files"]
        names = [one.files[key] for key in files[:MOST_EVIDENCE]]
        found.append(Found(Reason.FILES, strength, {"count": len(files), "names": names}))
    return found


def _phrases(one: str, other: str) -> list[str]:
    """The longest runs of words that stand in both texts."""
    left, right = one.split(), other.split()
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    longest = sorted((block for block in blocks if block.size >= PHRASE), key=lambda block: -block.size)
    phrases = dict.fromkeys(" ".join(left[block.a : block.a + block.size])[:200] for block in longest)
    return list(phrases)[:3]


def wording(stored: Mapping[str, Any]) -> Message:
    """A stored reason as a sentence."""
    evidence: Mapping[str, Any] = stored["evidence"]
    reason = Reason(stored["reason"])
    if reason is Reason.TEXT:
        return N_("The texts agree by %(share)s.", share=percent(Decimal(evidence["percent"])))
    if reason is Reason.LINES:
        category, _, amount = str(evidence["lines"][0]).partition(":")
        return N_(
            "%(count)s equal cost lines, for example %(category)s: %(amount)s.",
            count=evidence["count"],
            category=category,
            amount=roubles(Decimal(amount)),
        )
    if reason is Reason.FILES:
        return N_("The same files are attached: %(names)s.", names=", ".join(evidence["names"]))
    if reason in _CODES:
        return Message(_CODES[reason].msgid, {"code": evidence["code"]})
    return Message(_PEOPLE[reason].msgid, {"names": {"ru": evidence["ru"], "en": evidence["en"]}})


_CODES: Final = {
    Reason.OKPD2: N_("The same OKPD 2 code: %(code)s."),
    Reason.OKPD2_GROUP: N_("OKPD 2 codes of one group: %(code)s."),
    Reason.TN_VED: N_("The same TN VED code: %(code)s."),
    Reason.TN_VED_GROUP: N_("TN VED codes of one group: %(code)s."),
}
_PEOPLE: Final = {
    Reason.INITIATOR: N_("The same initiator: %(names)s."),
    Reason.PARTICIPANTS: N_("Organisations that take part in both: %(names)s."),
    Reason.BENEFICIARIES: N_("They ask for a subsidy in both: %(names)s."),
}

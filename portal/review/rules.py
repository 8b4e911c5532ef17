"""Rules of the formal check and of reviews: states, checklist, marks, when another review is due. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from portal.applications.eligibility import RuleOutcome
from portal.applications.eligibility.case import LETTER_OF_FIT
from portal.core.figures import exact, four_places
from portal.core.language import N_, Message
from portal.core.money import NumberError, parse_decimal
from portal.core.states import Transitions
from portal.review.models import AssignmentState
from portal.tenders.ruleset import Criterion, Giver, Lane, Need, RuleSet, Severity, Text, aspect_key

MIN_JUSTIFICATION: Final = 20
MAX_JUSTIFICATION: Final = 4_000
MAX_COMMENT: Final = 4_000
MAX_NOTE: Final = 1_000
HALF: Final = Decimal("0.5")

ACTIVE: Final = frozenset({AssignmentState.ASSIGNED, AssignmentState.OPEN, AssignmentState.SUBMITTED})
"""Assignments that count towards the number of reviewers."""

UNFINISHED: Final = frozenset({AssignmentState.ASSIGNED, AssignmentState.OPEN})

TRANSITIONS: Final = Transitions(
    {
        "reassign": (frozenset({AssignmentState.REVOKED}), AssignmentState.ASSIGNED),
        "declare_none": (frozenset({AssignmentState.ASSIGNED}), AssignmentState.OPEN),
        "declare_conflict": (ACTIVE, AssignmentState.CONFLICT),
        "save": (frozenset({AssignmentState.OPEN}), AssignmentState.OPEN),
        "submit": (frozenset({AssignmentState.OPEN}), AssignmentState.SUBMITTED),
        "return": (frozenset({AssignmentState.SUBMITTED}), AssignmentState.OPEN),
        "revoke": (UNFINISHED, AssignmentState.REVOKED),
    }
)

Marks = Mapping[str, Mapping[str, Decimal]]
"""One review: criterion -> aspect -> 0..10."""


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One line of the checklist. ``key`` is unique in it: ``DOC-12-<participant id>``, ``EL-05``.

    ``found``: what the portal itself can tell (None: it cannot); ``note`` says why.
    ``subject`` is the name of the participant it is about, in both languages.
    """

    key: str
    code: str
    kind: str
    title: Text
    subject: Mapping[str, str] | None = None
    found: bool | None = None
    note: Message | None = None
    files: tuple[Mapping[str, Any], ...] = ()


def checklist(rules: RuleSet, package: Mapping[str, Any], outcomes: Iterable[RuleOutcome]) -> list[CheckItem]:
    """What the officer goes through: required documents, declarations, then the other eligibility rules."""
    declared = {item.code for item in rules.declarations}
    return [
        *_documents(rules, package),
        *(_outcome(item, "declaration" if item.code in declared else "rule") for item in outcomes),
    ]


def _documents(rules: RuleSet, package: Mapping[str, Any]) -> Iterator[CheckItem]:
    for wanted in rules.documents:
        if wanted.need is not Need.REQUIRED:
            continue
        if wanted.giver is Giver.PROJECT:
            item = _document(wanted.code, wanted.code, wanted.title, None, package.get("documents"))
            if wanted.code == LETTER_OF_FIT and package.get("letter_of_fit"):
                item = replace(item, found=True, note=N_("It was signed in the portal."))
            yield item
            continue
        for part in package.get("participants") or ():
            organisation = part.get("organisation") or {}
            name = {"ru": organisation.get("name_ru") or "", "en": organisation.get("name_en") or ""}
            key = f"{wanted.code}-{part.get('id')}"
            yield _document(key, wanted.code, wanted.title, name, part.get("documents"))


def _document(
    key: str, code: str, title: Text, subject: Mapping[str, str] | None, given: Sequence[Any] | None
) -> CheckItem:
    files = tuple(item for item in given or () if item.get("code") == code)
    note = None if files else N_("No file was given.")
    return CheckItem(key, code, "document", title, subject, None if files else False, note, files)


def _outcome(item: RuleOutcome, kind: str) -> CheckItem:
    """A warning that does not hold is left to the officer: it does not refuse an application."""
    found = None if item.severity is Severity.WARNS and item.holds is False else item.holds
    return CheckItem(item.code, item.code, kind, item.title, None, found, item.reason)


def parse_score(text: str) -> Decimal:
    """A mark of 0 to 10 in whole or half points. Raises :class:`NumberError`."""
    value = parse_decimal(text, places=2, maximum=Decimal(10))
    if value % HALF:
        raise NumberError("not_half", N_("Use whole or half points, for example 7 or 7.5."))
    return value


def review_value(marks: Marks, criterion: Criterion, lane: Lane | None = None) -> Decimal | None:
    """A reviewer's value of a criterion: the mean of its aspects, or of those of a lane; None while one is missing."""
    aspects = criterion.aspects if lane is None else lane.of(criterion)
    with exact():
        return next(iter(means_of(criterion.code, [marks], [aspect.code for aspect in aspects])), None)


def means_of(criterion: str, reviews: Iterable[Marks], aspects: Sequence[str]) -> list[Decimal]:
    """The complete reviewers' means of some aspects of a criterion, to four decimals, in ascending order.

    To be called inside :func:`portal.core.figures.exact`.
    """
    found = []
    for marks in reviews:
        given = marks.get(criterion, {})
        values = [given[aspect] for aspect in aspects if aspect in given]
        if values and len(values) == len(aspects):
            found.append(four_places(sum(values, Decimal(0)) / len(values)))
    return sorted(found)


def values_of(criterion: Criterion, reviews: Iterable[Marks], lane: Lane | None = None) -> list[Decimal]:
    """The complete reviewers' values in ascending order, so that the order of the reviews does not matter."""
    values = (review_value(marks, criterion, lane) for marks in reviews)
    return sorted(value for value in values if value is not None)


def difference(values: Sequence[Decimal]) -> Decimal:
    """The largest difference between the reviewers' values of a criterion; zero for fewer than two."""
    return max(values) - min(values) if values else Decimal(0)


@dataclass(frozen=True, slots=True)
class Panel:
    """What the reviewers of one lane think of a criterion.

    ``aspects``: how many of the criterion's aspects the lane scores; ``values``: the reviewers', ascending.
    """

    lane: Lane
    aspects: int
    values: tuple[Decimal, ...]

    @property
    def missing(self) -> bool:
        """Whether reviews that were asked for are not in yet."""
        return len(self.values) < self.lane.reviewers

    def apart(self, rules: RuleSet) -> bool:
        """Whether the reviews asked for are in, but differ by more than the limit."""
        return len(self.values) == self.lane.reviewers and difference(self.values) > rules.spread_limit


def panels(criterion: Criterion, reviews: Sequence[Marks], rules: RuleSet) -> list[Panel]:
    """The lanes that score a criterion, each with its reviewers' values."""
    return [
        Panel(lane, len(aspects), tuple(values_of(criterion, reviews, lane)))
        for lane in rules.expertise
        if (aspects := lane.of(criterion))
    ]


def part_key(criterion: Criterion, lane: Lane) -> str:
    """How the aspects of a criterion that one lane scores are called together: ``CR-10/technical``."""
    return f"{criterion.code}/{lane.code}"


def of_lane(reviews: Iterable[Marks], lane: Lane, rules: RuleSet) -> list[Marks]:
    """The reviews that were written in a lane: an aspect belongs to one lane only."""
    keys = [
        (criterion.code, aspect.code)
        for criterion in rules.expert_criteria()
        for aspect in criterion.aspects
        if aspect_key(criterion, aspect) in lane.aspects
    ]
    return [marks for marks in reviews if any(aspect in marks.get(code, ()) for code, aspect in keys)]


def spread(reviews: Iterable[Marks], rules: RuleSet, lane: Lane | None = None) -> Decimal:
    """The largest difference between two reviewers' values of the same criterion in the same lane, or in ``lane``."""
    given = list(reviews)
    lanes = rules.expertise if lane is None else (lane,)
    return max(
        (difference(values_of(item, given, each)) for item in rules.expert_criteria() for each in lanes),
        default=Decimal(0),
    )


def needed_reviews(reviews: Sequence[Marks], rules: RuleSet, lane: Lane) -> int:
    """How many reviews a lane of the application needs: one more where the first ones differ by more than the limit.

    ``reviews``: the application's, of all lanes.
    """
    wanted, given = lane.reviewers, of_lane(reviews, lane, rules)
    if len(given) < wanted:
        return wanted
    return wanted + 1 if len(given) > wanted or spread(given, rules, lane) > rules.spread_limit else wanted


def needs_another_review(reviews: Sequence[Marks], rules: RuleSet, lane: Lane | None = None) -> bool:
    """Whether the reviews asked for are in but differ by more than the limit, and no further one is in.

    Asked of every lane, or of one.
    """
    return any(
        panel.apart(rules)
        for criterion in rules.expert_criteria()
        for panel in panels(criterion, reviews, rules)
        if lane is None or panel.lane.code == lane.code
    )

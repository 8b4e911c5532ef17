"""The rules of one track as frozen data: what an officer edits, a tender freezes, and every check reads.

Sums are roubles, shares are percent (50 means 50 %), time limits are working days unless the name tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from portal.core.language import N_, Message
from portal.tenders.ruleset.allocation import OFFER_DAYS, SMALLEST_PART, AllocationLimit, Allotment
from portal.tenders.ruleset.commission import Commission
from portal.tenders.ruleset.questions import Question, QuestionKind
from portal.tenders.ruleset.scales import Scale
from portal.tenders.ruleset.texts import Giver, Text


class Severity(StrEnum):
    """What a failed eligibility rule means: B refuses the application, W warns the checker."""

    BLOCKS = "B"
    WARNS = "W"


class Source(StrEnum):
    """Where a rule comes from, shown beside it."""

    VERIFIED = "verified"
    KNOWN = "known"
    PROPOSED = "proposed"

    @property
    def wording(self) -> Message:
        return _SOURCES[self]


_SOURCES = {
    Source.VERIFIED: N_("Published rules and news of the real programme"),
    Source.KNOWN: N_("Usual practice of federal subsidies"),
    Source.PROPOSED: N_("Programme parameter"),
}


class Need(StrEnum):
    """Whether a document has to be uploaded. ``portal``: the portal makes it from the application itself."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    PORTAL = "portal"


class Direction(StrEnum):
    """Whether a KPI is better when it grows or when it falls."""

    UP = "up"
    DOWN = "down"


class Sight(StrEnum):
    """Which participants see another participant's costs, financing and papers."""

    ALL_PARTICIPANTS = "all_participants"
    INITIATOR = "initiator"
    OWN = "own"


class TieRule(StrEnum):
    """What decides between equal totals, in the order of the rule set."""

    SUBSIDY_PER_HPJ = "subsidy_per_hpj"
    REGISTERED_AT = "registered_at"
    DRAW = "draw"
    NUMBER = "number"


class ExpertMean(StrEnum):
    """What counts of several reviews: their plain mean, or the mean with the reviewers' severity taken out."""

    RAW = "raw"
    CALIBRATED = "calibrated"


class Blindness(StrEnum):
    """Whether the reviewers know who applies. Applicants never learn who reviews them."""

    OPEN = "open"
    APPLICANTS_HIDDEN = "applicants_hidden"


class Tie(StrEnum):
    """A kind of tie between a reviewer and an application about which a rule set may decide otherwise."""

    FORMER = "former"
    MINORITY = "minority"
    CONTRACT = "contract"
    OTHER = "other"
    SUPPLY = "supply"
    PARTNERS = "partners"
    CLUSTER = "cluster"
    COMPETITOR = "competitor"


class TieEffect(StrEnum):
    """``bars``: like employment; ``decided``: an officer decides each; ``none``: no conflict of interest."""

    BARS = "bars"
    DECIDED = "decided"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TieRuling:
    """What a kind of tie means on this track, where it is not what the programme usually holds."""

    tie: Tie
    effect: TieEffect


@dataclass(frozen=True, slots=True)
class EligibilityRule:
    """``check`` is a name of :data:`portal.tenders.checks.CHECKS`, ``params`` what that check needs."""

    code: str
    check: str
    severity: Severity
    title: Text
    source: Source
    params: dict[str, str]

    def number(self, name: str) -> Decimal:
        return Decimal(self.params[name])


@dataclass(frozen=True, slots=True)
class CostCategory:
    """A line of the estimate. ``cap``: at most this percentage of the project's reimbursable costs counts.

    ``eligible`` false: the line belongs to the project's costs, but nothing of it is reimbursed.
    """

    code: str
    title: Text
    source: Source
    cap: Decimal | None = None
    eligible: bool = True


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Costs that are never reimbursed."""

    code: str
    title: Text
    source: Source


@dataclass(frozen=True, slots=True)
class Component:
    """A metric, the scale that turns it into points, and its share of the criterion (shares sum to 1)."""

    metric: str
    scale: Scale
    share: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the scores from ``least`` to ``most`` mean; a half point belongs to the anchor below it."""

    least: int
    most: int
    text: Text

    @property
    def span(self) -> str:
        """The scores in figures: ``3–5``, or ``10``."""
        return str(self.least) if self.least == self.most else f"{self.least}–{self.most}"


@dataclass(frozen=True, slots=True)
class Aspect:
    """What a reviewer scores from 0 to 10 within an expert criterion; ``anchors`` say what its scores mean."""

    code: str
    title: Text
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True)
class Criterion:
    """Objective when it has ``components``, for reviewers when it has ``aspects``; never both."""

    code: str
    title: Text
    weight: Decimal
    source: Source
    components: tuple[Component, ...] = ()
    aspects: tuple[Aspect, ...] = ()

    @property
    def expert(self) -> bool:
        return bool(self.aspects)


GENERAL: Final = "general"
"""The code of the one lane that rules without lanes have."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A kind of expertise with reviewers of its own: each of them scores exactly its aspects.

    ``aspects`` are keys of :func:`aspect_key`, ``reviewers`` how many each application needs.
    """

    code: str
    title: Text
    aspects: tuple[str, ...]
    reviewers: int

    def of(self, criterion: Criterion) -> tuple[Aspect, ...]:
        """The aspects of a criterion that this lane scores."""
        return tuple(item for item in criterion.aspects if aspect_key(criterion, item) in self.aspects)


def aspect_key(criterion: Criterion, aspect: Aspect) -> str:
    """How an aspect is called outside its criterion: ``CR-10-technology``."""
    return f"{criterion.code}-{aspect.code}"


@dataclass(frozen=True, slots=True)
class DocumentRequirement:
    """A document of the application. ``max_age_days``: calendar days between its date and the submission."""

    code: str
    title: Text
    need: Need
    giver: Giver
    formats: tuple[str, ...]
    source: Source
    max_age_days: int | None = None


@dataclass(frozen=True, slots=True)
class Kpi:
    """A target indicator by half-years; ``required`` ones must be filled in for every period."""

    code: str
    title: Text
    unit: Text
    direction: Direction
    cumulative: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Declaration:
    """A statement that each participant answers with yes or no; ``code`` is that of the eligibility rule."""

    code: str
    statement: Text


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """A reason an officer may give when refusing an application."""

    code: str
    title: Text


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything that decides on a track, from eligibility to the order of equal totals."""

    version: str
    track: str
    title: Text
    years: tuple[int, ...]
    costs_from: date
    min_participants: int
    cap_share: Decimal
    project_cap: Decimal | None
    own_share_of_subsidy: Decimal
    threshold: Decimal
    spread_limit: Decimal
    reviewers_per_application: int
    notice_days: int
    intake_calendar_days: int
    formal_check_days: int
    correction_days: int
    refusal_notice_days: int
    review_days: int
    commission_days: int
    minutes_days: int
    order_days: int
    publication_days: int
    agreement_days: int
    eligibility: tuple[EligibilityRule, ...]
    categories: tuple[CostCategory, ...]
    exclusions: tuple[Exclusion, ...]
    criteria: tuple[Criterion, ...]
    documents: tuple[DocumentRequirement, ...]
    kpis: tuple[Kpi, ...]
    declarations: tuple[Declaration, ...]
    tie_rules: tuple[TieRule, ...]
    refusal_reasons: tuple[RefusalReason, ...]
    questions: tuple[Question, ...] = ()
    confidential_parts: Sight = Sight.ALL_PARTICIPANTS
    lanes: tuple[Lane, ...] = ()
    expert_mean: ExpertMean = ExpertMean.RAW
    blindness: Blindness = Blindness.OPEN
    commission: Commission | None = None
    conflict_ties: tuple[TieRuling, ...] = ()
    allotment: Allotment = Allotment.STRICT
    limits: tuple[AllocationLimit, ...] = ()
    smallest_part: Decimal = SMALLEST_PART
    offer_days: int = OFFER_DAYS

    @property
    def hides_applicants(self) -> bool:
        """Whether reviewers read a redacted view (:mod:`portal.review.redaction`)."""
        return self.blindness is Blindness.APPLICANTS_HIDDEN

    @property
    def cost_years(self) -> tuple[int, ...]:
        """The years of costs and financing: from the first allowed year to the track's last."""
        return tuple(range(self.costs_from.year, self.years[-1] + 1))

    @property
    def kpi_periods(self) -> tuple[str, ...]:
        """The half-years of the KPI table, "2018H2" first: intake ends in the first year's second half."""
        halves = [f"{year}H{half}" for year in self.years for half in (1, 2)]
        return tuple(halves[1:])

    def criterion(self, code: str) -> Criterion:
        return next(item for item in self.criteria if item.code == code)

    def category(self, code: str) -> CostCategory | None:
        return next((item for item in self.categories if item.code == code), None)

    @property
    def papers(self) -> tuple[DocumentRequirement, ...]:
        """The documents, and the files that extra questions ask for."""
        asked = (_paper(item) for item in self.questions if item.kind is QuestionKind.FILE)
        return (*self.documents, *asked)

    def document(self, code: str) -> DocumentRequirement | None:
        """A document, or the file that answers a question, by its code."""
        return next((item for item in self.papers if item.code == code), None)

    def question(self, code: str) -> Question | None:
        return next((item for item in self.questions if item.code == code), None)

    def expert_criteria(self) -> Iterator[Criterion]:
        return (item for item in self.criteria if item.expert)

    @property
    def expertise(self) -> tuple[Lane, ...]:
        """The lanes; rules that name none have one, in which every reviewer scores everything."""
        if self.lanes:
            return self.lanes
        keys = tuple(aspect_key(item, aspect) for item in self.expert_criteria() for aspect in item.aspects)
        return (Lane(GENERAL, _EXPERTISE, keys, self.reviewers_per_application),)

    def lane(self, code: str) -> Lane | None:
        return next((item for item in self.expertise if item.code == code), None)


_EXPERTISE: Final = Text("Экспертиза", "Expertise")


def _paper(question: Question) -> DocumentRequirement:
    """The file of a question as a document; one under a condition is not needed from everybody."""
    need = Need.REQUIRED if question.required and question.condition is None else Need.OPTIONAL
    return DocumentRequirement(question.code, question.title, need, question.giver, question.formats, Source.PROPOSED)

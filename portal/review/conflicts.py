"""What conflicts of interest are made of: people, organisations, clusters, applications, and what ties them. Pure.

A path leads from a person over a *bond* (person to organisation), at most one *relation* (organisation to
organisation; two where both are ownership), to an *end* (organisation or cluster to application). An organisation is
its INN: branches have the same INN with another KPP. Each kind of edge has a strength, and a path is as strong as its
weakest edge; what is too far away is no path. A rule set may give some edges another strength. Decision 14 says why
each is what it is. :mod:`portal.review.conflict_paths` finds the paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from portal.core.canonical import digest as digest_of
from portal.core.canonical import plain_decimal
from portal.core.figures import number
from portal.core.language import N_, Message
from portal.review.conflict_models import Ruling, Strength
from portal.tenders.ruleset import Tie, TieEffect

MOST_PATHS: Final = 3


class Kind(StrEnum):
    """Kinds of edges: bonds, relations, ends."""

    DECLARED = "declared"
    MEMBERSHIP = "membership"
    EMPLOYMENT = "employment"
    OWNERSHIP = "ownership"
    FAMILY = "family"
    CONTRACT = "contract"
    MINORITY = "minority"
    FORMER = "former"
    LONG_FORMER = "long_former"
    OTHER = "other"
    SAME_ENTITY = "same_entity"
    OWNS = "owns"
    OWNED_BY = "owned_by"
    SUPPLIES = "supplies"
    BUYS = "buys"
    PARTNERS = "partners"
    CLUSTER_MEMBER = "cluster_member"
    INITIATOR = "initiator"
    PARTICIPANT = "participant"
    SPECIALISED = "specialised"
    CLUSTER = "cluster"
    COMPETITOR = "competitor"


HARD, SOFT = Strength.HARD, Strength.SOFT


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strong each kind of edge is, and how far it is looked.

    ``bonds``: strength straight to a participant, and beyond one relation (None: not looked at). ``minority``: an
    owner's share in per cent below which it is a minority share; ``control``: share of an organisation in another from
    which both are one family (Law 135-FZ and the Competition Law of 1991 speak of 20 per cent). ``former`` and
    ``long_former``: days since the last day of employment. ``flow_years``: how many years back a supply counts.
    """

    bonds: Mapping[Kind, tuple[Strength, Strength | None]] = field(
        default_factory=lambda: {
            Kind.MEMBERSHIP: (HARD, HARD),
            Kind.EMPLOYMENT: (HARD, HARD),
            Kind.OWNERSHIP: (HARD, HARD),
            Kind.FAMILY: (HARD, SOFT),
            Kind.CONTRACT: (HARD, SOFT),
            Kind.FORMER: (HARD, SOFT),
            Kind.MINORITY: (SOFT, None),
            Kind.LONG_FORMER: (SOFT, None),
            Kind.OTHER: (SOFT, None),
        }
    )
    relations: Mapping[Kind, Strength] = field(
        default_factory=lambda: {
            Kind.OWNS: HARD,
            Kind.OWNED_BY: HARD,
            Kind.SUPPLIES: HARD,
            Kind.BUYS: HARD,
            Kind.PARTNERS: SOFT,
        }
    )
    ends: Mapping[Kind, Strength] = field(
        default_factory=lambda: {
            Kind.INITIATOR: HARD,
            Kind.PARTICIPANT: HARD,
            Kind.SPECIALISED: HARD,
            Kind.CLUSTER: SOFT,
            Kind.COMPETITOR: SOFT,
        }
    )
    minority: Decimal = Decimal(5)
    control: Decimal = Decimal(20)
    former: int = 730
    long_former: int = 1826
    flow_years: int = 3
    partner_years: int = 5


STRENGTHS: Final = Strengths()


@dataclass(frozen=True, slots=True)
class Firm:
    """An organisation: one by its INN; the KPP only tells a branch from its head."""

    inn: str
    ru: str
    en: str
    kpp: str | None = None

    @property
    def name(self) -> dict[str, str]:
        return {"ru": self.ru, "en": self.en or self.ru}


@dataclass(frozen=True, slots=True)
class Bond:
    """A person's tie to an organisation; ``share`` in per cent as text, ``until`` the last day."""

    person: UUID
    firm: Firm
    kind: Kind
    share: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """An application: its participants (the initiator first), its cluster and the cluster's organisation.

    ``effects``: the kinds of edges that its rule set gives another strength, None for no conflict at all.
    """

    id: UUID
    number: str
    track_id: UUID
    participants: tuple[Firm, ...]
    cluster_id: UUID
    cluster: Mapping[str, str]
    specialised: Firm | None = None
    effects: Mapping[Kind, Strength | None] = field(default_factory=dict)


TIES: Final[Mapping[Tie, tuple[Kind, ...]]] = {
    Tie.FORMER: (Kind.FORMER, Kind.LONG_FORMER),
    Tie.MINORITY: (Kind.MINORITY,),
    Tie.CONTRACT: (Kind.CONTRACT,),
    Tie.OTHER: (Kind.OTHER,),
    Tie.SUPPLY: (Kind.SUPPLIES, Kind.BUYS),
    Tie.PARTNERS: (Kind.PARTNERS,),
    Tie.CLUSTER: (Kind.CLUSTER,),
    Tie.COMPETITOR: (Kind.COMPETITOR,),
}
"""The edges that a rule set may give another strength; nobody's own firm, family or share ever becomes harmless."""
_EFFECTS: Final[Mapping[TieEffect, Strength | None]] = {
    TieEffect.BARS: HARD,
    TieEffect.DECIDED: SOFT,
    TieEffect.NONE: None,
}


def effects_of(rulings: Iterable[Mapping[str, str]]) -> dict[Kind, Strength | None]:
    """The effects of a rule set's rulings as its JSON has them: ``[{"tie": ..., "effect": ...}]``."""
    return {kind: _EFFECTS[TieEffect(each["effect"])] for each in rulings for kind in TIES[Tie(each["tie"])]}


@dataclass(frozen=True, slots=True)
class Graph:
    """All that is known. ``flows``: (supplier, buyer, latest year); ``owners``: (owner, owned, per cent);
    ``partners``: (number, the organisations of an earlier project); ``clusters``: INN -> clusters it is a member of;
    ``declared``: pairs of person and application for which the person said so."""

    people: Mapping[UUID, str]
    bonds: Sequence[Bond]
    projects: Sequence[Project]
    flows: Sequence[tuple[Firm, Firm, int]] = ()
    owners: Sequence[tuple[Firm, Firm, Decimal]] = ()
    partners: Sequence[tuple[str, tuple[Firm, ...]]] = ()
    clusters: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    declared: frozenset[tuple[UUID, UUID]] = frozenset()


@dataclass(frozen=True)
class Edge:
    """One step of a path. ``left`` and ``right`` are names in both languages, ``detail`` what the words need."""

    kind: Kind
    left: Mapping[str, str]
    right: Mapping[str, str]
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"kind": str(self.kind), "left": dict(self.left), "right": dict(self.right), "detail": self.detail}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Edge:
        return cls(Kind(content["kind"]), content["left"], content["right"], content.get("detail", ""))

    @cached_property
    def rank(self) -> tuple[Any, ...]:
        """By which edges are put in order: the kind, then the names. Edges are shared by paths, so it is kept."""
        return (_ORDER[self.kind], self.left["ru"], self.right["ru"], self.detail)

    @property
    def words(self) -> Message:
        """The step as a sentence."""
        detail = number(Decimal(self.detail)) if self.kind in _SHARES and self.detail else self.detail
        return Message(_WORDS[self.kind].msgid, {"left": self.left, "right": self.right, "detail": detail})


Path = tuple[Edge, ...]

_SHARES: Final = frozenset({Kind.OWNERSHIP, Kind.MINORITY, Kind.OWNS, Kind.OWNED_BY})
"""Edges whose detail is a share in per cent."""

_WORDS: Final[Mapping[Kind, Message]] = {
    Kind.DECLARED: N_("%(left)s has declared a conflict of interest with application %(right)s"),
    Kind.MEMBERSHIP: N_("%(left)s acts for %(right)s in the portal"),
    Kind.EMPLOYMENT: N_("%(left)s works for %(right)s"),
    Kind.OWNERSHIP: N_("%(left)s owns %(detail)s per cent of %(right)s"),
    Kind.MINORITY: N_("%(left)s owns %(detail)s per cent of %(right)s"),
    Kind.FAMILY: N_("%(left)s has a close relative in %(right)s"),
    Kind.CONTRACT: N_("%(left)s has a contract with %(right)s"),
    Kind.FORMER: N_("%(left)s worked for %(right)s until %(detail)s"),
    Kind.LONG_FORMER: N_("%(left)s worked for %(right)s until %(detail)s"),
    Kind.OTHER: N_("%(left)s has declared another tie to %(right)s"),
    Kind.SAME_ENTITY: N_("%(left)s and %(right)s are one legal entity (INN %(detail)s)"),
    Kind.OWNS: N_("%(left)s owns %(detail)s per cent of %(right)s"),
    Kind.OWNED_BY: N_("%(left)s belongs to %(right)s with %(detail)s per cent"),
    Kind.SUPPLIES: N_("%(left)s supplies %(right)s (functional map, %(detail)s)"),
    Kind.BUYS: N_("%(left)s buys from %(right)s (functional map, %(detail)s)"),
    Kind.PARTNERS: N_("%(left)s and %(right)s are partners in project %(detail)s"),
    Kind.CLUSTER_MEMBER: N_("%(left)s is a member of %(right)s"),
    Kind.INITIATOR: N_("%(left)s is the initiator of %(right)s"),
    Kind.PARTICIPANT: N_("%(left)s is a participant of %(right)s"),
    Kind.SPECIALISED: N_("%(left)s is the specialised organisation of the cluster of %(right)s"),
    Kind.CLUSTER: N_("%(left)s is the cluster of %(right)s"),
    Kind.COMPETITOR: N_("%(left)s takes part in %(detail)s, which competes with %(right)s for the same money"),
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a person should not have to do with an application. ``paths``: the strongest first, at most three.

    ``ruling``: what an officer decided about a soft one.
    """

    person: UUID
    application: UUID
    strength: Strength
    paths: tuple[Path, ...]
    ruling: Ruling | None = None

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def words(self) -> list[Message]:
        """The strongest path in sentences."""
        return [edge.words for edge in self.path]

    @property
    def bars(self) -> bool:
        """Whether the person may not be asked at all: hard, or soft and upheld."""
        return self.strength is HARD or self.ruling is Ruling.UPHELD

    @property
    def open(self) -> bool:
        """Whether an officer still has to decide."""
        return not self.bars and self.ruling is None

    def as_json(self) -> list[Any]:
        return [[edge.as_json() for edge in path] for path in self.paths]

    @property
    def digest(self) -> str:
        return digest_of({"strength": str(self.strength), "paths": self.as_json()})


def bond_of(
    person: UUID,
    firm: Firm,
    kind: str,
    on: date,
    *,
    share: Decimal | None = None,
    until: date | None = None,
    strengths: Strengths = STRENGTHS,
) -> Bond | None:
    """What a declared tie is on a day: present, former, a minority share; None when it is over or too long ago."""
    ended = until is not None and until < on
    if kind == Kind.EMPLOYMENT and ended:
        assert until is not None
        days = (on - until).days
        if days > strengths.long_former:
            return None
        return Bond(person, firm, Kind.FORMER if days <= strengths.former else Kind.LONG_FORMER, until=until)
    if ended:
        return None
    if kind == Kind.OWNERSHIP:
        held = share or Decimal(0)
        return Bond(
            person, firm, Kind.OWNERSHIP if held >= strengths.minority else Kind.MINORITY, share=plain_decimal(held)
        )
    return Bond(person, firm, Kind(kind))


def min_of(*strengths: Strength) -> Strength:
    """A path is as strong as its weakest edge."""
    return SOFT if SOFT in strengths else HARD


_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}

"""Conflicts of interest from the graph of people, organisations, clusters and applications. Pure.

A path leads from a person over a *bond* (person to organisation), at most one *relation* (organisation to
organisation; two where both are ownership), to an *end* (organisation or cluster to application). An organisation is
its INN: branches have the same INN with another KPP. Each kind of edge has a strength, and a path is as strong as its
weakest edge; what is too far away is no path. A rule set may give some edges another strength. Decision 14 says why
each is what it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from portal.core.canonical import digest as digest_of
from portal.core.canonical import plain_decimal
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
        return Message(_WORDS[self.kind].msgid, {"left": self.left, "right": self.right, "detail": self.detail})


Path = tuple[Edge, ...]

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


_Way = tuple[Path, Firm, Strength]
_Found = tuple[Project, Strength, Path]


def conflicts(graph: Graph, strengths: Strengths = STRENGTHS) -> dict[tuple[UUID, UUID], Conflict]:
    """All conflicts of the graph's people with its projects: (person, application) -> conflict."""
    net = _Net(graph, strengths)
    found: dict[tuple[UUID, UUID], list[tuple[Strength, Path]]] = defaultdict(list)
    numbers = {project.id: project for project in graph.projects}
    for person, application in graph.declared:
        if application in numbers and person in graph.people:
            edge = Edge(Kind.DECLARED, _person(graph, person), _number(numbers[application]))
            found[person, application].append((HARD, (edge,)))
    for bond in graph.bonds:
        for project, usual, path in net.of(bond):
            strength = net.judged(path, project.effects) if project.effects else usual
            if strength is not None:
                found[bond.person, project.id].append((strength, path))
    return {pair: _best(pair, ways) for pair, ways in found.items()}


class _Net:
    """The graph by what stands at each end of a step."""

    def __init__(self, graph: Graph, strengths: Strengths) -> None:
        self.graph, self.strengths = graph, strengths
        self.edges: dict[tuple[Any, ...], Edge] = {}
        self.relations: dict[str, list[_Way]] = defaultdict(list)
        self.ends: dict[str, list[tuple[Kind, Firm, Project]]] = defaultdict(list)
        self.clusters: dict[UUID, list[Project]] = defaultdict(list)
        self.tracks: dict[UUID, list[Project]] = defaultdict(list)
        self._relate_owners()
        self._relate_flows()
        self._relate_partners()
        for project in graph.projects:
            self._end(project)

    def of(self, bond: Bond) -> Iterator[_Found]:
        """Every path that begins with a bond."""
        direct, beyond = self.strengths.bonds[bond.kind]
        first = Edge(bond.kind, _person(self.graph, bond.person), bond.firm.name, _detail(bond))
        yield from self._arrive((first,), bond.firm, direct)
        yield from self._through_cluster(first, bond.firm, direct)
        if beyond is None:
            return
        for path, firm, step in self.relations.get(bond.firm.inn, ()):
            yield from self._arrive((first, *path), firm, min_of(beyond, step))
        yield from self._competing(first, bond.firm, direct)

    def judged(self, path: Path, effects: Mapping[Kind, Strength | None]) -> Strength | None:
        """How strong a path is where some edges have other effects; None where one of them means no conflict."""
        weights = []
        beyond = any(edge.kind in self.strengths.relations for edge in path[1:])
        for place, edge in enumerate(path):
            usual: Strength | None
            if place:
                usual = self.strengths.relations.get(edge.kind) or self.strengths.ends.get(edge.kind, HARD)
            else:
                usual = self.strengths.bonds[edge.kind][1 if beyond else 0]
            weight = effects.get(edge.kind, usual)
            if weight is None:
                return None
            weights.append(weight)
        return min_of(*weights)

    def _edge(self, kind: Kind, left: Mapping[str, str], project: Project, detail: str = "") -> Edge:
        """The last step to a project, made once for all that end with it."""
        key = (kind, left["ru"], project.id, detail)
        if key not in self.edges:
            self.edges[key] = Edge(kind, left, _number(project), detail)
        return self.edges[key]

    def _arrive(self, path: Path, firm: Firm, strength: Strength) -> Iterator[_Found]:
        for kind, end, project in self.ends.get(firm.inn, ()):
            if path[-1].kind is Kind.PARTNERS and path[-1].detail == project.number:
                continue
            tail = (*_branch(firm, end), self._edge(kind, end.name, project))
            yield project, min_of(strength, self.strengths.ends[kind]), (*path, *tail)

    def _through_cluster(self, first: Edge, firm: Firm, strength: Strength) -> Iterator[_Found]:
        for cluster_id in self.graph.clusters.get(firm.inn, ()):
            projects = self.clusters.get(cluster_id, [])
            member = Edge(Kind.CLUSTER_MEMBER, firm.name, projects[0].cluster) if projects else first
            for project in projects:
                end = self._edge(Kind.CLUSTER, project.cluster, project)
                yield project, min_of(strength, self.strengths.ends[Kind.CLUSTER]), (first, member, end)

    def _competing(self, first: Edge, firm: Firm, strength: Strength) -> Iterator[_Found]:
        """One project of the organisation in each track stands for all of them: the one with the least number."""
        theirs = [own for kind, _end, own in self.ends.get(firm.inn, ()) if kind is not Kind.SPECIALISED]
        least: dict[UUID, Project] = {}
        for own in sorted(theirs, key=lambda each: each.number, reverse=True):
            least[own.track_id] = own
        taking_part = {own.id for own in theirs}
        for own in least.values():
            for project in self.tracks[own.track_id]:
                if project.id not in taking_part:
                    rival = self._edge(Kind.COMPETITOR, firm.name, project, own.number)
                    yield project, min_of(strength, self.strengths.ends[Kind.COMPETITOR]), (first, rival)

    def _relate_owners(self) -> None:
        steps: dict[str, list[tuple[Edge, Firm, Strength]]] = defaultdict(list)
        for owner, owned, share in self.graph.owners:
            if share < self.strengths.control:
                continue
            down = Edge(Kind.OWNS, owner.name, owned.name, plain_decimal(share))
            up = Edge(Kind.OWNED_BY, owned.name, owner.name, plain_decimal(share))
            steps[owner.inn].append((down, owned, self.strengths.relations[Kind.OWNS]))
            steps[owned.inn].append((up, owner, self.strengths.relations[Kind.OWNED_BY]))
        for inn, nearest in steps.items():
            for edge, middle, strength in nearest:
                self.relations[inn].append(((edge,), middle, strength))
                for further, far, weight in steps[middle.inn]:
                    if far.inn != inn:
                        self.relations[inn].append(((edge, further), far, min_of(strength, weight)))

    def _relate_flows(self) -> None:
        for supplier, buyer, year in self.graph.flows:
            if supplier.inn != buyer.inn:
                self._relate(Kind.SUPPLIES, supplier, buyer, str(year))
                self._relate(Kind.BUYS, buyer, supplier, str(year))

    def _relate_partners(self) -> None:
        for number, firms in self.graph.partners:
            for left in firms:
                for right in firms:
                    if left.inn != right.inn:
                        self._relate(Kind.PARTNERS, left, right, number)

    def _relate(self, kind: Kind, left: Firm, right: Firm, detail: str) -> None:
        edge = Edge(kind, left.name, right.name, detail)
        self.relations[left.inn].append(((edge,), right, self.strengths.relations[kind]))

    def _end(self, project: Project) -> None:
        for place, firm in enumerate(project.participants):
            self.ends[firm.inn].append((Kind.PARTICIPANT if place else Kind.INITIATOR, firm, project))
        if project.specialised is not None:
            self.ends[project.specialised.inn].append((Kind.SPECIALISED, project.specialised, project))
        self.clusters[project.cluster_id].append(project)
        self.tracks[project.track_id].append(project)


def _rank(way: tuple[Strength, Path]) -> tuple[Any, ...]:
    strength, path = way
    return (strength is not HARD, len(path), tuple(edge.rank for edge in path))


_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}


def min_of(*strengths: Strength) -> Strength:
    """A path is as strong as its weakest edge."""
    return SOFT if SOFT in strengths else HARD


def _best(pair: tuple[UUID, UUID], ways: Sequence[tuple[Strength, Path]]) -> Conflict:
    """The strongest paths first, then the shortest, then in the order of the kinds: the same for any input order."""

    kept: list[Path] = []
    ranked = sorted(ways, key=_rank) if len(ways) > 1 else ways
    for _strength, path in ranked:
        if path not in kept:
            kept.append(path)
        if len(kept) == MOST_PATHS:
            break
    return Conflict(pair[0], pair[1], ranked[0][0], tuple(kept))


def _branch(firm: Firm, end: Firm) -> Iterator[Edge]:
    """Two branches of one legal entity, said as a step of its own so that nobody wonders."""
    if firm.kpp and end.kpp and firm.kpp != end.kpp:
        yield Edge(Kind.SAME_ENTITY, firm.name, end.name, firm.inn)


def _person(graph: Graph, person: UUID) -> dict[str, str]:
    name = graph.people.get(person, "")
    return {"ru": name, "en": name}


def _number(project: Project) -> dict[str, str]:
    return {"ru": project.number, "en": project.number}


def _detail(bond: Bond) -> str:
    if bond.until is not None:
        return bond.until.strftime("%d.%m.%Y")
    return bond.share

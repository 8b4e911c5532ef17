"""Every path of a graph of conflicts, one by one, and the best three of each pair: slow and plain.

The portal looks in another way (:mod:`portal.review.conflict_paths`); a property test holds both equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from portal.core.canonical import plain_decimal
from portal.review.conflict_models import Strength
from portal.review.conflicts import (
    HARD,
    MOST_PATHS,
    SOFT,
    STRENGTHS,
    Bond,
    Conflict,
    Edge,
    Firm,
    Graph,
    Kind,
    Path,
    Project,
    Strengths,
)

_Way = tuple[Path, Firm, Strength]
_Found = tuple[Project, Strength, Path]


def every_conflict(graph: Graph, strengths: Strengths = STRENGTHS) -> dict[tuple[UUID, UUID], Conflict]:
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

"""The paths of conflict from people to applications: the three best of each pair. Pure.

A path begins at a person, and all but its last step is the same for every application that it ends at. So each person's
beginnings are gathered by where they arrive (an organisation, a cluster, a track) and put in order once for each way in
which an application can be reached; an application then takes the first three that hold for it. Paths are compared, not
enumerated: a hundred people, a thousand applications and some million paths are a matter of seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from portal.core.canonical import plain_decimal
from portal.review.conflict_models import Strength
from portal.review.conflicts import (
    HARD,
    MOST_PATHS,
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
    min_of,
)

Pair = tuple[UUID, UUID]
_Step = tuple[Path, Firm, Strength]
_Effects = Mapping[Kind, Strength | None]


def conflicts(graph: Graph, strengths: Strengths = STRENGTHS) -> dict[Pair, Conflict]:
    """All conflicts of the graph's people with its projects: (person, application) -> conflict.

    Of each the strongest paths, then the shortest, then in the order of the kinds and names.
    """
    relations = _Relations(graph, strengths)
    targets = _Targets(graph.projects)
    bonds: dict[UUID, list[Bond]] = defaultdict(list)
    for bond in graph.bonds:
        bonds[bond.person].append(bond)
    declared: dict[UUID, set[UUID]] = defaultdict(set)
    for person, application in graph.declared:
        if person in graph.people:
            declared[person].add(application)
    found = {}
    for person in dict.fromkeys([*bonds, *declared]):
        one = _Person(graph, strengths, relations, targets, person, bonds.get(person, ()))
        for project in graph.projects:
            conflict = one.conflict(project, declared=project.id in declared.get(person, ()))
            if conflict is not None:
                found[person, project.id] = conflict
    return found


class _Arrival(NamedTuple):
    """A way in which a project is reached, the same for all that share it: the kind of its last step, where the step
    comes from, and the organisation that takes part.
    """

    kind: Kind
    place: str | UUID
    firm: Firm | None


class _Targets:
    """The projects by how they are reached."""

    def __init__(self, projects: Sequence[Project]) -> None:
        self.arrivals: dict[UUID, tuple[_Arrival, ...]] = {}
        self.tracks: dict[UUID, list[Project]] = defaultdict(list)
        self.clusters: dict[UUID, Mapping[str, str]] = {}
        self.of_firm: dict[str, list[tuple[Kind, Project]]] = defaultdict(list)
        self._edges: dict[tuple[Any, ...], Edge] = {}
        for project in projects:
            ends = [
                _Arrival(Kind.PARTICIPANT if place else Kind.INITIATOR, firm.inn, firm)
                for place, firm in enumerate(project.participants)
            ]
            if project.specialised is not None:
                ends.append(_Arrival(Kind.SPECIALISED, project.specialised.inn, project.specialised))
            for end in ends:
                self.of_firm[str(end.place)].append((end.kind, project))
            ends.append(_Arrival(Kind.CLUSTER, project.cluster_id, None))
            ends.append(_Arrival(Kind.COMPETITOR, project.track_id, None))
            self.arrivals[project.id] = tuple(ends)
            self.tracks[project.track_id].append(project)
            self.clusters.setdefault(project.cluster_id, project.cluster)

    def edge(self, kind: Kind, left: Mapping[str, str], project: Project, detail: str) -> Edge:
        """The last step to a project, made once for all that end with it."""
        key = (kind, left["ru"], project.id, detail)
        found = self._edges.get(key)
        if found is None:
            found = self._edges[key] = Edge(kind, left, _number(project), detail)
        return found


class _Way(NamedTuple):
    """A path but for the number of the project at its end.

    ``rank``: what it is compared by with others to the same project; ``same``: equal for equal paths; ``without``: the
    projects that it does not reach.
    """

    rank: tuple[Any, ...]
    strength: Strength
    steps: Path
    last: Edge
    same: tuple[Any, ...]
    without: frozenset[UUID | str]


class _Beginning(NamedTuple):
    """The steps from a person to where a path arrives; ``last`` the step from there, for clusters and competitors."""

    steps: Path
    firm: Firm
    strength: Strength
    last: Edge | None = None
    without: frozenset[UUID | str] = frozenset()


_NOWHERE: Final = {"ru": "", "en": ""}


class _Person:
    """One person's paths."""

    def __init__(
        self,
        graph: Graph,
        strengths: Strengths,
        relations: _Relations,
        targets: _Targets,
        person: UUID,
        bonds: Iterable[Bond],
    ) -> None:
        self.graph, self.strengths, self.targets, self.person = graph, strengths, targets, person
        self.beginnings: dict[str | UUID, list[_Beginning]] = defaultdict(list)
        self.ordered: dict[tuple[Any, ...], list[_Way]] = {}
        for bond in bonds:
            self._begin(bond, relations)

    def conflict(self, project: Project, *, declared: bool) -> Conflict | None:
        """The conflict with a project, None where no path leads there."""
        arrivals = [each for each in self.targets.arrivals[project.id] if each.place in self.beginnings]
        ways = self._ways(arrivals, project.effects) if arrivals else ()
        paths: list[Path] = []
        seen: set[tuple[Any, ...]] = set()
        strength = None
        if declared:
            paths.append((Edge(Kind.DECLARED, _name(self.graph, self.person), _number(project)),))
            strength = HARD
        for way in ways:
            if way.same in seen or project.id in way.without or project.number in way.without:
                continue
            seen.add(way.same)
            strength = strength or way.strength
            last = way.last
            paths.append((*way.steps, self.targets.edge(last.kind, last.left, project, last.detail)))
            if len(paths) == MOST_PATHS:
                break
        if strength is None:
            return None
        return Conflict(self.person, project.id, strength, tuple(paths))

    def _begin(self, bond: Bond, relations: _Relations) -> None:
        direct, beyond = self.strengths.bonds[bond.kind]
        firm, begin = bond.firm, self.beginnings
        first = Edge(bond.kind, _name(self.graph, self.person), firm.name, _detail(bond))
        begin[firm.inn].append(_Beginning((first,), firm, direct))
        for cluster_id in self.graph.clusters.get(firm.inn, ()):
            cluster = self.targets.clusters.get(cluster_id)
            if cluster is not None:
                member = Edge(Kind.CLUSTER_MEMBER, firm.name, cluster)
                last = Edge(Kind.CLUSTER, cluster, _NOWHERE)
                begin[cluster_id].append(_Beginning((first, member), firm, direct, last))
        if beyond is None:
            return
        for path, other, step in relations.of.get(firm.inn, ()):
            without = frozenset({path[-1].detail}) if path[-1].kind is Kind.PARTNERS else frozenset()
            begin[other.inn].append(_Beginning((first, *path), other, min_of(beyond, step), None, without))
        self._compete(first, firm, direct)

    def _compete(self, first: Edge, firm: Firm, direct: Strength) -> None:
        """One project of the organisation in each track stands for all of them: the one with the least number."""
        theirs = [own for kind, own in self.targets.of_firm.get(firm.inn, ()) if kind is not Kind.SPECIALISED]
        taking_part: frozenset[UUID | str] = frozenset(own.id for own in theirs)
        least: dict[UUID, Project] = {}
        for own in sorted(theirs, key=lambda each: each.number, reverse=True):
            least[own.track_id] = own
        for own in least.values():
            last = Edge(Kind.COMPETITOR, firm.name, _NOWHERE, own.number)
            self.beginnings[own.track_id].append(_Beginning((first,), firm, direct, last, taking_part))

    def _ways(self, arrivals: Sequence[_Arrival], effects: _Effects) -> Sequence[_Way]:
        """The ways by these arrivals, the best first; put in order once."""
        key = (*arrivals, *effects.items())
        found = self.ordered.get(key)
        if found is None:
            found = [way for each in arrivals for way in self._arriving(each, effects)]
            found.sort(key=lambda way: way.rank)
            self.ordered[key] = found
        return found

    def _arriving(self, arrival: _Arrival, effects: _Effects) -> Iterator[_Way]:
        for steps, firm, usual, end, without in self.beginnings[arrival.place]:
            if arrival.firm is None:
                if end is None:
                    continue
                last = end
            else:
                steps = (*steps, *_branch(firm, arrival.firm))
                last = Edge(arrival.kind, arrival.firm.name, _NOWHERE)
            strength: Strength | None = min_of(usual, self.strengths.ends[arrival.kind])
            if effects:
                strength = self._judged((*steps, last), effects)
            if strength is None:
                continue
            path = (*steps, last)
            rank = (strength is not HARD, len(path), tuple(edge.rank for edge in path))
            same = tuple((*edge.rank, edge.left["en"], edge.right["en"]) for edge in path)
            yield _Way(rank, strength, steps, last, same, without)

    def _judged(self, path: Path, effects: _Effects) -> Strength | None:
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


class _Relations:
    """Where one or two relations lead from an organisation: ``of[INN]``."""

    def __init__(self, graph: Graph, strengths: Strengths) -> None:
        self.strengths = strengths
        self.of: dict[str, list[_Step]] = defaultdict(list)
        # Beyond the organisations of people nobody looks.
        self.near = {bond.firm.inn for bond in graph.bonds}
        self._owners(graph)
        for supplier, buyer, year in graph.flows:
            if supplier.inn != buyer.inn:
                self._relate(Kind.SUPPLIES, supplier, buyer, str(year))
                self._relate(Kind.BUYS, buyer, supplier, str(year))
        for number, firms in graph.partners:
            for left in firms:
                for right in firms:
                    if left.inn != right.inn:
                        self._relate(Kind.PARTNERS, left, right, number)

    def _owners(self, graph: Graph) -> None:
        steps: dict[str, list[tuple[Edge, Firm, Strength]]] = defaultdict(list)
        for owner, owned, share in graph.owners:
            if share < self.strengths.control:
                continue
            down = Edge(Kind.OWNS, owner.name, owned.name, plain_decimal(share))
            up = Edge(Kind.OWNED_BY, owned.name, owner.name, plain_decimal(share))
            steps[owner.inn].append((down, owned, self.strengths.relations[Kind.OWNS]))
            steps[owned.inn].append((up, owner, self.strengths.relations[Kind.OWNED_BY]))
        for inn in self.near & set(steps):
            for edge, middle, strength in steps[inn]:
                self.of[inn].append(((edge,), middle, strength))
                for further, far, weight in steps.get(middle.inn, ()):
                    if far.inn != inn:
                        self.of[inn].append(((edge, further), far, min_of(strength, weight)))

    def _relate(self, kind: Kind, left: Firm, right: Firm, detail: str) -> None:
        if left.inn in self.near:
            edge = Edge(kind, left.name, right.name, detail)
            self.of[left.inn].append(((edge,), right, self.strengths.relations[kind]))


def _branch(firm: Firm, end: Firm) -> Iterator[Edge]:
    """Two branches of one legal entity, said as a step of its own so that nobody wonders."""
    if firm.kpp and end.kpp and firm.kpp != end.kpp:
        yield Edge(Kind.SAME_ENTITY, firm.name, end.name, firm.inn)


def _name(graph: Graph, person: UUID) -> dict[str, str]:
    name = graph.people.get(person, "")
    return {"ru": name, "en": name}


def _number(project: Project) -> dict[str, str]:
    return {"ru": project.number, "en": project.number}


def _detail(bond: Bond) -> str:
    if bond.until is not None:
        return bond.until.strftime("%d.%m.%Y")
    return bond.share

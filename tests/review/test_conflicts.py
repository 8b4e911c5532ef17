"""The graph of conflicts: which path counts for how much, and that its order does not matter. No database."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.language import both, render
from portal.review.conflict_models import Ruling, Strength
from portal.review.conflict_paths import conflicts
from portal.review.conflicts import Bond, Conflict, Edge, Firm, Graph, Kind, Project, bond_of, effects_of
from tests.review.every_path import every_conflict

ON = date(2018, 9, 3)
EXPERT, OTHER = UUID(int=7), UUID(int=8)
TRACK, CLUSTER, ELSEWHERE = UUID(int=100), UUID(int=200), UUID(int=201)


def firm(number: int, kpp: str | None = None) -> Firm:
    return Firm(f"{number:010d}", f"Демо {number}", f"Demo {number}", kpp)


A, B, C, D, CENTRE = (firm(number) for number in (1, 2, 3, 4, 9))


def project(number: int, *firms: Firm, track: UUID = TRACK, cluster: UUID = CLUSTER) -> Project:
    return Project(
        UUID(int=number), f"JP-{number}", track, firms, cluster, {"ru": "Демо-кластер", "en": "Demo cluster"}, CENTRE
    )


TARGET = project(1, B, C)


def found(kind: Kind = Kind.EMPLOYMENT, where: Firm = A, **more: Any) -> Conflict | None:
    bonds = [Bond(EXPERT, where, kind, share="30", until=date(2018, 1, 1) if "former" in kind else None)]
    graph = Graph({EXPERT: "Expert 07"}, bonds, more.pop("projects", [TARGET]), **more)
    return conflicts(graph).get((EXPERT, TARGET.id))


def kinds(conflict: Conflict | None) -> list[str]:
    return [] if conflict is None else [str(edge.kind) for edge in conflict.path]


def ruled(*rulings: tuple[str, str]) -> Project:
    effects = effects_of([{"tie": tie, "effect": effect} for tie, effect in rulings])
    return replace(TARGET, effects=effects)


@pytest.mark.parametrize("kind", [Kind.EMPLOYMENT, Kind.FAMILY, Kind.CONTRACT, Kind.FORMER, Kind.MINORITY, Kind.OTHER])
@pytest.mark.parametrize("where", [A, B, D])
def test_a_rule_set_that_rules_nothing_new_changes_nothing(kind: Kind, where: Firm) -> None:
    """The way of a ruling judges every path as the usual way does."""
    graph: dict[str, Any] = {
        "flows": [(A, B, 2018), (D, A, 2018)],
        "owners": [(D, B, Decimal(60))],
        "partners": [("JP-9", (A, C))],
        "clusters": {A.inn: frozenset([CLUSTER]), B.inn: frozenset([CLUSTER])},
    }
    usual = found(kind, where, **graph)
    same = found(kind, where, projects=[ruled(("competitor", "decided"), ("cluster", "decided"))], **graph)
    assert same == usual


def test_a_rule_set_says_which_ties_bar_and_which_are_none() -> None:
    for tie, kind in (("other", Kind.OTHER), ("minority", Kind.MINORITY), ("contract", Kind.CONTRACT)):
        for effect, strength in (("bars", "hard"), ("decided", "soft"), ("none", None)):
            conflict = found(kind, B, projects=[ruled((tie, effect))])
            assert (conflict.strength if conflict else None) == strength
    flows = [(A, B, 2018)]
    usual, softer = found(flows=flows), found(projects=[ruled(("supply", "decided"))], flows=flows)
    assert usual is not None
    assert softer is not None
    assert (usual.strength, softer.strength) == ("hard", "soft")
    assert found(projects=[ruled(("supply", "none"))], flows=flows) is None
    rival = project(2, A, D)
    assert kinds(found(projects=[TARGET, rival]))[-1] == "competitor"
    assert found(projects=[ruled(("competitor", "none")), rival]) is None
    # The own firm is never harmless, whatever is ruled about anything else.
    everything = [(tie, "none") for tie in ("former", "minority", "contract", "other", "supply", "partners", "cluster")]
    own = found(where=B, projects=[ruled(*everything)])
    assert own is not None
    assert own.strength == "hard"


DIRECT = {
    Kind.MEMBERSHIP: "hard",
    Kind.EMPLOYMENT: "hard",
    Kind.OWNERSHIP: "hard",
    Kind.FAMILY: "hard",
    Kind.CONTRACT: "hard",
    Kind.FORMER: "hard",
    Kind.MINORITY: "soft",
    Kind.LONG_FORMER: "soft",
    Kind.OTHER: "soft",
}
BEYOND = {**DIRECT, Kind.FAMILY: "soft", Kind.CONTRACT: "soft", Kind.FORMER: "soft"}
NOT_BEYOND = (Kind.MINORITY, Kind.LONG_FORMER, Kind.OTHER)


@pytest.mark.parametrize(("kind", "strength"), DIRECT.items())
def test_a_tie_to_a_participant(kind: Kind, strength: str) -> None:
    conflict = found(kind, B)
    assert conflict is not None
    assert (conflict.strength, kinds(conflict)) == (strength, [kind, "initiator"])


@pytest.mark.parametrize(("kind", "strength"), BEYOND.items())
def test_a_supplier_of_a_participant_counts_by_how_close_the_tie_is(kind: Kind, strength: str) -> None:
    conflict = found(kind, A, flows=[(A, B, 2018)])
    if kind in NOT_BEYOND:
        assert conflict is None
    else:
        assert conflict is not None
        assert (conflict.strength, kinds(conflict)) == (strength, [kind, "supplies", "initiator"])


def test_a_path_is_said_in_sentences_of_both_languages() -> None:
    conflict = found(flows=[(A, B, 2018)])
    assert conflict is not None
    words = [both(words) for words in conflict.words]
    assert [each["en"] for each in words] == [
        "Expert 07 works for Demo 1",
        "Demo 1 supplies Demo 2 (functional map, 2018)",
        "Demo 2 is the initiator of JP-1",
    ]
    assert "Демо 1" in words[0]["ru"]
    assert words[0]["ru"] != words[0]["en"]


@pytest.mark.parametrize(
    ("more", "expected", "strength"),
    [
        ({"flows": [(C, A, 2018)]}, ["employment", "buys", "participant"], "hard"),
        ({"owners": [(A, C, Decimal("20"))]}, ["employment", "owns", "participant"], "hard"),
        ({"owners": [(B, A, Decimal("100"))]}, ["employment", "owned_by", "initiator"], "hard"),
        (
            {"owners": [(D, A, Decimal("51")), (D, B, Decimal("60"))]},
            ["employment", "owned_by", "owns", "initiator"],
            "hard",
        ),
        ({"partners": [("JP-0", (A, C))]}, ["employment", "partners", "participant"], "soft"),
        ({"clusters": {A.inn: frozenset({CLUSTER})}}, ["employment", "cluster_member", "cluster"], "soft"),
        ({"projects": [TARGET, project(2, A)]}, ["employment", "competitor"], "soft"),
        ({"declared": frozenset({(EXPERT, TARGET.id)})}, ["declared"], "hard"),
    ],
)
def test_each_relation_has_its_strength(more: dict[str, Any], expected: list[str], strength: str) -> None:
    conflict = found(**more)
    assert (kinds(conflict), conflict and conflict.strength) == (expected, strength)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"flows": [(A, D, 2018), (D, B, 2018)]},
        {"owners": [(A, C, Decimal("19.99"))]},
        {"partners": [("JP-1", (A, C))]},
        {"clusters": {A.inn: frozenset({ELSEWHERE})}},
        {"projects": [TARGET, project(2, A, track=UUID(int=101), cluster=ELSEWHERE)]},
        {"declared": frozenset({(OTHER, TARGET.id)})},
    ],
)
def test_what_is_too_far_away_is_no_conflict(more: dict[str, Any]) -> None:
    assert found(**more) is None


def test_the_specialised_organisation_of_the_cluster_is_a_party() -> None:
    conflict = found(where=CENTRE)
    assert conflict is not None
    assert (conflict.strength, kinds(conflict)) == ("hard", ["employment", "specialised"])


def test_branches_are_one_by_their_inn_and_first_digits_are_no_family() -> None:
    branch = Firm(B.inn, "Демо-филиал", "Demo branch", "773601001")
    head = project(1, Firm(B.inn, B.ru, B.en, "366101001"))
    assert kinds(found(where=branch, projects=[head])) == ["employment", "same_entity", "initiator"]
    neighbour = Firm(f"{B.inn[:9]}7", "Демо-сосед", "Demo neighbour")
    assert found(where=neighbour, projects=[head]) is None


def test_the_strongest_path_comes_first_and_then_the_shortest() -> None:
    bonds = [Bond(EXPERT, A, Kind.EMPLOYMENT), Bond(EXPERT, B, Kind.OTHER), Bond(EXPERT, C, Kind.MINORITY, share="1")]
    graph = Graph({EXPERT: "Expert 07"}, bonds, [TARGET], flows=[(A, B, 2018), (A, C, 2017)])
    conflict = conflicts(graph)[EXPERT, TARGET.id]
    assert conflict.strength is Strength.HARD
    assert [[str(edge.kind) for edge in path] for path in conflict.paths] == [
        ["employment", "supplies", "initiator"],
        ["employment", "supplies", "participant"],
        ["minority", "participant"],
    ]


@pytest.mark.parametrize(
    ("kind", "share", "until", "expected"),
    [
        ("employment", None, None, Kind.EMPLOYMENT),
        ("employment", None, ON, Kind.EMPLOYMENT),
        ("employment", None, ON - timedelta(days=1), Kind.FORMER),
        ("employment", None, ON - timedelta(days=730), Kind.FORMER),
        ("employment", None, ON - timedelta(days=731), Kind.LONG_FORMER),
        ("employment", None, ON - timedelta(days=1826), Kind.LONG_FORMER),
        ("employment", None, ON - timedelta(days=1827), None),
        ("ownership", Decimal("4.99"), None, Kind.MINORITY),
        ("ownership", Decimal("5"), None, Kind.OWNERSHIP),
        ("ownership", Decimal("50"), ON - timedelta(days=1), None),
        ("family", None, ON - timedelta(days=1), None),
        ("contract", None, ON, Kind.CONTRACT),
        ("other", None, None, Kind.OTHER),
    ],
)
def test_what_a_declared_tie_is_on_a_day(
    kind: str, share: Decimal | None, until: date | None, expected: Kind | None
) -> None:
    bond = bond_of(EXPERT, A, kind, ON, share=share, until=until)
    assert (bond.kind if bond else None) == expected


def test_an_edge_is_read_back_as_it_was_written() -> None:
    conflict = found(flows=[(A, B, 2018)])
    assert conflict is not None
    assert [Edge.read(edge) for edge in conflict.as_json()[0]] == list(conflict.path)


def test_a_soft_conflict_bars_only_when_it_is_upheld() -> None:
    soft = Conflict(EXPERT, TARGET.id, Strength.SOFT, ((),))
    assert (soft.bars, soft.open) == (False, True)
    for ruling, bars in ((Ruling.WAIVED, False), (Ruling.UPHELD, True)):
        ruled = Conflict(EXPERT, TARGET.id, Strength.SOFT, ((),), ruling)
        assert (ruled.bars, ruled.open) == (bars, False)


firms = st.builds(firm, st.integers(1, 6), st.sampled_from([None, "770101001", "780101001"]))
rulings = st.sampled_from(
    [(), (("cluster", "none"),), (("partners", "bars"), ("competitor", "none")), (("supply", "decided"),)]
)
members = st.dictionaries(
    st.integers(1, 6).map(lambda number: firm(number).inn),
    st.sets(st.sampled_from([CLUSTER, ELSEWHERE]), min_size=1).map(frozenset),
    max_size=4,
)
parties = st.lists(firms, min_size=1, max_size=3, unique_by=lambda each: (each.inn, each.kpp))


@st.composite
def several(draw: st.DrawFn) -> list[Project]:
    """Up to six projects in two tracks and two clusters, some under rules of their own."""
    made = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        track, cluster = draw(st.sampled_from([TRACK, UUID(int=101)])), draw(st.sampled_from([CLUSTER, ELSEWHERE]))
        one = project(number, *draw(parties), track=track, cluster=cluster)
        effects = effects_of([{"tie": tie, "effect": effect} for tie, effect in draw(rulings)])
        made.append(replace(one, effects=effects, specialised=draw(st.sampled_from([CENTRE, A, None]))))
    return made


graphs = st.builds(
    lambda bonds, projects, flows, owners, partners, clusters, declared: Graph(
        {EXPERT: "Expert 07", OTHER: "Expert 08"},
        [Bond(person, where, kind, share="30") for person, where, kind in bonds],
        projects,
        flows=flows,
        owners=owners,
        partners=partners,
        clusters=clusters,
        declared=declared,
    ),
    st.lists(st.tuples(st.sampled_from([EXPERT, OTHER]), firms, st.sampled_from(list(DIRECT))), max_size=6),
    several(),
    st.lists(st.tuples(firms, firms, st.integers(2016, 2018)), max_size=6),
    st.lists(st.tuples(firms, firms, st.decimals(1, 100, places=2)), max_size=4),
    st.lists(st.tuples(st.sampled_from(["JP-1", "JP-2", "JP-77"]), parties.map(tuple)), max_size=3),
    members,
    st.frozensets(
        st.tuples(st.sampled_from([EXPERT, OTHER, UUID(int=9)]), st.integers(1, 7).map(lambda n: UUID(int=n))),
        max_size=2,
    ),
)


@settings(max_examples=200, deadline=None)
@given(graphs)
def test_what_is_found_is_the_best_of_every_path(graph: Graph) -> None:
    assert conflicts(graph) == every_conflict(graph)


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_changes_nothing(graph: Graph, order: random.Random) -> None:
    shuffled = Graph(
        graph.people,
        order.sample(list(graph.bonds), len(graph.bonds)),
        order.sample(list(graph.projects), len(graph.projects)),
        flows=order.sample(list(graph.flows), len(graph.flows)),
        owners=order.sample(list(graph.owners), len(graph.owners)),
        partners=order.sample(list(graph.partners), len(graph.partners)),
        clusters=graph.clusters,
        declared=graph.declared,
    )
    assert conflicts(shuffled) == conflicts(graph)


@given(graphs)
def test_knowing_more_never_weakens_a_conflict(graph: Graph) -> None:
    less = Graph(graph.people, graph.bonds, graph.projects)
    rank = {Strength.SOFT: 1, Strength.HARD: 2}
    more = conflicts(graph)
    for pair, conflict in conflicts(less).items():
        assert rank[more[pair].strength] >= rank[conflict.strength]


def test_a_share_is_told_in_the_manner_of_the_language() -> None:
    edge = Edge(Kind.MINORITY, {"ru": "Демо-эксперт", "en": "Demo Expert"}, A.name, "1.5")
    assert "1,5 %" in render(edge.words, "ru").replace("\u00a0", " ")
    assert "1.5 per cent" in render(edge.words, "en")

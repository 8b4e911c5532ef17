"""The picture of the functional map: the same map gives the same picture, and nothing lies on anything else."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from portal.core.regions import REGIONS
from portal.web.map_picture import BOX_HEIGHT, BOX_WIDTH, Flow, Member, draw, two_lines
from portal.web.tiles import PLACES, tile_map

KEYS = [UUID(int=number) for number in range(1, 21)]
FLOWS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS), st.integers(1, 10**9)).filter(lambda row: row[0] != row[1]),
    max_size=60,
    unique_by=lambda row: row[:2],
)


def members(final: int = 1) -> list[Member]:
    return [Member(key, f"АО «Демо-Завод {key.int}»", key.int <= final) for key in KEYS]


def flow(supplier: int, buyer: int, volume: int = 1) -> Flow:
    return Flow(UUID(int=supplier), UUID(int=buyer), Decimal(volume))


@given(FLOWS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_any_map_is_drawn_the_same_way_and_without_overlaps(
    rows: list[tuple[UUID, UUID, int]], final: int, chance: object
) -> None:
    flows = [Flow(supplier, buyer, Decimal(volume)) for supplier, buyer, volume in rows]
    picture = draw(members(final), flows)
    shuffled = flows[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert draw(members(final), shuffled) == picture
    linked = {key for row in rows for key in row[:2]} | {UUID(int=number) for number in range(1, final + 1)}
    assert {box.member.id for box in picture.boxes} == linked
    assert len(picture.arrows) == len(rows)
    for one, other in combinations(picture.boxes, 2):
        assert abs(one.x - other.x) >= BOX_WIDTH or abs(one.y - other.y) >= BOX_HEIGHT
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - BOX_WIDTH
        assert 0 <= box.y <= picture.height - BOX_HEIGHT


def test_suppliers_stand_left_of_the_final_product() -> None:
    picture = draw(members(), [flow(3, 2), flow(2, 1), flow(4, 1)])
    x = {box.member.id.int: box.x for box in picture.boxes}
    assert x[3] < x[2] < x[1]
    assert x[4] < x[1]


def test_a_circle_of_supplies_is_drawn_too() -> None:
    assert len(draw(members(0), [flow(1, 2), flow(2, 3), flow(3, 1)]).arrows) == 3


def test_three_widths_by_volume() -> None:
    arrows = draw(members(), [flow(n, 1, n * 100) for n in range(2, 8)]).arrows
    assert {arrow.weight for arrow in arrows} == {1, 2, 3}
    assert {arrow.weight for arrow in draw(members(), [flow(n, 1) for n in range(2, 8)]).arrows} == {1}


def test_names_are_cut_to_two_lines() -> None:
    assert two_lines("АО «Демо-Сталь»") == ("АО «Демо-Сталь»",)
    first, second = two_lines("ООО «Демо-Числовое Управление Нижний Новгород»")
    assert len(first) <= 24
    assert len(second) <= 24
    assert two_lines("х" * 40) == ("х" * 23 + "…",)


def test_every_region_has_a_tile_of_its_own() -> None:
    assert set(PLACES) == set(REGIONS)
    assert len(set(PLACES.values())) == len(PLACES)
    tiles = tile_map({"36": 2}, str).tiles
    assert [(tile.code, tile.count) for tile in tiles if tile.marked] == [("36", 2)]

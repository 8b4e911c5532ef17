"""The co-operation level and the yearly figures, against an independent computation."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.clusters.cooperation import Output, Shipment, level, shares, year_figures

A, B, C, D = (UUID(int=number) for number in range(1, 5))
KEYS = [UUID(int=number) for number in range(1, 9)]
money = st.integers(0, 10**14).map(lambda kopecks: Decimal(kopecks) / 100)


def out(key: UUID, output: str, **other: object) -> Output:
    return Output(key, Decimal(output), **other)  # type: ignore[arg-type]


def ship(supplier: UUID, buyer: UUID, volume: str) -> Shipment:
    return Shipment(supplier, buyer, Decimal(volume))


def test_the_level_leaves_the_final_producer_out() -> None:
    outputs = [out(A, "1000"), out(B, "400"), out(C, "100")]
    found = level(outputs, [ship(B, A, "120"), ship(C, B, "30"), ship(A, B, "900")], {A})
    assert (found.shipped, found.output, found.percent, found.members) == (150, 500, Decimal("30.0000"), 2)
    assert found.unknown == frozenset()


def test_a_supplier_without_figures_is_left_out_and_named() -> None:
    found = level([out(B, "400")], [ship(B, A, "100"), ship(D, A, "999")], {A})
    assert (found.percent, found.unknown) == (Decimal("25.0000"), {D})


@pytest.mark.parametrize("outputs", [[], [out(A, "1000")], [out(B, "0")]])
def test_without_output_there_is_no_level(outputs: list[Output]) -> None:
    assert level(outputs, [ship(B, A, "1")], {A}).percent is None


def test_shares_are_of_the_supplier() -> None:
    assert shares([out(B, "400")], [ship(B, A, "100"), ship(C, A, "1")]) == [Decimal("25.0000"), None]


def test_the_figures_of_a_year() -> None:
    rows = [
        out(A, "600", exports=Decimal(60), jobs=100, hp_jobs=70, value_added=Decimal(300)),
        out(B, "400", exports=Decimal(0), jobs=50, hp_jobs=20),
    ]
    found = year_figures(2017, rows, [ship(B, A, "100")], {A})
    assert (found.members, found.output, found.exports, found.jobs, found.hp_jobs) == (2, 1000, 60, 150, 90)
    assert found.hp_share == Decimal("60.0000")
    assert found.productivity == Decimal("3.0000")  # only members with value added, and their jobs
    assert found.level.percent == Decimal("25.0000")


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(KEYS), money, max_size=8),
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS), money), max_size=30),
    st.sets(st.sampled_from(KEYS)),
)
def test_the_level_equals_an_exact_computation(
    known: dict[UUID, Decimal], rows: list[tuple[UUID, UUID, Decimal]], final: set[UUID]
) -> None:
    shipments = [Shipment(*row) for row in rows if row[0] != row[1]]
    found = level([Output(key, output) for key, output in known.items()], shipments, final)
    inside = {key: Fraction(output) for key, output in known.items() if key not in final}
    part = sum((Fraction(row.volume) for row in shipments if row.supplier_id in inside), Fraction(0))
    whole = sum(inside.values(), Fraction(0))
    assert Fraction(found.shipped) == part
    assert Fraction(found.output) == whole
    if whole == 0:
        assert found.percent is None
    else:
        assert found.percent is not None
        assert abs(Fraction(found.percent) - part / whole * 100) <= Fraction(1, 20000)

"""Pictures of scales while they are edited: what is readable is drawn, in the order of its values."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.tenders.ruleset import Bands, Linear
from portal.web.scales import as_typed, picture

D = Decimal


def test_what_is_typed_is_drawn_as_the_saved_scale_is() -> None:
    line = ((D(0), D(0)), (D(2), D(5)), (D(4), D(10)))
    typed = [["4", "10"], ["0", "0"], ["2", "5"], ["", ""], ["six", "3"], ["9", "11"]]
    assert as_typed({"kind": "linear", "points": typed}) == picture(Linear(line))
    assert as_typed({"kind": "bands", "bands": typed}) == picture(Bands(line))
    falling = ((D(1), D(10)), (D(3), D(4)))
    drawn = as_typed({"kind": "bands", "bands": [["3", "4"], ["1", "10"]]})
    assert drawn == picture(Bands(falling, open_below=True)) != picture(Bands(falling))


@pytest.mark.parametrize(
    "scale",
    [
        {"kind": "yes_no", "yes": "10", "no": "0"},
        {"kind": "linear", "points": [["1", "5"]]},
        {"kind": "linear", "points": [["1", "5"], ["1", "6"]]},
        {"kind": "bands", "bands": []},
        {"kind": "wavy", "points": [["1", "5"], ["2", "6"]]},
        {},
    ],
)
def test_nothing_is_drawn_of_what_is_no_line(scale: dict[str, object]) -> None:
    assert as_typed(scale) is None

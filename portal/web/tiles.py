"""The federal subjects as tiles: each a square of the same size, near to its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from portal.core.regions import REGIONS

# Rows from north to south; a column is two characters wide and separated by a blank, ".." is nothing.
_GRID: Final = """
.. .. .. 51 .. .. .. .. .. .. .. .. .. .. .. .. .. .. ..
.. .. .. 10 29 .. 83 .. .. 89 .. .. .. .. .. .. .. .. 87
.. .. 78 47 35 .. .. 11 .. 86 .. .. .. .. 14 .. 49 41 ..
39 60 53 69 76 37 44 43 59 66 72 70 24 38 .. 28 27 .. 65
.. 67 40 50 77 33 52 12 18 74 45 55 54 42 03 75 79 25 ..
.. 32 57 71 62 13 21 16 02 .. .. .. 22 19 17 .. .. .. ..
.. .. 46 48 68 58 73 63 56 .. .. .. 04 .. .. .. .. .. ..
.. .. 31 36 34 64 .. .. .. .. .. .. .. .. .. .. .. .. ..
.. 91 23 61 08 30 .. .. .. .. .. .. .. .. .. .. .. .. ..
.. 92 01 09 26 20 05 .. .. .. .. .. .. .. .. .. .. .. ..
.. .. .. .. 07 15 06 .. .. .. .. .. .. .. .. .. .. .. ..
"""
PLACES: Final[Mapping[str, tuple[int, int]]] = {
    code: (column, row)
    for row, line in enumerate(_GRID.strip().splitlines())
    for column, code in enumerate(line.split())
    if code != ".."
}
"""Code of a region -> its column and row."""

SIZE: Final = 36
STEP: Final = 39


@dataclass(frozen=True, slots=True)
class Tile:
    code: str
    name: str
    x: int
    y: int
    count: int
    marked: bool


@dataclass(frozen=True, slots=True)
class TileMap:
    tiles: tuple[Tile, ...]
    width: int
    height: int
    size: int = SIZE


def tile_map(counts: Mapping[str, int], name: Callable[[str], str]) -> TileMap:
    """All regions with a count each; those with one are marked. ``name`` gives a region's name by its code."""
    tiles = tuple(
        Tile(code, name(code), column * STEP, row * STEP, counts.get(code, 0), counts.get(code, 0) > 0)
        for code, (column, row) in PLACES.items()
        if code in REGIONS
    )
    width = max(column for column, _ in PLACES.values()) * STEP + SIZE
    height = max(row for _, row in PLACES.values()) * STEP + SIZE
    return TileMap(tiles, width, height)

"""Sections of OKVED 2 (OK 029-2014); the classes of OKPD 2 (OK 034-2014) are the same."""

from __future__ import annotations

from typing import Final

SECTIONS: Final[dict[str, tuple[int, int]]] = {
    "A": (1, 3),
    "B": (5, 9),
    "C": (10, 33),
    "D": (35, 35),
    "E": (36, 39),
    "F": (41, 43),
    "G": (45, 47),
    "H": (49, 53),
    "I": (55, 56),
    "J": (58, 63),
    "K": (64, 66),
    "L": (68, 68),
    "M": (69, 75),
    "N": (77, 82),
    "O": (84, 84),
    "P": (85, 85),
    "Q": (86, 88),
    "R": (90, 93),
    "S": (94, 96),
    "T": (97, 98),
    "U": (99, 99),
}
INDUSTRY: Final = "C"


def section(code: str) -> str | None:
    """The section letter of a code of OKVED 2 or OKPD 2 (``28.14``: ``C``); ``None`` for an unknown class."""
    if not (code[:2].isascii() and code[:2].isdigit() and len(code) >= 2):
        return None
    number = int(code[:2])
    return next((letter for letter, (first, last) in SECTIONS.items() if first <= number <= last), None)


def is_industry(code: str) -> bool:
    """Whether the code belongs to manufacturing: section C, classes 10 to 33."""
    return section(code) == INDUSTRY

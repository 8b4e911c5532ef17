"""How a vote of the commission ends: quorum, majority of those present, the chair's casting vote. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from portal.awards.commission.models import Choice, ItemState
from portal.core.language import N_, Message

MOST_MEMBERS: Final = 50
MOST_ITEMS: Final = 50
LEAST_PRESENT: Final = 2
"""Nobody decides alone, however many are recused."""

CHOICES: Final = {
    Choice.YES: N_("In favour"),
    Choice.NO: N_("Against"),
    Choice.ABSTAIN: N_("Abstains"),
}


@dataclass(frozen=True, slots=True)
class Count:
    """Members who may vote, those of them who are present, and their votes. A vote not given is no vote in favour."""

    entitled: int
    present: int
    yes: int
    no: int
    abstained: int


def has_quorum(count: Count, quorum: tuple[int, int]) -> bool:
    """Whether enough are present, in whole numbers: ``present / entitled >= parts / of``, and two at least."""
    parts, of = quorum
    return count.present >= LEAST_PRESENT and count.present * of >= count.entitled * parts


def outcome(count: Count, quorum: tuple[int, int], chair: Choice | None, *, secret: bool) -> ItemState:
    """What follows from the votes: more than half of those present adopt.

    ``chair``: the chair's own vote of an open ballot, which decides where exactly half are in favour. After a
    secret ballot nobody knows it, so that the chair gives a casting vote of its own (``tied``); ``chair`` is then
    any vote where the chair may give one, and None where it may not.
    """
    if not has_quorum(count, quorum):
        return ItemState.NO_QUORUM
    if 2 * count.yes > count.present:
        return ItemState.ADOPTED
    if 2 * count.yes < count.present or chair is None:
        return ItemState.REJECTED
    if secret:
        return ItemState.TIED
    return ItemState.ADOPTED if chair is Choice.YES else ItemState.REJECTED


def outcome_words(state: ItemState) -> Message:
    """What the minutes say of the end of an item."""
    return _OUTCOMES[state]


_OUTCOMES: Final = {
    ItemState.WAITING: N_("Not voted on yet"),
    ItemState.VOTING: N_("The vote is going on"),
    ItemState.TIED: N_("Exactly half in favour: the chair decides"),
    ItemState.ADOPTED: N_("Adopted"),
    ItemState.REJECTED: N_("Not adopted"),
    ItemState.NO_QUORUM: N_("No quorum"),
    ItemState.WITHDRAWN: N_("Taken off the agenda"),
}

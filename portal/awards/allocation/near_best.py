"""Every answer near the bound, from two parts: the best one is proven by having seen all. Pure; decision 17.

An answer is a set of each part. What it loses against the bound is what its two sets lose and what it leaves over of
the rows that both take of. So all answers of at least some value are pairs of sets within a loss, and are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from portal.awards.allocation.additions import TIES
from portal.awards.allocation.calls import Calls, Helper
from portal.awards.allocation.completions import Best, Completions
from portal.awards.allocation.departures import Part, Sets, Share, joined, kept, side_price, sides_of, windows
from portal.awards.allocation.ground import FREE, UNIT, Ground
from portal.awards.allocation.pairing import Sums, Wanted, pairs
from portal.awards.allocation.relaxation import may_bind
from portal.awards.allocation.rows import Model

BOLD: Final = 2
"""Answers that lose up to one part in so many more than what can be proven are looked for."""


@dataclass(frozen=True, slots=True)
class Near:
    """``chosen``: the best answer seen, None when there is none of the value asked for; ``bound``: no answer has more
    points; ``canonical``: all of equal points were seen and it is the first of them in rank order."""

    chosen: tuple[int, ...] | None
    value: int
    bound: int
    canonical: bool


class TwoParts:
    """The problem as two parts, by track. ``multipliers``: of FINE; any are right, the relaxation's are good."""

    def __init__(self, model: Model, usable: Sequence[int], multipliers: Sequence[int]) -> None:
        self.model = model
        part_of = _parts(model, usable)
        own: tuple[list[int], list[int]] = ([], [])
        self.shared: list[int] = []
        inside = set(usable)
        for at, row in enumerate(model.rows):
            if not may_bind(row, inside):
                continue
            there = {part_of[member] for member in row.members if member in part_of}
            if len(there) == 1:
                own[there.pop()].append(at)
            else:
                self.shared.append(at)
        self.multipliers = multipliers
        grounds = [
            Ground(model, [at for at in usable if part_of[at] == number], own[number], self.shared) for number in (0, 1)
        ]
        self.parts = [Part(ground, multipliers) for ground in grounds]
        self.most = sum(part.most for part in self.parts) + sum(
            side_price(model.rows[row], multipliers[row]) for row in self.shared
        )
        self.lost = [0, 0]
        """What every set of a part loses at least."""
        self.many = [0, 0]
        """Sets of each part within the loss of the last search."""
        self.spent = [0, 0]
        """What the completion of each part has taken of the work: the one of less is completed first, and further."""
        self.settled = [-1, -1]
        """All answers with a set of a part that loses at most so much have been looked at: those of at least the value
        of ``best``."""
        self.best: Best | None = None
        self.completions = [Completions(self.parts[number], grounds[1 - number], self.shared) for number in (0, 1)]

    def search(self, states: int, value: int) -> Near:
        """The best answer of at least ``value`` (-1: none is known) among sets within the loss that so many sums allow.

        Raises TooMany when even a loss of one step needs more.
        """
        room = self.most - value * UNIT if value >= 0 else FREE
        seen: list[Sets] = []
        reached: list[int] = []
        for number, part in enumerate(self.parts):
            loss = part.loss_within(states, max(room - self.lost[1 - number], 1))
            sets = part.within(loss)
            self.lost[number] = part.most - int(sets.worth.max()) if len(sets.worth) else loss + 1
            self.many[number] = len(sets.worth)
            seen.append(sets)
            reached.append(loss)
        unseen = min(reached[0] + self.lost[1], reached[1] + self.lost[0]) + 1
        best, found, all_ties = self._joined(seen, min(room, sum(reached)), value)
        chosen = min(found, key=lambda each: (*each, len(self.model.candidates))) if found else None
        complete = unseen > self.most - best * UNIT
        bound = best if complete else max((self.most - unseen) // UNIT, best)
        return Near(chosen, best, bound, complete and all_ties and chosen is not None)

    def complete(self, states: int, value: int, work: int, *, last: bool = False, helper: Helper | None = None) -> Near:
        """The best answer of at least ``value``, of which one is known. The sets of each part within the loss that so
        many sums allow are completed: an answer of which neither set is among them loses more than both losses.

        Where that leaves much between what can be proven and ``value``, only answers that lose a ``BOLD`` part more
        are looked for: a bad answer does not make the search wide; ``last``: all that is better is.

        ``work``: see :class:`Best`, in all calls together; ``helper``: who helps, if anybody does. Raises TooMany when
        even a loss of one step needs more.
        """
        best = self._aim(states, value, work, last)
        hard = -1
        losses = self._losses(states, best.value)
        made = {number: self._within(number, loss, helper) for number, loss in losses.items()}
        for number, sets in made.items():
            part = self.parts[number]
            if self.most - best.value * UNIT < sum(self.settled) + 2:
                break
            new = np.flatnonzero(part.most - sets.worth > self.settled[number])
            sets = Sets(sets.worth[new], sets.points[new], sets.ways[new])
            bound = sets.worth + (self.most - part.most - self.lost[1 - number])
            before = best.work
            left = self.completions[number].settle(sets, bound, best, helper)
            self.spent[number] += before - best.work
            hard = max(hard, left)
            if left < 0:
                self.settled[number] = losses[number]
        unseen = (self.most - sum(self.settled) - 2) // UNIT
        complete = unseen < best.value
        highest = max(hard // UNIT, best.value if best.found else best.value - 1, value, unseen)
        if not best.found:
            return Near(None, value, highest, False)
        chosen = min(best.found, key=lambda each: (*each, len(self.model.candidates)))
        return Near(chosen, best.value, highest, hard < 0 and complete and best.all_ties)

    def _within(self, number: int, loss: int, helper: Helper | None) -> Sets:
        """The sets of a part, in the same order whoever makes them."""
        part = self.parts[number]
        if helper is None or not helper.ready():
            return part.within(loss)
        other = Calls(Share(part, 1), helper)
        other.begin(loss)
        return joined([part.within(loss, (0,)), other.end()])

    def _losses(self, states: int, value: int) -> dict[int, int]:
        """Of the parts that are completed now, the one that takes less work first, within which loss."""
        room = self.most - value * UNIT
        settled = list(self.settled)
        losses = {}
        for number in sorted((0, 1), key=lambda at: (self.spent[at], self.many[at])):
            done = settled[1 - number] + 1
            if room < done + settled[number] + 1:
                break
            loss = self.parts[number].loss_within(states, max(room - max(done, self.lost[1 - number]), 1))
            if loss > settled[number]:
                losses[number] = settled[number] = loss
        return losses

    def _aim(self, states: int, value: int, work: int, last: bool) -> Best:
        """What is looked for now: the search goes on where it ended, unless lesser answers are of interest now."""
        losses = [
            max(part.loss_within(states, FREE), done) for part, done in zip(self.parts, self.settled, strict=True)
        ]
        provable = self.most - sum(losses) - 2
        target = value if last else max(value, (provable - (self.most - provable) // BOLD) // UNIT)
        if self.best is not None and target >= self.best.value:
            return self.best
        if self.best is not None:
            work = self.best.work
        self.settled = [-1, -1]
        self.best = Best(target, work)
        return self.best

    def aimed_above(self, value: int) -> bool:
        """Whether the last search has looked for more than ``value`` only."""
        return self.best is not None and self.best.value > value

    def _joined(self, seen: Sequence[Sets], loss: int, value: int) -> tuple[int, list[tuple[int, ...]], bool]:
        """The best points, all the answers that have them, and whether these are all that were seen."""
        rows = self.model.rows
        taken = {row: sum(part.taken[row] for part in self.parts) for row in self.shared}
        touched = set().union(*(part.touched(loss) for part in self.parts))
        if not all(kept(rows[row], taken[row]) for row in self.shared if row not in touched):
            return value, [], True
        shared = [row for row in self.shared if row in touched]
        gridded = [row for row in shared if self.multipliers[row] and not self.model.counts(row)]
        rest = [row for row in shared if row not in gridded]
        sides = {row: sides_of(self.model.rows[row], taken[row]) for row in shared}
        changes = [
            {row: part.changed(self.model.column(row), sets.ways) for row in shared}
            for part, sets in zip(self.parts, seen, strict=True)
        ]
        sums = [
            Sums(
                part.most - sets.worth,
                sets.points,
                np.array([change[row] for row in gridded], dtype=np.int64).reshape(len(gridded), len(sets.worth)).T,
                np.zeros((len(sets.worth), 0), dtype=np.int64),
            )
            for part, sets, change in zip(self.parts, seen, changes, strict=True)
        ]
        wanted = Wanted(
            np.array([sides[row][1] for row in gridded], dtype=np.int64),
            np.array([sides[row][0] for row in gridded], dtype=np.int64),
            max(value, 0),
            loss,
            windows(gridded, self.multipliers),
            np.zeros(0, dtype=np.int64),
            np.zeros(0, dtype=np.int64),
        )
        best, all_ties = value, True
        found: list[tuple[int, ...]] = []
        for cheapest, left, right in pairs(sums[0], sums[1], wanted):
            if cheapest > self.most - best * UNIT:
                break
            points = seen[0].points[left] + seen[1].points[right]
            good = np.flatnonzero(points >= best)
            for row in rest:
                if not len(good):
                    break
                change = changes[0][row][left[good]] + changes[1][row][right[good]]
                good = good[(change >= sides[row][0]) & (change <= sides[row][1])]
            if not len(good):
                continue
            top = int(points[good].max())
            if top > best:
                best, found, all_ties = top, [], True
            same = good[points[good] == best]
            all_ties = all_ties and len(found) + len(same) <= TIES
            found += [self._answer(seen, left[at], right[at]) for at in same[: TIES - len(found)].tolist()]
        return best, found, all_ties

    def _answer(self, seen: Sequence[Sets], left: int, right: int) -> tuple[int, ...]:
        sets = zip(self.parts, seen, (left, right), strict=True)
        return tuple(sorted(at for part, each, place in sets for at in part.chosen(each.ways[place].tolist())))


def _parts(model: Model, usable: Sequence[int]) -> dict[int, int]:
    """0 or 1 for every candidate: tracks stay together, the large ones first to where there are fewer."""
    tracks: dict[str, list[int]] = {}
    for at in usable:
        tracks.setdefault(model.candidates[at].track, []).append(at)
    sizes = [0, 0]
    part_of = {}
    for _, members in sorted(tracks.items(), key=lambda item: (-len(item[1]), item[0])):
        number = int(sizes[1] < sizes[0])
        sizes[number] += len(members)
        part_of.update(dict.fromkeys(members, number))
    return part_of

"""A second process helps hard searches: the same answers with and without it, and none is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from portal.awards.allocation import pairing
from portal.awards.allocation.calls import Calls
from portal.awards.allocation.departures import Part, Sets, Share, joined
from portal.awards.allocation.near_best import Near, TwoParts
from portal.awards.allocation.pairing import TooMany
from portal.awards.allocation.second import Second
from tests.awards.test_allocation import as_rows, near_and_far

CASES = 100 if os.environ.get("FULL") else 4
SOON = 10.0


@pytest.fixture(scope="module")
def second() -> Iterator[Second]:
    with Second(processors=2) as there:
        assert there.ready(60)
        yield there


def found(parts: TwoParts, known: int, work: int, helper: Second | None) -> list[Near | None]:
    answers: list[Near | None] = []
    for sums in (5, 50, 10**6):
        try:
            answers.append(parts.complete(sums, known, work, helper=helper))
        except TooMany:
            answers.append(None)
    return answers


@pytest.mark.parametrize("seed", range(CASES))
def test_two_processes_find_what_one_finds(seed: int, second: Second) -> None:
    model, usable, expected = as_rows(seed)
    if expected is None:
        return
    for multipliers in near_and_far(model, usable, seed):
        for known, work in ((0, 10**9), (max(model.value(expected) - 7, 0), 10**9), (0, 5_000)):
            one, two = TwoParts(model, usable, multipliers), TwoParts(model, usable, multipliers)
            assert found(one, known, work, None) == found(two, known, work, second)
            assert one.best is not None
            assert two.best is not None
            assert astuple(one.best) == astuple(two.best)
    assert second.ready()


def test_the_shares_of_a_part_are_its_sets_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are few sums all is one layer, and all is in the first share: here there are five."""
    monkeypatch.setattr(pairing, "LAYERS", ((2**62, 5),))
    dealt = 0
    for seed in range(CASES):
        model, usable, _ = as_rows(seed)
        for multipliers in near_and_far(model, usable, seed):
            for part in TwoParts(model, usable, multipliers).parts:
                loss = part.loss_within(5_000, max(int(part.cost.sum()) // 2, 1))
                whole = sets_of(part, part.within(loss))
                shares = [part.within(loss, (0,)), Share(part, 1)(loss)]
                assert sets_of(part, joined(shares)) == whole
                assert len({tuple(chosen) for chosen, *_ in whole}) == len(whole)
                dealt += min(len(share.worth) for share in shares)
    assert dealt


def sets_of(part: Part, sets: Sets) -> list[tuple[list[int], int, int]]:
    lines = zip(sets.ways.tolist(), sets.worth.tolist(), sets.points.tolist(), strict=True)
    return [(part.chosen(ways), worth, points) for ways, worth, points in lines]


def numbers(second: Second, *, lost_before: int, midway: bool = False) -> list[int]:
    """Five numbers of a generator that is sent away, and lost on the way."""
    calls = Calls(random.Random(5).getrandbits, second)
    drawn = []
    for turn in range(5):
        if turn == lost_before and not midway:
            kill(second)
        calls.begin(40)
        if turn == lost_before and midway:
            kill(second)
        drawn.append(calls.end())
    return drawn


def kill(second: Second) -> None:
    assert second.process is not None
    os.kill(second.process, signal.SIGKILL)


EXPECTED = [drawn.getrandbits(40) for drawn in [random.Random(5)] for _ in range(5)]


@pytest.mark.parametrize(("lost_before", "midway"), [(9, False), (0, False), (3, False), (3, True)])
def test_what_was_sent_away_is_computed_here_when_it_is_lost(lost_before: int, midway: bool) -> None:
    with Second(processors=2) as second:
        assert second.ready(60)
        assert numbers(second, lost_before=lost_before, midway=midway) == EXPECTED
        assert second.ready() == (lost_before == 9)


def test_there_is_none_where_there_is_one_processor() -> None:
    with Second(processors=1) as second:
        assert second.process is None
        assert numbers(second, lost_before=9) == EXPECTED


def test_one_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Second(processors=2) as second:
        assert second.process is None
        assert numbers(second, lost_before=9) == EXPECTED


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(second: Second) -> None:
    Calls(str, second).begin("before")
    calls = Calls(len, second)
    calls.begin("three")
    assert calls.end() == 5


def test_it_is_gone_when_the_search_is_over() -> None:
    with Second(processors=2) as second:
        process = second.process
        assert process is not None
        assert second.ready(60)
        Calls(time.sleep, second).begin(600)
    assert not lives(process)


BUSY = """
import time
from portal.awards.allocation.calls import Calls
from portal.awards.allocation.second import Second
second = Second(processors=2)
assert second.ready(60)
Calls(time.sleep, second).begin(600)
print(second.process, flush=True)
time.sleep(600)
"""


def test_it_ends_with_a_process_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        assert lives(process)
        parent.kill()
    until = time.monotonic() + SOON
    while lives(process) and time.monotonic() < until:
        time.sleep(0.02)
    assert not lives(process)


def lives(process: int) -> bool:
    """Whether there is such a process, and it has not ended (its new parent may not have noticed yet)."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"

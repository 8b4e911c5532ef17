"""Limits over both tracks of a tender: one allocation, two lists that take effect and become public together."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.awards import queries, service
from portal.awards.allocation import computing as allocating
from portal.awards.allocation.problem import Candidate
from portal.awards.models import AwardDecision
from portal.awards.scenarios.beside import Other, left_of
from portal.awards.scenarios.outcome import follow
from portal.awards.scenarios.queries import room, standing
from portal.core.errors import Conflict, Problems
from portal.core.jobs import Task
from portal.core.language import render
from portal.identity.policy import Permission
from portal.tenders.models import Track
from portal.tenders.ruleset import AllocationLimit, LimitField, LimitUnit, Text
from tests.factories import awards, budget, identity
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Stage, over_both, ruled

REGION = {
    "code": "L1",
    "title": {"ru": "Проектов одного региона", "en": "Projects of one region"},
    "field": "region",
    "value": "*",
    "least": None,
    "most": "3",
    "unit": "projects",
}


EXPORTED = [{2019: 30}, {2019: 20}]


def pair(
    session: Session, limits: list[dict[str, Any]], exported: Sequence[awards.Amounts] = EXPORTED, **rules: Any
) -> tuple[Stage, Stage]:
    """A tender with two projects of import substitution and two of export, all of which fit into the money."""
    tender = tenders_factory.closed_tender(session, **over_both(limits))
    awards.own_programme(session, tender)
    imports = awards.stage(session, [{2018: 30}, {2018: 20}], {2018: 90}, tender=tender)
    exports = awards.stage(session, exported, {2019: 90}, tender=tender, track=Track.EXPORT)
    if rules:
        ruled(imports, **rules)
        ruled(exports, **rules)
    return imports, exports


def outcomes(stage: Stage, decision: AwardDecision) -> list[str]:
    return [row.line.outcome for row in queries.decision_view(stage.session, stage.chair, decision.id).rows]


def drafted(stage: Stage) -> AwardDecision:
    return service.draft(stage.session, stage.chair, stage.track.id)


def test_both_lists_are_parts_of_one_walk_over_both_tracks(session: Session) -> None:
    """By place, export before import substitution: the second of import substitution is the fourth of its region."""
    imports, exports = pair(session, [REGION])
    listed = drafted(imports)
    assert outcomes(imports, listed) == ["award", "reserve"]
    assert outcomes(exports, drafted(exports)) == ["award", "award"]
    rows = queries.decision_view(session, imports.chair, listed.id).rows
    assert rows[1].line.reason["en"] == "Passed over by the limit “Projects of one region”: no more than 3."


def test_the_lists_take_effect_and_become_public_together(session: Session) -> None:
    imports, exports = pair(session, [REGION])
    first = drafted(imports)
    service.sign(session, imports.member, first.id)
    assert (first.signed_at, imports.states()) == (None, ["expertise"] * 2)
    with pytest.raises(Conflict):
        service.publish(session, imports.chair, first.id)
    second = drafted(exports)
    service.sign(session, exports.member, second.id)
    assert None not in (first.signed_at, second.signed_at)
    assert (first.signed_by, second.signed_by) == (imports.member.user_id, exports.member.user_id)
    assert (imports.states(), exports.states()) == (["awarded", "reserve"], ["awarded", "awarded"])
    service.publish(session, imports.chair, second.id)
    assert None not in (first.published_at, second.published_at, imports.tender.results_published_at)
    letters = session.scalars(select(Task).where(Task.kind == service.LETTERS)).all()
    assert {task.payload["decision_id"] for task in letters} == {str(first.id), str(second.id)}


def test_a_list_that_changed_meanwhile_stops_the_signature_on_the_other(session: Session) -> None:
    """Export stands before: money for a year that it lacked takes the one place of the region."""
    imports, exports = pair(session, [REGION | {"most": "1"}], exported=[{2019: 30, 2020: 10}])
    first = drafted(imports)
    assert outcomes(imports, first) == ["award", "reserve"]
    service.sign(session, imports.member, first.id)
    budget.envelope(session, imports.tender.programme_id, Track.EXPORT, 2020, 10)
    second = drafted(exports)
    assert outcomes(exports, second) == ["award"]
    with pytest.raises(Conflict) as caught:
        service.sign(session, exports.member, second.id)
    assert render(caught.value.reason, "en") == (
        "The list of the other track has to be drafted and signed anew first. Since this list was drafted, the list has"
        " changed. Discard it and draft it anew, so that you sign what is true now."
    )
    assert (first.signed_at, exports.states()) == (None, ["expertise"])


def test_what_is_open_on_the_other_track_is_told_with_its_name(session: Session) -> None:
    imports, exports = pair(session, [REGION])
    exports.application(0).state = "submitted"
    session.flush()
    with pytest.raises(Problems) as caught:
        drafted(imports)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("unchecked", f"application.{exports.application(0).number}")


def test_a_track_in_which_nothing_is_decided_is_not_waited_for(session: Session) -> None:
    imports, exports = pair(session, [REGION])
    for place in range(2):
        exports.application(place).state = "withdrawn"
    session.flush()
    listed = drafted(imports)
    assert outcomes(imports, listed) == ["award", "award"]
    service.sign(session, imports.member, listed.id)
    service.publish(session, imports.chair, listed.id)
    assert imports.tender.results_published_at is not None


def test_one_computation_serves_both_tracks(session: Session) -> None:
    imports, exports = pair(session, [REGION], allotment="best_total")
    run = allocating.start(session, imports.chair, tender_track_id=imports.track.id)
    assert allocating.start(session, imports.chair, tender_track_id=exports.track.id).id == run.id
    while allocating.step(session, run.id).done < allocating.PHASES:
        pass
    assert (run.candidates, run.gap, set(run.result["tracks"])) == (4, 0, {"export", "import_substitution"})
    assert allocating.view(session, exports.track).run is run
    assert allocating.view(session, exports.track).current
    both = outcomes(imports, drafted(imports)) + outcomes(exports, drafted(exports))
    assert sorted(both) == ["award", "award", "award", "reserve"]


def test_published_limits_are_frozen(session: Session) -> None:
    imports, _exports = pair(session, [REGION])
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update tender set joint_limits = '[]' where id = :id"), {"id": imports.tender.id})


def test_scenarios_count_the_other_track_as_it_stands(session: Session) -> None:
    """Nothing at first, then as computed, then as its list is drafted; a scenario of this track changes it nowhere."""
    imports, exports = pair(session, [REGION], allotment="skipping")

    def stands() -> tuple[Other | None, list[str]]:
        place = room(session, imports.chair, imports.track.id, Permission.SCENARIO_VIEW)
        held = standing(session, place)
        assert held is not None
        return held.other, [each.outcome.value for each in follow(held.ground).places]

    assert stands() == (Other.OPEN, ["award", "award"])
    run = allocating.start(session, imports.chair, tender_track_id=imports.track.id)
    while allocating.step(session, run.id).done < allocating.PHASES:
        pass
    assert stands() == (Other.COMPUTED, ["award", "reserve"])
    drafted(exports)
    assert stands() == (Other.DECIDED, ["award", "reserve"])


def test_what_the_other_track_leaves_of_the_limits() -> None:
    """Of a million in both envelopes: shares in roubles, each group by itself, never below zero."""

    def one(region: str, amount: int, *categories: str) -> Candidate:
        return Candidate(
            region, "", "", 0, Decimal(0), {0: Decimal(amount)}, region=region, categories=frozenset(categories)
        )

    def limit(field: LimitField, value: str, unit: LimitUnit, least: int | None, most: int | None) -> AllocationLimit:
        bounds = [None if bound is None else Decimal(bound) for bound in (least, most)]
        return AllocationLimit("L", Text("Л", "L"), field, value, *bounds, unit)

    taken = [one("36", 300_000, "sme"), one("77", 100_000)]
    own = [one("36", 0), one("50", 0)]

    def left(*held: AllocationLimit) -> list[tuple[str, str, Decimal | None, Decimal | None]]:
        return [(each.value, each.unit, each.least, each.most) for each in left_of(held, taken, own, Decimal(10**6))]

    assert left(limit(LimitField.REGION, "*", LimitUnit.PROJECTS, None, 1)) == [
        ("36", "projects", None, 0), ("50", "projects", None, 1), ("77", "projects", None, 0)
    ]  # fmt: skip
    assert left(limit(LimitField.REGION, "36", LimitUnit.PERCENT, None, 25)) == [("36", "roubles", None, 0)]
    assert left(limit(LimitField.SME, "", LimitUnit.PERCENT, 40, None)) == [("sme", "roubles", 100_000, None)]
    assert left(limit(LimitField.SME, "", LimitUnit.PERCENT, 30, None)) == []


@dataclass(frozen=True)
class Asking:
    """A project as it was made: (track, place), sums by (track, year), region, whether its initiator is small."""

    at: tuple[str, int]
    amounts: Mapping[tuple[str, int], int]
    region: str
    small: bool

    @property
    def total(self) -> int:
        return sum(self.amounts.values())

    @property
    def points(self) -> Decimal:
        return Decimal("90.00") - Decimal(self.at[1] - 1) / 10


@pytest.mark.parametrize("seed", range(20 if os.environ.get("FULL") else 1))
@pytest.mark.parametrize("allotment", ["skipping", "best_total"])
def test_the_lists_of_both_tracks_are_those_of_every_set_tried(session: Session, seed: int, allotment: str) -> None:
    """Through the inputs of the portal: envelopes of two tracks and three years, limits over both."""
    chance = random.Random(seed)
    share, count = chance.randint(5, 60), chance.randint(1, 2)
    limits = [
        REGION | {"most": str(count)},
        {**REGION, "code": "L2", "value": "36", "most": str(share), "unit": "percent"},
        {**REGION, "code": "L3", "field": "sme", "value": "", "least": "1", "most": None},
    ]
    tender = tenders_factory.closed_tender(session, **over_both(limits))
    awards.own_programme(session, tender)
    stages, asking, money = [], list[Asking](), dict[tuple[str, int], int]()
    for track, years in ((Track.EXPORT, (2019, 2020, 2021)), (Track.IMPORT_SUBSTITUTION, (2018, 2019, 2020))):
        requests = [{year: chance.randint(1, 40) for year in years} for _ in range(3)]
        held = {year: chance.randint(20, 90) for year in years}
        stages.append(awards.stage(session, requests, held, tender=tender, track=track))
        money |= {(track.value, year): amount for year, amount in held.items()}
        for place, request in enumerate(requests, start=1):
            region, small = chance.choice(("36", "77")), chance.random() < 0.5
            initiator = identity.organisation(session, region=int(region), sme="small" if small else "none")
            stages[-1].application(place - 1).initiator_id = initiator.id
            amounts = {(track.value, year): amount for year, amount in request.items()}
            asking.append(Asking((track.value, place), amounts, region, small))
    session.flush()
    for stage in stages:
        ruled(stage, allotment=allotment)
    run = allocating.start(session, stages[0].chair, tender_track_id=stages[0].track.id)
    while allocating.step(session, run.id).done < allocating.PHASES:
        pass
    order = sorted(asking, key=lambda each: (each.at[1], each.at[0]))
    most = sum(money.values()) * share

    def fits(chosen: Sequence[Asking]) -> bool:
        spent = Counter[tuple[str, int]]()
        for each in chosen:
            spent.update(each.amounts)
        regions = Counter(each.region for each in chosen)
        return (
            all(amount <= money[key] for key, amount in spent.items())
            and max(regions.values(), default=0) <= count
            and sum(each.total for each in chosen if each.region == "36") * 100 <= most
        )

    won: list[Asking] = []
    if allotment == "skipping":
        for each in order:
            won += [each] if fits([*won, each]) else []
    else:
        sets = [
            [each for each, taken in zip(order, pattern, strict=True) if taken]
            for pattern in product((True, False), repeat=len(order))
        ]
        allowed = [chosen for chosen in sets if fits(chosen)]
        reached = [chosen for chosen in allowed if any(each.small for each in chosen)]
        # Of equal sums the first in canonical order, which is how the patterns are ordered.
        won = max(reached or allowed, key=lambda chosen: sum(each.points for each in chosen))
    for stage in stages:
        places = {each.at for each in won}
        expected = ["award" if (stage.track.track, place) in places else "reserve" for place in (1, 2, 3)]
        assert outcomes(stage, drafted(stage)) == expected

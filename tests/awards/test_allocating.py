"""Allocations of a track in the background, and the award list that follows the policy of the rules."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.awards import queries, service
from portal.awards.allocation import computing as allocating
from portal.awards.allocation.models import AllocationRun, RunState
from portal.core.errors import NotFound, Problems, Refused
from portal.core.jobs import Task
from tests.factories import awards
from tests.factories.awards import Stage, ruled

EACH = {"code": "L1", "title": {"ru": "МСП", "en": "Small business"}, "unit": "projects"}


@pytest.fixture
def stage(session: Session) -> Stage:
    """The first leaves too little for the second; second and third together have more points than the first."""
    return awards.stage(session, [{2018: 60}, {2018: 50}, {2018: 40}, {2018: 1}], {2018: 90, 2019: 50}, declined=[3])


def computed(stage: Stage) -> AllocationRun:
    run = allocating.start(stage.session, stage.chair, tender_track_id=stage.track.id)
    while allocating.step(stage.session, run.id).done < allocating.PHASES:
        pass
    return run


def listed(stage: Stage) -> list[str]:
    decision = service.draft(stage.session, stage.chair, stage.track.id)
    return [row.line.outcome for row in queries.decision_view(stage.session, stage.chair, decision.id).rows]


def test_rules_that_say_nothing_follow_the_strict_order(stage: Stage) -> None:
    assert listed(stage) == ["award", "reserve", "reserve", "decline"]


def test_a_list_that_passes_over_what_does_not_fit(session: Session) -> None:
    made = awards.stage(session, [{2018: 60}, {2018: 50}, {2018: 20}, {2018: 1}], {2018: 90}, declined=[3])
    ruled(made, allotment="skipping")
    assert listed(made) == ["award", "reserve", "award", "decline"]


def test_a_limit_holds_under_the_strict_order_too(stage: Stage) -> None:
    limit = EACH | {"field": "category", "value": "*", "least": None, "most": "0"}
    ruled(stage, limits=[limit | {"unit": "projects", "field": "region"}])
    decision = service.draft(stage.session, stage.chair, stage.track.id)
    rows = queries.decision_view(stage.session, stage.chair, decision.id).rows
    assert [row.line.outcome for row in rows] == ["reserve", "reserve", "reserve", "decline"]
    assert rows[0].line.reason["en"] == "Passed over by the limit “Small business”: no more than 0."


def test_the_best_total_is_computed_first_and_then_drafted_and_signed(stage: Stage) -> None:
    ruled(stage, allotment="best_total")
    with pytest.raises(Problems) as caught:
        service.draft(stage.session, stage.chair, stage.track.id)
    assert [problem.code for problem in caught.value.problems] == ["no_allocation"]
    run = computed(stage)
    assert (run.state, run.candidates, run.gap, run.reproducible) == (RunState.DONE, 3, 0, True)
    assert listed(stage) == ["reserve", "award", "award", "decline"]


def test_an_allocation_is_only_about_what_was_true(session: Session, stage: Stage) -> None:
    ruled(stage, allotment="best_total")
    computed(stage)
    assert allocating.view(session, stage.track).current
    ruled(stage, limits=[EACH | {"field": "sme", "value": "", "least": "1", "most": None}])
    assert not allocating.view(session, stage.track).current
    with pytest.raises(Problems):
        service.draft(session, stage.chair, stage.track.id)


def test_what_the_clock_ended_is_never_drafted(session: Session, stage: Stage) -> None:
    ruled(stage, allotment="best_total")
    run = allocating.start(session, stage.chair, tender_track_id=stage.track.id)
    run.problem_digest = allocating.present_problem(session, stage.track).digest
    run.digest, run.state, run.done_at, run.reproducible = "0" * 64, RunState.DONE, run.created_at, False
    session.flush()
    with pytest.raises(Problems) as caught:
        service.draft(session, stage.chair, stage.track.id)
    assert [found.code for found in caught.value.problems] == ["by_clock"]


def test_what_is_open_is_shown_before_anything_is_computed(session: Session, stage: Stage) -> None:
    stage.application(0).state = "submitted"
    session.flush()
    assert [problem.code for problem in allocating.view(session, stage.track).problems] == ["unchecked"]


def test_starting_twice_is_one_computation(session: Session, stage: Stage) -> None:
    first = allocating.start(session, stage.chair, tender_track_id=stage.track.id)
    assert allocating.start(session, stage.chair, tender_track_id=stage.track.id).id == first.id
    assert len(session.scalars(select(Task).where(Task.kind == allocating.TASK)).all()) == 1


def test_who_may_start_and_what_is_open(session: Session, stage: Stage) -> None:
    with pytest.raises(Refused):
        allocating.start(session, stage.member, tender_track_id=stage.track.id)
    with pytest.raises(NotFound):
        allocating.start(session, stage.chair, tender_track_id=uuid4())
    with pytest.raises(NotFound):
        allocating.step(session, uuid4())
    stage.application(0).state = "submitted"
    session.flush()
    with pytest.raises(Problems):
        allocating.start(session, stage.chair, tender_track_id=stage.track.id)


def test_a_finished_allocation_is_never_changed(session: Session, stage: Stage) -> None:
    run = computed(stage)
    assert allocating.step(session, run.id).done == allocating.PHASES
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update allocation_run set result = '{}' where id = :id"), {"id": run.id})


def test_the_view_reads_the_same_number_of_statements(
    session: Session, stage: Stage, count_queries: Callable[[], Any]
) -> None:
    computed(stage)
    session.flush()
    session.expunge_all()
    with count_queries() as counted:
        found = allocating.view(session, stage.track)
        assert [row.number for row in found.applications.values()]
    assert len(counted) <= 8
    assert found.run is not None
    assert Decimal(found.run.result["left"]["2018"]) == 30

"""Every verb of the what-if room and each of its exits; and that none of them writes a score, a decision or money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from benchmarks.scenarios import ground
from portal.audit.models import AuditEvent
from portal.awards import service as decisions
from portal.awards.scenarios import outcome, service, simulating
from portal.awards.scenarios.changes import Changes, Outcome, Supposed, read_changes, read_result
from portal.awards.scenarios.models import RankAcceptability, Scenario, ScenarioCitation
from portal.awards.scenarios.outcome import as_it_is
from portal.awards.scenarios.queries import cited_by, room, standing
from portal.awards.scenarios.sheets import KEPT, Kept, Sheet
from portal.budget import service as budget
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.jobs import Task
from portal.identity.models import Role
from portal.identity.policy import Actor, Permission
from portal.scoring.models import Score, ScoreRun
from portal.scoring.queries import rules_of
from portal.tenders.ruleset import Allotment
from tests.factories import awards, panels, scenarios
from tests.factories.awards import Stage

WORDS = "The winners do not depend on this weight."
UNTOUCHED = ("score", "score_run", "award_decision", "decision_line", "award_amount", "posting", "envelope", "mark")


@pytest.fixture
def stage(session: Session) -> Stage:
    """Two requests of 60 for 100 roubles: the first gets money, and with other weights the second."""
    return scenarios.stage(session, [{2018: 60}, {2018: 60}, {2018: 10}], {2018: 100})


def turned(stage: Stage) -> Changes:
    """Ten points from the first criterion to the second."""
    weights = {each.code: each.weight for each in rules_of(stage.session, stage.track.id).criteria}
    first, second = list(weights)[:2]
    return Changes(weights=weights | {first: weights[first] - 10, second: weights[second] + 10})


def made(stage: Stage, actor: Actor | None = None, *, shared: bool = False, name: str = "Other weights") -> Scenario:
    author = actor or stage.member
    held = service.create(stage.session, author, stage.track.id, name=name, changes=turned(stage))
    return service.share(stage.session, author, held.id) if shared else held


def adopted(stage: Stage) -> Scenario:
    return service.adopt(stage.session, stage.chair, made(stage, shared=True).id, words=WORDS)


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def tags(session: Session, held: Scenario) -> list[str]:
    session.commit()
    return list(
        session.scalars(
            select(AuditEvent.tag)
            .where(AuditEvent.object_id == str(held.id), AuditEvent.tag.like("awards:scenario:%"))
            .order_by(AuditEvent.seq)
        )
    )


# Create


def test_create_keeps_changes_result_and_digests(stage: Stage) -> None:
    held = made(stage, name="  Other   weights ")
    assert held.name == "Other weights"
    assert (held.shared_at, held.adopted_at, held.addendum) == (None, None, None)
    result = read_result(held.result)
    assert [(each.number[-1], each.outcome) for each in result.places][:2] == [
        (stage.application(1).number[-1], Outcome.AWARD),
        (stage.application(0).number[-1], Outcome.RESERVE),
    ]
    assert result.digest == held.result_digest
    assert read_changes(held.changes) == turned(stage)


def test_no_change_is_the_present_list(stage: Stage) -> None:
    held = service.create(stage.session, stage.chair, stage.track.id, name="As it is", changes=Changes())
    decision = decisions.draft(stage.session, stage.chair, stage.track.id)
    stage.session.refresh(decision, ["lines"])
    listed = {str(line.application_id): (line.place, line.outcome, line.total) for line in decision.lines}
    result = read_result(held.result)
    assert {each.application_id: (each.place, each.outcome.value, each.total) for each in result.places} == listed
    assert {str(year): f"{amount:.2f}" for year, amount in result.available.items()} == decision.available


def test_create_tells_everything_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problems) as caught:
        service.create(stage.session, stage.chair, stage.track.id, name=" ", changes=Changes(threshold=Decimal(101)))
    assert codes(caught) == [("name", "name"), ("threshold", "threshold")]
    made(stage)
    with pytest.raises(Problems) as caught:
        made(stage, name="other WEIGHTS")
    assert codes(caught) == [("name", "taken")]
    made(stage, stage.chair)
    monkeypatch.setattr(service, "MOST_OWN", 1)
    with pytest.raises(Problems) as caught:
        made(stage, name="x" * 121)
    assert codes(caught) == [("", "many"), ("name", "name")]


def test_create_needs_a_run_and_a_published_tender(session: Session, stage: Stage) -> None:
    with pytest.raises(NotFound):
        service.create(session, stage.chair, uuid4(), name="x", changes=Changes())
    session.execute(delete(Score))
    session.execute(delete(ScoreRun))
    with pytest.raises(Conflict, match="not scored yet"):
        made(stage)


# Who may


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.REVIEWER])
def test_other_staff_never_see_it(session: Session, stage: Stage, role: Role) -> None:
    held = made(stage, shared=True)
    other = awards.person(session, role)
    with pytest.raises(Refused, match="Your role"):
        room(session, other, stage.track.id, Permission.SCENARIO_VIEW)
    with pytest.raises(Refused):
        service.copy(session, other, held.id, name="Mine")


def test_an_applicant_does_not_know_of_it(session: Session, stage: Stage) -> None:
    with pytest.raises(NotFound):
        room(session, Actor(user_id=uuid4()), stage.track.id, Permission.SCENARIO_VIEW)


def test_an_auditor_reads_what_is_shared(session: Session, stage: Stage) -> None:
    auditor = awards.person(session, Role.AUDITOR)
    held = made(stage)
    with pytest.raises(NotFound):
        service.scenario_of(session, auditor, held.id)
    service.share(session, stage.member, held.id)
    assert service.scenario_of(session, auditor, held.id).id == held.id
    with pytest.raises(Refused):
        service.copy(session, auditor, held.id, name="Mine")


@pytest.mark.parametrize("how", ["tied", "reviewing", "barred"])
def test_an_interest_in_the_track_keeps_one_out(session: Session, stage: Stage, how: str) -> None:
    held = made(stage, shared=True)
    person = session.get_one(panels.User, stage.chair.user_id)
    actor = stage.chair
    if how == "tied":
        panels.tie(session, stage.track.id, person)
        actor = panels.identity.actor(session, person)
    elif how == "reviewing":
        panels.unfinished(session, stage.track.id, person)
    else:
        scenarios.barred(stage, actor)
    verbs: list[Callable[[], object]] = [
        lambda: room(session, actor, stage.track.id, Permission.SCENARIO_VIEW),
        lambda: made(stage, actor, name="Mine"),
        lambda: service.copy(session, actor, held.id, name="Mine"),
        lambda: service.adopt(session, actor, held.id, words=WORDS),
    ]
    for verb in verbs:
        with pytest.raises(Refused):
            verb()


def test_only_the_author_touches_it(session: Session, stage: Stage) -> None:
    held = made(stage)
    verbs: list[Callable[[], object]] = [
        lambda: service.change(session, stage.chair, held.id, changes=Changes()),
        lambda: service.refresh(session, stage.chair, held.id),
        lambda: service.rename(session, stage.chair, held.id, name="New"),
        lambda: service.share(session, stage.chair, held.id, shared=False),
        lambda: service.discard(session, stage.chair, held.id),
    ]
    for verb in (*verbs, lambda: service.copy(session, stage.chair, held.id, name="Mine")):
        with pytest.raises(NotFound):
            verb()
    service.share(session, stage.member, held.id)
    for verb in verbs:
        with pytest.raises(Refused, match="Only its author"):
            verb()


# Change, refresh, rename, copy, share, discard


def test_change_computes_anew(session: Session, stage: Stage) -> None:
    held = made(stage)
    before = held.result_digest
    service.change(session, stage.member, held.id, changes=Changes(), expected_version=held.version)
    assert (held.changes, held.result_digest != before) == ({}, True)
    with pytest.raises(Problems):
        service.change(session, stage.member, held.id, changes=Changes(threshold=Decimal(-1)))
    with pytest.raises(Stale):
        service.change(session, stage.member, held.id, changes=Changes(), expected_version=99)
    assert tags(session, held) == ["awards:scenario:create", "awards:scenario:change"]


def test_refresh_stands_on_what_holds_now(session: Session, stage: Stage) -> None:
    held = made(stage)
    before = held.ground_digest
    service.refresh(session, stage.member, held.id)
    assert held.ground_digest == before
    envelope = next(iter(stage.envelopes.values()))
    budget.appropriate(
        session,
        awards.person(session, Role.ADMINISTRATOR),
        envelope.id,
        key="test:more",
        amount=Decimal(100),
        order="Order",
        reason="More",
    )
    service.refresh(session, stage.member, held.id)
    assert held.ground_digest != before
    assert read_result(held.result).available == {2018: Decimal("200.00")}
    assert read_result(held.result).count(Outcome.AWARD) == 3


def test_sheets_of_a_run_are_read_once(session: Session, stage: Stage, count_queries: Callable[[], Any]) -> None:
    place = room(session, stage.chair, stage.track.id, Permission.SCENARIO_VIEW)
    session.commit()
    with count_queries() as first:
        held = standing(session, place)
    with count_queries() as again:
        same = standing(session, place)
    assert held is not None
    assert same is not None
    assert (same.ground, as_it_is(same.ground) is as_it_is(held.ground)) == (held.ground, True)
    assert [sum("sheet" in each for each in statements) for statements in (first, again)] == [1, 0]
    assert len(first) == len(again)
    run, score = held.run, session.scalars(select(Score).where(Score.run_id == held.run.id).limit(1)).one()
    stale = {key: each._replace(digest="other") for key, each in KEPT.of(session, run.id, []).items()}
    known = Kept()
    known._keep(run.id, {**stale, uuid4(): stale[score.submission_id]})
    found = known.of(session, run.id, [score])
    assert found[score.submission_id] == KEPT.of(session, run.id, [])[score.submission_id]


def test_the_runs_looked_at_longest_ago_are_forgotten(session: Session) -> None:
    sheet = Sheet("d", {}, ())
    known, runs = Kept(most=3), [uuid4() for _ in range(3)]
    for run in runs:
        known._keep(run, {uuid4(): sheet, uuid4(): sheet})
    assert [run in known for run in runs] == [False, False, True]
    known._keep(runs[2], {uuid4(): sheet for _ in range(9)})
    assert runs[2] in known


def test_a_list_that_is_not_found_in_time_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "SECONDS", 0.0)
    large = ground(200)
    rules = replace(large.rules, allotment=Allotment.BEST_TOTAL)
    with pytest.raises(Conflict, match="not found in time"):
        as_it_is(replace(large, rules=rules))


def test_rename_copy_and_their_refusals(session: Session, stage: Stage) -> None:
    held, other = made(stage), made(stage, name="Second")
    service.rename(session, stage.member, held.id, name="Third")
    assert held.name == "Third"
    with pytest.raises(Problems) as caught:
        service.rename(session, stage.member, held.id, name="second")
    assert codes(caught) == [("name", "taken")]
    with pytest.raises(Problems):
        service.rename(session, stage.member, other.id, name="")
    service.share(session, stage.member, other.id)
    mine = service.copy(session, stage.chair, other.id, name="Second")
    assert (mine.author_id, mine.changes, mine.shared_at) == (stage.chair.user_id, other.changes, None)
    with pytest.raises(NotFound):
        service.copy(session, stage.chair, uuid4(), name="x")


def test_share_take_back_and_discard(session: Session, stage: Stage) -> None:
    held = made(stage, shared=True)
    version = held.version
    service.share(session, stage.member, held.id)
    assert held.version == version
    service.share(session, stage.member, held.id, shared=False)
    assert held.shared_at is None
    service.discard(session, stage.member, held.id)
    with pytest.raises(NotFound):
        service.discard(session, stage.member, held.id)
    assert made(stage).name == held.name
    assert tags(session, held)[1:] == [f"awards:scenario:{verb}" for verb in ("share", "withdraw", "discard")]


# Adopt


def test_adopt_records_the_digest_and_is_final(session: Session, stage: Stage) -> None:
    held = adopted(stage)
    assert (held.addendum, held.adopted_by, held.adoption) == (1, stage.chair.user_id, WORDS)
    session.commit()
    event = session.scalars(
        select(AuditEvent).where(AuditEvent.object_id == str(held.id)).order_by(AuditEvent.seq)
    ).all()[-1]
    assert event.tag == "awards:scenario:adopt"
    assert event.changes["result"] == held.result_digest
    assert event.changes["changes"] == held.changes_digest
    second = service.share(session, stage.member, made(stage, name="Second").id)
    assert service.adopt(session, stage.chair, second.id, words=WORDS).addendum == 2
    verbs: list[Callable[[], object]] = [
        lambda: service.change(session, stage.member, held.id, changes=Changes()),
        lambda: service.refresh(session, stage.member, held.id),
        lambda: service.rename(session, stage.member, held.id, name="New"),
        lambda: service.share(session, stage.member, held.id, shared=False),
        lambda: service.discard(session, stage.member, held.id),
        lambda: service.adopt(session, stage.chair, held.id, words=WORDS),
    ]
    for verb in verbs:
        with pytest.raises(Conflict, match="was adopted"):
            verb()
    for statement in (update(Scenario).values(name="x"), delete(Scenario)):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(statement.where(Scenario.id == held.id))


def test_adopt_refuses(session: Session, stage: Stage) -> None:
    held = made(stage)
    with pytest.raises(NotFound):
        service.adopt(session, stage.chair, held.id, words=WORDS)
    own = made(stage, stage.chair, name="Own")
    with pytest.raises(Conflict, match="Share the scenario first"):
        service.adopt(session, stage.chair, own.id, words=WORDS)
    service.share(session, stage.member, held.id)
    with pytest.raises(Refused):
        service.adopt(session, stage.member, held.id, words=WORDS)
    with pytest.raises(Problems) as caught:
        service.adopt(session, stage.chair, held.id, words="Yes.")
    assert codes(caught) == [("words", "words")]
    with pytest.raises(Stale):
        service.adopt(session, stage.chair, held.id, words=WORDS, expected_version=99)
    session.execute(update(Score).values(digest="f" * 64))
    with pytest.raises(Conflict, match="have changed"):
        service.adopt(session, stage.chair, held.id, words=WORDS)


def test_nothing_is_adopted_after_the_signature(session: Session, stage: Stage) -> None:
    held = made(stage, shared=True)
    decision = decisions.draft(session, stage.chair, stage.track.id)
    session.execute(
        text("update award_decision set signed_at = portal_now(), signed_by = :who where id = :key"),
        {"who": stage.member.user_id, "key": decision.id},
    )
    session.expire(decision)
    with pytest.raises(Conflict, match="is signed"):
        service.adopt(session, stage.chair, held.id, words=WORDS)


def test_a_draft_cites_what_was_adopted(session: Session, stage: Stage) -> None:
    """The list of the draft follows from the published rules all the same."""
    departs = adopted(stage)
    same = service.create(session, stage.chair, stage.track.id, name="As it is", changes=Changes())
    service.share(session, stage.chair, same.id)
    service.adopt(session, stage.chair, same.id, words=WORDS)
    decision = decisions.draft(session, stage.chair, stage.track.id)
    assert [(each.scenario_id, each.same) for each in cited_by(session, decision.id)] == [
        (departs.id, False),
        (same.id, True),
    ]
    session.refresh(decision, ["lines"])
    winners = [line.application_id for line in decision.lines if line.outcome == "award"]
    assert winners == [stage.applications[0]]
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(delete(ScenarioCitation))


def test_a_scenario_writes_nothing_else(session: Session, stage: Stage) -> None:
    def contents() -> dict[str, object]:
        session.flush()
        return {
            name: session.execute(
                text(f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {name} t")
            ).scalar_one()
            for name in UNTOUCHED
        }

    before = contents()
    held = made(stage, shared=True)
    number = str(stage.application(2).number)
    criterion = rules_of(session, stage.track.id).criteria[0].code
    supposed = {number: {criterion: Supposed(Decimal(10), "Because it may be so.")}}
    everything = Changes(turned(stage).weights, Decimal(70), {2018: Decimal(500)}, supposed)
    service.change(session, stage.member, held.id, changes=everything)
    service.refresh(session, stage.member, held.id)
    service.copy(session, stage.chair, held.id, name="Copy")
    service.adopt(session, stage.chair, held.id, words=WORDS)
    assert contents() == before


# Simulation in the background


def test_a_large_question_is_answered_by_a_job(session: Session, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulating, "AT_ONCE", 1)
    place = room(session, stage.chair, stage.track.id, Permission.SCENARIO_VIEW)
    held = standing(session, place)
    assert held is not None
    asked = simulating.question(held.ground, turned(stage), 5)
    assert asked is not None
    assert simulating.found(session, asked) is None
    simulating.ask(session, place, turned(stage), 5)
    task = session.scalars(select(Task).where(Task.kind == simulating.KIND)).one()
    simulating.run(session, task.payload)
    simulating.run(session, task.payload)
    told = simulating.found(session, asked)
    assert told == simulating.answer(asked)
    simulating.ask(session, place, turned(stage), 5)
    assert session.scalar(select(func.count()).select_from(Task).where(Task.kind == simulating.KIND)) == 1
    assert session.scalar(select(func.count()).select_from(RankAcceptability)) == 1

"""Scenarios of the what-if room: made, changed, shared with the commission, adopted (decision 18).

The only writer of its tables. No verb writes a score, a decision, or anything in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.awards.models import AwardDecision
from portal.awards.proposal import Line
from portal.awards.scenarios.changes import Changes, Outcome, Result, read_changes, read_result, reduced
from portal.awards.scenarios.checks import problems
from portal.awards.scenarios.models import Scenario, ScenarioCitation
from portal.awards.scenarios.outcome import TooSlow, follow
from portal.awards.scenarios.policy import Placed
from portal.awards.scenarios.queries import Standing, room, scenario_of, standing
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, Problem, Problems, Stale
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.scoring.evaluation import Place
from portal.tenders.models import TenderTrack

MOST_NAME: Final = 120
MOST_OWN: Final = 50
LEAST_ADOPTION: Final = 20
MOST_ADOPTION: Final = 2_000
ADOPTED: Final = N_("This scenario was adopted and is not changed any more. Make a copy and change that.")
NO_RUN: Final = N_("The applications of this track are not scored yet: a scoring run has to end first.")


def create(session: Session, actor: Actor, tender_track_id: UUID, *, name: str, changes: Changes) -> Scenario:
    """A new scenario, its author's own until it is shared.

    Raises :class:`Problems` with all that is wrong with name and changes, :class:`Conflict` before the first run.
    """
    place = room(session, actor, tender_track_id, Permission.SCENARIO_EDIT)
    scenario = _new(session, actor, place, name, changes)
    _record(session, actor, "create", scenario)
    return scenario


def copy(session: Session, actor: Actor, scenario_id: UUID, *, name: str) -> Scenario:
    """The same changes under another name, as the actor's own; computed on what holds now."""
    authorize(actor, Permission.SCENARIO_EDIT)
    source = scenario_of(session, actor, scenario_id)
    place = room(session, actor, source.tender_track_id, Permission.SCENARIO_EDIT)
    scenario = _new(session, actor, place, name, read_changes(source.changes))
    _record(session, actor, "copy", scenario, source=source.id)
    return scenario


def change(
    session: Session, actor: Actor, scenario_id: UUID, *, changes: Changes, expected_version: int | None = None
) -> Scenario:
    """Other changes, computed on what holds now. Raises :class:`Problems`, :class:`Stale`, or :class:`Conflict` for
    one that was adopted."""
    scenario, place = _own(session, actor, scenario_id, expected_version)
    _fill(session, scenario, *computed(session, place, changes))
    session.flush()
    _record(session, actor, "change", scenario)
    return scenario


def refresh(session: Session, actor: Actor, scenario_id: UUID, *, expected_version: int | None = None) -> Scenario:
    """The same changes, computed on what holds now: another run, other money, other applications."""
    scenario, place = _own(session, actor, scenario_id, expected_version)
    _fill(session, scenario, *computed(session, place, read_changes(scenario.changes)))
    session.flush()
    _record(session, actor, "refresh", scenario)
    return scenario


def rename(
    session: Session, actor: Actor, scenario_id: UUID, *, name: str, expected_version: int | None = None
) -> Scenario:
    """Another name. Raises :class:`Problems` for none, a long one, or one of another of the author's scenarios."""
    scenario, _ = _own(session, actor, scenario_id, expected_version)
    called = _name(name)
    with _unique_name(session):
        scenario.name = called
    _record(session, actor, "rename", scenario)
    return scenario


def share(
    session: Session, actor: Actor, scenario_id: UUID, *, shared: bool = True, expected_version: int | None = None
) -> Scenario:
    """Show it to the commission, or take it back; again changes nothing."""
    scenario, _ = _own(session, actor, scenario_id, expected_version)
    if (scenario.shared_at is not None) is shared:
        return scenario
    scenario.shared_at = now(session) if shared else None
    session.flush()
    _record(session, actor, "share" if shared else "withdraw", scenario)
    return scenario


def discard(session: Session, actor: Actor, scenario_id: UUID, *, expected_version: int | None = None) -> Scenario:
    """Put it away; it stays on record and nobody reads it any more."""
    scenario, _ = _own(session, actor, scenario_id, expected_version)
    scenario.discarded_at = now(session)
    session.flush()
    _record(session, actor, "discard", scenario)
    return scenario


def adopt(
    session: Session, actor: Actor, scenario_id: UUID, *, words: str, expected_version: int | None = None
) -> Scenario:
    """Record that the commission adopts a shared scenario, as an addendum that its next draft cites (decision 18).

    Changes no score, no weight, no money, and no list: a draft follows from published rules, reviews and the ledger.
    ``words``: what the commission concludes from it. Raises :class:`Problems` for too few or too many words,
    :class:`Conflict` when it is not shared, was adopted, stands on what has changed since, or the decision is signed.
    """
    authorize(actor, Permission.SCENARIO_ADOPT)
    seen = scenario_of(session, actor, scenario_id)
    place = room(session, actor, seen.tender_track_id, Permission.SCENARIO_ADOPT)
    # Addenda of a track are numbered one after the other.
    session.scalars(select(TenderTrack.id).where(TenderTrack.id == place.id).with_for_update()).one()
    scenario = _locked(session, actor, scenario_id, expected_version)
    if scenario.shared_at is None:
        raise Conflict(N_("Share the scenario first: the commission adopts what it has seen."))
    text = words.strip()
    if not LEAST_ADOPTION <= len(text) <= MOST_ADOPTION:
        said = N_(
            "Say in %(least)s to %(most)s characters what the commission concludes.",
            least=LEAST_ADOPTION,
            most=MOST_ADOPTION,
        )
        raise Problems.one("words", "words", said)
    held = _standing(session, place)
    if held.decision is not None and held.decision.signed_at is not None:
        raise Conflict(N_("The decision on this track is signed: no scenario is adopted any more."))
    if held.ground.digest != scenario.ground_digest:
        raise Conflict(
            N_(
                "Scores, money or applications have changed since this scenario was computed. Its author has to"
                " compute it anew."
            )
        )
    last = session.scalar(select(func.max(Scenario.addendum)).where(Scenario.tender_track_id == place.id))
    scenario.adopted_at, scenario.adopted_by = now(session), actor.user_id
    scenario.adoption, scenario.addendum = text, (last or 0) + 1
    session.flush()
    _record(session, actor, "adopt", scenario, addendum=scenario.addendum, words=text)
    return scenario


def cite(session: Session, actor: Actor, decision: AwardDecision, lines: Iterable[Line]) -> list[ScenarioCitation]:
    """Let a new draft cite every scenario that was adopted for its track; part of drafting.

    ``same`` says whether the list that was drafted is the one of the scenario.
    """
    drafted = {
        line.application_id: (line.outcome.value, {year: amount for year, amount in line.amounts.items() if amount})
        for line in lines
    }
    adopted = session.scalars(
        select(Scenario)
        .where(Scenario.tender_track_id == decision.tender_track_id, Scenario.adopted_at.is_not(None))
        .order_by(Scenario.addendum)
    ).all()
    found = []
    for scenario in adopted:
        cited = ScenarioCitation(
            decision_id=decision.id, scenario_id=scenario.id, same=_list_of(read_result(scenario.result)) == drafted
        )
        session.add(cited)
        found.append(cited)
        changes = {
            "decision": decision.id,
            "addendum": scenario.addendum,
            "changes": scenario.changes_digest,
            "ground": scenario.ground_digest,
            "result": scenario.result_digest,
            "same": cited.same,
        }
        record(session, actor, "awards:scenario:cite", "scenario", scenario.id, changes)
    session.flush()
    return found


def _list_of(result: Result) -> dict[str, tuple[str, dict[int, object]]]:
    return {
        each.application_id: (each.outcome.value, dict(each.amounts))
        for each in result.places
        if each.outcome is not Outcome.OPEN
    }


def computed(session: Session, place: Place, changes: Changes) -> tuple[Standing, Changes, Result]:
    """What follows from changes on what holds now, without keeping it: for a look before saving.

    Raises :class:`Problems` with all that is wrong with them, :class:`Conflict` before the first run.
    """
    held = _standing(session, place)
    found = problems(held.ground, changes)
    if found:
        raise Problems(found)
    changes = reduced(held.ground, changes)
    try:
        return held, changes, follow(held.ground, changes)
    except TooSlow:
        said = N_("The best total was not found in time. Take fewer limits, or another way to give out the money.")
        raise Problems.one("slow", "policy", said) from None


def _standing(session: Session, place: Place) -> Standing:
    held = standing(session, place)
    if held is None:
        raise Conflict(NO_RUN)
    return held


def _new(session: Session, actor: Actor, place: Place, name: str, changes: Changes) -> Scenario:
    assert actor.user_id is not None
    own = session.scalar(
        select(func.count()).where(
            Scenario.tender_track_id == place.id,
            Scenario.author_id == actor.user_id,
            Scenario.discarded_at.is_(None),
        )
    )
    wrong: list[Problem] = []
    if (own or 0) >= MOST_OWN:
        many = N_("You have %(most)s scenarios in this track. Discard one first.", most=MOST_OWN)
        wrong.append(Problem("many", "", many))
    try:
        called = _name(name)
    except Problems as refusal:
        wrong += refusal.problems
        called = ""
    try:
        found = computed(session, place, changes)
    except Problems as refusal:
        raise Problems([*wrong, *refusal.problems]) from None
    if wrong:
        raise Problems(wrong)
    scenario = Scenario(tender_track_id=place.id, name=called, author_id=actor.user_id, adoption="")
    _fill(session, scenario, *found)
    with _unique_name(session):
        session.add(scenario)
    return scenario


def _fill(session: Session, scenario: Scenario, held: Standing, changes: Changes, result: Result) -> None:
    scenario.run_id = held.run.id
    scenario.changes = changes.to_json()
    scenario.changes_digest = digest(scenario.changes)
    scenario.ground_digest = held.ground.digest
    scenario.result = result.to_json()
    scenario.result_digest = result.digest
    scenario.computed_at = now(session)


def _name(name: str) -> str:
    text = " ".join(name.split())
    if not 1 <= len(text) <= MOST_NAME:
        raise Problems.one(
            "name", "name", N_("Give the scenario a name of at most %(most)s characters.", most=MOST_NAME)
        )
    return text


@contextmanager
def _unique_name(session: Session) -> Iterator[None]:
    """Write what is done inside, and tell a name that is taken as a problem of the form."""
    try:
        with session.begin_nested():
            yield
            session.flush()
    except IntegrityError as error:
        if "uq_scenario_name" not in str(error.orig):
            raise
        raise Problems.one("taken", "name", N_("You have another scenario of this name in this track.")) from None


def _own(session: Session, actor: Actor, scenario_id: UUID, expected_version: int | None) -> tuple[Scenario, Place]:
    """The actor's own scenario, locked, with its track; :class:`Conflict` for one that was adopted."""
    authorize(actor, Permission.SCENARIO_EDIT)
    seen = scenario_of(session, actor, scenario_id)
    place = room(session, actor, seen.tender_track_id, Permission.SCENARIO_EDIT)
    scenario = _locked(session, actor, scenario_id, expected_version)
    require_own(actor, scenario)
    return scenario, place


def require_own(actor: Actor, scenario: Scenario) -> None:
    """:class:`Refused` for everybody but the author, :class:`Conflict` for one that was adopted."""
    authorize(actor, Permission.SCENARIO_EDIT, Placed(scenario=scenario))
    if scenario.adopted_at is not None:
        raise Conflict(ADOPTED)


def _locked(session: Session, actor: Actor, scenario_id: UUID, expected_version: int | None) -> Scenario:
    scenario = scenario_of(session, actor, scenario_id, lock=True)
    if scenario.adopted_at is not None:
        raise Conflict(ADOPTED)
    if expected_version is not None and scenario.version != expected_version:
        raise Stale(
            N_("Somebody else changed this since you opened it. Open the page again and repeat your change."),
            scenario.version,
        )
    return scenario


def _record(session: Session, actor: Actor, verb: str, scenario: Scenario, **more: object) -> None:
    """Digests, and no name: who reads the audit trail is not who may read a scenario."""
    changes = {
        "track": scenario.tender_track_id,
        "run": scenario.run_id,
        "changes": scenario.changes_digest,
        "ground": scenario.ground_digest,
        "result": scenario.result_digest,
    }
    record(session, actor, f"awards:scenario:{verb}", "scenario", scenario.id, {**changes, **more})

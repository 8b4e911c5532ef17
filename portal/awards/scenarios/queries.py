"""Reading for the what-if room: what scenarios stand on, who may see them, and the scenarios themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.orm import Session, defer, joinedload, undefer

from portal.applications.models import Application, State, Submission
from portal.awards.allocation.inputs import NO_SME, TAKE_PART
from portal.awards.allocation.models import AllocationRun, RunState
from portal.awards.allocation.problem import EACH, SME, Candidate, Limit
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.awards.offers import queries as offer_queries
from portal.awards.scenarios.beside import Other, left_of
from portal.awards.scenarios.changes import Ground, Project, years_of
from portal.awards.scenarios.models import Scenario, ScenarioCitation
from portal.awards.scenarios.policy import Placed
from portal.awards.scenarios.sheets import COLUMNS, KEPT, Sheet
from portal.budget import queries as budget
from portal.clusters.models import Cluster
from portal.core.errors import NotFound
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.review.conflict_queries import barred_in_track
from portal.scoring import evaluation
from portal.scoring.evaluation import Place
from portal.scoring.models import Score, ScoreRun
from portal.scoring.queries import latest_run, lots_of
from portal.tenders.joint_limits import from_json
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import Allotment, TieRule

DECIDED_ON: Final = (State.EXPERTISE, State.AWARDED, State.RESERVE, State.DECLINED)
"""States in which the commission decides on an application, or has."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the pages show of an application beside its number."""

    submission_id: UUID
    title_ru: str
    title_en: str
    initiator_ru: str
    initiator_en: str


@dataclass(frozen=True)
class Standing:
    """What scenarios of a track stand on now. ``decision``: the live one, if any; ``names``: by number; ``other``: how
    the other track stands, where limits over both count it."""

    run: ScoreRun
    ground: Ground
    names: Mapping[str, Named]
    decision: AwardDecision | None
    other: Other | None = None


def room(session: Session, actor: Actor, tender_track_id: UUID, permission: Permission) -> Place:
    """A track that the actor may enter with this permission; three queries.

    Raises :class:`NotFound`, and :class:`Refused` for those with an interest in the track.
    """
    authorize(actor, permission)
    place = evaluation.place_of(session, tender_track_id)
    authorize(actor, permission, placed(session, actor, tender_track_id))
    return place


def placed(session: Session, actor: Actor, tender_track_id: UUID, scenario: Scenario | None = None) -> Placed:
    """How the actor is placed to a track; two queries."""
    held = evaluation.subject(session, actor, tender_track_id)
    return Placed(held.tied, held.reviewing, barred_in_track(session, actor.user_id, tender_track_id), scenario)


def standing(session: Session, place: Place) -> Standing | None:
    """What scenarios of the track stand on now; None before the first run over it has ended. Four or five queries, two
    or three more where limits over both tracks count the other one.

    The money is what the envelopes have left, or had when a decision was drafted that is signed since.
    """
    run = latest_run(session, place.id)
    if run is None:
        return None
    decision = session.scalar(
        select(AwardDecision).where(
            AwardDecision.tender_track_id == place.id, AwardDecision.discarded_at.is_(None), AwardDecision.number == 1
        )
    )
    if decision is not None and decision.signed_at is not None:
        available = {int(year): Decimal(amount) for year, amount in decision.available.items()}
    else:
        available = dict(budget.available(session, place.programme_id, place.track))
    drawn = lots_of(session, place.id) if TieRule.DRAW in place.rules.tie_rules else {}
    rows = session.execute(_scores(run, sheets=run.id not in KEPT)).all()
    sheets = KEPT.of(session, run.id, rows)
    asked_in_vain = place.rules.allotment is Allotment.PARTIAL
    unwilling = offer_queries.refused(session, [place.id]) if asked_in_vain else {}
    projects = [
        _project(row, sheets[row.submission_id], drawn.get(row.number, ""), str(row.id) in unwilling) for row in rows
    ]
    years = years_of(place.rules, projects)
    other, beside = _beside(session, place, projects, available) if place.joint_limits else (None, ())
    ground = Ground(
        rules=place.rules,
        rules_digest=run.rules_digest,
        output=run.output_digest or "",
        available={year: amount for year, amount in available.items() if year in years},
        projects=projects,
        beside=beside,
    )
    names = {
        row.number: Named(row.submission_id, row.title_ru, row.title_en, row.initiator_ru, row.initiator_en)
        for row in rows
    }
    return Standing(run, ground, names, decision, other)


def _beside(
    session: Session, place: Place, projects: Sequence[Project], available: Mapping[int, Decimal]
) -> tuple[Other | None, tuple[Limit, ...]]:
    """How the other track stands, and what it leaves of the limits over both."""
    decisions = session.scalars(
        select(AwardDecision)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(
            TenderTrack.tender_id == place.tender_id,
            TenderTrack.id != place.id,
            AwardDecision.number == 1,
            AwardDecision.discarded_at.is_(None),
        )
        .options(joinedload(AwardDecision.lines).joinedload(DecisionLine.amounts))
    )
    granted: dict[UUID, Decimal] = {}
    whole = sum((amount for amount in available.values() if amount > 0), Decimal(0))
    stands = Other.OPEN
    for decision in decisions.unique():
        stands = Other.DECIDED
        whole += sum((max(Decimal(amount), Decimal(0)) for amount in decision.available.values()), Decimal(0))
        for line in decision.lines:
            if line.outcome == Award.AWARD:
                granted[line.application_id] = sum((each.amount for each in line.amounts), Decimal(0))
    if stands is Other.OPEN:
        run = _computed(session, place)
        for track, figures in (run or {}).get("tracks", {}).items():
            if track != place.track:
                stands = Other.COMPUTED
                whole += sum(map(Decimal, figures["left"].values()), Decimal(0))
        own = {each.application_id for each in projects}
        for key, outcome in (run or {}).get("outcomes", {}).items():
            if key not in own and outcome["granted"]:
                granted[UUID(key)] = sum(map(Decimal, outcome["granted"].values()), Decimal(0))
                whole += granted[UUID(key)]
    limits = from_json(place.joint_limits)
    return stands, left_of(limits, _taken(session, granted), map(_counted, projects), whole)


def _computed(session: Session, place: Place) -> dict[str, Any] | None:
    """The newest allocation of the tracks of the tender, as it is kept."""
    return session.scalar(
        select(AllocationRun.result)
        .join(TenderTrack, TenderTrack.id == AllocationRun.tender_track_id)
        .where(TenderTrack.tender_id == place.tender_id, AllocationRun.state == RunState.DONE)
        .order_by(AllocationRun.id.desc())
        .limit(1)
    )


def _taken(session: Session, granted: Mapping[UUID, Decimal]) -> list[Candidate]:
    if not granted:
        return []
    rows = session.execute(
        select(
            Application.id,
            Organisation.region,
            Organisation.sme,
            Cluster.code.label("cluster"),
            TAKE_PART.label("organisations"),
        )
        .join(Organisation, Organisation.id == Application.initiator_id)
        .join(Cluster, Cluster.id == Application.cluster_id)
        .where(Application.id.in_(list(granted)))
    )
    return [
        Candidate(
            key=str(row.id),
            number="",
            track="",
            place=0,
            points=Decimal(0),
            asked={0: granted[row.id]},
            organisations=frozenset(row.organisations or ()),
            region=row.region,
            cluster=row.cluster,
            categories=_categories(row.sme),
        )
        for row in rows
    ]


def _counted(project: Project) -> Candidate:
    return Candidate(
        key=project.application_id,
        number=project.number,
        track="",
        place=0,
        points=Decimal(0),
        asked={},
        organisations=project.organisations,
        region=project.region,
        cluster=project.cluster,
        categories=project.categories,
    )


def _categories(sme: str) -> frozenset[str]:
    return frozenset() if sme == NO_SME else frozenset({sme, SME})


def _scores(run: ScoreRun, *, sheets: bool) -> Select[Any]:
    columns: tuple[Any, ...] = (
        Application.id,
        Application.number,
        Application.title_ru,
        Application.title_en,
        Application.received_at,
        Organisation.name_ru.label("initiator_ru"),
        Organisation.name_en.label("initiator_en"),
        Organisation.region,
        Organisation.sme,
        Cluster.code.label("cluster"),
        TAKE_PART.label("organisations"),
        Score.submission_id,
        Score.digest,
        Score.amounts,
        Score.hpj,
        *(COLUMNS if sheets else ()),
    )
    return (
        select(*columns)
        .join(Submission, Submission.id == Score.submission_id)
        .join(Application, Application.submission_id == Submission.id)
        .join(Organisation, Organisation.id == Application.initiator_id)
        .join(Cluster, Cluster.id == Application.cluster_id)
        .where(Score.run_id == run.id, Application.state.in_(DECIDED_ON))
        .order_by(Application.number)
    )


def _project(row: Any, sheet: Sheet, drawn: str, unwilling: bool) -> Project:
    return Project(
        application_id=str(row.id),
        number=row.number,
        lines=sheet.lines,
        gates=sheet.gates,
        amounts={int(year): Decimal(amount) for year, amount in row.amounts.items()},
        hpj=row.hpj,
        registered_at=row.received_at,
        sheet=row.digest,
        lot=drawn,
        region=row.region,
        cluster=row.cluster,
        organisations=frozenset(row.organisations or ()),
        categories=_categories(row.sme),
        unwilling=unwilling,
    )


def names_of_groups(session: Session, groups: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """Clusters by code and organisations by INN, as limits name them (field, value), in both languages; one statement,
    none where there are no such."""
    wanted: dict[str, set[str]] = {"cluster": set(), "organisation": set()}
    for field, value in groups:
        if field in wanted and value != EACH:
            wanted[field].add(value)
    if not any(wanted.values()):
        return {}
    places = (("cluster", Cluster, Cluster.code), ("organisation", Organisation, Organisation.inn))
    found = union_all(
        *(
            select(literal(field), key, table.name_ru, table.name_en).where(key.in_(wanted[field]))
            for field, table, key in places
        )
    )
    return {(field, value): {"ru": ru, "en": en or ru} for field, value, ru, en in session.execute(found)}


def listed(actor: Actor, tender_track_id: UUID) -> Select[Any]:
    """The scenarios of a track that the actor may see, with their authors and without their lists; page by id."""
    return _of_track(actor, tender_track_id).options(defer(Scenario.result, raiseload=True))


def with_results(actor: Actor, tender_track_id: UUID, keys: Sequence[UUID]) -> Select[Any]:
    """Those of them that are named, with the lists that would follow."""
    return _of_track(actor, tender_track_id).where(Scenario.id.in_(keys)).options(undefer(Scenario.result))


def _of_track(actor: Actor, tender_track_id: UUID) -> Select[Any]:
    return (
        scope(actor, Scenario)
        .where(Scenario.tender_track_id == tender_track_id)
        .options(joinedload(Scenario.author, innerjoin=True), joinedload(Scenario.adopter))
    )


def scenario_of(session: Session, actor: Actor, scenario_id: UUID, *, lock: bool = False) -> Scenario:
    """A scenario that the actor may see, with author and who adopted it; :class:`NotFound` otherwise."""
    statement = (
        scope(actor, Scenario)
        .where(Scenario.id == scenario_id)
        .options(joinedload(Scenario.author, innerjoin=True), joinedload(Scenario.adopter))
        .execution_options(populate_existing=True)
    )
    found: Scenario | None = session.scalar(statement.with_for_update(of=Scenario) if lock else statement)
    if found is None:
        raise NotFound
    return found


def cited_by(session: Session, decision_id: UUID) -> Sequence[ScenarioCitation]:
    """The adopted scenarios that a decision cites, in the order of their addenda; one query. The caller authorises."""
    return session.scalars(
        select(ScenarioCitation)
        .join(Scenario, Scenario.id == ScenarioCitation.scenario_id)
        .where(ScenarioCitation.decision_id == decision_id)
        .options(joinedload(ScenarioCitation.scenario, innerjoin=True).joinedload(Scenario.adopter))
        .order_by(Scenario.addendum)
    ).all()

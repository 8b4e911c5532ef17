"""The evaluation of a track as its pages show it: totals with intervals, the line, reviewers, progress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, ParticipantState, State
from portal.budget import queries as budget
from portal.core.errors import NotFound
from portal.core.figures import exact
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize
from portal.review import calibrating
from portal.review.calibration import Agreement, Calibration, Estimate
from portal.review.calibration_models import ReviewCalibration
from portal.review.models import Assignment, AssignmentState
from portal.review.policy import knows_reviewers
from portal.review.rules import UNFINISHED
from portal.scoring.models import Score
from portal.scoring.outlook import Proposal, Standing, proposals, zone
from portal.scoring.policy import Evaluated
from portal.scoring.queries import parsed_rules
from portal.scoring.standings import Found, Project, expert_points, standings_of
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import ExpertMean, RuleSet


@dataclass(frozen=True, slots=True)
class Place:
    """A track with its tender and rules."""

    id: UUID
    track: str
    code: str
    tender_ru: str
    tender_en: str
    zone: str
    programme_id: UUID
    closes_at: datetime | None
    rules: RuleSet
    tender_id: UUID
    joint_limits: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A reviewer's severity by part: points more (or less) than the average one. ``name`` is a person's only for
    readers who may know it; otherwise it is empty and ``number`` stands for them."""

    key: str
    number: int
    name: str
    severities: Mapping[str, Estimate]


@dataclass(frozen=True)
class Evaluation:
    """All of it. ``found``: part -> calibration, or why there is none; empty while it is being computed."""

    place: Place
    calibration: ReviewCalibration | None
    found: Found
    panel: calibrating.Panel
    projects: Sequence[Project]
    standings: Sequence[Standing]
    places: int
    cut: Decimal | None
    reviewers: Sequence[Reviewer]
    handed_in: Sequence[date]
    asked: int
    numbers: Mapping[str, Project] = field(default_factory=dict)

    @property
    def calibrates(self) -> bool:
        """Whether the rule set counts the calibrated mean."""
        return self.place.rules.expert_mean is ExpertMean.CALIBRATED

    def agreement(self, part: str) -> Agreement | None:
        """How far the reviewers of a part agree; None where it is not known."""
        return calibrating.read_agreement(self.calibration.result.get(part, {})) if self.calibration else None

    @property
    def decided(self) -> bool:
        """Whether projects of the track were awarded, so that the line is that of the decision."""
        return any(project.awarded for project in self.projects)

    @property
    def zone(self) -> list[Standing]:
        return zone(self.standings, self.cut)

    @property
    def last(self) -> str:
        """The number of the last application that gets money, where another is cut off; otherwise empty."""
        if self.cut is None:
            return ""
        allowed = [each.number for each in self.standings if self.numbers[each.number].recommended is not False]
        return allowed[self.places - 1]

    @property
    def proposals(self) -> list[Proposal]:
        return proposals(self.standings, self.cut, self.place.rules.reviewers_per_application + 1)

    @property
    def waiting(self) -> list[Project]:
        """Applications whose total is not known yet."""
        return [project for project in self.projects if project.number not in self.known]

    @property
    def known(self) -> frozenset[str]:
        return frozenset(each.number for each in self.standings)


def place_of(session: Session, tender_track_id: UUID) -> Place:
    """A track of a published tender; :class:`NotFound` otherwise."""
    row = session.execute(
        select(
            TenderTrack.id,
            TenderTrack.track,
            Tender.code,
            Tender.title_ru,
            Tender.title_en,
            Tender.zone,
            Tender.programme_id,
            Tender.closes_at,
            Tender.id.label("tender_id"),
            Tender.joint_limits,
            RuleSetVersion.content,
        )
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.id == tender_track_id, Tender.published_at.is_not(None))
    ).one_or_none()
    if row is None:
        raise NotFound
    return Place(
        id=row.id,
        track=row.track,
        code=row.code,
        tender_ru=row.title_ru,
        tender_en=row.title_en,
        zone=row.zone,
        programme_id=row.programme_id,
        closes_at=row.closes_at,
        rules=parsed_rules(row.content),
        tender_id=row.tender_id,
        joint_limits=row.joint_limits,
    )


def subject(session: Session, actor: Actor, tender_track_id: UUID) -> Evaluated:
    """What keeps this actor from the evaluation of a track: an organisation that takes part, an unfinished review."""
    tied = select(Participant.id).where(
        Participant.application_id == Application.id,
        Participant.organisation_id.in_(list(actor.memberships)),
        Participant.state == ParticipantState.ACCEPTED,
    )
    reviewing = select(Assignment.id).where(
        Assignment.application_id == Application.id,
        Assignment.reviewer_id == actor.user_id,
        Assignment.state.in_(UNFINISHED),
    )
    row = session.execute(
        select(
            func.coalesce(func.bool_or(tied.exists()), False), func.coalesce(func.bool_or(reviewing.exists()), False)
        )
        .select_from(Application)
        .where(Application.tender_track_id == tender_track_id)
    ).one()
    return Evaluated(tied=row[0], reviewing=row[1])


def evaluation(session: Session, actor: Actor, tender_track_id: UUID) -> Evaluation:
    """The evaluation of a track; nine queries, whatever the number of applications and reviews.

    Raises :class:`NotFound` and :class:`Refused`, the latter also for those who take part or still review there.
    """
    authorize(actor, Permission.EVALUATION_VIEW)
    place = place_of(session, tender_track_id)
    held = subject(session, actor, tender_track_id)
    authorize(actor, Permission.EVALUATION_VIEW, held)
    panel = calibrating.reviews_of(session, place.id, place.rules)
    row = calibrating.present(session, place.id)
    found = {part: calibrating.read(content) for part, content in row.result.items()} if row else {}
    if not _same(panel, found):
        row, found = None, {}
    projects = _projects(session, place, panel, found)
    available = budget.available(session, place.programme_id, place.track)
    standings, places, cut = standings_of(
        place.rules, projects, panel, found, available, row.inputs_digest if row else ""
    )
    handed_in, asked = _progress(session, place)
    return Evaluation(
        place=place,
        calibration=row,
        found=found,
        panel=panel,
        projects=projects,
        standings=standings,
        places=places,
        cut=cut,
        reviewers=_reviewers(session, actor, place, panel, found),
        handed_in=handed_in,
        asked=asked,
        numbers={project.number: project for project in projects},
    )


def _same(panel: calibrating.Panel, found: Found) -> bool:
    """Whether the result is of these reviews: one may come or go between two statements."""
    return all(
        result.applications.keys() == {each.application for each in panel.get(part, ())}
        for part, result in found.items()
        if isinstance(result, Calibration)
    )


def _projects(session: Session, place: Place, panel: calibrating.Panel, found: Found) -> list[Project]:
    values: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for code, given in panel.items():
        for each in given:
            values[each.application][code][each.reviewer] = each.value
    rows = session.execute(
        select(
            Application.id,
            Score.submission_id,
            Application.number,
            Application.title_ru,
            Application.title_en,
            Score.sheet["lines"].label("lines"),
            Score.recommended,
            Score.amounts,
            (Application.state == State.AWARDED).label("awarded"),
        )
        .join(Score, and_(Score.submission_id == Application.submission_id, Score.current))
        .where(Application.tender_track_id == place.id, Application.state.in_(calibrating.REVIEWED))
        .order_by(Application.number)
    )
    return [_project(row, place.rules, values[str(row.submission_id)], found) for row in rows]


def _project(row: Any, rules: RuleSet, values: Mapping[str, Mapping[str, Decimal]], found: Found) -> Project:
    weighted = {each["code"]: None if each["weighted"] is None else Decimal(each["weighted"]) for each in row.lines}
    objective = sum((weighted.get(each.code) or Decimal(0) for each in rules.criteria if not each.expert), Decimal(0))
    raw, calibrated, variance = expert_points(str(row.submission_id), rules, values, found)
    with exact():
        error = variance.sqrt().quantize(Decimal("0.0001"))
    return Project(
        application_id=row.id,
        submission_id=row.submission_id,
        number=row.number,
        title_ru=row.title_ru,
        title_en=row.title_en,
        weighted=weighted,
        recommended=row.recommended,
        awarded=row.awarded,
        amounts={int(year): Decimal(amount) for year, amount in row.amounts.items()},
        values=values,
        raw=None if raw is None else objective + raw,
        calibrated=None if calibrated is None else objective + calibrated,
        error=error,
    )


def _reviewers(
    session: Session,
    actor: Actor,
    place: Place,
    panel: calibrating.Panel,
    found: Found,
) -> list[Reviewer]:
    """In an order that tells nothing of who they are; names only for those who may know them."""
    keys = {each.reviewer for given in panel.values() for each in given}
    names: dict[str, str] = {}
    if knows_reviewers(actor):
        people = session.execute(
            select(User.id, User.full_name, User.email).where(User.id.in_([UUID(key) for key in keys]))
        )
        names = {str(row.id): row.full_name or row.email for row in people}
    ordered = sorted(keys, key=lambda key: sha256(f"{place.id}:{key}".encode()).hexdigest())
    return [
        Reviewer(
            key,
            number,
            names.get(key, ""),
            {
                code: result.reviewers[key]
                for code, result in found.items()
                if isinstance(result, Calibration) and key in result.reviewers
            },
        )
        for number, key in enumerate(ordered, start=1)
    ]


def _progress(session: Session, place: Place) -> tuple[list[date], int]:
    """The days on which reviews were handed in, ascending, and how many are asked for."""
    rows = session.execute(
        select(Assignment.submitted_at)
        .join(Application, Application.submission_id == Assignment.submission_id)
        .where(
            Application.tender_track_id == place.id,
            Application.state.in_(calibrating.REVIEWED),
            Assignment.state.in_((*UNFINISHED, AssignmentState.SUBMITTED)),
        )
        .order_by(Assignment.submitted_at)
    ).all()
    zone_of = ZoneInfo(place.zone)
    return [row.submitted_at.astimezone(zone_of).date() for row in rows if row.submitted_at], len(rows)

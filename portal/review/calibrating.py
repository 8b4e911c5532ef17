"""Calibrating the reviews of a track in the background, and reading the result that belongs to the present reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.db import uuid7
from portal.core.errors import NotFound
from portal.core.figures import exact
from portal.core.language import N_, both
from portal.identity.policy import system_actor
from portal.review.calibration import Agreement, Calibration, Estimate, Given, TooFew
from portal.review.calibration_models import ReviewCalibration
from portal.review.models import Assignment, AssignmentState, Mark
from portal.review.rules import Marks, part_key, review_value
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, TenderTrack
from portal.tenders.ruleset import Criterion, Lane, RuleSet

METHOD: Final = "crossed-reml-1"
ACTOR: Final = system_actor("calibration")
REVIEWED: Final = (State.EXPERTISE, State.AWARDED, State.RESERVE, State.DECLINED)
"""States of applications whose reviews are compared with each other."""

Rows = Select[*tuple[Any, ...]]

Panel = Mapping[str, Sequence[Given]]
"""The reviews of a track: key of a part -> one value for each reviewer who has scored all its aspects. Applications
are named by the key of their submission, reviewers by theirs."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is compared between reviewers: the aspects of a criterion that one lane scores."""

    criterion: Criterion
    lane: Lane

    @property
    def key(self) -> str:
        return part_key(self.criterion, self.lane)

    @property
    def aspects(self) -> int:
        return len(self.lane.of(self.criterion))

    @property
    def weight(self) -> Decimal:
        """Points of the total for each point of the part's value, by the share of its aspects in the criterion."""
        with exact():
            return self.criterion.weight * self.aspects / (10 * len(self.criterion.aspects))


def parts(rules: RuleSet) -> list[Part]:
    """The parts of all expert criteria, in the order of the rule set."""
    return [
        Part(criterion, lane) for criterion in rules.expert_criteria() for lane in rules.expertise if lane.of(criterion)
    ]


@dataclass(frozen=True, slots=True)
class Stamp:
    """How many reviews there are and when the last was handed in: it changes with every review that comes or goes."""

    reviews: int
    newest: datetime | None


def enqueue(session: Session, tender_track_id: UUID, cause: UUID) -> None:
    """Calibrate anew after the reviews of a track have changed; ``cause``: what changed them."""
    payload = {"tender_track_id": str(tender_track_id)}
    jobs.enqueue(session, KIND, payload, key=f"{KIND}:{tender_track_id}:{cause}")


KIND: Final = "calibrate_track"


@jobs.handler(KIND)
def calibrate_track(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Background work: calibrate the reviews of a track after one of them was handed in."""
    ensure(session, UUID(payload["tender_track_id"]))


def ensure(session: Session, tender_track_id: UUID, *, until: datetime | None = None) -> ReviewCalibration:
    """The calibration of the reviews handed in ``until`` an instant (all), computed unless it is there already.

    Raises :class:`NotFound` for an unknown track.
    """
    held = stamp(session, tender_track_id, until)
    found = _stamped(session, tender_track_id, held)
    if found is not None:
        return found
    inputs, result = _computed(session, tender_track_id, held, until)
    made = session.scalar(
        insert(ReviewCalibration)
        .values(
            id=uuid7(),
            tender_track_id=tender_track_id,
            method=METHOD,
            inputs_digest=inputs,
            reviews=held.reviews,
            newest=held.newest,
            result=result,
            output_digest=digest(result),
        )
        .on_conflict_do_nothing(index_elements=["tender_track_id", "method", "inputs_digest"])
        .returning(ReviewCalibration.id)
    )
    row = session.scalars(
        select(ReviewCalibration).where(
            ReviewCalibration.tender_track_id == tender_track_id,
            ReviewCalibration.method == METHOD,
            ReviewCalibration.inputs_digest == inputs,
        )
    ).one()
    if made is not None:
        facts = {"reviews": held.reviews, "inputs": inputs, "output": row.output_digest}
        record(session, ACTOR, "review:calibration:compute", "tender_track", tender_track_id, facts)
    return row


def computed_again(session: Session, row: ReviewCalibration) -> tuple[str, dict[str, Any]]:
    """The digest of the reviews that a calibration was made of, as they are now, and the result that they give."""
    held = stamp(session, row.tender_track_id, row.newest)
    return _computed(session, row.tender_track_id, held, row.newest)


def _computed(
    session: Session, tender_track_id: UUID, held: Stamp, until: datetime | None
) -> tuple[str, dict[str, Any]]:
    # For the workers: pages read this room too, and need not carry numpy.
    from portal.review.agreement import agreement
    from portal.review.mixed_model import calibrate

    panel = reviews_of(session, tender_track_id, _rules(session, tender_track_id), until)
    plain = {key: [_plain(each) for each in given] for key, given in panel.items()}
    newest = held.newest and held.newest.astimezone(UTC)
    inputs = digest({"method": METHOD, "reviews": plain, "count": held.reviews, "newest": newest})
    return inputs, {key: written(calibrate(given), agreement(given)) for key, given in panel.items()}


def present(session: Session, tender_track_id: UUID) -> ReviewCalibration | None:
    """The calibration of the reviews that are in now; None while it is still to be computed. Two queries."""
    return _stamped(session, tender_track_id, stamp(session, tender_track_id))


def values(row: ReviewCalibration) -> dict[str, dict[str, Decimal]]:
    """Submission -> part -> calibrated value, 0 to 10; parts that could not be calibrated are not there."""
    return _values(row.result)


def computed_anew(rules: RuleSet, marks: Mapping[tuple[str, str], Marks]) -> dict[str, dict[str, Decimal]]:
    """The same values from the reviews themselves, nothing kept being trusted. Pure; ``marks`` as in
    :func:`panel_of`."""
    from portal.review.mixed_model import calibrate

    return _values({part: written(calibrate(given)) for part, given in panel_of(rules, marks).items()})


def _values(result: Mapping[str, Any]) -> dict[str, dict[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for part, content in result.items():
        for key, each in content.get("applications", {}).items():
            found[key][part] = Decimal(each["value"])
    return found


def stamp(session: Session, tender_track_id: UUID, until: datetime | None = None) -> Stamp:
    """Of the reviews that count on a track."""
    counted = _handed_in(select(func.count(Assignment.id), func.max(Assignment.submitted_at)), tender_track_id, until)
    reviews, newest = session.execute(counted).one()
    return Stamp(reviews, newest)


def reviews_of(session: Session, tender_track_id: UUID, rules: RuleSet, until: datetime | None = None) -> Panel:
    """The values of all reviews of a track in a fixed order; one query."""
    columns = select(Assignment.submission_id, Assignment.reviewer_id, Mark.criterion, Mark.aspect, Mark.score)
    statement = _handed_in(columns.join(Mark, Mark.assignment_id == Assignment.id), tender_track_id, until)
    marks: dict[tuple[str, str], dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for submission_id, reviewer_id, criterion, aspect, score in session.execute(statement):
        marks[str(submission_id), str(reviewer_id)][criterion][aspect] = score
    return panel_of(rules, marks)


def panel_of(rules: RuleSet, marks: Mapping[tuple[str, str], Marks]) -> Panel:
    """The values of reviews in a fixed order; ``marks``: (submission, reviewer) -> what was given. Pure."""
    panel: dict[str, list[Given]] = {part.key: [] for part in parts(rules)}
    for (application, reviewer), given in sorted(marks.items()):
        for part in parts(rules):
            value = review_value(given, part.criterion, part.lane)
            if value is not None:
                panel[part.key].append(Given(application, reviewer, value))
    return panel


def _handed_in(statement: Rows, tender_track_id: UUID, until: datetime | None) -> Rows:
    found = statement.join(Application, Application.submission_id == Assignment.submission_id).where(
        Application.tender_track_id == tender_track_id,
        Application.state.in_(REVIEWED),
        Assignment.state == AssignmentState.SUBMITTED,
    )
    return found if until is None else found.where(Assignment.submitted_at <= until)


def _stamped(session: Session, tender_track_id: UUID, held: Stamp) -> ReviewCalibration | None:
    return session.scalar(
        select(ReviewCalibration)
        .where(
            ReviewCalibration.tender_track_id == tender_track_id,
            ReviewCalibration.method == METHOD,
            ReviewCalibration.reviews == held.reviews,
            ReviewCalibration.newest.is_not_distinct_from(held.newest),
        )
        .order_by(ReviewCalibration.id.desc())
        .limit(1)
    )


def _rules(session: Session, tender_track_id: UUID) -> RuleSet:
    wanted = (
        select(RuleSetVersion.id)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.id == tender_track_id)
    )
    found = rules_with(session, wanted)
    if not found:
        raise NotFound
    return found[0][0]


def _plain(each: Given) -> list[object]:
    return [each.application, each.reviewer, each.value]


def written(found: Calibration | TooFew, agreed: Agreement | None = None) -> dict[str, Any]:
    """A result as JSON: numbers as strings, a refusal with its code and its sentence in both languages."""
    content: dict[str, Any] = {}
    if agreed is not None:
        content["agreement"] = {name: str(value) for name, value in asdict(agreed).items()}
    if isinstance(found, TooFew):
        return {**content, "refusal": found.code, "reason": both(found.reason)}
    content |= {
        name: format(getattr(found, name), "f")
        for name in ("mean", "merit_variance", "severity_variance", "error_variance", "merit_ratio", "severity_ratio")
    }
    for name in ("applications", "reviewers"):
        content[name] = {
            key: {part: str(value) if part != "reviews" else value for part, value in asdict(each).items()}
            for key, each in getattr(found, name).items()
        }
    return content


def read_agreement(content: Mapping[str, Any]) -> Agreement | None:
    """How far the reviewers of a part agree, as :func:`written` wrote it."""
    held = content.get("agreement")
    if held is None:
        return None
    return Agreement(Decimal(held["alpha"]), Decimal(held["low"]), Decimal(held["high"]), int(held["units"]))


def read(content: Mapping[str, Any]) -> Calibration | TooFew:
    """What :func:`written` wrote."""
    if "refusal" in content:
        return TooFew(content["refusal"], N_("%(text)s", text=content["reason"]))

    def estimates(name: str) -> dict[str, Estimate]:
        return {
            key: Estimate(
                value=Decimal(each["value"]),
                error=Decimal(each["error"]),
                low=Decimal(each["low"]),
                high=Decimal(each["high"]),
                raw=Decimal(each["raw"]),
                reviews=each["reviews"],
            )
            for key, each in content[name].items()
        }

    return Calibration(
        mean=Decimal(content["mean"]),
        merit_variance=Decimal(content["merit_variance"]),
        severity_variance=Decimal(content["severity_variance"]),
        error_variance=Decimal(content["error_variance"]),
        merit_ratio=Decimal(content["merit_ratio"]),
        severity_ratio=Decimal(content["severity_ratio"]),
        applications=estimates("applications"),
        reviewers=estimates("reviewers"),
    )

"""What a published decision rests on, gathered for its results bundle: rules, run, scores, pseudonyms, groups."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.applications.models import Application, Participant, ParticipantState, Submission
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.proof.decisions import Since, followed
from portal.clusters.models import Cluster
from portal.core import signing
from portal.identity.models import Organisation
from portal.review.models import Assignment
from portal.scoring.measuring import Measured, measure
from portal.scoring.models import Manifest, Measurement, Score, ScoreRun
from portal.scoring.queries import parsed_rules
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import ExpertMean, RuleSet

COUNTED: Final = {
    "region": ("region",),
    "cluster": ("cluster",),
    "categories": ("category", "sme"),
    "organisations": ("organisation",),
}
"""What is told of an application -> the fields of limits that need it."""


class Scored(NamedTuple):
    """A score of the run with its submission and application."""

    score: Score
    submission: Submission
    application: Application
    figures: Measured

    @property
    def number(self) -> str:
        return self.submission.number


@dataclass(frozen=True)
class Track:
    """A published decision with all that it rests on and what followed it; ``decided``: the scores of its
    applications, by number."""

    decision: AwardDecision
    since: Since
    name: str
    tender: Tender
    rule_set: RuleSetVersion
    rules: RuleSet
    run: ScoreRun
    manifest: Manifest | None
    scores: Sequence[Scored]
    pseudonyms: Mapping[str, str]
    groups: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[UUID, str]:
        """Application decided on -> its registration number."""
        return {each.application.id: each.number for each in self.decided}

    @property
    def decided(self) -> list[Scored]:
        keys = {line.application_id for line in self.decision.lines}
        return [each for each in self.scores if each.application.id in keys]


def published(session: Session, tender_id: UUID) -> Sequence[AwardDecision]:
    """The public decisions that follow from ranking and money, with their lines, in the order of the tracks.

    Later ones (from the reserve list, corrections) follow from their grounds: :mod:`portal.awards.proof.decisions`.
    """
    return session.scalars(
        select(AwardDecision)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(
            TenderTrack.tender_id == tender_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
            AwardDecision.number == 1,
        )
        .options(selectinload(AwardDecision.lines).selectinload(DecisionLine.amounts))
        .order_by(TenderTrack.track)
    ).all()


def tracks(
    session: Session, decisions: Iterable[AwardDecision], since: Mapping[UUID, Since] | None = None
) -> list[Track]:
    """What each decision rests on; ``since``: by track, what followed it, read where it is not given."""
    found = list(decisions)
    later = followed(session, found) if since is None else since
    held = [_track(session, decision, later[decision.tender_track_id]) for decision in found]
    if held and held[0].tender.joint_limits:
        groups = _groups(session, held, held[0].tender.id)
        return [replace(track, groups=groups) for track in held]
    return [replace(each, groups=_groups(session, [each], each.decision.tender_track_id)) for each in held]


def _track(session: Session, decision: AwardDecision, since: Since) -> Track:
    name, rule_set, tender = session.execute(
        select(TenderTrack.track, RuleSetVersion, Tender)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(TenderTrack.id == decision.tender_track_id)
    ).one()
    rules = parsed_rules(rule_set.content)
    run = session.get_one(ScoreRun, decision.run_id)
    scores = _scores(session, run, rules)
    return Track(
        decision=decision,
        since=since,
        name=name,
        tender=tender,
        rule_set=rule_set,
        rules=rules,
        run=run,
        manifest=session.get(Manifest, run.id),
        scores=scores,
        pseudonyms=_pseudonyms(session, rules, scores, decision.tender_track_id),
    )


def _scores(session: Session, run: ScoreRun, rules: RuleSet) -> list[Scored]:
    rows = session.execute(
        select(Score, Submission, Application, Measurement.figures, Tender.zone)
        .join(Submission, Submission.id == Score.submission_id)
        .join(Application, Application.id == Submission.application_id)
        .join(Tender, Tender.id == Application.tender_id)
        .outerjoin(
            Measurement,
            (Measurement.submission_id == Submission.id)
            & (Measurement.rules_digest == run.rules_digest)
            & (Measurement.code == run.code),
        )
        .where(Score.run_id == run.id)
    )
    found = [
        Scored(
            score,
            submission,
            application,
            Measured(**figures) if figures else measure(submission.snapshot, rules, _day(submission, zone)),
        )
        for score, submission, application, figures, zone in rows
    ]
    return sorted(found, key=lambda each: each.number)


def _day(submission: Submission, zone: str) -> date:
    return submission.received_at.astimezone(ZoneInfo(zone)).date()


def _pseudonyms(session: Session, rules: RuleSet, scores: Sequence[Scored], tender_track_id: UUID) -> dict[str, str]:
    """Key of a review -> what its reviewer is called.

    The same person has one name throughout a track only where calibration needs it; elsewhere reviewers are numbered
    anew in each application, in an order that follows from their marks alone.
    """
    if rules.expert_mean is not ExpertMean.CALIBRATED:
        return {
            review["review"]: f"reviewer-{place}"
            for each in scores
            for place, review in enumerate(by_marks(each.score.reviews), start=1)
        }
    keys = [UUID(review["review"]) for each in scores for review in each.score.reviews]
    people = {
        row.id: row.reviewer_id
        for row in session.execute(select(Assignment.id, Assignment.reviewer_id).where(Assignment.id.in_(keys)))
    }
    key = signing.secret(f"pseudonyms:{tender_track_id}")
    shuffled = sorted(set(people.values()), key=lambda person: hmac.new(key, person.bytes, "sha256").digest())
    names = {person: f"reviewer-{place}" for place, person in enumerate(shuffled, start=1)}
    return {str(review): names[person] for review, person in people.items()}


def _groups(session: Session, held: Sequence[Track], secret: UUID) -> dict[UUID, dict[str, Any]]:
    """What the limits of the rules, or over the tracks, count an application under that is recommended, or that a later
    decision is about; nothing where there are none.

    Organisations stand under pseudonyms, the same ones throughout ``held``, but for those that a limit names: that
    somebody takes part in two projects is told, not who it is. ``secret``: what the order of the pseudonyms hangs on.
    """
    own = [limit for track in held for limit in track.rule_set.content.get("limits", ())]
    limits = [*held[0].tender.joint_limits, *own]
    fields = {limit["field"] for limit in limits}
    later = {line.application_id for track in held for each in track.since.later for line in each.lines}
    keys = [
        each.application.id
        for track in held
        for each in track.scores
        if each.score.recommended or each.application.id in later
    ]
    if not fields or not keys:
        return {}
    members: dict[UUID, set[str]] = defaultdict(set)
    for application_id, inn in session.execute(
        select(Participant.application_id, Organisation.inn)
        .join(Organisation, Organisation.id == Participant.organisation_id)
        .where(Participant.application_id.in_(keys), Participant.state == ParticipantState.ACCEPTED)
    ):
        members[application_id].add(inn)
    key = signing.secret(f"organisations:{secret}")
    shuffled = sorted(set().union(*members.values()), key=lambda one: hmac.new(key, one.encode(), "sha256").digest())
    named = {limit["value"].strip() for limit in limits}
    names = {one: one if one in named else f"organisation-{at}" for at, one in enumerate(shuffled, start=1)}
    rows = session.execute(
        select(Application.id, Organisation.region, Organisation.sme, Cluster.code)
        .join(Organisation, Organisation.id == Application.initiator_id)
        .join(Cluster, Cluster.id == Application.cluster_id)
        .where(Application.id.in_(keys))
    )
    found = {}
    for row in rows:
        every = {
            "region": row.region,
            "cluster": row.code,
            "categories": sorted({"sme", row.sme}) if row.sme != "none" else [],
            "organisations": sorted(names[one] for one in members[row.id]),
        }
        found[row.id] = {name: value for name, value in every.items() if fields & set(COUNTED[name])}
    return found


def by_marks(reviews: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(reviews, key=lambda review: (review["sha256"], review["review"]))

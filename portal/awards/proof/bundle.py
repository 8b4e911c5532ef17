"""What a results bundle says: everything that a published decision follows from, and nothing that names a person.

Applications stand under their registration numbers, without titles, organisations and texts; of a frozen package only
its digest and the figures that the rules score; reviewers under pseudonyms. Rows of the audit trail are shown with the
person who acted closed (:mod:`portal.audit.sealing`), and only those of :data:`SHOWN` with the keys named there. The
same decisions give the same bytes. ``verifier/verify.py`` reads it.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.applications.models import Application, Participant, ParticipantState, Submission
from portal.awards import basis
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import OfferState
from portal.awards.proof import decisions as bundle_chain
from portal.awards.proof.decisions import Since, followed
from portal.budget.models import Envelope
from portal.clusters.models import Cluster
from portal.core import signing
from portal.identity.models import Organisation
from portal.review.calibrating import METHOD, parts
from portal.review.models import Assignment
from portal.review.rules import review_value
from portal.scoring import drawing
from portal.scoring.batch import read_reviews
from portal.scoring.measuring import Measured, measure
from portal.scoring.models import Manifest, Measurement, Score, ScoreRun
from portal.scoring.queries import parsed_rules
from portal.tenders.metrics import METRICS
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import Allotment, ExpertMean, RuleSet, TieRule, rules_digest

FORMAT: Final = 2
ALWAYS: Final = ("npv", "hpj")
"""The figures that gates and tie rules take, whatever the criteria score."""

COUNTED: Final = {
    "region": ("region",),
    "cluster": ("cluster",),
    "categories": ("category", "sme"),
    "organisations": ("organisation",),
}
"""What is told of an application -> the fields of limits that need it."""

ANSWERS: Final = (OfferState.ACCEPTED, OfferState.REFUSED, OfferState.EXPIRED)

Files = dict[str, Any]
"""Name inside the archive -> what stands there as canonical JSON."""


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
    rule_set: RuleSetVersion
    rules: RuleSet
    run: ScoreRun
    manifest: Manifest | None
    scores: Sequence[Scored]
    pseudonyms: Mapping[str, str]
    groups: Mapping[UUID, Mapping[str, Any]]

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
    return [_track(session, decision, later[decision.tender_track_id]) for decision in found]


def tender_file(tender: Tender, held: Sequence[Track], version: int, former: str | None) -> dict[str, Any]:
    """What the bundle is about; ``former``: the SHA-256 of the version before."""
    return {
        "format": FORMAT,
        "version": version,
        "former": former,
        "code": tender.code,
        "title": {"ru": tender.title_ru, "en": tender.title_en},
        "zone": tender.zone,
        "closes_at": _utc(tender.closes_at),
        "tracks": [track.name for track in held],
    }


def track_files(session: Session, track: Track) -> Files:
    """The files of one track."""
    decided = track.decided
    files: Files = {
        "rules.json": track.rule_set.content,
        "run.json": _run(track),
        "submissions.json": [_submission(track, each) for each in decided],
        "reviews.json": {each.number: _reviews(track, each) for each in decided},
        "sheets.json": {each.number: _sheet(each.score) for each in decided},
        "ranking.json": _ranking(track),
        "allocation.json": _allocation(session, track),
        "postings.json": _postings(session, track),
        "decisions.json": bundle_chain.decisions(track.decision, track.since),
        "standing.json": bundle_chain.standing(track.decision, track.since, track.numbers),
        "addenda.json": bundle_chain.addenda(session, track.decision),
    }
    if track.rules.expert_mean is ExpertMean.CALIBRATED:
        files["calibration.json"] = _calibration(track)
    if TieRule.DRAW in track.rules.tie_rules:
        files["draw.json"] = _draws(session, track)
    return {f"tracks/{track.name}/{name}": content for name, content in files.items()}


def _track(session: Session, decision: AwardDecision, since: Since) -> Track:
    name, rule_set = session.execute(
        select(TenderTrack.track, RuleSetVersion)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.id == decision.tender_track_id)
    ).one()
    rules = parsed_rules(rule_set.content)
    run = session.get_one(ScoreRun, decision.run_id)
    scores = _scores(session, run, rules)
    return Track(
        decision=decision,
        since=since,
        name=name,
        rule_set=rule_set,
        rules=rules,
        run=run,
        manifest=session.get(Manifest, run.id),
        scores=scores,
        pseudonyms=_pseudonyms(session, rules, scores, decision.tender_track_id),
        groups=_groups(session, rule_set.content, scores, decision.tender_track_id),
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
            for place, review in enumerate(_by_marks(each.score.reviews), start=1)
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


def _groups(
    session: Session, content: Mapping[str, Any], scores: Sequence[Scored], tender_track_id: UUID
) -> dict[UUID, dict[str, Any]]:
    """What the limits of the rules count a recommended application under; nothing where there are none.

    Organisations stand under pseudonyms, but for those that the rules name: that somebody takes part in two projects
    is told, not who it is.
    """
    fields = {limit["field"] for limit in content.get("limits", ())}
    keys = [each.application.id for each in scores if each.score.recommended]
    if not fields or not keys:
        return {}
    members: dict[UUID, set[str]] = defaultdict(set)
    for application_id, inn in session.execute(
        select(Participant.application_id, Organisation.inn)
        .join(Organisation, Organisation.id == Participant.organisation_id)
        .where(Participant.application_id.in_(keys), Participant.state == ParticipantState.ACCEPTED)
    ):
        members[application_id].add(inn)
    key = signing.secret(f"organisations:{tender_track_id}")
    shuffled = sorted(set().union(*members.values()), key=lambda one: hmac.new(key, one.encode(), "sha256").digest())
    named = {limit["value"].strip() for limit in content["limits"]}
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


def _by_marks(reviews: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(reviews, key=lambda review: (review["sha256"], review["review"]))


def _run(track: Track) -> dict[str, Any]:
    """The manifest of the run, and number, digest and inputs of every score in it, decided on or not."""
    return {
        "rules_digest": track.rule_set.digest or rules_digest(track.rule_set.content),
        "manifest": track.manifest.content if track.manifest else None,
        "digest": track.manifest.digest if track.manifest else None,
        "output": track.run.output_digest,
        "scores": [[each.number, each.score.digest, each.score.inputs] for each in track.scores],
    }


def _submission(track: Track, each: Scored) -> dict[str, Any]:
    known = each.figures
    wanted = {
        name
        for criterion in track.rules.criteria
        for component in criterion.components
        for name in (component.metric, *METRICS[component.metric].inputs)
    }
    return {
        "number": each.number,
        "sha256": each.submission.sha256,
        "received_at": _utc(each.application.received_at),
        "figures": {name: value for name, value in known.figures.items() if name in wanted or name in ALWAYS},
        "amounts": each.score.amounts,
        **({"groups": track.groups[each.application.id]} if each.application.id in track.groups else {}),
        "failed": sorted(code for code, _reason in known.failed),
        "open": known.open,
    }


def _reviews(track: Track, each: Scored) -> dict[str, Any]:
    return {
        "reviews": [
            {
                "reviewer": track.pseudonyms.get(review["review"], "reviewer"),
                "marks": review["marks"],
                "sha256": review["sha256"],
            }
            for review in _by_marks(each.score.reviews)
        ],
        "calibrated": each.score.calibrated,
    }


def _sheet(score: Score) -> dict[str, Any]:
    """The sheet; the sentences of failed rules name organisations and sums of participants, so only their codes stay.

    Sheets of format 1 hold sentences throughout: of these only the digest is told.
    """
    sheet = score.sheet
    if sheet["format"] == 1:
        return {"digest": score.digest, "sheet": None, "closed": True}
    gates = [
        {**gate, "failed": [{"rule": failed["rule"]} for failed in gate["failed"]]} if "failed" in gate else gate
        for gate in sheet["gates"]
    ]
    return {
        "digest": score.digest,
        "sheet": {**sheet, "gates": gates},
        "closed": any("failed" in gate for gate in gates),
    }


def _ranking(track: Track) -> list[dict[str, Any]]:
    numbers = {each.application.id: each for each in track.decided}
    return [
        {
            "place": line.place,
            "number": numbers[line.application_id].number,
            "total": None if line.total is None else f"{line.total:.2f}",
            "recommended": numbers[line.application_id].score.recommended,
        }
        for line in sorted(track.decision.lines, key=lambda line: line.place)
    ]


def _calibration(track: Track) -> dict[str, Any]:
    """The value of every review used, by part; applications that are not decided on have no number here."""
    decided = {each.number for each in track.decided}
    given: dict[str, list[list[str]]] = {part.key: [] for part in parts(track.rules)}
    others: dict[str, str] = defaultdict(lambda: f"other-{len(others) + 1}")
    for each in track.scores:
        name = each.number if each.number in decided else others[each.number]
        marks = read_reviews(each.score.reviews)
        for review, values in zip(each.score.reviews, marks, strict=True):
            for part in parts(track.rules):
                value = review_value(values, part.criterion, part.lane)
                if value is not None:
                    given[part.key].append([name, track.pseudonyms[review["review"]], format(value, "f")])
    return {"method": METHOD, "given": {key: sorted(rows) for key, rows in given.items()}}


def _draws(session: Session, track: Track) -> list[dict[str, Any]]:
    return [
        {
            "committed": draw.committed,
            "commitment": draw.commitment.digest,
            "randomness": draw.outcome.randomness if draw.outcome else None,
            "published": draw.outcome.url if draw.outcome else None,
        }
        for draw in drawing.draws(session, [track.decision.tender_track_id])
    ]


def _allocation(session: Session, track: Track) -> dict[str, Any]:
    """What the decision's digest covers, and the number behind each application's key.

    Where the rules name partial funding: who was offered which part, and whether its initiator agreed.
    """
    numbers = {str(each.application.id): each.number for each in track.decided}
    content = {
        "digest": track.decision.digest,
        "covered": basis.recorded(track.decision, track.run.output_digest or ""),
        "numbers": numbers,
    }
    if track.rules.allotment is not Allotment.PARTIAL:
        return content
    ended = offer_queries.of_applications(session, [UUID(key) for key in numbers])
    offers = [
        {"number": numbers[str(row.application_id)], "offered": basis.as_text(row.by_year), "answer": row.state}
        for row in ended
        if row.state in ANSWERS
    ]
    return content | {"offers": offers}


def _postings(session: Session, track: Track) -> dict[str, Any]:
    """Which postings book and free which award, and what the envelopes are; what they say stands in the audit trail."""
    programme = select(Tender.programme_id).join(TenderTrack).where(TenderTrack.id == track.decision.tender_track_id)
    envelopes = session.scalars(
        select(Envelope)
        .where(Envelope.programme_id == programme.scalar_subquery(), Envelope.track == track.name)
        .order_by(Envelope.year)
    )
    return {
        "envelopes": {str(each.id): each.year for each in envelopes},
        **bundle_chain.postings(session, track.decision, track.since, track.numbers),
    }


def _utc(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()

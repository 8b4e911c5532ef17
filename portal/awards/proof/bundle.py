"""What a results bundle says: everything that a published decision follows from, and nothing that names a person.

Applications stand under their registration numbers, without titles, organisations and texts; of a frozen package only
its digest and the figures that the rules score; reviewers under pseudonyms. Rows of the audit trail are shown with the
person who acted closed (:mod:`portal.audit.sealing`), and only those of :data:`SHOWN` with the keys named there. The
same decisions give the same bytes. ``verifier/verify.py`` reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.awards import basis
from portal.awards.allocation.models import AllocationRun, together
from portal.awards.models import Award
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import OfferState
from portal.awards.proof import decisions as bundle_chain
from portal.awards.proof.gathering import Scored, Track, by_marks
from portal.budget.models import Envelope
from portal.core.canonical import plain_decimal
from portal.review.calibrating import METHOD, parts
from portal.review.rules import review_value
from portal.scoring import drawing
from portal.scoring.batch import read_reviews
from portal.scoring.models import Score
from portal.tenders.metrics import METRICS
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.ruleset import Allotment, ExpertMean, TieRule, rules_digest

FORMAT: Final = 2
JOINT_FORMAT: Final = 3
"""Of bundles with limits over all tracks, which verifiers of before do not know."""
ALWAYS: Final = ("npv", "hpj")
"""The figures that gates and tie rules take, whatever the criteria score."""

ANSWERS: Final = (OfferState.ACCEPTED, OfferState.REFUSED, OfferState.EXPIRED)

Files = dict[str, Any]
"""Name inside the archive -> what stands there as canonical JSON."""


def tender_file(tender: Tender, held: Sequence[Track], version: int, former: str | None) -> dict[str, Any]:
    """What the bundle is about; ``former``: the SHA-256 of the version before."""
    return {
        "format": JOINT_FORMAT if tender.joint_limits else FORMAT,
        "version": version,
        "former": former,
        "code": tender.code,
        "title": {"ru": tender.title_ru, "en": tender.title_en},
        "zone": tender.zone,
        "closes_at": _utc(tender.closes_at),
        "tracks": [track.name for track in held],
    }


def joint_file(tender: Tender) -> Files:
    """The limits over all tracks, within which one allocation was found for all of them; nothing without any.

    Their digest stands in what each decision's digest covers.
    """
    return {"joint_limits.json": tender.joint_limits} if tender.joint_limits else {}


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
            for review in by_marks(each.score.reviews)
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

    Where the rules name partial funding: who was offered which part, and whether its initiator agreed. Where they name
    the best total: the share of it up to which it was not proven that there is nothing better.
    """
    numbers = {str(each.application.id): each.number for each in track.decided}
    content = {
        "digest": track.decision.digest,
        "covered": basis.recorded(track.decision, track.run.output_digest or "", track.tender.joint_digest),
        "numbers": numbers,
    }
    if track.rules.allotment is Allotment.BEST_TOTAL:
        return content | {"gap": _gap(session, track)}
    if track.rules.allotment is not Allotment.PARTIAL:
        return content
    ended = offer_queries.of_applications(session, [UUID(key) for key in numbers])
    offers = [
        {"number": numbers[str(row.application_id)], "offered": basis.as_text(row.by_year), "answer": row.state}
        for row in ended
        if row.state in ANSWERS
    ]
    return content | {"offers": offers}


def _gap(session: Session, track: Track) -> str:
    """That of the allocation which the list follows: the newest before it with the same awards."""
    own = {str(line.application_id) for line in track.decision.lines}
    awards = {str(line.application_id) for line in track.decision.lines if line.outcome == Award.AWARD}
    place = session.get_one(TenderTrack, track.decision.tender_track_id, options=[joinedload(TenderTrack.tender)])
    runs = session.execute(
        select(AllocationRun.gap, AllocationRun.result["outcomes"])
        .where(
            AllocationRun.tender_track_id.in_(together(place)),
            AllocationRun.done_at <= track.decision.created_at,
            AllocationRun.reproducible,
        )
        .order_by(AllocationRun.id.desc())
    )
    same = (
        gap
        for gap, outcomes in runs
        if awards == {key for key, each in outcomes.items() if each["granted"] and key in own}
    )
    return plain_decimal(next(same, None) or Decimal(0))


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

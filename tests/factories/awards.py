"""Tracks that can be decided on: scored applications in expertise, envelopes with money, people of the fund."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application, State, Submission
from portal.awards.models import Award, AwardAmount, AwardDecision, DecisionLine
from portal.budget.models import Envelope
from portal.core.canonical import digest
from portal.core.clock import now
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.scoring.models import Score, ScoreRun
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from tests.factories import budget, identity, submissions
from tests.factories import tenders as tenders_factory
from tests.factories.packages import package

IS = Track.IMPORT_SUBSTITUTION
Amounts = Mapping[int, Decimal | int]


@dataclass
class Stage:
    """A closed tender with one track to decide on."""

    session: Session
    tender: Tender
    track: TenderTrack
    applications: list[UUID]
    envelopes: dict[tuple[Track, int], Envelope]
    chair: Actor
    member: Actor
    officer: Actor

    def application(self, place: int) -> Application:
        row = self.session.get_one(Application, self.applications[place])
        self.session.refresh(row)
        return row

    def states(self) -> list[str]:
        return [self.application(place).state for place in range(len(self.applications))]


def stage(
    session: Session,
    requests: Sequence[Amounts],
    available: Amounts,
    *,
    declined: Sequence[int] = (),
    track: Track = IS,
    tender: Tender | None = None,
) -> Stage:
    """Applications with these requests in the order of the ranking, by different initiators.

    ``declined``: places (from 0) of those below the threshold. ``available``: what the envelopes hold.
    """
    if tender is None:
        tender = tenders_factory.closed_tender(session)
        own_programme(session, tender)
    programme_id = tender.programme_id
    envelopes = {
        (track, year): budget.envelope(session, programme_id, track, year, Decimal(amount))
        for year, amount in available.items()
    }
    packages = [package(track) for _ in requests]
    applications = submissions.submitted(session, tender, packages, track=track, state=State.EXPERTISE, apart=True)
    held = submissions.track_of(tender, track)
    scored(session, held, applications, requests, declined)
    session.expire_all()
    return Stage(
        session,
        tender,
        held,
        applications,
        envelopes,
        person(session, Role.CHAIR, "Demo Chair"),
        person(session, Role.COMMISSION, "Demo Member"),
        person(session, Role.OFFICER, "Demo Officer"),
    )


def own_programme(session: Session, tender: Tender) -> None:
    """A programme of this tender alone, so that its envelopes are."""
    tender.programme_id = tenders_factory.programme(session, f"P-{tender.code}").id
    session.flush()


def person(session: Session, role: Role, name: str = "") -> Actor:
    return identity.actor(session, identity.user(session, role, name=name))


def scored(
    session: Session,
    track: TenderTrack,
    applications: Sequence[UUID],
    requests: Sequence[Amounts],
    declined: Sequence[int] = (),
) -> ScoreRun:
    """An ended run over the track: totals fall from 90 in steps of a tenth, the declined ones have 50."""
    run = ScoreRun(
        tender_track_id=track.id,
        kind="track",
        rules_digest="0" * 64,
        total=len(applications),
        done=len(applications),
        ended_at=now(session),
        output_digest=digest([str(key) for key in applications]),
    )
    session.add(run)
    session.flush()
    wanted = select(Submission.application_id, Submission.id).where(Submission.application_id.in_(applications))
    of_application = {row.application_id: row.id for row in session.execute(wanted)}
    for place, (key, request) in enumerate(zip(applications, requests, strict=True)):
        total = Decimal("50.00") if place in declined else Decimal("90.00") - Decimal(place) / 10
        passed = place not in declined
        session.add(
            Score(
                run_id=run.id,
                submission_id=of_application[key],
                sheet=sheet(total, passed),
                digest="0" * 64,
                objective=total,
                total=total,
                recommended=passed,
                amounts={str(year): f"{Decimal(amount):.2f}" for year, amount in request.items()},
                hpj=10,
                current=True,
            )
        )
    session.flush()
    return run


def sheet(total: Decimal, passed: bool) -> dict[str, object]:
    """An explained score of one criterion and one gate, as it was kept in format 1."""
    return {
        "format": 1,
        "objective_total": f"{total:.2f}",
        "max_objective": "100",
        "expert_total": "0",
        "total": f"{total:.2f}",
        "recommended": passed,
        "lines": [
            {
                "code": "CR-01",
                "title": {"ru": "Частные вложения", "en": "Private leverage"},
                "weight": "100",
                "points": "9",
                "weighted": f"{total:.2f}",
                "kind": "objective",
                "parts": [],
                "reviewers": [],
                "reason": {"ru": "Потому что так.", "en": "Because of this."},
            }
        ],
        "gates": [
            {
                "code": "threshold",
                "passed": passed,
                "reason": {"ru": "Ниже порога в 60 баллов.", "en": "Below the threshold of 60 points."},
                "rules": [],
            }
        ],
    }


def signed(stage: Stage, requests: Sequence[Amounts]) -> list[UUID]:
    """Award lines of a signed decision as rows, nothing booked yet: what a race starts from."""
    session = stage.session
    run = session.scalars(select(ScoreRun).where(ScoreRun.tender_track_id == stage.track.id)).one()
    assert stage.chair.user_id is not None
    decision = AwardDecision(
        tender_track_id=stage.track.id,
        run_id=run.id,
        digest="0" * 64,
        available={},
        drafted_by=stage.chair.user_id,
        signed_by=stage.member.user_id,
        signed_at=now(session),
    )
    session.add(decision)
    session.flush()
    lines = []
    for place, (key, request) in enumerate(zip(stage.applications, requests, strict=True), start=1):
        line = DecisionLine(
            decision_id=decision.id,
            application_id=key,
            place=place,
            outcome=Award.AWARD,
            total=Decimal("90"),
            reason={"ru": "Место", "en": "Place"},
        )
        session.add(line)
        session.flush()
        session.add_all(AwardAmount(line_id=line.id, year=y, amount=Decimal(a)) for y, a in request.items())
        lines.append(line.id)
    session.flush()
    return lines


def over_both(limits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of a published tender with these limits over its tracks."""
    return {"joint_limits": list(limits), "joint_digest": digest(list(limits)) if limits else None}


def ruled(stage: Stage, **changes: Any) -> None:
    """Other rules for the track than those that were published."""
    reruled(stage.session, stage.track, **changes)


def reruled(session: Session, track: TenderTrack, **changes: Any) -> None:
    """The same of a track alone."""
    key = track.rule_set_id
    content = {**session.get_one(RuleSetVersion, key).content, **changes}
    session.execute(text("alter table rule_set disable trigger frozen_rules"))
    session.execute(
        text("update rule_set set content = cast(:content as jsonb), digest = :digest where id = :key"),
        {"content": json.dumps(content, ensure_ascii=False), "digest": digest(content), "key": key},
    )
    session.execute(text("alter table rule_set enable trigger frozen_rules"))
    session.expire_all()

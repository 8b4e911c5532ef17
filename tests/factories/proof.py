"""Published decisions with all that they rest on, made by the portal's own verbs from packages that hold names."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import refusing
from portal.applications.models import Application, Proof, Submission
from portal.applications.signatures.signing import Shown
from portal.audit import heads
from portal.audit.service import record
from portal.awards import amending, reserve_list, service
from portal.awards.allocation import computing as allocating
from portal.awards.amendment_checks import Change
from portal.awards.models import Award, AwardDecision, DecisionKind
from portal.awards.offers import service as offers
from portal.awards.proof import bundles
from portal.awards.proof.trail import SUBMIT
from portal.awards.scenarios import service as scenario_service
from portal.awards.scenarios.changes import Changes
from portal.core.canonical import canonical_json
from portal.core.clock import at, now
from portal.core.jobs import Task
from portal.documents import service as documents
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.scoring import drawing
from portal.scoring.drawing import Source
from portal.scoring.models import Score
from portal.tenders.models import Tender, Track
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import Allotment, ExpertMean, TieRule, to_json
from tests.factories import awards, budget, identity, panels
from tests.factories import tenders as tenders_factory
from tests.factories.submissions import track_of

VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "verify.py"
IS = Track.IMPORT_SUBSTITUTION
DATED = ("EL-01", "EL-12")


def decided(
    session: Session,
    *,
    calibrated: bool = False,
    draw: bool = False,
    adopted: bool = False,
    eligible: bool = True,
    count: int = 9,
    money: int = 400_000_000,
    answers: Sequence[bool] = (),
    regions: Sequence[int] = (),
    **more: Any,
) -> Tender:
    """A tender whose one track is scored, decided, booked and published, after a head of the trail.

    ``more``: what else the rules say; ``adopted``: after two scenarios were adopted, one of another list.
    ``eligible`` false: the rules that packages of 2018 cannot meet any more stay, so all fail, for reasons with names.
    ``answers``: of the initiators who are offered a part, one after the other; ``regions``: of the initiators in the
    order of the ranking.
    """
    official = load_rulebook(IS)
    rules: dict[str, Any] = {"threshold": Decimal(40), "spread_limit": Decimal(10), **more}
    if eligible:
        rules["eligibility"] = tuple(rule for rule in official.eligibility if rule.code not in DATED)
    if calibrated:
        rules["expert_mean"] = ExpertMean.CALIBRATED
    if draw:
        rules["tie_rules"] = (TieRule.DRAW, TieRule.NUMBER)
    tender = tenders_factory.closed_tender(session, tracks=(IS,), rules=rules)
    awards.own_programme(session, tender)
    people = panels.reviewers(session)
    keys = panels.panel(session, tender, people, count)
    officer = awards.person(session, Role.OFFICER, "Demo Officer Ivanovskaya")
    for key in keys:
        _received(session, officer, key)
    for year in (2018, 2019, 2020):
        budget.envelope(session, tender.programme_id, IS, year, Decimal(money))
    if draw:
        _draw(session, officer, track_of(tender).id)
    session.commit()
    heads.publish(session)
    panels.scored(session, tender)
    for region, application in zip(regions, _ranked(session, tender), strict=False):
        application.initiator_id = identity.organisation(session, region=region).id
    chair = awards.person(session, Role.CHAIR, "Demo Chair Petrovskaya")
    member = awards.person(session, Role.COMMISSION, "Demo Member Sidorovskaya")
    if adopted:
        _adopt(session, chair, track_of(tender).id)
    decision = _drafted(session, chair, track_of(tender).id, best=more.get("allotment") is Allotment.BEST_TOTAL)
    for agree in answers:
        decision = _answered(session, chair, decision, agree)
    _public(session, chair, member, decision.id)
    return tender


def _ranked(session: Session, tender: Tender) -> Sequence[Application]:
    return session.scalars(
        select(Application)
        .join(Score, Score.submission_id == Application.submission_id)
        .where(Application.tender_id == tender.id, Score.current)
        .order_by(Score.total.desc(), Application.number)
    ).all()


def decided_together(
    session: Session, limits: Sequence[dict[str, Any]], *, allotment: Allotment = Allotment.SKIPPING, count: int = 3
) -> Tender:
    """A tender with limits over both of its tracks, whose lists took effect and were published together."""
    tender = tenders_factory.closed_tender(
        session,
        rules={"threshold": Decimal(40), "spread_limit": Decimal(10), "allotment": allotment},
        **awards.over_both(limits),
    )
    awards.own_programme(session, tender)
    officer = awards.person(session, Role.OFFICER, "Demo Officer Ivanovskaya")
    people = panels.reviewers(session)
    for track in Track:
        rules = [rule for rule in to_json(load_rulebook(track))["eligibility"] if rule["code"] not in DATED]
        awards.reruled(session, track_of(tender, track), eligibility=rules)
        for key in panels.panel(session, tender, people, count, track):
            _received(session, officer, key)
        for year in range(2018, 2022):
            budget.envelope(session, tender.programme_id, track, year, Decimal(900_000_000))
    session.commit()
    heads.publish(session)
    for track in Track:
        panels.scored(session, tender, track)
    chair, member = awards.person(session, Role.CHAIR), awards.person(session, Role.COMMISSION)
    best = allotment is Allotment.BEST_TOTAL
    listed = [_drafted(session, chair, track_of(tender, track).id, best=best) for track in Track]
    for decision in listed:
        service.sign(session, member, decision.id)
    service.publish(session, chair, listed[0].id)
    session.commit()
    return tender


def _drafted(session: Session, chair: Actor, tender_track_id: UUID, *, best: bool) -> AwardDecision:
    """The list, after the best total was computed where the rules ask for it."""
    if best:
        run = allocating.start(session, chair, tender_track_id=tender_track_id)
        while allocating.step(session, run.id).done < allocating.PHASES:
            pass
    return service.draft(session, chair, tender_track_id)


def _adopt(session: Session, chair: Actor, tender_track_id: UUID) -> None:
    for name, changes in (("As it is", Changes()), ("Stricter", Changes(threshold=Decimal(99)))):
        scenario = scenario_service.create(session, chair, tender_track_id, name=name, changes=changes)
        scenario_service.share(session, chair, scenario.id)
        scenario_service.adopt(session, chair, scenario.id, words="Words of the commission, which stay inside")


def amended(session: Session, tender: Tender) -> UUID:
    """The first award is refused and the reserve list moves up; a correction that lowers the last award is signed.

    Gives the correction, which is not public (:func:`published`).
    """
    place = track_of(tender).id
    chair, member = awards.person(session, Role.CHAIR), awards.person(session, Role.COMMISSION)
    lines = list(amending.in_force(session, place).values())
    winners = [line for line in lines if line.outcome == Award.AWARD]
    lowered = {amount.year: amount.amount - 1 for amount in winners[-1].amounts}
    corrected = winners[-1].application_id
    refusing.refuse(session, _owner(session, winners[0].application), winners[0].application_id, reason="Demo reason")
    session.commit()
    task = session.scalars(select(Task).where(Task.kind == reserve_list.PROPOSE)).one()
    (proposal,) = reserve_list.propose(session, UUID(task.payload["posting_id"]))
    _public(session, chair, member, reserve_list.draft(session, chair, proposal.id, grounds="Money has returned").id)
    change = Change(corrected, Award.AWARD, lowered)
    correction = amending.amend(
        session, chair, place, kind=DecisionKind.CORRECTION, changes=[change], grounds="Ruling on an appeal"
    )
    service.sign(session, member, correction.id)
    session.commit()
    return correction.id


def published(session: Session, decision_id: UUID) -> None:
    """Publish a decision that is signed."""
    service.publish(session, awards.person(session, Role.CHAIR), decision_id)
    session.commit()


def _public(session: Session, chair: Actor, member: Actor, decision_id: UUID) -> None:
    service.sign(session, member, decision_id)
    service.publish(session, chair, decision_id)
    session.commit()


def _owner(session: Session, application: Application) -> Actor:
    person = identity.user(session)
    session.add(Membership(user_id=person.id, organisation_id=application.initiator_id, role=OrgRole.OWNER))
    session.flush()
    return identity.actor(session, person)


def _answered(session: Session, chair: Actor, decision: AwardDecision, agree: bool) -> AwardDecision:
    """One offer is sent and answered; after a no the list is drafted anew."""
    (offer,) = offers.send(session, chair, decision.id)
    owner = _owner(session, session.get_one(Application, offer.application_id))
    offers.answer(session, owner, offer.id, agree=agree, reason="CANARY-REASON-5b1c", shown=Shown(Proof.WORD))
    return decision if agree else service.redraft(session, chair, decision.id)


def _received(session: Session, actor: Actor, application_id: UUID) -> None:
    application = session.get_one(Application, application_id)
    submission = session.get_one(Submission, application.submission_id)
    changes = {"number": submission.number, "round": 1, "sha256": submission.sha256}
    record(session, actor, SUBMIT, "application", application_id, changes)


def _draw(session: Session, actor: Actor, tender_track_id: UUID) -> None:
    instant = now(session)
    source = Source("Демо: тираж", "Demo draw", "https://lottery.demo.example/1", instant + timedelta(hours=2))
    drawing.commit(session, actor, tender_track_id, source=source)
    with at(session, instant + timedelta(hours=3)):
        drawing.enter(session, actor, tender_track_id, randomness="17-04-33", url="https://lottery.demo.example/1")


def bundled(session: Session, tender: Tender) -> bytes:
    """The bytes of the tender's bundle, made now."""
    row = bundles.make(session, tender.id)
    assert row is not None
    session.commit()
    held = bundles.newest(session, tender.id)
    assert held is not None
    return documents.content(held.file)


def unpacked(content: bytes) -> dict[str, Any]:
    """Name -> JSON of every file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def forged(files: dict[str, Any]) -> bytes:
    """The archive of changed files with a manifest that fits them, signed by this machine."""
    return bundles.archive(
        {name: held for name, held in files.items() if name not in ("manifest.json", "signature.json")}
    )


def numbers(session: Session, tender: Tender) -> list[str]:
    return sorted(filter(None, session.scalars(select(Application.number).where(Application.tender_id == tender.id))))


_spec = importlib.util.spec_from_file_location("results_verifier", VERIFIER)
assert _spec is not None and _spec.loader is not None  # noqa: PT018
verify = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(verify)


def checked(content: bytes, folder: Path, **options: Any) -> tuple[int, str]:
    """Exit code and report of the verifier, in English."""
    path = folder / "results.zip"
    path.write_bytes(content)
    given = Namespace(
        **{"lang": "en", "number": None, "sha256": None, "heads": None, "key": None, "former": None, **options}
    )
    said = io.StringIO()
    with redirect_stdout(said):
        code = verify.check(str(path), given)
    return code, said.getvalue()


def text_of(content: object) -> str:
    return canonical_json(content).decode()

"""The pages of the proof: the bundle for everyone, the applicant's line in it, the published heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.audit import heads
from portal.awards.models import AwardDecision, DecisionKind, DecisionLine
from portal.core import signing
from portal.core.canonical import canonical_json
from portal.identity.models import Membership, User
from tests.factories import identity, proof
from tests.factories import tenders as tenders_factory

ENGLISH = {"Accept-Language": "en"}


def test_everyone_downloads_and_verifies(session: Session, client: FlaskClient, tmp_path: Path) -> None:
    tender = proof.decided(session, count=3)
    waiting = client.get(f"/tenders/{tender.code}/results/proof", headers=ENGLISH)
    assert "The bundle is being made" in waiting.text
    assert client.get(f"/tenders/{tender.code}/results.zip").status_code == 404
    content = proof.bundled(session, tender)
    answer = client.get(f"/tenders/{tender.code}/results.zip")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "application/zip", content)
    page = client.get(f"/tenders/{tender.code}/results/proof").text
    assert hashlib.sha256(content).hexdigest() in page
    assert signing.public_key() in page
    assert f"/tenders/{tender.code}/results/proof" in client.get(f"/tenders/{tender.code}/results").text
    program = client.get("/verify.py")
    assert program.data == proof.VERIFIER.read_bytes()
    assert program.headers["Content-Disposition"].startswith("attachment")
    assert proof.checked(answer.data, tmp_path)[0] == 0


def test_earlier_versions_stay_to_be_downloaded(
    session: Session,
    client: FlaskClient,
    sign_in: Callable[[User], FlaskClient],
) -> None:
    tender = proof.decided(session, count=4, money=200_000_000)
    first = proof.bundled(session, tender)
    url = f"/tenders/{tender.code}/results"
    assert "/results/1.zip" not in client.get(f"{url}/proof", headers=ENGLISH).text
    proof.published(session, proof.amended(session, tender))
    last = proof.bundled(session, tender)
    page = client.get(f"{url}/proof", headers=ENGLISH).text
    for number, content in ((1, first), (2, last)):
        assert f"{url}/{number}.zip" in page
        assert hashlib.sha256(content).hexdigest() in page
        assert client.get(f"{url}/{number}.zip").data == content
    assert client.get(f"{url}.zip").data == last
    assert [client.get(f"{url}/{number}.zip").status_code for number in (0, 3)] == [404, 404]
    moved = session.scalars(
        select(Application)
        .join(DecisionLine, DecisionLine.application_id == Application.id)
        .join(DecisionLine.decision)
        .where(AwardDecision.kind == DecisionKind.SUPPLEMENTARY)
    ).one()
    owner = session.scalars(
        select(User).join(Membership).where(Membership.organisation_id == moved.initiator_id)
    ).first()
    assert owner is not None
    mine = sign_in(owner).get(f"/applications/{moved.id}/proof", headers=ENGLISH).text
    assert "Decision No. 2" in mine
    assert f"{url}/1.zip" in mine


def test_nothing_is_shown_before_the_results(session: Session, client: FlaskClient) -> None:
    tender = tenders_factory.closed_tender(session)
    session.commit()
    for page in ("results/proof", "results.zip"):
        assert client.get(f"/tenders/{tender.code}/{page}").status_code == 404


def test_an_applicant_sees_its_line(
    session: Session,
    sign_in: Callable[[User], FlaskClient],
    count_queries: Callable[[], Any],
) -> None:
    tender = proof.decided(session, count=3)
    application = session.scalars(select(Application).where(Application.tender_id == tender.id)).first()
    assert application is not None
    owner = session.scalars(
        select(User).join(Membership).where(Membership.organisation_id == application.initiator_id)
    ).first()
    assert owner is not None
    client, url = sign_in(owner), f"/applications/{application.id}/proof"
    assert "The results are not published yet" in client.get(url).text
    held = proof.unpacked(proof.bundled(session, tender))
    mine = next(each for each in held[f"{PLACE}/submissions.json"] if each["number"] == application.number)
    with count_queries() as statements:
        page = client.get(url).text
    assert len(statements) == 7
    assert "exactly as it was received" in page
    assert f"--number {application.number} \\\n  --sha256 {mine['sha256']}" in page
    assert mine["figures"]["hpj_per_100m"] in page
    stranger = identity.member(session, identity.organisation(session))
    session.commit()
    assert sign_in(stranger).get(url).status_code == 404


PLACE = "tracks/import_substitution"


def test_heads_are_published_for_people_and_programs(session: Session, client: FlaskClient) -> None:
    assert "No head has been published yet" in client.get("/audit-heads", headers=ENGLISH).text
    proof.decided(session, count=3)
    row = heads.published(session)[0]
    assert row.hash in client.get("/audit-heads").text
    feed = json.loads(client.get("/audit-heads.json").data)
    assert feed["key"] == signing.public_key()
    (each,) = feed["heads"]
    said = {name: each[name] for name in ("format", "day", "seq", "hash", "at")}
    assert signing.holds(each["public_key"], each["signature"], canonical_json(said))

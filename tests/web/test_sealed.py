"""The pages of a sealed tender: what the fund sees of it before the opening (counts), and the way through it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import State
from portal.applications.sealing import opening
from portal.core.clock import at, now
from portal.core.jobs import Task
from portal.identity.models import Organisation, Role, User
from portal.tenders.seal_models import SealKey
from tests.conftest import form
from tests.factories import applications, identity, sealed, tenders
from tests.factories.sealed import DAY, PASSPHRASES, PASSWORD

SignIn = Callable[[User], FlaskClient]
CANARY = "CANARY-SEALED-4d1f"


def sealed_one(session: Session) -> tuple[sealed.Kept, applications.Joint, str]:
    kept = sealed.tender(session)
    joint, row = sealed.submitted(kept, project={"name_ru": CANARY, "name_en": CANARY, "summary": CANARY})
    session.commit()
    return kept, joint, row.number


def test_no_page_of_the_fund_says_anything_of_a_sealed_application(session: Session, sign_in: SignIn) -> None:
    """Each role of the fund reads every list and table, and asks for the application's own pages by its key."""
    kept, joint, number = sealed_one(session)
    firm = session.get_one(Organisation, joint.organisations[0].id)
    words = (CANARY, number, firm.name_en, firm.inn, str(joint.id), joint.owners[0].full_name, joint.owners[0].email)
    lists = (
        "/staff",
        "/staff/applications/",
        f"/staff/applications/?q={number}",
        f"/staff/applications/?q={CANARY}&state=sealed",
        f"/staff/applications/?tender={kept.tender.id}",
        "/staff/messages",
        "/staff/conflicts",
        "/staff/assignment",
        "/staff/scoring",
        "/staff/similar",
        "/staff/awards",
        "/staff/budget",
        "/staff/jobs",
        f"/staff/audit?object={joint.id}",
        f"/staff/audit?actor=user:{joint.owners[0].id}&tag=applications",
        f"/staff/audit?actor=user:{joint.owners[0].id}&tag=documents",
        "/staff/audit?tag=documents",
        f"/staff/tenders/{kept.tender.id}/sealed",
    )
    own = [f"/staff/applications/{joint.id}{page}" for page in ("", "/score", "/history", "/check", "/reviews")]
    own += [f"/applications/{joint.id}", f"/applications/{joint.id}/receipt", f"/applications/{joint.id}/sealed"]
    for role in Role:
        client = sign_in(identity.user(session, role))
        session.commit()
        for address in own:
            assert client.get(address, follow_redirects=True).status_code in (403, 404), (role, address)
        for address in lists:
            text = unescape(client.get(address, follow_redirects=True).get_data(as_text=True))
            shown = re.sub(r'value="[^"]*"|href="[^"]*"|<code[^>]*>[^<]*</code>', "", text)
            assert not [word for word in words if word in shown], (role, address)


def test_the_fund_sees_how_many_there_are(session: Session, sign_in: SignIn) -> None:
    kept, _joint, _number = sealed_one(session)
    for role in (Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.AUDITOR, Role.ADMINISTRATOR):
        answer = sign_in(identity.user(session, role)).get(f"/staff/tenders/{kept.tender.id}/sealed")
        assert answer.status_code == 200
        text = answer.get_data(as_text=True)
        assert re.search(r"Sealed applications.*?>\s*1\s*<", text, re.S)
        assert "seal_password" not in text
    assert sign_in(identity.user(session, Role.REVIEWER)).get(
        f"/staff/tenders/{kept.tender.id}/sealed"
    ).status_code in (403, 404)


def test_applicants_seal_read_and_withdraw(session: Session, sign_in: SignIn) -> None:
    kept = sealed.tender(session)
    joint = applications.ready(session, tender=kept.tender, partners=0)
    session.commit()
    client = sign_in(joint.owners[0])
    base = f"/applications/{joint.id}"
    assert "seal_password" in client.get(f"{base}/submit").get_data(as_text=True)
    fields = {"acknowledged": "y", "seal_password": PASSWORD}
    refused = client.post(f"{base}/submit", data=form(**fields, seal_password_again="other words"))
    assert refused.status_code == 422
    assert PASSWORD not in refused.get_data(as_text=True)
    sent = client.post(f"{base}/submit", data=form(**fields, seal_password_again=PASSWORD))
    assert sent.location.endswith("/receipt")
    assert "Sealed until the opening" in client.get(sent.location).get_data(as_text=True)
    assert client.get(f"{base}/receipt.pdf").data.startswith(b"%PDF")
    for page in ("", "/check", "/sections/product", "/documents", "/confirm", "/estimate", "/paper"):
        assert client.get(f"{base}{page}").location in (f"{base}/sealed", None), page
    assert "Sealed application" in client.get("/applications/").get_data(as_text=True)
    assert client.post(f"{base}/sealed", data={"seal_password": "not this one"}).status_code == 422
    read = client.post(f"{base}/sealed", data={"seal_password": PASSWORD})
    assert read.mimetype == "application/pdf"
    assert client.post(f"{base}/withdraw", data=form(seal_password="not this one")).status_code == 422
    assert client.post(f"{base}/withdraw", data=form(seal_password=PASSWORD)).status_code == 303
    assert joint.application.state == State.WITHDRAWN
    assert client.get(base).status_code == 200


def test_keepers_open_and_the_protocol_tells_of_it(session: Session, sign_in: SignIn) -> None:
    kept, joint, number = sealed_one(session)
    base = f"/staff/tenders/{kept.tender.id}/sealed"
    first, second = (sign_in(person) for person in kept.keepers)
    assert first.post(f"{base}/open", data=form(seal_password=PASSPHRASES[0])).status_code == 409
    assert first.get(f"{base}/protocol").status_code == 404
    later = now(session) + 2 * DAY
    with at(session, later):
        assert first.post(f"{base}/open", data=form(seal_password=PASSPHRASES[1])).status_code == 422
    with at(session, later):  # the refusal has rolled back, and the clock with it
        assert first.post(f"{base}/open", data=form(seal_password=PASSPHRASES[0])).status_code == 303
        assert joint.application.state == State.SEALED
        assert second.post(f"{base}/open", data=form(seal_password=PASSPHRASES[1])).status_code == 303
        assert session.scalars(select(Task.kind).where(Task.kind == "open_sealed")).all()
        opening.step(session, kept.tender.id)
        session.commit()
        assert joint.application.state == State.SUBMITTED
        page = first.get(f"{base}/protocol").get_data(as_text=True)
        assert number in page
        assert first.get(f"{base}/protocol.pdf").data.startswith(b"%PDF")
        assert "All applications are opened" in first.get(base).get_data(as_text=True)
        assert CANARY in first.get("/staff/applications/").get_data(as_text=True)


def test_an_administrator_seals_a_tender_and_keepers_make_their_keys(session: Session, sign_in: SignIn) -> None:
    at_ = now(session)
    row = tenders.tender(session, opens_at=at_ + DAY, closes_at=at_ + 2 * DAY)
    people = [identity.user(session, Role.OFFICER) for _ in range(2)]
    administrator = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    base, client = f"/staff/tenders/{row.id}/sealed", sign_in(administrator)
    assert client.get(base).status_code == 200
    assert sign_in(people[0]).get(base).status_code == 404
    missing = client.post(f"{base}/keepers", data=form(version=row.version, sealed="y", keeper_1=people[0].id))
    assert missing.status_code == 422
    chosen = {"sealed": "y", "keeper_1": people[0].id, "keeper_2": people[1].id, "keeper_3": ""}
    assert client.post(f"{base}/keepers", data=form(version=row.version, **chosen)).status_code == 303
    assert "has not made a key yet" in client.get(f"/staff/tenders/{row.id}").get_data(as_text=True)
    session.refresh(row)
    assert client.post(f"/staff/tenders/{row.id}/publish", data=form(version=row.version)).status_code == 422
    for person in people:
        words = {"seal_password": PASSPHRASES[0], "seal_password_again": PASSPHRASES[0]}
        keeper = sign_in(person)
        assert keeper.post(f"{base}/key", data=form(seal_password="short")).status_code == 422
        assert keeper.post(f"{base}/key", data=form(**words)).status_code == 303
    assert len(session.scalars(select(SealKey.public).where(SealKey.tender_id == row.id)).all()) == 2
    session.refresh(row)
    assert client.post(f"/staff/tenders/{row.id}/publish", data=form(version=row.version)).status_code == 303
    assert client.post(f"{base}/keepers", data=form(version=row.version, **chosen)).status_code == 409
    assert sign_in(administrator).post(f"{base}/key", data=form(seal_password="x")).status_code == 403


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_public_page_says_that_the_tender_is_sealed(session: Session, client: FlaskClient, language: str) -> None:
    kept = sealed.tender(session, keys=False)
    session.commit()
    client.set_cookie("language", language)
    text = client.get(f"/tenders/{kept.tender.code}", headers={"Accept-Language": language}).get_data(as_text=True)
    assert {"ru": "Отбор с опечатанными заявками", "en": "A sealed tender"}[language] in text

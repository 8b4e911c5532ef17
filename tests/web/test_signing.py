"""The signing pages: asking anew who it is, the signature file, the manifest, and who sees what."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import FitLetter, Signature
from portal.applications.partners import fit
from portal.audit.models import AuditEvent
from portal.identity.models import OrgRole, User
from tests.conftest import form
from tests.factories import applications, identity

SignIn = Callable[[User], FlaskClient]
PASSWORD = "demo correct horse battery"


def text(response: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text)))


def stale(client: FlaskClient) -> FlaskClient:
    """Signed in an hour ago."""
    with client.session_transaction() as cookies:
        cookies["fs_paa"] = cookies["fs_paa"] - 3600
    return client


def test_the_page_shows_the_own_part_first_and_what_is_signed(session: Session, sign_in: SignIn) -> None:
    joint = applications.filled(session)
    session.commit()
    part = joint.parts[1]
    client = sign_in(joint.owners[1])
    base = f"/applications/{joint.id}/participants/{part.id}"
    page = text(client.get(f"{base}/sign?lang=en"))
    assert page.index("What your organisation takes on") < page.index("The whole project")
    assert joint.dossier.binding(part).digest in page
    manifest = client.get(f"{base}/manifest.json").data
    assert hashlib.sha256(manifest).hexdigest() == joint.dossier.binding(part).digest
    content = json.loads(client.get(f"{base}/signed-content.json").data)
    for item in json.loads(manifest)["parts"]:
        written = json.dumps(content[item["part"]], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(written.encode()).hexdigest() == item["sha256"]
    other = sign_in(joint.owners[0])
    assert [other.get(f"{base}/{name}").status_code for name in ("sign", "manifest.json", "signed-content.json")] == [
        403,
        404,
        404,
    ]


def test_who_signed_in_long_ago_types_the_password_again(app: Flask, session: Session, sign_in: SignIn) -> None:
    joint = applications.filled(session)
    joint.owners[0].password = hash_password(PASSWORD)
    session.commit()
    part = joint.parts[0]
    client = stale(sign_in(joint.owners[0]))
    url = f"/applications/{joint.id}/participants/{part.id}/sign?lang=en"
    digest = joint.dossier.binding(part).digest
    assert "Your password" in text(client.get(url))
    for typed, said in (("", "Enter your password again"), ("not it at all", "This is not your password.")):
        answer = client.post(url, data=form(digest=digest, password=typed))
        assert answer.status_code == 422
        assert said in text(answer)
    assert session.scalars(select(Signature)).all() == []
    trail = session.scalars(select(AuditEvent).where(AuditEvent.tag == "identity:proof:refuse")).one()
    assert (trail.object_id, trail.changes["proof"]) == (str(joint.owners[0].id), "password")
    assert "not it at all" not in str(trail.changes)
    assert client.post(url, data=form(digest=digest, password=PASSWORD)).status_code == 303
    assert session.scalars(select(Signature.proof)).all() == ["password"]
    assert "Your password" not in text(client.get(url))  # shown just now


def test_a_second_factor_is_asked_for_its_code(app: Flask, session: Session, sign_in: SignIn) -> None:
    joint = applications.filled(session)
    totp = app.extensions["security"].totp_factory
    owner = joint.owners[0]
    owner.tf_primary_method, owner.tf_totp_secret = "authenticator", totp.generate_totp_secret()
    owner.password = hash_password(PASSWORD)
    session.commit()
    part = joint.parts[0]
    client = stale(sign_in(owner))
    url = f"/applications/{joint.id}/participants/{part.id}/sign?lang=en"
    digest = joint.dossier.binding(part).digest
    assert "Code from the app" in text(client.get(url))
    answer = client.post(url, data=form(digest=digest, password=PASSWORD))
    assert (answer.status_code, "This code is not valid." in text(answer)) == (422, True)
    code = totp._totp.from_source(owner.tf_totp_secret).generate().token
    assert client.post(url, data=form(digest=digest, password=code)).status_code == 303
    assert session.scalars(select(Signature.proof)).all() == ["totp"]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], bytes]:
    folder: Path = tmp_path_factory.mktemp("signer")
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]
    subject = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=Demo Signer/INN=007700000000"]
    subprocess.run(["openssl", *made, *subject], cwd=folder, check=True, capture_output=True)

    def sign(content: bytes) -> bytes:
        (folder / "manifest.json").write_bytes(content)
        words = ["cms", "-sign", "-binary", "-in", "manifest.json", "-signer", "cert.pem", "-inkey", "key.pem"]
        subprocess.run(["openssl", *words, "-outform", "DER", "-out", "out"], cwd=folder, check=True)
        return (folder / "out").read_bytes()

    return sign


def test_a_signature_file_is_checked_kept_and_shown(
    session: Session, sign_in: SignIn, signer: Callable[[bytes], bytes]
) -> None:
    joint = applications.filled(session)
    session.commit()
    part = joint.parts[0]
    client = sign_in(joint.owners[0])
    base = f"/applications/{joint.id}/participants/{part.id}"
    manifest = client.get(f"{base}/manifest.json").data
    digest = joint.dossier.binding(part).digest

    def post(content: bytes) -> Any:
        fields = form(digest=digest, signature_file=(io.BytesIO(content), "manifest.p7s"))
        return client.post(f"{base}/sign?lang=en", data=fields, content_type="multipart/form-data")

    wrong = post(signer(manifest + b"\n"))
    assert (wrong.status_code, "over another file" in text(wrong)) == (422, True)
    broken = post(signer(manifest)[:-30])
    assert (broken.status_code, "damaged or was cut off" in text(broken)) == (422, True)
    assert session.scalars(select(Signature)).all() == []
    file = signer(manifest)
    assert post(file).status_code == 303
    row = session.scalars(select(Signature)).one()
    assert (row.file, row.cms["chain"], row.cms["subject"]) == (  # type: ignore[index]
        file,
        "unchecked",
        "CN=Demo Signer, INN=007700000000",
    )
    page = text(client.get(f"/applications/{joint.id}/confirm?lang=en"))
    assert "CN=Demo Signer" in page
    assert "Who issued the certificate was not checked." in page
    assert "The certificate names the INN 7700000000" in page
    kept = f"/applications/{joint.id}/signatures/{row.id}"
    assert client.get(f"{kept}/signature.p7s").data == file
    assert client.get(f"{kept}/manifest.json").data == manifest
    stranger = sign_in(identity.user(session))
    assert stranger.get(f"{kept}/manifest.json").status_code == 404


def test_the_page_says_what_voided_a_signature_and_who(session: Session, sign_in: SignIn) -> None:
    joint = applications.ready(session)
    session.commit()
    client = sign_in(joint.owners[0])
    section = joint.dossier.sections[None, "product"]
    data = {**section.data, "summary": "Another summary"}
    answer = client.post(f"/applications/{joint.id}/sections/product", data=form(version=section.version, **data))
    assert answer.status_code == 303
    page = text(sign_in(joint.owners[1]).get(f"/applications/{joint.id}/confirm?lang=en"))
    assert "Must sign again" in page
    assert "Project and product, Summary of the project" in page
    assert f"{joint.owners[0].full_name or joint.owners[0].email} changed:" in page
    assert text(client.get(f"/applications/{joint.id}/submit?lang=en")).count("it must sign again") == 2


def test_receipt_and_paper_list_the_signatures(session: Session, sign_in: SignIn) -> None:
    joint, row = applications.submitted(session)
    session.commit()
    client = sign_in(joint.owners[0])
    page = text(client.get(f"/applications/{joint.id}/receipt?lang=en"))
    for item in row.snapshot["signatures"]:
        assert item["digest"] in page
        assert item["signer"] in page
    assert client.get(f"/applications/{joint.id}/receipt.pdf?lang=ru").data.startswith(b"%PDF-")


def test_partners_by_form(session: Session, sign_in: SignIn) -> None:
    """Send again, read what leaving out means, leave it out; its people keep what they typed, others do not."""
    joint = applications.filled(session, partners=2)
    organisation = identity.organisation(session)
    invitee = identity.member(session, organisation)
    applications.join(session, joint.cluster, organisation)
    part, viewer = joint.parts[2], identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    session.commit()
    owner, base = sign_in(joint.owners[0]), f"/applications/{joint.id}"
    owner.post(f"{base}/participants", data=form(organisation=organisation.id))
    new = next(row for row in joint.dossier.invited if row.organisation_id == organisation.id)
    assert owner.post(f"{base}/participants/{new.id}/resend", data=form()).status_code == 303
    assert "can be answered until" in text(sign_in(invitee).get(f"{base}/invitation?lang=en"))
    declined = sign_in(invitee).post(f"{base}/invitation", data=form(answer="decline", reason="Demo: no capacity"))
    assert declined.status_code == 303
    assert "Demo: no capacity" in text(owner.get(f"{base}/participants?lang=en"))
    page = text(owner.get(f"{base}/participants/{part.id}/remove?lang=en"))
    assert "4 filled-in sections drop out" in page
    assert "Nobody has signed yet" in page
    assert sign_in(viewer).get(f"{base}/participants/{part.id}/remove").status_code == 403
    assert owner.post(f"{base}/participants/{part.id}/remove", data=form(instead="")).status_code == 303
    kept = f"{base}/kept/{part.id}"
    assert "Your part, as it was kept" in text(sign_in(joint.owners[2]).get(f"{kept}?lang=en"))
    assert [sign_in(joint.owners[place]).get(kept).status_code for place in (0, 1)] == [404, 404]


def test_roles_and_the_lead_by_form(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    person = identity.member(session, joint.organisations[1], OrgRole.VIEWER)
    session.commit()
    part = joint.parts[1]
    base = f"/applications/{joint.id}/participants/{part.id}"
    first, second = (sign_in(owner) for owner in joint.owners)
    assert second.get(f"{base}/people?lang=en").status_code == 200
    assert first.get(f"{base}/people").status_code == 403
    assert second.post(f"{base}/people", data=form(user=person.id, role="editor")).status_code == 303
    assert second.post(f"{base}/people", data=form(user=person.id, role="king")).status_code == 404
    saved = sign_in(person).post(f"{base}/sections/declarations", data=form(version=0, **{"EL-12": "yes"}))
    assert saved.status_code == 303
    assert first.post(f"{base}/lead", data=form()).status_code == 303
    assert "Take over the lead" in text(second.get(f"/applications/{joint.id}/participants?lang=en"))
    assert second.post(f"{base}/lead", data=form(answer="accept")).status_code == 303
    assert joint.dossier.initiator.id == part.id


def test_the_letter_of_fit_by_form(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    centre = identity.organisation(session, name="Demo Centre")
    signatory = identity.member(session, centre)
    joint.cluster.spec_org_id = centre.id
    applications.fill(joint)
    session.commit()
    owner, desk = sign_in(joint.owners[0]), sign_in(signatory)
    confirm = f"/applications/{joint.id}/confirm?lang=en"
    assert "Ask for the letter" in text(owner.get(confirm))
    assert "Ask for the letter" not in text(sign_in(joint.owners[1]).get(confirm))
    assert owner.post(f"/applications/{joint.id}/letter", data=form()).status_code == 303
    row = session.scalars(select(FitLetter)).one()
    assert "Letters due" in text(desk.get("/spec-org/?lang=en"))
    url = f"/spec-org/letters/{row.id}"
    page = text(desk.get(f"{url}?lang=en"))
    assert "Automated well-piping module" in page
    assert "Costs" not in page
    assert owner.get(url).status_code == 404
    digest = fit.binding(joint.dossier, centre, "").digest
    assert desk.post(f"{url}?lang=en", data=form(digest="0" * 64, answer="sign")).status_code == 409
    assert desk.post(f"{url}?lang=en", data=form(reason="", answer="refuse")).status_code == 422
    assert hashlib.sha256(desk.get(f"{url}/manifest.json").data).hexdigest() == digest
    assert desk.post(url, data=form(digest=digest, answer="sign", roadmap_action="Demo 1.2")).status_code == 303
    assert "Action of the roadmap: Demo 1.2" in text(owner.get(confirm))
    assert "Letters due" not in text(desk.get("/spec-org/?lang=en"))

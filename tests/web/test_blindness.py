"""A blind tender crawled as its people: reviewers learn nothing of who applies, applicants nothing of who reviews."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.core.canonical import digest
from portal.identity.models import Membership, Organisation, Role, User
from portal.notifications.models import Letter, Notice
from portal.review import ties
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import from_json, to_json
from tests.factories import applications, identity, packages, review

SignIn = Callable[[User], FlaskClient]
PUBLIC = re.compile(r"^/(clusters|tenders|calendar|calculator|open|static|account/(log|sign)|$)")
"""Pages that everybody reads, and the way out."""


@dataclass
class Blind:
    """An application of a blind tender, in review, that tells who wrote it wherever it can."""

    application: Application
    owner: User
    reviewers: list[User]
    secrets: list[str]
    assignment: str


@pytest.fixture
def blind(session: Session) -> Blind:
    joint, submission = applications.submitted(session)
    application = session.get_one(Application, joint.id)
    firms = list(session.scalars(select(Organisation).where(Organisation.id.in_([f.id for f in joint.organisations]))))
    track = session.get_one(TenderTrack, application.tender_track_id)
    session.execute(text("alter table rule_set disable trigger frozen_rules"))
    session.execute(
        text('update rule_set set content = content || \'{"blindness": "applicants_hidden"}\' where id = :key'),
        {"key": track.rule_set_id},
    )
    session.execute(text("alter table rule_set enable trigger frozen_rules"))
    content = {**submission.snapshot}
    words = " ".join(f"{firm.name_ru}, {firm.name_en}, ИНН {firm.inn}, ОГРН {firm.ogrn};" for firm in firms)
    contacts = "boss@demo-works.example, +7 (495) 123-45-67, www.demo-works.ru"
    content["project"] = {**content["project"], "summary": f"{words} {contacts} {joint.owners[0].full_name}"}
    for held in (content, *content["participants"]):
        held["documents"] = [{**item, "name": f"{firms[0].name_ru}.pdf"} for item in held["documents"]]
    session.execute(text("alter table submission disable trigger frozen_submission"))
    session.execute(
        text("update submission set snapshot = cast(:content as jsonb), sha256 = :digest where id = :key"),
        {"content": json.dumps(content, ensure_ascii=False), "digest": digest(content), "key": submission.id},
    )
    session.execute(text("alter table submission enable trigger frozen_submission"))
    title = f"Линия {firms[0].name_ru}"
    session.execute(
        text("update application set title_ru = :title, title_en = :title where id = :key"),
        {"title": title, "key": application.id},
    )
    session.expire_all()
    review.admitted(session, application.id)
    rows = review.assigned(session, application)
    review.opened(session, rows[0])
    reviewers = [session.get_one(User, row.reviewer_id) for row in rows]
    values = {"inn": firms[0].inn, "kind": "other"}
    ties.declare(session, identity.actor(session, reviewers[1]), user_id=reviewers[1].id, values=values)
    session.commit()
    secrets = [firm_word for firm in firms for firm_word in (firm.inn, firm.ogrn, firm.name_ru, firm.name_en)]
    secrets += [firm.name_ru.split("«")[1].strip("»") for firm in firms]
    secrets += ["demo-works", "123-45-67", joint.owners[0].full_name, joint.owners[0].email]
    secrets += [joint.cluster.name_ru, joint.cluster.name_en]
    return Blind(application, joint.owners[0], reviewers, secrets, str(rows[0].id))


def crawl(client: FlaskClient, *starts: str) -> dict[str, str]:
    """Every page that is reached from ``starts`` by links of the same portal, public ones left out."""
    seen: dict[str, str] = {}
    waiting = list(starts)
    while waiting and len(seen) < 150:
        path = waiting.pop(0)
        if path in seen:
            continue
        answer = client.get(path)
        headers = " ".join(str(value) for _name, value in answer.headers)
        body = unescape(answer.text) if answer.mimetype.startswith(("text/", "application/json")) else ""
        seen[path] = f"{headers}\n{body}"
        found = re.findall(r'(?:href|action|src)="([^"#]+)', answer.text) if answer.mimetype == "text/html" else []
        targets = {unescape(link) for link in [*found, answer.headers.get("Location", "")]}
        waiting += [link for link in sorted(targets) if link.startswith("/") and not PUBLIC.match(link)]
    return seen


def leaks(pages: dict[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    low = {path: f"{path}\n{body}".lower() for path, body in pages.items()}
    return [(path, secret) for path, body in low.items() for secret in secrets if secret.lower() in body]


def test_a_reviewer_learns_nothing_of_who_applies(session: Session, sign_in: SignIn, blind: Blind) -> None:
    for place, person in enumerate(blind.reviewers):
        client = sign_in(person)
        pages = crawl(client, "/reviews/", "/reviews/?finished=1", "/notices", "/staff", "/account/")
        if place == 1:
            pages.pop("/ties", None)  # their own words
        assert leaks(pages, blind.secrets) == []
        if place == 0:
            reached = "\n".join(pages)
            for page in ("declaration", "review", "documents"):
                assert f"/reviews/{blind.assignment}/{page}" in reached
            assert "Participant 1" in pages[f"/reviews/{blind.assignment}"]
            assert any(
                "DOC-" in body and "participant" in body for path, body in pages.items() if "/documents/" in path
            )


def test_letters_and_notices_of_reviewers_tell_nothing(session: Session, blind: Blind) -> None:
    people = [person.id for person in blind.reviewers]
    addresses = [person.email for person in blind.reviewers]
    letters = session.scalars(select(Letter).where(Letter.recipient.in_(addresses))).all()
    notices = session.scalars(select(Notice).where(Notice.user_id.in_(people))).all()
    assert letters or notices
    pages = {
        str(row.id): str({c.name: getattr(row, c.name) for c in row.__table__.columns}) for row in (*letters, *notices)
    }
    assert leaks(pages, blind.secrets) == []


def test_a_barred_reviewer_is_refused_without_the_path(session: Session, sign_in: SignIn, blind: Blind) -> None:
    person = blind.reviewers[1]
    session.execute(text("update conflict set strength = 'hard' where user_id = :key"), {"key": person.id})
    session.commit()
    client = sign_in(person)
    key = session.scalar(text("select id from assignment where reviewer_id = :person").bindparams(person=person.id))
    version = session.scalar(text("select version from assignment where id = :key").bindparams(key=key))
    given = {"idempotency_key": str(uuid4()), "version": str(version), "conflict": "no", "explanation": ""}
    answer = client.post(f"/reviews/{key}/declaration", data=given)
    assert leaks({"answer": unescape(answer.text)}, blind.secrets) == []


def test_the_next_reviewer_and_colleagues_see_nothing_at_all(session: Session, sign_in: SignIn, blind: Blind) -> None:
    stranger = identity.user(session, Role.REVIEWER)
    session.commit()
    client = sign_in(stranger)
    pages = crawl(
        client,
        "/reviews/",
        "/notices",
        "/staff",
        f"/reviews/{blind.assignment}",
        f"/staff/applications/{blind.application.id}",
    )
    assert leaks(pages, blind.secrets) == []


def test_applicants_learn_nothing_of_who_reviews(session: Session, sign_in: SignIn, blind: Blind) -> None:
    secrets = [word for person in blind.reviewers for word in (person.full_name, person.email)]
    members = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == blind.application.initiator_id)
    ).all()
    assert members
    for person in members:
        pages = crawl(sign_in(person), "/applications/", f"/applications/{blind.application.id}", "/notices")
        assert leaks(pages, secrets) == []


def test_the_fund_still_reads_who_applies(session: Session, sign_in: SignIn, blind: Blind) -> None:
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    page = unescape(sign_in(officer).get(f"/staff/applications/{blind.application.id}").text)
    assert blind.secrets[0] in page
    assert from_json(to_json(packages.rules("import_substitution"))).hides_applicants is False

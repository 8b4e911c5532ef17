"""A blind tender crawled as its people: reviewers learn nothing of who applies, applicants nothing of who reviews."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.applications.models import Application, Attachment, Participant
from portal.clusters.models import Cluster
from portal.core.canonical import digest
from portal.core.db import session as current_session
from portal.demo.papers import paper
from portal.documents import objects
from portal.documents.models import StoredFile
from portal.identity.models import Organisation, OrgRole, Role, RoleGrant, User
from portal.notifications.models import Letter, Notice
from portal.review import blind_copies, inquiries, service, ties
from portal.review import discussion as talk
from portal.review.conflict_models import PersonTie
from portal.review.models import Assignment
from portal.tenders import following
from portal.tenders.models import RuleSetVersion, TenderTrack
from tests.conftest import on_one_connection
from tests.factories import applications, identity, review

SignIn = Callable[[User], FlaskClient]
FULL = bool(os.environ.get("FULL"))
PUBLIC = re.compile(r"^/(clusters|tenders|calendar|calculator|open|static|account|demo|mail|personal|$)")
"""Pages that everybody reads, and the way out."""


@dataclass
class Blind:
    """An application of a blind tender, in review, that tells who wrote it wherever it can."""

    application: UUID
    number: str
    cluster: UUID
    owner: UUID
    reviewers: list[UUID]
    names: list[str]
    """Names and addresses of the reviewers."""
    secrets: list[str]
    assignment: str
    named: UUID
    """A file whose text tells."""


@pytest.fixture(scope="module")
def blind(shared_app: Flask) -> Iterator[Blind]:
    """The tender, made once: what a test does to it stands for those after it."""
    with on_one_connection(shared_app):
        yield _made(current_session())


@pytest.fixture
def app(shared_app: Flask, blind: Blind) -> Flask:
    return shared_app


def _made(session: Session) -> Blind:
    joint, submission = applications.submitted(session)
    application = session.get_one(Application, joint.id)
    firms = list(session.scalars(select(Organisation).where(Organisation.id.in_([f.id for f in joint.organisations]))))
    track = session.get_one(TenderTrack, application.tender_track_id)
    rules = {**session.get_one(RuleSetVersion, track.rule_set_id).content, "blindness": "applicants_hidden"}
    session.execute(text("alter table rule_set disable trigger frozen_rules"))
    session.execute(
        text("update rule_set set content = cast(:content as jsonb), digest = :digest where id = :key"),
        {"content": json.dumps(rules, ensure_ascii=False), "digest": digest(rules), "key": track.rule_set_id},
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
    named = _replace_files(session, application.id, firms[0])
    blind_copies.make(session, submission.id)
    review.admitted(session, application.id)
    rows = review.assigned(session, application, people=_people(session))
    review.reviewed(session, rows[0])
    service.return_review(
        session,
        identity.actor(session, identity.user(session, Role.OFFICER)),
        application_id=application.id,
        assignment_id=rows[0].id,
        reason=f"Look again at {firms[0].name_ru} and at {joint.owners[0].full_name}.",
    )
    reviewers = [session.get_one(User, row.reviewer_id) for row in rows]
    _ask_applicants(session, rows[0], firms[0])
    values = {"inn": firms[0].inn, "kind": "other"}
    ties.declare(session, identity.actor(session, reviewers[1]), user_id=reviewers[1].id, values=values)
    session.commit()
    secrets = [firm_word for firm in firms for firm_word in (firm.inn, firm.ogrn, firm.name_ru, firm.name_en)]
    secrets += [firm.name_ru.split("«")[1].strip("»") for firm in firms]
    secrets += ["demo-works", "123-45-67", joint.owners[0].full_name, joint.owners[0].email]
    secrets += [joint.cluster.name_ru, joint.cluster.name_en]
    return Blind(
        application=application.id,
        number=str(application.number),
        cluster=joint.cluster.id,
        owner=joint.owners[0].id,
        reviewers=[person.id for person in reviewers],
        names=[word for person in reviewers for word in (person.full_name, person.email)],
        secrets=secrets,
        assignment=str(rows[0].id),
        named=named,
    )


def _people(session: Session) -> list[User]:
    names = ("Кленова Анна Павловна", "Maple Reviewer Demo")
    return [identity.user(session, Role.REVIEWER, name=name) for name in names]


def _replace_files(session: Session, application_id: UUID, firm: Organisation) -> UUID:
    """All files name the firm in their properties, and one in its text: that one is returned."""
    statement = select(StoredFile).join(Attachment, Attachment.file_id == StoredFile.id)
    files = session.scalars(statement.where(Attachment.application_id == application_id).order_by(Attachment.id)).all()
    for file in files:
        objects.put(session, file.key, paper("Demo", firm.name_en if file is files[0] else "a plan", firm.name_en))
    return files[0].id


def _ask_applicants(session: Session, row: Assignment, firm: Organisation) -> None:
    """A question whose answer names the firm."""
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    asked = inquiries.ask(session, review.reviewer(session, row), assignment_id=row.id, text="Were there tests?")
    inquiries.pass_on(session, officer, inquiry_id=asked.id, text="Were there tests?", expected_version=asked.version)
    answer = f"{firm.name_ru} tested it in June."
    inquiries.answer(session, officer, inquiry_id=asked.id, text=answer, expected_version=asked.version)


def crawl(client: FlaskClient, *starts: str, limit: int = 60, language: str = "") -> dict[str, str]:
    """Every page that is reached from ``starts`` by links of the same portal, public ones left out.

    ``language``: in which one the first page is asked for, and with it all others.
    """
    seen: dict[str, str] = {}
    waiting = [f"{starts[0]}{'&' if '?' in starts[0] else '?'}lang={language}" if language else starts[0], *starts[1:]]
    while waiting and len(seen) < limit:
        path = waiting.pop(0)
        if path in seen:
            continue
        answer = client.get(path)
        seen[path] = said(answer)
        found = re.findall(r'(?:href|action|src)="([^"#]+)', answer.text) if answer.mimetype == "text/html" else []
        targets = {unescape(link) for link in [*found, answer.headers.get("Location", "")]}
        links = (link for link in sorted(targets) if link.startswith("/") and not PUBLIC.match(link))
        waiting += [link for link in links if "lang=" not in link]
    return seen


def said(answer: TestResponse) -> str:
    """Headers and body of an answer; of files also what their readers show and what their properties say."""
    headers = " ".join(str(value) for _name, value in answer.headers)
    kind, data = answer.mimetype, answer.data
    if "json" in kind and data:
        return f"{headers}\n{json.dumps(json.loads(data), ensure_ascii=False)}"
    body = unescape(data.decode("utf-8" if kind.startswith("text/") else "latin-1", "replace"))
    if data.startswith(b"%PDF-"):
        paper = PdfReader(io.BytesIO(data))
        body += " ".join([str(paper.metadata), *(page.extract_text() for page in paper.pages)])
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            body += " ".join(f"{name} {archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist())
    return f"{headers}\n{body}"


def leaks(pages: dict[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    low = {path: f"{path}\n{body}".lower() for path, body in pages.items()}
    return [(path, secret) for path, body in low.items() for secret in secrets if secret.lower() in body]


def person_of(session: Session, key: UUID) -> User:
    return session.get_one(User, key)


def test_reviewers_learn_nothing_of_who_applies(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """Pages with addresses and file names, files, letters, notices, refusals; also as a colleague who has the link."""
    mine = f"/reviews/{blind.assignment}"
    for place, (key, language) in enumerate(zip(blind.reviewers, ("en", "ru"), strict=True)):
        client = sign_in(person_of(session, key))
        pages = crawl(client, "/reviews/", "/reviews/?finished=1", "/notifications/", "/staff", language=language)
        if place == 1:
            pages = {path: body for path, body in pages.items() if not path.startswith("/ties")}  # their own words
        assert leaks(pages, blind.secrets) == []
        if place == 0:
            assert {f"{mine}/{page}" for page in ("declaration", "review", "questions")} <= set(pages)
            assert "Participant 1" in pages[mine]
            assert "Participant 1" in pages[f"{mine}/review"]
            assert "Who applies is hidden" in pages[mine]
            assert "tested it in June" in pages[f"{mine}/questions"]
            files = [body for path, body in pages.items() if "/documents/" in path]
            assert all('filename="DOC-' in body for body in files)
            assert len([body for body in files if "%PDF-" in body]) >= 3
            assert not [path for path in pages if str(blind.named) in path]
    told = [
        *session.scalars(select(Letter).where(Letter.recipient.in_(blind.names))),
        *session.scalars(select(Notice).where(Notice.user_id.in_(blind.reviewers))),
    ]
    assert told
    written = {str(row.id): str([getattr(row, column.name) for column in row.__table__.columns]) for row in told}
    assert leaks(written, blind.secrets) == []
    stranger = identity.user(session, Role.REVIEWER)
    session.commit()
    known = (mine, f"/staff/applications/{blind.application}")
    assert leaks(crawl(sign_in(stranger), "/reviews/", "/staff", *known), blind.secrets) == []


def test_answers_to_what_they_ask_tell_reviewers_nothing(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """Searches, exports, JSON and refusals: what a page does not link to, a reviewer may still type."""
    client = sign_in(person_of(session, blind.reviewers[0]))
    mine, staff = f"/reviews/{blind.assignment}", f"/staff/applications/{blind.application}"
    typed = [f"/staff/applications/?q={blind.number}", f"{staff}/copies", f"{staff}/documents/{blind.named}"]
    typed += [f"/applications/{blind.application}", f"{mine}/documents/{blind.named}", f"{mine}/fields"]
    typed += [f"{mine}/documents/{uuid4()}", f"/staff/evaluation/{uuid4()}", "/staff/scoring/", "/audit/"]
    answers = {path: said(client.get(path, headers={"Accept": "application/json"})) for path in typed}
    wish = {"person": str(uuid4()), "version": 1, "changes": {}}
    answers["POST fields"] = said(client.post(f"{mine}/fields", json=wish))
    answers["POST review"] = said(client.post(f"{mine}/review", data={"then": "hand_in", "version": "1"}))
    assert leaks(answers, blind.secrets) == []


PARTICIPANTS = ("owner", "partner", "signatory", "editor", "viewer")


def test_applicants_learn_nothing_of_who_reviews(
    session: Session, sign_in: SignIn, client: FlaskClient, blind: Blind
) -> None:
    """Neither those who take part, in any role, nor the cluster's organisation, its members, or the world.

    Pages, papers, letters, notices, and the calendar that their programs subscribe to.
    """
    names = [*blind.names, "Кленова"]
    keys = [blind.assignment, *map(str, blind.reviewers)]
    mine = f"/applications/{blind.application}"
    starts = (mine, "/notifications/", "/spec-org/", f"/reviews/{blind.assignment}", "/staff", "/")
    token = following.new_feed(session, identity.actor(session, person_of(session, blind.owner)))
    session.commit()
    for who in (*PARTICIPANTS, "centre", "member", "newcomer", "anonymous"):
        reader = _reader(session, blind, who)
        feed = (f"/calendar/mine/{token}.ics", f"{mine}/score.pdf") if who == "owner" else ()
        reading = sign_in(reader) if reader else client
        pages = crawl(reading, *starts, *feed, limit=80 if FULL else 40 if who == "owner" else 12)
        assert (blind.number in pages[mine]) is (who in PARTICIPANTS), who
        assert leaks(pages, names) == []
        # The address that was asked for holds the key itself.
        assert leaks({path: body for path, body in pages.items() if not path.startswith("/reviews/")}, keys) == []
    funds = set(session.scalars(select(User.email).join(RoleGrant, RoleGrant.user_id == User.id)))
    told = [row for row in session.scalars(select(Letter)) if row.recipient not in funds]
    assert told
    written = {str(row.id): str([getattr(row, column.name) for column in row.__table__.columns]) for row in told}
    assert leaks(written, [*names, *keys]) == []


def _reader(session: Session, blind: Blind, who: str) -> User | None:
    """Somebody of the role, with a membership where the role needs one."""
    if who == "anonymous":
        return None
    if who == "owner":
        return person_of(session, blind.owner)
    parts = session.scalars(select(Participant).where(Participant.application_id == blind.application)).all()
    firms = {part.role: session.get_one(Organisation, part.organisation_id) for part in parts}
    if who in ("signatory", "editor", "viewer"):
        person = identity.member(session, firms["initiator"], OrgRole(who))
    elif who == "partner":
        person = identity.member(session, firms["participant"])
    elif who == "centre":
        cluster = session.get_one(Cluster, blind.cluster)
        centre = identity.organisation(session)
        cluster.spec_org_id = centre.id
        person = identity.member(session, centre)
    elif who == "member":
        firm = identity.organisation(session)
        applications.join(session, session.get_one(Cluster, blind.cluster), firm)
        person = identity.member(session, firm)
    else:
        person = identity.user(session)
    session.commit()
    return person


def test_those_who_run_the_tender_know_both_sides(session: Session, sign_in: SignIn, blind: Blind) -> None:
    for role in (Role.OFFICER, Role.ADMINISTRATOR, Role.AUDITOR, Role.CHAIR):
        person = identity.user(session, role)
        session.commit()
        shown = unescape(sign_in(person).get(f"/staff/applications/{blind.application}").text)
        assert blind.secrets[0] in shown


def test_an_officer_lets_through_what_names_somebody(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """The reviewer is told to wait, the officer is told the place; the original is what it was for everybody else."""
    desk, place = f"/reviews/{blind.assignment}/documents/{blind.named}", f"/staff/applications/{blind.application}"
    reader = sign_in(person_of(session, blind.reviewers[0]))
    refused = reader.get(f"{desk}?lang=en")
    assert (refused.status_code, "looks first" in unescape(refused.text)) == (403, True)
    officer, auditor = identity.user(session, Role.OFFICER), identity.user(session, Role.AUDITOR)
    session.commit()
    client = sign_in(officer)
    page = unescape(client.get(f"{place}/copies?lang=en").text)
    assert f"Page 1: “{blind.secrets[3]}”" in page
    given = {"idempotency_key": str(uuid4()), "files": str(blind.named)}
    nothing = {"idempotency_key": str(uuid4())}
    assert client.post(f"{place}/copies", data=nothing).status_code == 422
    assert sign_in(auditor).post(f"{place}/copies", data=given).status_code == 403
    assert sign_in(officer).post(f"{place}/copies", data=given).status_code == 303
    copy = sign_in(person_of(session, blind.reviewers[0])).get(desk)
    assert (copy.status_code, copy.mimetype) == (200, "application/pdf")
    assert b"/Author" not in copy.data
    original = sign_in(officer).get(f"{place}/documents/{blind.named}")
    assert b"/Author" in original.data
    session.expire_all()
    submission_id = session.get_one(Application, blind.application).submission_id
    assert submission_id is not None
    assert blind_copies.copies_of(session, submission_id)[blind.named].allowed_by == officer.id
    assert blind_copies.make(session, submission_id) == 0


def _refused(session: Session, sign_in: SignIn, person: User) -> str:
    """What a reviewer reads who says that there is no conflict where the portal knows of one."""
    session.execute(text("update conflict set strength = 'hard', digest = '' where user_id = :key"), {"key": person.id})
    values = {"inn": session.scalar(text("select inn from person_tie limit 1")), "kind": "family"}
    session.execute(text("update person_tie set until = '2018-01-01'"))
    session.commit()
    row = session.scalars(select(Assignment).where(Assignment.reviewer_id == person.id)).one()
    session.execute(text("alter table person_tie disable trigger conflicts_due"))
    session.add(
        PersonTie(user_id=person.id, name="x", declared_by=person.id, **values)  # written past the verb
    )
    session.commit()
    given = {"idempotency_key": str(uuid4()), "version": str(row.version), "conflict": "no", "explanation": ""}
    answer = sign_in(person).post(f"/reviews/{row.id}/declaration", data=given)
    assert answer.status_code == 403
    return unescape(answer.text)


def test_a_refusal_does_not_say_with_whom_the_conflict_is(session: Session, sign_in: SignIn, blind: Blind) -> None:
    assert leaks({"refusal": _refused(session, sign_in, person_of(session, blind.reviewers[1]))}, blind.secrets) == []


def test_what_other_reviewers_write_is_redacted(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """A reviewer who knows the firm, or signs with a name, is read by the others without either; remarks too."""
    firm = blind.secrets[2]
    first, barred = session.scalars(select(Assignment).order_by(Assignment.id)).all()
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    service.revoke(session, officer, assignment_id=barred.id, application_id=blind.application)
    birch = identity.user(session, Role.REVIEWER, name="Birch Reviewer Demo")
    rows = [first, *review.assigned(session, session.get_one(Application, blind.application), people=[birch])]
    texts = [f"{firm} has built three such lines before. {name}" for name in ("А. П. Кленова", birch.full_name)]
    for row, written in zip(rows, texts, strict=True):
        review.reviewed(session, row, text=written)
    for row in rows:
        talk.remark_as_reviewer(session, review.reviewer(session, row), assignment_id=row.id, text=texts[0])
    session.commit()
    for row, key in zip(rows, (blind.reviewers[0], birch.id), strict=True):
        page = unescape(sign_in(person_of(session, key)).get(f"/reviews/{row.id}/review?lang=en").text)
        mine, _, others = page.partition('id="mine"')[2].partition("Review of expert")
        assert firm in mine  # one's own words
        assert others.count("has built three such lines before") > 2  # justifications and both remarks
        assert [word for word in (firm, "Кленова", birch.full_name) if word in others] == []

"""A blind tender crawled as its people: reviewers learn nothing of who applies, applicants nothing of who reviews, and
nobody what is written for nobody. What each role of the fund may know, and why, stands in :data:`KNOWS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from html import unescape
from typing import Final
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant
from portal.clusters.models import Cluster
from portal.core.db import session as current_session
from portal.core.errors import Problems, Refused
from portal.identity.models import Organisation, OrgRole, Role, RoleGrant, User
from portal.notifications.models import Letter, Notice
from portal.review import blind_copies, queries, service
from portal.review import discussion as talk
from portal.review.conflict_models import PersonTie
from portal.review.models import Assignment
from portal.tenders import following
from tests.conftest import on_one_connection
from tests.factories import applications, identity, review
from tests.factories.blind import CONFLICT_CANARY, DRAFT_CANARY, NOTE_CANARY, REVIEW_CANARY, Blind, made
from tests.web.crawling import crawl, leaks, said

SignIn = Callable[[User], FlaskClient]
FULL = bool(os.environ.get("FULL"))
OWN: Final = [NOTE_CANARY, DRAFT_CANARY]
"""Nobody's but the reviewer's who typed it."""


@pytest.fixture(scope="module")
def blind(shared_app: Flask) -> Iterator[Blind]:
    """The tender, made once: what a test does to it stands for those after it."""
    with on_one_connection(shared_app):
        yield made(current_session())


@pytest.fixture
def app(shared_app: Flask, blind: Blind) -> Flask:
    return shared_app


def person_of(session: Session, key: UUID) -> User:
    return session.get_one(User, key)


def test_reviewers_learn_nothing_of_who_applies(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """Pages with addresses and file names, files, letters, notices, refusals; also as a colleague who has the link."""
    mine = f"/reviews/{blind.assignment}"
    for place, (key, language) in enumerate(zip(blind.reviewers, ("en", "ru"), strict=False)):
        client = sign_in(person_of(session, key))
        pages = crawl(client, "/reviews/", "/reviews/?finished=1", "/notifications/", "/staff", language=language)
        if place == 1:
            pages = {path: body for path, body in pages.items() if not path.startswith("/ties")}  # their own words
        others = [word for word in blind.names if word not in blind.names[2 * place : 2 * place + 2]]
        assert leaks(pages, [*blind.secrets, *others, REVIEW_CANARY, CONFLICT_CANARY]) == []
        if place == 0:
            assert DRAFT_CANARY in pages[f"{mine}/review"]
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
    names = [*blind.names, "Кленова", "Ясенева", *OWN, REVIEW_CANARY, CONFLICT_CANARY]
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


KNOWS: Final[dict[Role, tuple[bool, str]]] = {
    Role.OFFICER: (True, "assigns the reviewers, decides on their conflicts, answers to the applicants"),
    Role.ADMINISTRATOR: (True, "gives people their roles and sees what they did in the trail"),
    Role.AUDITOR: (True, "finds out afterwards whether the right people reviewed"),
    Role.CHAIR: (False, "decides by what was written, not by who wrote it"),
    Role.COMMISSION: (False, "as the chair"),
    Role.DIRECTOR: (False, "signs what the commission decided"),
    Role.FINANCE: (False, "pays what was signed"),
}
"""Role -> whether it may know who reviews, and why. All of them know who applies: they admit, decide and pay."""


@pytest.mark.parametrize("role", KNOWS)
def test_the_fund_reads_what_its_role_is_for(session: Session, sign_in: SignIn, blind: Blind, role: Role) -> None:
    """Nobody reads private notes and unfinished reviews; who decides reads no names of experts, nor their conflicts."""
    reader = identity.user(session, role)
    session.commit()
    place, knows = f"/staff/applications/{blind.application}", KNOWS[role][0]
    tabs = [f"{place}/{tab}" for tab in ("reviews", "history", "inquiries", "copies", "score", "check", "messages")]
    tables = [f"/staff/evaluation/{blind.track}/{table}.csv" for table in ("spread", "severity", "progress")]
    typed = [
        f"/staff/applications/?q={blind.number}",
        f"/reviews/{blind.assignment}",
        f"/staff/assignment/tracks/{blind.track}",
    ]
    starts = ("/staff", place, *tabs, f"/staff/evaluation/{blind.track}", *tables, *typed, f"{place}/score.pdf")
    pages = crawl(sign_in(reader), *starts, limit=400 if FULL else 26, language="en", once=True)
    hidden = [] if knows else [*blind.names, "Кленова", "Ясенева", *map(str, blind.reviewers), CONFLICT_CANARY]
    assert leaks(pages, [*OWN, *hidden]) == []
    assert blind.secrets[0] in pages[place]
    assert REVIEW_CANARY in pages[tabs[0]]
    assert ("Ясенева Ольга Игоревна" if knows else "Expert 3") in pages[tabs[0]]
    assert (CONFLICT_CANARY in pages[tabs[0]]) is knows


def test_whom_another_role_tells_who_applies_does_not_review(session: Session, sign_in: SignIn, blind: Blind) -> None:
    """Neither by hand, nor in the list of whom to ask, nor when the role came later."""
    case = review.case_of(session, blind.application)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    both = identity.user(session, Role.REVIEWER, Role.COMMISSION)
    with pytest.raises(Problems) as refused:
        service.assign(session, officer, application_id=blind.application, reviewer_ids=[both.id])
    assert "knows" in {problem.code for problem in refused.value.problems}
    found = queries.candidates(session, case.organisations, case.application.tender_id, blind=True)
    assert found
    assert both.id not in {each.id for each in found}
    session.add(RoleGrant(user_id=blind.reviewers[0], role=Role.COMMISSION))
    session.commit()
    with pytest.raises(Refused):
        queries.desk(session, identity.actor(session, person_of(session, blind.reviewers[0])), UUID(blind.assignment))
    session.execute(text("delete from role_grant where role = 'commission'"))
    session.commit()


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
    first, barred = session.scalars(select(Assignment).order_by(Assignment.id).limit(2)).all()
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

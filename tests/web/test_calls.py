"""Pages around a tender: questions, the inbox, calendars and feeds, following, exceptions; and what must not leak."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.applications.models import Application, DeadlineException
from portal.core.clock import MOSCOW, now
from portal.identity.models import Membership as OrgMember
from portal.identity.models import OrgRole, Role, User
from portal.tenders import following
from portal.tenders.models import CalendarFeed, Question, Tender
from portal.tenders.questions import AnswerValues, QuestionValues, ask, publish
from tests.conftest import form
from tests.factories import applications, identity
from tests.factories import tenders as factory

SignIn = Callable[[User], FlaskClient]
ANSWER = AnswerValues("Вопрос <b>?", "Question <b>?", "Ответ.", "Answer.")


@pytest.fixture
def tender(session: Session) -> Tender:
    row = factory.open_tender(session, code="Q-1")
    session.commit()
    return row


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path + ("&" if "?" in path else "?") + "lang=en")
    assert answer.status_code == status, path
    return html.unescape(answer.get_data(as_text=True))


def person(session: Session, *roles: Role) -> User:
    row = identity.user(session, *roles)
    session.commit()
    return row


def asker(session: Session, name: str = "Secret Works LLC") -> User:
    row = identity.member(session, identity.organisation(session, name=name), name=f"Person of {name}")
    session.commit()
    return row


def question(session: Session, tender: Tender, user: User, words: str = "Which form?") -> Question:
    actor = identity.actor(session, user)
    values = QuestionValues(next(iter(actor.memberships)), words, "en")
    row = ask(session, actor, tender.id, values=values)
    session.commit()
    return row


# Questions


def test_a_question_goes_its_way(session: Session, sign_in: SignIn, client: FlaskClient, tender: Tender) -> None:
    user, officer = asker(session), sign_in(person(session, Role.OFFICER))
    applicant = sign_in(user)
    organisation = str(next(iter(identity.actor(session, user).memberships)))
    path = "/tenders/Q-1/questions"
    assert "Secret Works LLC" in text(applicant, f"{path}/ask")
    fields = {"organisation": organisation, "about": "rule:EL-04", "locale": "en"}
    refused = applicant.post(f"{path}/ask", data=form(**fields, text=" "))
    assert refused.status_code == 422
    sent = form(**fields, text="Is our plant in Perm eligible?")
    assert applicant.post(f"{path}/ask", data=sent).status_code == 303
    assert applicant.post(f"{path}/ask", data=sent).status_code == 302
    row = session.scalars(select(Question)).one()
    assert "Is our plant in Perm eligible?" in text(applicant, path)
    for other in (client, sign_in(asker(session, "Other LLC"))):
        assert "Perm" not in text(other, path)

    inbox = text(officer, "/staff/questions")
    assert "Secret Works LLC" in inbox
    assert re.search(r'Questions <span class="jp-badge">1<', inbox)
    page = f"/staff/questions/{row.id}"
    assert "Is our plant in Perm eligible?" in text(officer, page)
    texts = {name: getattr(ANSWER, name) for name in ("question_ru", "question_en", "answer_ru", "answer_en")}
    assert officer.post(page, data=form(version=1, **{**texts, "answer_en": ""}, save="y")).status_code == 303
    assert officer.post(page, data=form(version=2, **{**texts, "answer_en": ""})).status_code == 422
    assert "Answer." not in text(client, path)
    assert officer.post(page, data=form(version=2, **texts)).status_code == 303
    public = client.get(f"{path}?lang=en").get_data(as_text=True)
    assert "Question &lt;b&gt;?" in public
    assert 'id="question-1"' in public
    for secret in ("Secret Works", "Perm", user.email, str(row.asked_by)):
        assert secret not in public
        assert secret not in text(sign_in(asker(session, "Third LLC")), path)
    assert "Nothing was found" in text(client, f"{path}?q=unrelated")
    assert "Answer." in text(client, f"{path}?q=answers&about=rule")
    officer.post(page, data=form(version=3, **{**texts, "answer_en": "Better."}))
    changed = text(client, path)
    assert "Better." in changed
    assert "Earlier answers" in changed


def test_declining_and_merging(session: Session, sign_in: SignIn, client: FlaskClient, tender: Tender) -> None:
    user, officer = asker(session), sign_in(person(session, Role.OFFICER))
    first, second = question(session, tender, user, "First?"), question(session, tender, user, "Second?")
    page = f"/staff/questions/{first.id}"
    assert officer.post(f"{page}/decline", data=form(version=1, reason="")).status_code == 422
    assert officer.post(f"{page}/merge", data=form(version=1, into="nonsense")).status_code == 422
    assert officer.post(f"{page}/merge", data=form(version=1, into=str(second.id))).status_code == 303
    assert (
        officer.post(f"/staff/questions/{second.id}/decline", data=form(version=1, reason="Ask a lawyer")).status_code
        == 303
    )
    assert "Ask a lawyer" in text(sign_in(user), "/tenders/Q-1/questions")
    for reader in (client, sign_in(asker(session, "Other LLC"))):
        assert "Ask a lawyer" not in text(reader, "/tenders/Q-1/questions")


def test_the_inbox_is_the_funds(session: Session, sign_in: SignIn, client: FlaskClient, tender: Tender) -> None:
    user = asker(session)
    row = question(session, tender, user)
    for path in ("/staff/questions", f"/staff/questions/{row.id}"):
        assert client.get(path).status_code == 302
        for outside in (user, person(session, Role.REVIEWER), person(session, Role.COMMISSION)):
            assert sign_in(outside).get(path).status_code in (403, 404)
        for reader in (Role.OFFICER, Role.AUDITOR, Role.ADMINISTRATOR, Role.CHAIR):
            assert sign_in(person(session, reader)).get(path).status_code == 200
    auditor = sign_in(person(session, Role.AUDITOR))
    assert "Publish the answer" not in text(auditor, f"/staff/questions/{row.id}")


def test_who_may_not_ask_is_told_why(session: Session, sign_in: SignIn, client: FlaskClient, tender: Tender) -> None:
    assert client.get("/tenders/Q-1/questions/ask").status_code == 302
    assert "register yours first" in text(sign_in(person(session)), "/tenders/Q-1/questions/ask", 403)
    soon = factory.open_tender(session, code="Q-2", closes_at=now(session) + timedelta(days=1))
    session.commit()
    user = sign_in(asker(session))
    assert "The time for questions is over" in text(user, "/tenders/Q-2/questions/ask")
    organisation = str(session.scalars(select(Question.organisation_id)).first() or soon.id)
    answer = user.post("/tenders/Q-2/questions/ask", data=form(organisation=organisation, text="Kept?", locale="en"))
    assert answer.status_code in (404, 409)


@pytest.mark.parametrize("rows", [1, 3])
def test_lists_send_the_same_number_of_statements(
    session: Session, client: FlaskClient, sign_in: SignIn, count_queries: Callable[[], Any], tender: Tender, rows: int
) -> None:
    user, officer = asker(session), person(session, Role.OFFICER)
    actor = identity.actor(session, officer)
    for number in range(rows):
        row = question(session, tender, user, f"Answered {number}?")
        publish(session, actor, row.id, values=ANSWER, expected_version=1)
        publish(session, actor, row.id, values=AnswerValues("В", "Q", "О", f"A{number}"), expected_version=2)
        question(session, tender, user, f"Waiting {number}?") if number < 2 else None
        factory.open_tender(session, code=f"N-{number}")
        joint = applications.draft(session, tender=tender)
        grant = DeadlineException(
            tender_id=tender.id, application_id=joint.id, closes_at=now(session) + timedelta(days=40), reason="R",
            granted_by=officer.id,
        )  # fmt: skip
        session.add(grant)
    session.commit()
    staff, counts = sign_in(officer), {}
    for reader, path in (
        (client, "/tenders/Q-1/questions"),
        (client, "/calendar"),
        (client, "/calendar.ics"),
        (client, "/tenders/Q-1/calendar"),
        (staff, "/staff/questions?state=all"),
        (staff, f"/staff/tenders/{tender.id}/exceptions"),
    ):
        with count_queries() as statements:
            assert reader.get(path).status_code == 200
        counts[path.replace(str(tender.id), "X")] = len(statements)
    assert counts == {
        "/tenders/Q-1/questions": 6,
        "/calendar": 5,
        "/calendar.ics": 4,
        "/tenders/Q-1/calendar": 5,
        "/staff/questions?state=all": 3,
        "/staff/tenders/X/exceptions": 5,
    }


# Following, exceptions


def test_following_and_no_longer(session: Session, sign_in: SignIn, client: FlaskClient, tender: Tender) -> None:
    user = person(session)
    reader = sign_in(user)
    assert client.post("/tenders/Q-1/follow", data=form()).status_code == 401
    assert "No longer follow" not in text(reader, "/tenders/Q-1")
    for _ in range(2):
        assert reader.post("/tenders/Q-1/follow", data=form()).status_code == 303
    assert following.followed(session, user.id) == [tender.id]
    assert "No longer follow" in text(reader, "/tenders/Q-1")
    assert reader.post("/tenders/Q-1/unfollow", data=form()).status_code == 303
    assert reader.post("/tenders/Q-1/unfollow", data=form()).status_code == 303
    assert following.followed(session, user.id) == []
    factory.tender(session, code="SECRET")
    session.commit()
    assert reader.post("/tenders/SECRET/follow", data=form()).status_code == 404


def test_an_exception_is_granted_shown_and_revoked(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.execute(update(Application).where(Application.id == joint.id).values(title_en="Hidden project"))
    session.commit()
    officer, owner = sign_in(person(session, Role.OFFICER)), sign_in(joint.owners[1])
    base = f"/staff/tenders/{joint.tender.id}/exceptions"
    assert "Everyone submits by the same time" in text(officer, base)
    assert officer.post(f"{base}/new", data=form(inn="77", closes="x", reason="")).status_code == 422
    closes = (now(session) + timedelta(days=50)).astimezone(MOSCOW)
    data = form(application=str(joint.id), closes=f"{closes:%d.%m.%Y %H:%M}", reason="Line was cut")
    assert officer.post(f"{base}/new", data=data).status_code == 303
    listed = text(officer, base)
    assert "Line was cut" in listed
    assert "Hidden project" not in listed
    shown = text(owner, f"/applications/{joint.id}")
    assert "Line was cut" in shown
    assert f"{closes:%H:%M}" in shown
    own = f"by {closes.day} {closes:%b %Y}"
    assert f"Now · {own}" in shown
    assert f"{own}, {closes:%H:%M}" in shown, "what is asked of them"
    row = session.scalars(select(DeadlineException)).one()
    assert officer.post(f"{base}/{row.id}/revoke", data=form(reason=" ")).status_code == 422
    assert officer.post(f"{base}/{row.id}/revoke", data=form(reason="By mistake")).status_code == 303
    assert "By mistake" in text(owner, f"/applications/{joint.id}")
    for role in (Role.AUDITOR, Role.ADMINISTRATOR):
        reader = sign_in(person(session, role))
        assert "By mistake" in text(reader, base)
        assert reader.get(f"{base}/new").status_code == 403
    other = factory.open_tender(session)
    session.commit()
    assert officer.get(f"/staff/tenders/{other.id}/exceptions/{row.id}/revoke").status_code == 404


# Calendars


def events(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    body = answer.get_data()
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    return {str(item["UID"]): item for item in Calendar.from_ical(body).walk("VEVENT")}


def test_a_tender_as_a_calendar(session: Session, client: FlaskClient) -> None:
    closes = now(session).replace(microsecond=0) + timedelta(days=20)
    row = factory.open_tender(session, code="C-1", title_ru="Конкурс; «А», Б", closes_at=closes)
    session.commit()
    found = events(client.get("/tenders/C-1/calendar.ics?lang=ru"))
    closing = found[f"closes.{row.id}@joint-projects-portal"]
    assert closing["DTSTART"].dt == closes
    assert "Конкурс; «А», Б" in closing["DESCRIPTION"]
    commission = found[f"commission.{row.id}@joint-projects-portal"]
    assert commission["DTEND"].dt - commission["DTSTART"].dt == timedelta(days=1)
    assert set(found) == set(events(client.get("/tenders/C-1/calendar.ics?lang=en")))
    one = events(client.get("/tenders/C-1/calendar/commission.ics"))
    assert list(one) == [f"commission.{row.id}@joint-projects-portal"]
    assert client.get("/tenders/C-1/calendar/nothing.ics").status_code == 404
    held = client.get("/tenders/C-1/calendar.ics?lang=ru")
    again = client.get("/tenders/C-1/calendar.ics?lang=ru", headers={"If-None-Match": held.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    row.moved, row.cancelled_at, row.cancel_reason = {"commission": "2099-01-14"}, now(session), "R"
    session.commit()
    after = events(client.get("/tenders/C-1/calendar.ics"))[f"commission.{row.id}@joint-projects-portal"]
    assert after["STATUS"] == "CANCELLED"
    assert after["SEQUENCE"] > commission["SEQUENCE"]
    assert events(client.get("/calendar.ics")) == {}


def test_drafts_are_in_no_calendar(session: Session, client: FlaskClient, sign_in: SignIn) -> None:
    at = now(session)
    factory.tender(session, code="D-1", opens_at=at, closes_at=at + timedelta(days=30), title_en="Unpublished tender")
    session.commit()
    for reader in (client, sign_in(person(session, Role.ADMINISTRATOR))):
        assert "Unpublished tender" not in text(reader, "/calendar")
        assert reader.get("/tenders/D-1/calendar").status_code == 404
        assert reader.get("/tenders/D-1/calendar.ics").status_code == 404
        assert events(reader.get("/calendar.ics")) == {}


def test_the_calendar_tells_what_a_date_follows_from(client: FlaskClient, tender: Tender) -> None:
    page = text(client, "/tenders/Q-1/calendar")
    assert "10 working days after “End of intake”" in page
    assert "5 working days before “End of intake”" in page
    assert "Next step" in page
    assert page.count("jp-schedule--") == 12


def secret_of(client: FlaskClient) -> str:
    answer = client.post("/calendar/mine?lang=en", data=form())
    found = re.search(r"/calendar/mine/[\w-]+\.ics", answer.get_data(as_text=True))
    assert answer.status_code == 200
    assert found
    return found[0]


def test_a_persons_own_calendar(session: Session, sign_in: SignIn, client: FlaskClient) -> None:
    joint = applications.draft(session)
    session.execute(update(Application).where(Application.id == joint.id).values(title_en="Our drive"))
    foreign = applications.draft(session)
    session.execute(update(Application).where(Application.id == foreign.id).values(title_en="Their secret"))
    followed = factory.open_tender(session)
    owner = joint.owners[0]
    following.follow(session, identity.actor(session, owner), followed.id)
    later = now(session).replace(microsecond=0) + timedelta(days=60)
    session.add(
        DeadlineException(
            tender_id=joint.tender.id, application_id=joint.id, closes_at=later, reason="R", granted_by=owner.id
        )
    )
    session.commit()
    path = secret_of(sign_in(owner))
    assert path.removeprefix("/calendar/mine/")[:-4] not in session.scalars(select(CalendarFeed.token_hash)).one()
    answer = client.get(path)
    found = events(answer)
    assert found[f"closing.{joint.id}@joint-projects-portal"]["DTSTART"].dt == later
    assert found[f"closing.{joint.id}@joint-projects-portal"]["SUMMARY"] == "Submit the application: Our drive"
    assert f"commission.{followed.id}@joint-projects-portal" in found
    assert b"Their secret" not in answer.get_data()
    assert str(foreign.tender.id).encode() not in answer.get_data()


def test_the_own_calendar_follows_present_rights(session: Session, sign_in: SignIn, client: FlaskClient) -> None:
    joint = applications.draft(session)
    colleague = identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    session.commit()
    path = secret_of(sign_in(colleague))
    assert f"closing.{joint.id}@joint-projects-portal" in events(client.get(path))
    for membership in list(session.scalars(select(OrgMember).where(OrgMember.user_id == colleague.id))):
        session.delete(membership)
    session.commit()
    assert events(client.get(path)) == {}
    colleague.active = False
    session.commit()
    assert client.get(path).status_code == 404


def test_a_secret_address_ends(session: Session, sign_in: SignIn, client: FlaskClient) -> None:
    reader = sign_in(person(session))
    first = secret_of(reader)
    assert client.get(first).status_code == 200
    second = secret_of(reader)
    assert client.get(first).status_code == 404
    assert second not in text(reader, "/calendar/mine")
    assert reader.post("/calendar/mine/stop", data=form()).status_code == 303
    assert client.get(second).status_code == 404
    assert client.get("/calendar/mine/guess.ics").status_code == 404
    assert client.get("/calendar/mine").status_code == 302

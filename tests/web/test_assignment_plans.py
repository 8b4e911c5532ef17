"""The pages of the pool, of proposals and of progress: what they say, how many queries they run, who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.clock import today
from portal.identity.models import Role, User
from portal.notifications.models import Letter
from portal.notifications.reminders import run
from portal.review import planning
from portal.review.models import Assignment
from portal.review.pool_models import AssignmentPlan, ReviewerAbsence, ReviewerProfile
from portal.tenders.rulebook import load_lanes
from tests.conftest import form
from tests.factories import identity, review
from tests.review.test_planning import Tender
from tests.web.test_applications import text

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def tender(session: Session) -> Tender:
    return Tender(session, lanes=load_lanes())


def client_of(session: Session, sign_in: SignIn, role: Role) -> FlaskClient:
    person = identity.user(session, role)
    session.commit()
    return sign_in(person)


def test_from_the_track_to_the_letters(session: Session, sign_in: SignIn, tender: Tender) -> None:
    client = client_of(session, sign_in, Role.OFFICER)
    assert "2" in text(client.get("/staff/assignment"))
    page = client.get(f"/staff/assignment/tracks/{tender.track.id}")
    assert "Propose reviewers" in text(page)
    answer = client.post(f"/staff/assignment/tracks/{tender.track.id}/plan", data={**form(), "keep_asked": "yes"})
    assert answer.status_code == 303
    waiting = client.get(answer.location)
    assert "0 of 3" in text(waiting)
    assert "Counting applications, reviewers and conflicts" in text(waiting)
    key = session.scalars(select(AssignmentPlan.id)).one()
    while not planning.step(session, key).finished:
        pass
    session.commit()
    preview = client.get(answer.location)
    said = text(preview)
    for words in ("Reviewers wanted 10", "New requests 10", "The best assignment there is, proven", "Stays"):
        assert words in said
    version = session.scalars(select(AssignmentPlan.version)).one()
    done = client.post(f"{answer.location}/confirm", data={**form(), "version": version})
    assert done.status_code == 303
    assert "Asking the reviewers" in text(client.get(answer.location))
    planning.carry_out(session, key)
    session.commit()
    session.expire_all()
    assert session.scalar(select(func.count()).select_from(Assignment)) == 10
    told = select(func.count()).where(Letter.kind == "review_asked")
    assert session.scalar(told) == session.scalar(select(func.count(Assignment.reviewer_id.distinct())))
    after = text(client.get(f"/staff/assignment/tracks/{tender.track.id}"))
    assert "0 of 4 handed in" in after


def test_a_stale_proposal_says_so(session: Session, sign_in: SignIn, tender: Tender) -> None:
    client = client_of(session, sign_in, Role.OFFICER)
    plan = tender.proposed()
    tender.profile(tender.people[0], load_limit=1)
    session.commit()
    answer = client.post(f"/staff/assignment/plans/{plan.id}/confirm", data={**form(), "version": plan.version})
    assert answer.status_code == 303
    planning.carry_out(session, plan.id)
    session.commit()
    said = text(client.get(f"/staff/assignment/plans/{plan.id}"))
    assert "Overtaken" in said
    assert "Nobody was asked." in said
    assert "Confirm and ask" not in said


def test_a_proposal_is_put_aside(session: Session, sign_in: SignIn, tender: Tender) -> None:
    client = client_of(session, sign_in, Role.OFFICER)
    plan = tender.proposed()
    session.commit()
    gone = client.post(f"/staff/assignment/plans/{plan.id}/discard", data={**form(), "version": plan.version})
    assert gone.status_code == 303
    assert "Discarded" in text(client.get(f"/staff/assignment/plans/{plan.id}"))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_cannot_be_satisfied_stands_first_with_its_reasons(
    session: Session, sign_in: SignIn, language: str
) -> None:
    tender = Tender(session, applications=1, pool=1)
    plan = tender.proposed()
    said = text(client_of(session, sign_in, Role.AUDITOR).get(f"/staff/assignment/plans/{plan.id}?lang={language}"))
    wanted = {"en": "1 has to do with this application already", "ru": "1 эксперт уже связан с этой заявкой"}
    assert wanted[language] in said
    assert {"en": "Confirm and ask", "ru": "Утвердить и пригласить"}[language] not in said


def test_nothing_to_assign_is_told(session: Session, sign_in: SignIn) -> None:
    tender = Tender(session, applications=0)
    client = client_of(session, sign_in, Role.OFFICER)
    answer = client.post(f"/staff/assignment/tracks/{tender.track.id}/plan", data=form())
    assert answer.status_code == 422
    assert "No application of this track is in expertise." in text(answer)


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/staff/assignment", 7),
        ("/staff/assignment/tracks/{track}", 9),
        ("/staff/assignment/plans/{plan}", 8),
        ("/staff/reviewers", 7),
        ("/staff/reviewers/{person}", 8),
    ],
)
def test_pages_run_a_fixed_number_of_queries(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any], path: str, queries: int
) -> None:
    counts = []
    for applications in (1, 3):
        tender = Tender(session, applications=applications, pool=2 * applications)
        plan = tender.confirmed()
        person = tender.people[0]
        session.add(ReviewerProfile(user_id=person.id, classes=["28"], lanes=[], languages=["ru"], load_limit=5))
        days = {"starts_on": today(session), "ends_on": today(session)}
        session.add_all(ReviewerAbsence(user_id=person.id, **days) for _ in range(applications))
        client = client_of(session, sign_in, Role.AUDITOR)
        session.expire_all()
        with count_queries() as statements:
            page = client.get(path.format(track=tender.track.id, plan=plan.id, person=person.id))
        assert page.status_code == 200
        counts.append(len(statements))
    assert counts == [queries, queries]


def test_a_reviewer_keeps_the_own_profile(session: Session, sign_in: SignIn) -> None:
    person = identity.user(session, Role.REVIEWER)
    session.commit()
    client = sign_in(person)
    assert "My profile" in text(client.get("/reviews/"))
    sent = {**form(), "classes": "28.14", "lanes": ["legal"], "languages": ["ru"], "load_limit": "5"}
    wrong = client.post("/reviews/profile", data={**sent, "classes": "wood", "load_limit": "x"})
    assert wrong.status_code == 422
    assert "wood: no class of OKPD 2" in text(wrong)
    assert 'value="x"' in wrong.text
    assert client.post("/reviews/profile", data={**sent, **form()}).status_code == 303
    row = session.scalars(select(ReviewerProfile)).one()
    assert (row.user_id, row.classes, row.lanes) == (person.id, ["28.14"], ["legal"])
    day = today(session) + timedelta(days=1)
    days = {"starts_on": day.isoformat(), "ends_on": day.isoformat()}
    assert client.post("/reviews/profile/absences", data={**form(), **days}).status_code == 303
    absence = session.scalars(select(ReviewerAbsence)).one()
    refused = client.post("/reviews/profile/absences", data={**form(), "starts_on": "x", "ends_on": ""})
    assert refused.status_code == 422
    gone = client.post(f"/reviews/profile/absences/{absence.id}/remove", data=form())
    assert gone.status_code == 303
    assert session.scalar(select(func.count()).select_from(ReviewerAbsence)) == 0


def test_an_officer_keeps_anybodys(session: Session, sign_in: SignIn) -> None:
    person = identity.user(session, Role.REVIEWER)
    client = client_of(session, sign_in, Role.OFFICER)
    address = f"/staff/reviewers/{person.id}"
    sent = {**form(), "classes": "28", "languages": ["ru"], "load_limit": "5"}
    assert client.post(address, data=sent).status_code == 303
    found = text(client.get("/staff/reviewers?q=28"))
    assert person.full_name in found
    assert "0 of 5" in found


def late(session: Session, tender: Tender) -> Assignment:
    tender.confirmed()
    row = session.scalars(select(Assignment).order_by(Assignment.id)).first()
    assert row is not None
    row.due_on = today(session) - timedelta(days=3)
    session.commit()
    return row


def test_late_reviews_are_listed_and_reminded_once_a_day(session: Session, sign_in: SignIn, tender: Tender) -> None:
    row = late(session, tender)
    number = review.case_of(session, row.application_id).application.number
    client = client_of(session, sign_in, Role.OFFICER)
    page = text(client.get(f"/staff/assignment/tracks/{tender.track.id}"))
    assert number in page[page.index("Overdue reviews") :]
    for told in ("1 reviewer is reminded.", "Everybody who is late was reminded today already."):
        client.post(f"/staff/assignment/tracks/{tender.track.id}/remind", data=form())
        assert told in text(client.get(f"/staff/assignment/tracks/{tender.track.id}"))
    letters = select(Letter.user_id).where(Letter.kind == "review_overdue")
    assert list(session.scalars(letters)) == [row.reviewer_id]


def test_overdue_reviews_are_reminded_by_themselves_on_some_days(session: Session, tender: Tender) -> None:
    row = late(session, tender)
    at = session.scalars(select(func.portal_now())).one()
    kinds = select(func.count()).where(Letter.kind == "review_overdue")
    for day, told in ((0, 1), (0, 1), (1, 1), (4, 2)):
        run(session, at + timedelta(days=day))
        assert session.scalar(kinds) == told
    assert row.due_on < today(session)

"""The reviewer's desk in the browser's view: declaration first, drafts, handing in, nothing of others too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Membership, Role, RoleGrant, User
from portal.review.models import Assignment
from tests.conftest import form
from tests.factories import identity, review

SignIn = Callable[[User], FlaskClient]


def desk(session: Session, sign_in: SignIn, row: Assignment) -> FlaskClient:
    session.commit()
    return sign_in(session.get_one(User, row.reviewer_id))


def body(session: Session, row: Assignment, **fields: Any) -> dict[str, Any]:
    given = {}
    for key, typed in review.typed(session, row).items():
        given |= {f"{key}-score": typed.score, f"{key}-justification": typed.justification}
    return form(**{**given, "version": row.version, "then": "hand_in", **fields})


def test_before_the_declaration_only_names(session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    row = review.assigned(session, application)[0]
    client = desk(session, sign_in, row)
    for view in ("", "/review"):
        answer = client.get(f"/reviews/{row.id}{view}")
        assert (answer.status_code, answer.location) == (302, f"/reviews/{row.id}/declaration")
    page = client.get(f"/reviews/{row.id}/declaration?lang=en").text
    case = review.case_of(session, application.id)
    assert application.title_en in page
    assert all(part["organisation"]["name_en"] in page for part in case.package["participants"])
    assert case.package["project"]["stages"] not in page
    assert case.submission.sha256 not in page


def test_from_declaration_to_the_review(session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    rows = review.assigned(session, application)
    review.reviewed(session, rows[1], text="CANARY of the other review, long enough.")
    row = rows[0]
    client = desk(session, sign_in, row)
    url = f"/reviews/{row.id}"
    empty = client.post(f"{url}/declaration", data=form(version=row.version))
    assert (empty.status_code, 'href="#conflict"' in empty.text) == (422, True)
    declared = client.post(f"{url}/declaration", data=form(version=row.version, conflict="no"))
    assert (declared.status_code, declared.location) == (303, f"{url}/review")
    shown = client.get(url).text
    assert review.case_of(session, application.id).package["project"]["stages"] in shown
    draft = client.post(
        f"{url}/review", data=form(version=row.version, then="save", **{"CR-10-market-score": "about 7"})
    )
    assert draft.status_code == 303
    page = client.get(f"{url}/review").text
    assert ("about 7" in page, "CANARY" in page + shown) == (True, False)
    wrong = client.post(f"{url}/review", data=body(session, row, **{"CR-10-market-score": "12"}))
    assert (wrong.status_code, 'href="#CR-10-market-score"' in wrong.text) == (422, True)
    done = client.post(f"{url}/review", data=body(session, row))
    assert done.status_code == 303
    assert "CANARY of the other review" in client.get(f"{url}/review").text
    again = client.post(f"{url}/review", data=body(session, row))
    assert again.status_code == 409
    other = session.get_one(User, rows[1].reviewer_id)
    assert other.full_name not in client.get(f"{url}/review").text


def test_a_conflict_closes_the_application(session: Session, sign_in: SignIn) -> None:
    row = review.assigned(session, review.admitted(session))[0]
    client = desk(session, sign_in, row)
    url = f"/reviews/{row.id}"
    lacking = client.post(f"{url}/declaration", data=form(version=row.version, conflict="yes"))
    assert (lacking.status_code, 'href="#explanation"' in lacking.text) == (422, True)
    told = client.post(
        f"{url}/declaration", data=form(version=row.version, conflict="yes", explanation="I advise them.")
    )
    assert (told.status_code, told.location) == (303, "/reviews/")
    for view in ("", "/review", "/declaration"):
        assert client.get(url + view).status_code == 404
    assert "href" not in client.get("/reviews/?finished=1&lang=en").text.split("<tbody")[1].split("</tbody")[0]


def test_nobody_else_opens_a_review(session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    rows = review.assigned(session, application, 4)
    for row in rows:
        review.opened(session, row)
    review.reviewed(session, rows[0], text="CANARY of a review, long enough to count.")
    revoked, former = rows[1], rows[2]
    officer = identity.user(session, Role.OFFICER)
    from portal.review import service

    service.revoke(session, identity.actor(session, officer), assignment_id=revoked.id, application_id=application.id)
    session.delete(session.scalars(select(RoleGrant).where(RoleGrant.user_id == former.reviewer_id)).one())
    applicant = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == application.initiator_id)
    ).one()
    people = [
        (session.get_one(User, revoked.reviewer_id), revoked),
        (session.get_one(User, former.reviewer_id), former),
        (session.get_one(User, rows[3].reviewer_id), rows[0]),
        (identity.user(session, Role.REVIEWER), rows[0]),
        (applicant, rows[0]),
        *((identity.user(session, role), rows[0]) for role in Role if role is not Role.REVIEWER),
    ]
    session.commit()
    for person, row in people:
        client = sign_in(person)
        for view in ("", "/review", "/declaration"):
            for answer in (
                client.get(f"/reviews/{row.id}{view}"),
                client.post(f"/reviews/{row.id}{view}", data=form(version=1)),
            ):
                assert answer.status_code in (403, 404, 405), (person.email, view)
                assert "CANARY" not in answer.text
                assert application.title_en not in answer.text


@pytest.mark.parametrize("count", [1, 3])
def test_the_desk_takes_a_fixed_number_of_statements(
    session: Session, sign_in: SignIn, count_queries: Any, count: int
) -> None:
    person = identity.user(session, Role.REVIEWER)
    for _ in range(count):
        review.assigned(session, review.admitted(session), people=[person, identity.user(session, Role.REVIEWER)])
    session.commit()
    client = sign_in(person)
    client.get("/reviews/")
    with count_queries() as statements:
        assert client.get("/reviews/").status_code == 200
    assert len(statements) <= 6
    row = session.scalars(select(Assignment).where(Assignment.reviewer_id == person.id)).first()
    assert row is not None
    review.reviewed(session, row)
    session.commit()
    key = row.id
    session.expunge_all()
    for view in ("", "/review"):
        with count_queries() as statements:
            assert client.get(f"/reviews/{key}{view}").status_code == 200
        assert len(statements) <= 12

"""The reviewer's desk in the browser's view: declaration first, drafts, handing in, nothing of others too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.drafts.saving import mark_of
from portal.audit.models import AuditEvent
from portal.identity.models import Membership, Role, RoleGrant, User
from portal.notifications.models import Letter
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


def wish(row: Assignment, **changes: str) -> dict[str, Any]:
    """What the script of the page sends: each field as typed over nothing."""
    return {
        "person": str(row.reviewer_id),
        "version": row.version,
        "changes": {name: {"value": text, "base": mark_of("")} for name, text in changes.items()},
    }


def test_the_sheet_saves_itself_and_the_notes_stay_private(session: Session, sign_in: SignIn) -> None:
    rows = review.assigned(session, review.admitted(session))
    for each in rows:
        review.opened(session, each)
    row, other = rows
    url, officer = f"/reviews/{row.id}", identity.user(session, Role.OFFICER)
    auditor, chair = identity.user(session, Role.AUDITOR), identity.user(session, Role.CHAIR)
    client = desk(session, sign_in, row)
    sent = wish(row, **{"CR-10-market-score": "about 7", "notes": "CANARY of a note"})
    answer = client.post(f"{url}/fields", json=sent).get_json()
    assert answer["written"] == 2
    assert answer["marks"]["CR-10-market-score"] == mark_of("about 7")
    assert answer["errors"]["CR-10-market-score"]
    assert not answer["errors"]["notes"]
    assert answer["saved"]
    again = client.post(f"{url}/fields", json={**sent, "version": answer["version"]}).get_json()
    assert (again["written"], "fields" in again) == (0, False)
    clash = client.post(f"{url}/fields", json=wish(row, **{"CR-10-market-score": "8"})).get_json()
    assert [(each["yours"], each["theirs"]) for each in clash["clashes"]] == [("8", "about 7")]
    stranger = client.post(f"{url}/fields", json={**sent, "person": str(other.reviewer_id)})
    assert (stranger.status_code, stranger.get_json()["code"]) == (409, "another_person")
    assert client.get(f"{url}/fields").get_json()["fields"]["notes"]["value"] == "CANARY of a note"
    assert "CANARY of a note" in client.get(f"{url}/review").text
    session.expire_all()
    review.reviewed(session, row)
    review.reviewed(session, other)
    session.commit()
    assert "CANARY of a note" in client.get(f"{url}/review").text
    colleague = desk(session, sign_in, other)
    assert colleague.get(f"{url}/fields").status_code == 404
    assert colleague.post(f"{url}/fields", json=sent).status_code == 404
    pages = [colleague.get(f"/reviews/{other.id}{view}").text for view in ("", "/review", "/fields")]
    place = f"/staff/applications/{row.application_id}"
    for person in (officer, auditor, chair):
        fund = sign_in(person)
        for view in ("", "/reviews", "/history", "/score"):
            answer = fund.get(f"{place}{view}")
            assert answer.status_code == 200, view
            pages.append(answer.text)
    letters = session.scalars(select(Letter.text)).all()
    events = session.scalars(select(AuditEvent.changes)).all()
    assert not [each for each in (*pages, *map(str, letters), *map(str, events)) if "CANARY of a note" in each]


def test_an_officer_returns_a_review(session: Session, sign_in: SignIn) -> None:
    row = review.reviewed(session, review.assigned(session, review.admitted(session))[0])
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    fund, place = sign_in(officer), f"/staff/applications/{row.application_id}/reviews"
    lacking = fund.post(f"{place}/{row.id}/return", data=form(reason=" "))
    assert (lacking.status_code, f'href="#{row.id}-reason"' in lacking.text) == (422, True)
    done = fund.post(f"{place}/{row.id}/return", data=form(reason="The market is not judged."))
    assert (done.status_code, done.location) == (303, place)
    assert "The market is not judged." in fund.get(place).text
    client = desk(session, sign_in, row)
    page = client.get(f"/reviews/{row.id}/review").text
    reason = page.index("The market is not judged.")
    assert reason < page.index('class="jp-desk"')  # on a phone the sheet stands below the whole application
    assert review.JUSTIFICATION in page
    session.expire_all()
    again = client.post(f"/reviews/{row.id}/review", data=body(session, row))
    assert again.status_code == 303
    assert "The market is not judged." in client.get(f"/reviews/{row.id}/review").text
    compared = sign_in(officer).get(f"{place}?lang=en").text
    assert "Former version 1" in compared
    assert "unchanged" in compared


def test_reviewers_discuss_as_numbers(session: Session, sign_in: SignIn) -> None:
    rows = review.assigned(session, review.admitted(session))
    review.reviewed(session, rows[0])
    first, second = (session.get_one(User, row.reviewer_id) for row in rows)
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    client = sign_in(first)
    assert 'id="discussion"' not in client.get(f"/reviews/{rows[0].id}/review").text
    session.expire_all()
    review.reviewed(session, rows[1])
    session.commit()
    empty = client.post(f"/reviews/{rows[0].id}/discussion", data=form(remark=" "))
    assert (empty.status_code, 'href="#remark"' in empty.text) == (422, True)
    said = client.post(f"/reviews/{rows[0].id}/discussion", data=form(remark="CANARY of a remark"))
    assert said.status_code == 303
    fund, place = sign_in(officer), f"/staff/applications/{rows[0].application_id}"
    page = fund.get(f"{place}/reviews?lang=en").text
    assert f"Expert 1</strong> ({first.full_name})" in page or f"Expert 1 ({first.full_name})" in page
    assert fund.post(f"{place}/discussion", data=form(remark="")).status_code == 422
    assert fund.post(f"{place}/discussion", data=form(remark="Seen.")).status_code == 303
    seen = sign_in(second).get(f"/reviews/{rows[1].id}/review?lang=en").text
    assert "CANARY of a remark" in seen
    assert "Expert 1" in seen
    assert "Programme officer" in seen
    assert not [name for name in (first.full_name, first.email, officer.full_name, officer.email) if name in seen]

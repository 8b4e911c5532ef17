"""The pool: what reviewers say of themselves, and what the list finds."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core.clock import today
from portal.core.errors import NotFound, Problems, Refused, Stale
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.review import pool, pool_queries
from portal.review.pool import ProfileValues
from portal.review.pool_models import ReviewerProfile
from tests.factories import identity, review

GOOD = ProfileValues("28.14, 26\n28.14", ("technical",), ("ru", "en"), "7")


@pytest.fixture
def person(session: Session) -> User:
    return identity.user(session, Role.REVIEWER)


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


def save(session: Session, actor: Actor, person: User, version: int = 0, **changes: Any) -> ReviewerProfile:
    values = {name: changes.get(name, getattr(GOOD, name)) for name in ProfileValues.__slots__}
    return pool.save_profile(
        session, actor, user_id=person.id, values=ProfileValues(**values), expected_version=version
    )


def test_a_reviewer_and_an_officer_keep_the_same_profile(session: Session, person: User, officer: Actor) -> None:
    row = save(session, identity.actor(session, person), person)
    assert (row.classes, row.lanes, row.languages, row.load_limit) == (["26", "28.14"], ["technical"], ["ru", "en"], 7)
    with pytest.raises(Stale):
        save(session, officer, person)
    assert save(session, officer, person, row.version, load_limit="3").load_limit == 3


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"classes": "28, wood"}, "classes", "unknown_class"),
        ({"classes": "04"}, "classes", "unknown_class"),
        ({"classes": "28.14.13.1111"}, "classes", "unknown_class"),
        ({"classes": " ".join(f"28.{n}" for n in range(10, 60))}, "classes", "too_many"),
        ({"lanes": ("magic",)}, "lanes", "unknown_lane"),
        ({"languages": ()}, "languages", "required"),
        ({"languages": ("de",)}, "languages", "required"),
        ({"load_limit": "0"}, "load_limit", "out_of_range"),
        ({"load_limit": "many"}, "load_limit", "out_of_range"),
        ({"load_limit": "201"}, "load_limit", "out_of_range"),
    ],
)
def test_what_is_wrong_is_told(
    session: Session, person: User, officer: Actor, change: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(Problems) as caught:
        save(session, officer, person, **change)
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [(field, code)]


def test_who_may_keep_it(session: Session, person: User) -> None:
    for role, refusal in ((Role.REVIEWER, NotFound), (Role.CHAIR, Refused), (Role.AUDITOR, Refused)):
        with pytest.raises(refusal):
            save(session, identity.actor(session, identity.user(session, role)), person)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    with pytest.raises(NotFound):
        save(session, officer, identity.user(session, Role.CHAIR))


def test_absences_are_noted_and_removed(session: Session, person: User, officer: Actor) -> None:
    first = today(session) + timedelta(days=1)
    row = pool.add_absence(
        session, officer, user_id=person.id, starts_on=f"{first:%d.%m.%Y}", ends_on=first.isoformat()
    )
    assert (row.starts_on, row.ends_on) == (first, first)
    assert pool_queries.pooled(session, person.id, today(session)).absences == [row]
    with pytest.raises(NotFound):
        pool.remove_absence(session, officer, user_id=identity.user(session, Role.REVIEWER).id, absence_id=row.id)
    pool.remove_absence(session, identity.actor(session, person), user_id=person.id, absence_id=row.id)
    assert pool_queries.pooled(session, person.id, today(session)).absences == []


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("soon", "31.08.2099", [("starts_on", "not_date")]),
        ("31.02.2099", "", [("starts_on", "not_date"), ("ends_on", "not_date")]),
        ("02.08.2099", "01.08.2099", [("ends_on", "order")]),
        ("01.08.2018", "02.08.2018", [("ends_on", "past")]),
        ("01.08.2098", "01.08.2099", []),
        ("01.08.2098", "02.08.2099", [("ends_on", "too_long")]),
    ],
)
def test_days_of_an_absence(
    session: Session, person: User, officer: Actor, first: str, last: str, found: list[tuple[str, str]]
) -> None:
    if not found:
        assert pool.add_absence(session, officer, user_id=person.id, starts_on=first, ends_on=last)
        return
    with pytest.raises(Problems) as caught:
        pool.add_absence(session, officer, user_id=person.id, starts_on=first, ends_on=last)
    assert [(problem.field, problem.code) for problem in caught.value.problems] == found


def test_not_without_end(session: Session, person: User, officer: Actor) -> None:
    for number in range(pool.MOST_ABSENCES + 1):
        day = today(session) + timedelta(days=number)
        values = {"starts_on": day.isoformat(), "ends_on": day.isoformat()}
        if number < pool.MOST_ABSENCES:
            pool.add_absence(session, officer, user_id=person.id, **values)
            continue
        with pytest.raises(Problems):
            pool.add_absence(session, officer, user_id=person.id, **values)


@pytest.mark.parametrize(
    "change",
    [
        "set load_limit = 0",
        "set languages = '{}'",
        "set languages = '{de}'",
        "set classes = '{28.14,wood}'",
        "set classes = '{28;14}'",
    ],
)
def test_the_database_refuses_too(session: Session, person: User, officer: Actor, change: str) -> None:
    save(session, officer, person)
    with pytest.raises(IntegrityError):
        session.execute(text(f"update reviewer_profile {change}"))


def test_the_list_is_narrowed(session: Session, officer: Actor) -> None:
    people = [identity.user(session, Role.REVIEWER) for _ in range(4)]
    known, full, away, silent = people
    known.full_name = "Zoya Demo"
    save(session, officer, known)
    save(session, officer, full, classes="", lanes=(), load_limit="1")
    save(session, officer, away, classes="10", lanes=("legal",))
    on = today(session)
    pool.add_absence(session, officer, user_id=away.id, starts_on=on.isoformat(), ends_on=on.isoformat())
    review.assigned(session, review.admitted(session), people=[full, silent])

    def found(**given: str) -> set[User]:
        statement = pool_queries.pool_select(on=given.pop("on", on), **given)  # type: ignore[arg-type]
        return {row[0] for row in session.execute(statement)}

    assert found() >= set(people)
    assert found(words="zoya") == {known}
    assert found(words="28.1") == {known}
    assert found(words="%") == set()
    assert found(lane="legal") & set(people) == {full, away, silent}
    assert found(state="away") == {away}
    assert found(state="full") == {full}
    assert known not in found(state="silent")
    assert silent in found(state="silent")


def test_unknown_people_are_not_there(session: Session) -> None:
    for key in (uuid4(), identity.user(session, Role.CHAIR).id):
        with pytest.raises(NotFound):
            pool_queries.pooled(session, key, date(2018, 9, 1))

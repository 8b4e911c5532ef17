"""One intent, one effect."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from portal.core.errors import Conflict
from portal.core.idempotency import begin, body_hash, finish


def test_first_use_goes_on_and_second_leads_to_the_same_place(session: Session) -> None:
    key = uuid4()
    assert begin(session, key, "user:1", "/a", "hash") is None
    finish(session, key, "/done")
    session.commit()
    assert begin(session, key, "user:1", "/a", "hash") == "/done"


@pytest.mark.parametrize(
    ("owner", "route", "digest"), [("user:2", "/a", "hash"), ("user:1", "/b", "hash"), ("user:1", "/a", "other")]
)
def test_key_of_another_intent_is_a_conflict(session: Session, owner: str, route: str, digest: str) -> None:
    key = uuid4()
    begin(session, key, "user:1", "/a", "hash")
    session.commit()
    with pytest.raises(Conflict):
        begin(session, key, owner, route, digest)


def test_bodies_do_not_run_into_each_other() -> None:
    assert body_hash([("a", "bc")]) != body_hash([("ab", "c")])
    assert body_hash([("a", "b")]) == body_hash([("a", "b")])

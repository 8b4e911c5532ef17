"""Conflicts of many reviewers with many applications: a fixed number of queries, and seconds.

``FULL=1 python -m pytest tests/review/test_conflict_size.py -s`` runs 1,000 applications and 100 reviewers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, State
from portal.clusters.models import ClusterMember, MembershipState
from portal.clusters.profile_models import Supply
from portal.core.clock import now, today
from portal.core.db import uuid7
from portal.identity.models import Role
from portal.review import conflict_queries
from portal.review.conflict_models import PersonTie
from tests.factories import identity, submissions, tenders
from tests.factories.packages import package
from tests.review.test_barring import QUERIES

FULL = bool(os.environ.get("FULL"))
APPLICATIONS, REVIEWERS = (1000, 100) if FULL else (60, 12)


def test_all_pairs_of_a_track(session: Session, count_queries: Callable[[], Any]) -> None:
    content = package(row="P01")
    keys = submissions.submitted(session, tenders.open_tender(session), [content] * APPLICATIONS, state=State.EXPERTISE)
    first = session.get_one(Application, keys[0])
    firms = [identity.organisation(session) for _ in range(APPLICATIONS // 2)]
    people = [identity.user(session, Role.REVIEWER) for _ in range(REVIEWERS)]
    cluster_id, at = first.cluster_id, now(session)
    session.execute(
        insert(ClusterMember),
        [
            {"id": uuid7(), "cluster_id": cluster_id, "organisation_id": firm.id, "state": MembershipState.CONFIRMED,
             "final_producer": False, "product": "", "decided_at": at}
            for firm in firms
        ],
    )  # fmt: skip
    session.execute(
        insert(Participant),
        [
            {"id": uuid7(), "application_id": key, "organisation_id": firms[(place + step) % len(firms)].id,
             "role": "participant", "state": "accepted", "invited_by": first.created_by, "resent": 0}
            for place, key in enumerate(keys) for step in (0, 7)
        ],
    )  # fmt: skip
    session.execute(
        insert(Supply),
        [
            {"id": uuid7(), "cluster_id": cluster_id, "supplier_id": firms[place].id,
             "buyer_id": firms[(place + step) % len(firms)].id, "year": today(session).year, "okpd2": "28.14",
             "product_ru": "x", "product_en": "x", "volume": 1}
            for place in range(len(firms)) for step in range(1, 7)
        ],
    )  # fmt: skip
    session.execute(
        insert(PersonTie),
        [
            {"id": uuid7(), "user_id": person.id, "inn": firms[(place * 5 + step) % len(firms)].inn, "name": "x",
             "kind": kind, "note": "", "source": "", "declared_by": person.id}
            for place, person in enumerate(people) for step, kind in enumerate(("employment", "family", "other"))
        ],
    )  # fmt: skip
    session.flush()
    with count_queries() as statements:
        began = time.perf_counter()
        pairs = conflict_queries.conflict_pairs(session, first.tender_track_id)
        took = time.perf_counter() - began
    assert len(statements) == QUERIES
    assert {person for person, _ in pairs} == {person.id for person in people}
    hard = sum(conflict.strength == "hard" for conflict in pairs.values())
    print(f"{APPLICATIONS} x {REVIEWERS}: {len(pairs)} conflicts, {hard} hard, {took:.2f} s")
    assert session.scalar(select(Application.id).limit(1))
    if FULL:
        assert took < 10

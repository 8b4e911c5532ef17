"""Two at once, on real connections: memberships are asked for and decided once, and the board's limits hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.clusters import board, service
from portal.clusters.board_models import BoardContact, BoardPost
from portal.clusters.models import ClusterMember
from portal.core.clock import today
from portal.core.db import db, transaction
from portal.core.jobs import Task
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from tests.applications.test_races import at_once
from tests.factories import clusters, identity


@dataclass
class World:
    """A cluster with a member, a neighbour that is a member too, and a newcomer whose request waits."""

    cluster: UUID
    member: UUID
    neighbour: UUID
    newcomer: UUID
    request: UUID
    spec: list[Actor]
    owner: Actor
    other: Actor
    new: Actor


@pytest.fixture
def world(fresh_app: Flask) -> World:
    with fresh_app.app_context(), transaction() as session:
        spec_org, member, neighbour, newcomer = (identity.organisation(session) for _ in range(4))
        cluster = clusters.cluster(session, spec_org=spec_org)
        for organisation in (member, neighbour):
            clusters.membership(session, cluster, organisation)
        request = clusters.membership(session, cluster, newcomer, "requested")

        def owner(organisation: object) -> Actor:
            return identity.actor(session, identity.member(session, organisation))  # type: ignore[arg-type]

        return World(
            cluster.id,
            member.id,
            neighbour.id,
            newcomer.id,
            request.id,
            [owner(spec_org) for _ in range(4)],
            owner(member),
            owner(neighbour),
            owner(newcomer),
        )


def in_transaction(work: Callable[[Session], object], said: str = "done") -> str:
    with transaction() as session:
        work(session)
    return said


def count(app: Flask, statement: object) -> int:
    with app.app_context():
        return db.session.scalar(statement) or 0  # type: ignore[call-overload, no-any-return]


def test_of_many_confirmations_one_counts(fresh_app: Flask, world: World) -> None:
    ends = at_once(
        fresh_app,
        4,
        lambda place: in_transaction(
            lambda session: service.confirm_membership(session, world.spec[place], member_id=world.request)
        ),
    )
    assert ends == {"done": 1, "Conflict": 3}
    assert count(fresh_app, select(func.count()).where(Task.kind == "membership_confirmed")) == 1
    assert count(fresh_app, select(func.count(Letter.id.distinct())).where(Letter.user_id == world.new.user_id)) == 1


def test_of_a_confirmation_and_a_refusal_one_counts(fresh_app: Flask, world: World) -> None:
    def decide(place: int) -> str:
        if place % 2:
            return in_transaction(
                lambda session: service.confirm_membership(session, world.spec[place], member_id=world.request),
                "confirmed",
            )
        return in_transaction(
            lambda session: service.refuse_membership(
                session, world.spec[place], member_id=world.request, reason="No contracts"
            ),
            "refused",
        )

    ends = at_once(fresh_app, 4, decide)
    assert ends.pop("Conflict") == 3
    (won,) = ends
    assert count(fresh_app, select(func.count()).where(ClusterMember.state == won, ClusterMember.id == world.request))


def test_of_many_requests_to_join_one_is_written(fresh_app: Flask, world: World) -> None:
    with fresh_app.app_context(), transaction() as session:
        spec_org = identity.organisation(session)
        cluster_id = clusters.cluster(session, spec_org=spec_org).id
    ends = at_once(
        fresh_app,
        4,
        lambda place: in_transaction(
            lambda session: service.request_membership(
                session,
                world.new,
                cluster_id=cluster_id,
                organisation_id=world.newcomer,
                product="seals",
                final_producer=False,
            )
        ),
    )
    assert ends == {"done": 1, "Conflict": 3}
    assert count(fresh_app, select(func.count()).where(ClusterMember.cluster_id == cluster_id)) == 1


def posted(session: Session, world: World, title: str) -> BoardPost:
    values = {
        "side": "need",
        "kind": "logistics",
        "title": title,
        "text": "x",
        "visibility": "cluster",
        "valid_until": (today(session) + timedelta(days=30)).isoformat(),
    }
    return board.post(session, world.owner, cluster_id=world.cluster, organisation_id=world.member, values=values)


def test_asking_for_contact_at_once_asks_once(fresh_app: Flask, world: World) -> None:
    with fresh_app.app_context(), transaction() as session:
        post_id = posted(session, world, "Trucks").id
    ends = at_once(
        fresh_app,
        4,
        lambda place: in_transaction(
            lambda session: board.contact(
                session, world.other, post_id=post_id, organisation_id=world.neighbour, message="We can"
            )
        ),
    )
    assert ends == {"done": 1, "Problems": 3}
    assert count(fresh_app, select(func.count()).select_from(BoardContact)) == 1


@pytest.mark.parametrize("again", [False, True])
def test_the_limit_of_open_posts_holds(
    fresh_app: Flask, world: World, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Posting anew, and opening closed posts again."""
    monkeypatch.setattr(board, "MAX_OPEN", 2)
    with fresh_app.app_context(), transaction() as session:
        closed = [posted(session, world, f"Trucks {place}").id for place in range(2)]
        for post_id in closed:
            board.close(session, world.owner, post_id=post_id)
        posted(session, world, "Stands")
        until = (today(session) + timedelta(days=9)).isoformat()

    def open_one(place: int) -> str:
        if again:
            return in_transaction(
                lambda session: board.renew(session, world.owner, post_id=closed[place], valid_until=until)
            )
        return in_transaction(lambda session: posted(session, world, f"Trains {place}"))

    assert at_once(fresh_app, 2, open_one) == {"done": 1, "Problems": 1}
    assert count(fresh_app, select(func.count()).where(BoardPost.state == "open")) == 2

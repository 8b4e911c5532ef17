"""The board of needs and offers: who posts, who reads, what answers what, and limits against spam."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.clusters import board, board_queries
from portal.clusters.board_models import BoardPost, PostKind, PostState
from portal.clusters.matching import common_code, matches
from portal.clusters.models import Cluster
from portal.core.clock import today
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.identity.models import Organisation, OrgRole, Role
from portal.identity.policy import ANONYMOUS, Actor, scope
from portal.notifications.models import Letter
from tests.factories import clusters, identity


@dataclass
class Stage:
    cluster: Cluster
    spec: Actor
    organisation: Organisation
    owner: Actor
    neighbour: Organisation
    other: Actor


@pytest.fixture
def stage(session: Session) -> Stage:
    spec_org, organisation, neighbour = (identity.organisation(session) for _ in range(3))
    cluster = clusters.cluster(session, spec_org=spec_org)
    clusters.membership(session, cluster, organisation)
    clusters.membership(session, cluster, neighbour)
    spec = identity.actor(session, identity.member(session, spec_org))
    owner = identity.actor(session, identity.member(session, organisation))
    other = identity.actor(session, identity.member(session, neighbour))
    return Stage(cluster, spec, organisation, owner, neighbour, other)


def post(session: Session, stage: Stage, **changes: str) -> BoardPost:
    values = {
        "side": "need",
        "kind": "supply",
        "title": "Castings wanted",
        "text": "120 t a year",
        "okpd2": "24.51.11",
        "region": "36",
        "volume": "120 t",
        "visibility": "cluster",
        "valid_until": (today(session) + timedelta(days=30)).isoformat(),
    }
    return board.post(
        session,
        stage.owner,
        cluster_id=stage.cluster.id,
        organisation_id=stage.organisation.id,
        values={**values, **changes},
    )


def ask(session: Session, stage: Stage, row: BoardPost, message: str = "We can", actor: Actor | None = None) -> Any:
    return board.contact(
        session, actor or stage.other, post_id=row.id, organisation_id=stage.neighbour.id, message=message
    )


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(p.field, p.code) for p in caught.value.problems]


def test_all_problems_of_a_post_come_together(session: Session, stage: Stage) -> None:
    with pytest.raises(Problems) as caught:
        post(
            session, stage, side="x", visibility="", title=" ", text="x" * 2001, okpd2="", region="99", valid_until="x"
        )
    assert codes(caught) == [
        ("side", "unknown"),
        ("visibility", "unknown"),
        ("text", "too_long"),
        ("title", "empty"),
        ("okpd2", "empty"),
        ("region", "unknown"),
        ("valid_until", "format"),
    ]
    day = today(session)
    for until in (day - timedelta(days=1), day + timedelta(days=board.MAX_DAYS + 1)):
        with pytest.raises(Problems) as caught:
            post(session, stage, valid_until=until.isoformat())
        assert codes(caught) == [("valid_until", "out_of_range")]
    assert post(session, stage, valid_until=day.isoformat(), kind="retraining", okpd2="").state == "open"


def test_only_members_and_the_specialised_organisation_post(session: Session, stage: Stage) -> None:
    other = clusters.cluster(session)
    with pytest.raises(Problems) as caught:
        board.post(
            session, stage.owner, cluster_id=other.id, organisation_id=stage.organisation.id, values=values(session)
        )
    assert ("", "not_a_member") in codes(caught)
    viewer = identity.actor(session, identity.member(session, stage.organisation, OrgRole.VIEWER))
    for actor, expected in ((viewer, Refused), (stage.other, NotFound), (ANONYMOUS, NotFound)):
        with pytest.raises(expected):
            board.post(
                session,
                actor,
                cluster_id=stage.cluster.id,
                organisation_id=stage.organisation.id,
                values=values(session),
            )
    assert stage.cluster.spec_org_id is not None
    row = board.post(
        session,
        stage.spec,
        cluster_id=stage.cluster.id,
        organisation_id=stage.cluster.spec_org_id,
        values=values(session),
    )
    assert row.kind == "retraining"


def values(session: Session) -> dict[str, str]:
    return {
        "side": "offer",
        "kind": "retraining",
        "title": "Places",
        "visibility": "public",
        "valid_until": today(session).isoformat(),
    }


def test_who_may_read_what(session: Session, stage: Stage) -> None:
    rows = {name: post(session, stage, visibility=name, title=name).id for name in ("cluster", "members", "public")}
    far = identity.organisation(session)
    clusters.membership(session, clusters.cluster(session), far)
    waiting = identity.organisation(session)
    clusters.membership(session, stage.cluster, waiting, "requested")
    readers = {
        "neighbour": (stage.other, {"cluster", "members", "public"}),
        "spec": (stage.spec, {"cluster", "members", "public"}),
        "officer": (identity.actor(session, identity.user(session, Role.OFFICER)), {"cluster", "members", "public"}),
        "far": (identity.actor(session, identity.member(session, far)), {"members", "public"}),
        "waiting": (identity.actor(session, identity.member(session, waiting)), {"public"}),
        "reviewer": (identity.actor(session, identity.user(session, Role.REVIEWER)), {"public"}),
        "anonymous": (ANONYMOUS, {"public"}),
    }
    for name, (actor, expected) in readers.items():
        found = {row.id for row in session.scalars(scope(actor, BoardPost))}
        assert found == {rows[seen] for seen in expected}, name
    board.remove(session, stage.spec, post_id=rows["public"], reason="Advertising")
    for name, (actor, _expected) in readers.items():
        sees = rows["public"] in {row.id for row in session.scalars(scope(actor, BoardPost))}
        assert sees is (name in ("spec", "officer")), name
    assert rows["public"] in {row.id for row in session.scalars(scope(stage.owner, BoardPost))}


def test_the_list_and_its_filters(session: Session, stage: Stage) -> None:
    first = post(session, stage)
    second = post(session, stage, kind="logistics", okpd2="", region="16", title="Route", side="offer")
    closed = post(session, stage)
    board.close(session, stage.owner, post_id=closed.id)
    day = today(session)

    def found(actor: Actor = stage.other, **chosen: Any) -> set[UUID]:
        return {row.id for row in session.scalars(board_queries.posts(actor, day, **chosen))}

    assert found() == {first.id, second.id}
    assert found(side="offer") == {second.id}
    assert found(kind="supply") == {first.id}
    assert found(region="16") == {second.id}
    assert found(okpd2="24.5") == {first.id}
    assert found(okpd2="2%") == set()
    assert found(text="ROUT") == {second.id}
    assert found(text="120 t a year") == set()
    assert found(cluster_id=uuid4()) == set()
    assert found(stage.owner, mine=True) == {first.id, second.id, closed.id}
    later = day + timedelta(days=31)
    assert list(session.scalars(board_queries.posts(stage.other, later))) == []


def test_closing_and_renewing(session: Session, stage: Stage) -> None:
    row = post(session, stage)
    with pytest.raises(NotFound):
        board.close(session, stage.other, post_id=row.id)
    board.close(session, stage.owner, post_id=row.id)
    with pytest.raises(Conflict):
        board.close(session, stage.owner, post_id=row.id)
    with pytest.raises(Conflict):
        ask(session, stage, row)
    with pytest.raises(Problems):
        board.renew(session, stage.owner, post_id=row.id, valid_until="")
    until = today(session) + timedelta(days=90)
    board.renew(session, stage.owner, post_id=row.id, valid_until=until.isoformat())
    assert (row.state, row.valid_until, row.ended_at) == ("open", until, None)
    board.remove(session, stage.spec, post_id=row.id, reason="x")
    with pytest.raises(Conflict):
        board.renew(session, stage.owner, post_id=row.id, valid_until=until.isoformat())


def test_taking_off_needs_a_reason_and_is_told(session: Session, stage: Stage) -> None:
    row = post(session, stage)
    for reason, code in ((" ", "empty"), ("x" * 501, "too_long")):
        with pytest.raises(Problems) as caught:
            board.remove(session, stage.spec, post_id=row.id, reason=reason)
        assert codes(caught) == [("reason", code)]
    with pytest.raises(Refused):
        board.remove(session, stage.other, post_id=row.id, reason="x")
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    board.remove(session, officer, post_id=row.id, reason="<b>Advertising</b>")
    with pytest.raises(Conflict):
        board.remove(session, officer, post_id=row.id, reason="x")
    letter = session.scalars(select(Letter).where(Letter.kind == "board_removed")).one()
    assert letter.recipient == stage.owner.email
    assert "<b>Advertising" not in letter.html
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update board_post set state = 'open'"))


def test_a_contact_is_a_letter_and_shows_no_address(session: Session, stage: Stage) -> None:
    row = post(session, stage)
    made = ask(session, stage, row, "We can cast\r\nthem")
    letter = session.scalars(select(Letter).where(Letter.kind == "board_contact")).one()
    assert letter.recipient == stage.owner.email
    assert stage.other.email in letter.text
    assert stage.neighbour.inn in letter.text
    assert "We can cast" in letter.text
    assert [item.id for item in board_queries.contacts_of(session, row.id)] == [made.id]
    with pytest.raises(Problems) as caught:
        ask(session, stage, row)
    assert codes(caught) == [("", "asked")]


def test_exits_of_a_contact(session: Session, stage: Stage) -> None:
    row = post(session, stage)
    for message, code in ((" \n ", "empty"), ("x" * 1001, "too_long")):
        with pytest.raises(Problems) as caught:
            ask(session, stage, row, message)
        assert codes(caught) == [("message", code)]
    with pytest.raises(Refused):
        board.contact(session, stage.owner, post_id=row.id, organisation_id=stage.organisation.id, message="x")
    outsider = identity.organisation(session)
    stranger = identity.actor(session, identity.member(session, outsider))
    with pytest.raises(NotFound):
        board.contact(session, stranger, post_id=row.id, organisation_id=outsider.id, message="x")
    seen = post(session, stage, visibility="public")
    board.contact(session, stranger, post_id=seen.id, organisation_id=outsider.id, message="x")
    with pytest.raises(NotFound):
        board.contact(session, stranger, post_id=seen.id, organisation_id=stage.neighbour.id, message="x")


def test_limits_against_spam(session: Session, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "MAX_OPEN", 2)
    monkeypatch.setattr(board, "MAX_CONTACTS_A_DAY", 1)
    first, second = post(session, stage), post(session, stage)
    with pytest.raises(Problems) as caught:
        post(session, stage)
    assert codes(caught) == [("", "too_many")]
    ask(session, stage, first)
    with pytest.raises(Problems) as caught:
        ask(session, stage, second)
    assert codes(caught) == [("", "too_many")]
    board.close(session, stage.owner, post_id=second.id)
    post(session, stage)
    with pytest.raises(Problems) as caught:
        board.renew(session, stage.owner, post_id=second.id, valid_until=today(session).isoformat())
    assert codes(caught) == [("", "too_many")]
    assert second.state == PostState.CLOSED


def test_answers_come_from_what_the_reader_may_see(session: Session, stage: Stage) -> None:
    need = post(session, stage, visibility="public")
    offer = board.post(
        session,
        stage.other,
        cluster_id=stage.cluster.id,
        organisation_id=stage.neighbour.id,
        values={**values(session), "kind": "component", "okpd2": "24.51.2", "visibility": "cluster", "region": "36"},
    )
    found = board_queries.answers(session, stage.owner, need, today(session))
    assert [(row.id, match.score, len(match.reasons)) for row, match in found] == [(offer.id, 7, 2)]
    assert board_queries.answers(session, ANONYMOUS, need, today(session)) == []


def test_places_to_post_in(session: Session, stage: Stage) -> None:
    keys = [stage.organisation.id, stage.cluster.spec_org_id]
    found = board_queries.places(session, [key for key in keys if key])
    assert {(row.id, cluster.id) for row, cluster in found} == {(key, stage.cluster.id) for key in keys}
    assert board_queries.standing(session, stage.spec) == {stage.cluster.id}
    assert board_queries.standing(session, ANONYMOUS) == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("24.51.11", "24.51.11", "24.51.11"),
        ("24.51.11", "24.51.12", "24.51.1"),
        ("24.51.11", "24.51.2", "24.51"),
        ("24.51", "24", "24"),
        ("24", "25", ""),
        ("24.51", "28.51", ""),
    ],
)
def test_codes_in_common(one: str, other: str, common: str) -> None:
    assert common_code(one, other) == common
    assert common_code(other, one) == common


POSTS = st.builds(
    SimpleNamespace,
    id=st.uuids(),
    organisation_id=st.sampled_from([UUID(int=n) for n in range(3)]),
    side=st.sampled_from(["need", "offer"]),
    kind=st.sampled_from([kind.value for kind in PostKind]),
    okpd2=st.sampled_from(["", "24", "24.51", "24.51.11", "28.14"]),
    region=st.sampled_from(["", "36", "16"]),
)


@given(st.lists(POSTS, min_size=2, max_size=12, unique_by=lambda row: row.id))
def test_answering_is_mutual_and_never_to_oneself(rows: list[Any]) -> None:
    answered = {row.id: {match.post_id: match.score for match in matches(row, rows)} for row in rows}
    kept = {row.id: row for row in rows}
    for key, found in answered.items():
        for other, score in found.items():
            assert answered[other][key] == score
            assert kept[other].side != kept[key].side
            assert kept[other].organisation_id != kept[key].organisation_id

"""Versions of a roadmap: one draft, codes that stay, and nothing published ever changes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.clusters import queries, roadmap
from portal.clusters.models import Cluster
from portal.clusters.profile_models import Roadmap, RoadmapAction
from portal.clusters.roadmap_diff import Change, compare
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.identity.models import Organisation, OrgRole, Role
from portal.identity.policy import ANONYMOUS, Actor
from tests.factories import clusters, identity

ACTION = {
    "kind": "logistics",
    "title_ru": "Общий маршрут",
    "title_en": "A common route",
    "responsible_id": "",
    "starts_on": "01.07.2017",
    "ends_on": "2018-06-30",
    "indicator_ru": "",
    "indicator_en": "",
    "state": "planned",
}


@dataclass
class Stage:
    cluster: Cluster
    keeper: Actor
    editor: Actor
    member: Organisation


@pytest.fixture
def stage(session: Session) -> Stage:
    spec_org, member = identity.organisation(session), identity.organisation(session)
    cluster = clusters.cluster(session, spec_org=spec_org)
    clusters.membership(session, cluster, member)
    keeper = identity.actor(session, identity.member(session, spec_org))
    editor = identity.actor(session, identity.member(session, spec_org, OrgRole.EDITOR))
    return Stage(cluster, keeper, editor, member)


def start(session: Session, stage: Stage, reason: str = "Сессия") -> Roadmap:
    return roadmap.start_version(
        session, stage.keeper, cluster_id=stage.cluster.id, reason_ru=reason, reason_en="Session"
    )


def put(session: Session, stage: Stage, code: str | None = None, **changes: str) -> RoadmapAction:
    return roadmap.set_action(
        session, stage.editor, cluster_id=stage.cluster.id, code=code, values={**ACTION, **changes}
    )


def publish(session: Session, stage: Stage) -> Roadmap:
    return roadmap.publish(session, stage.keeper, cluster_id=stage.cluster.id)


def two_versions(session: Session, stage: Stage) -> None:
    start(session, stage)
    put(session, stage)
    put(session, stage, title_ru="Склад", kind="warehouse")
    put(session, stage, title_ru="Рынок", kind="market")
    publish(session, stage)
    start(session, stage, "Скорректирована после сессии 25–28 июля 2018 года")
    put(session, stage, code="RM-02", title_ru="Общий склад", kind="warehouse", state="running")
    roadmap.remove_action(session, stage.editor, cluster_id=stage.cluster.id, code="RM-03")
    put(session, stage, title_ru="РЦК", kind="rcc", responsible_id=str(stage.member.id))
    publish(session, stage)


def test_versions_keep_the_codes_and_the_difference_is_told(session: Session, stage: Stage) -> None:
    two_versions(session, stage)
    second, first = roadmap.versions(session, ANONYMOUS, stage.cluster.id)
    assert (first.number, second.number) == (1, 2)
    assert [row.code for row in second.actions] == ["RM-01", "RM-02", "RM-04"]
    told = [(row.code, row.change, row.fields) for row in compare(first.actions, second.actions)]
    assert told == [
        ("RM-01", Change.SAME, ()),
        ("RM-02", Change.CHANGED, ("title_ru", "state")),
        ("RM-03", Change.REMOVED, ()),
        ("RM-04", Change.ADDED, ()),
    ]


def test_projects_cite_the_newest_published_version(session: Session, stage: Stage) -> None:
    key = stage.cluster.id
    assert queries.roadmap_actions(session, key) == []
    start(session, stage)
    put(session, stage)
    assert queries.roadmap_actions(session, key) == []
    publish(session, stage)
    start(session, stage)
    put(session, stage, code="RM-01", title_ru="Черновик")
    assert [(row.code, row.title_ru, row.version) for row in queries.roadmap_actions(session, key)] == [
        ("RM-01", "Общий маршрут", 1)
    ]
    put(session, stage, code="RM-01", state="dropped")
    put(session, stage)
    publish(session, stage)
    assert [row.code for row in queries.roadmap_actions(session, key)] == ["RM-02"]


def test_a_draft_is_known_to_the_specialised_organisation_only(session: Session, stage: Stage) -> None:
    two_versions(session, stage)
    start(session, stage)
    others = (
        ANONYMOUS,
        identity.actor(session, identity.member(session, stage.member)),
        identity.actor(session, identity.user(session, Role.OFFICER)),
    )
    for actor in others:
        assert [row.number for row in roadmap.versions(session, actor, stage.cluster.id)] == [2, 1]
    assert [row.number for row in roadmap.versions(session, stage.editor, stage.cluster.id)] == [3, 2, 1]


def test_exits_of_the_verbs(session: Session, stage: Stage) -> None:
    key = stage.cluster.id
    with pytest.raises(Conflict):
        put(session, stage)
    start(session, stage, "")
    with pytest.raises(Conflict):
        start(session, stage)
    with pytest.raises(Problems):
        publish(session, stage)
    with pytest.raises(Problems) as caught:
        put(
            session,
            stage,
            kind="x",
            state="",
            title_ru=" ",
            title_en="x" * 301,
            starts_on="",
            ends_on="soon",
            responsible_id=str(identity.organisation(session).id),
        )
    assert {(p.field, p.code) for p in caught.value.problems} == {
        ("kind", "unknown"), ("state", "unknown"), ("title_ru", "empty"), ("title_en", "too_long"),
        ("starts_on", "empty"), ("ends_on", "format"), ("responsible_id", "unknown"),
    }  # fmt: skip
    with pytest.raises(Problems) as caught:
        put(session, stage, ends_on="30.06.2017", responsible_id="nobody")
    assert [(p.field, p.code) for p in caught.value.problems] == [("ends_on", "dates"), ("responsible_id", "unknown")]
    put(session, stage)
    with pytest.raises(NotFound):
        put(session, stage, code="RM-09")
    with pytest.raises(NotFound):
        roadmap.remove_action(session, stage.editor, cluster_id=key, code="RM-09")
    with pytest.raises(Refused):
        roadmap.publish(session, stage.editor, cluster_id=key)
    publish(session, stage)
    with pytest.raises(Problems) as caught:
        start(session, stage, " ")
    assert [(p.field, p.code) for p in caught.value.problems] == [("reason_ru", "empty")]
    stranger = identity.actor(session, identity.member(session, stage.member))
    with pytest.raises(Refused):
        roadmap.start_version(session, stranger, cluster_id=key, reason_ru="x", reason_en="")


@pytest.mark.parametrize(
    "statement",
    [
        "update roadmap set reason_ru = 'x'",
        "update roadmap set state = 'draft', published_at = null",
        "delete from roadmap",
        "update roadmap_action set title_ru = 'x'",
        "delete from roadmap_action",
        "insert into roadmap_action (id, roadmap_id, code, kind, title_ru, title_en, starts_on, ends_on, indicator_ru,"
        " indicator_en, state) select gen_random_uuid(), id, 'RM-77', 'other', 'x', '', '2017-01-01', '2017-01-01',"
        " '', '', 'planned' from roadmap",
    ],
)
def test_the_database_keeps_a_published_version_as_it_is(session: Session, stage: Stage, statement: str) -> None:
    start(session, stage)
    put(session, stage)
    publish(session, stage)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(statement))
    assert session.scalars(select(RoadmapAction.title_ru)).all() == ["Общий маршрут"]

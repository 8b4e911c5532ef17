"""Entering and changing clusters."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from portal.clusters import service
from portal.clusters.models import Cluster
from portal.core.errors import NotFound, Problems, Refused, Stale
from portal.identity.models import Role
from portal.identity.policy import ANONYMOUS, Actor
from tests.clusters.test_fields import CLUSTER
from tests.factories import clusters, identity


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


def test_a_cluster_is_entered_with_its_specialised_organisation(session: Session, administrator: Actor) -> None:
    spec_org = identity.organisation(session)
    values = {**CLUSTER, "spec_inn": spec_org.inn, "spec_kpp": spec_org.kpp or ""}
    row = service.create_cluster(session, administrator, values=values)
    assert (row.code, row.regions, row.spec_org_id, row.version) == ("D1", ["36", "50", "69"], spec_org.id, 1)
    assert row.in_register(date(2021, 6, 1))
    assert not row.in_register(date(2021, 6, 2))
    assert not row.in_register(date(2016, 5, 31))


def test_a_taken_code_and_an_unknown_organisation_are_problems(session: Session, administrator: Actor) -> None:
    service.create_cluster(session, administrator, values=CLUSTER)
    with pytest.raises(Problems) as caught:
        service.create_cluster(session, administrator, values=CLUSTER)
    assert [(p.field, p.code) for p in caught.value.problems] == [("code", "taken")]
    unknown = {**CLUSTER, "code": "D2", "spec_inn": "3699900012", "spec_kpp": "369901001"}
    with pytest.raises(Problems) as caught:
        service.create_cluster(session, administrator, values=unknown)
    assert [(p.field, p.code) for p in caught.value.problems] == [("spec_inn", "unknown")]


def test_editing_checks_the_version(session: Session, administrator: Actor) -> None:
    row = clusters.cluster(session)
    values = {**CLUSTER, "code": row.code, "name_ru": "Новое название"}
    service.edit_cluster(session, administrator, cluster_id=row.id, values=values, expected_version=1)
    assert (row.name_ru, row.version) == ("Новое название", 2)
    with pytest.raises(Stale) as caught:
        service.edit_cluster(session, administrator, cluster_id=row.id, values=values, expected_version=1)
    assert caught.value.current == 2


def test_an_unknown_cluster_is_not_found(session: Session, administrator: Actor) -> None:
    key = identity.organisation(session).id
    with pytest.raises(NotFound):
        service.edit_cluster(session, administrator, cluster_id=key, values=CLUSTER, expected_version=1)


def test_only_the_administrator_edits(session: Session) -> None:
    spec_org = identity.organisation(session)
    row: Cluster = clusters.cluster(session, spec_org=spec_org)
    owner = identity.actor(session, identity.member(session, spec_org))
    others = [(identity.actor(session, identity.user(session, r)), Refused) for r in Role if r != Role.ADMINISTRATOR]
    for actor, expected in [*others, (owner, NotFound), (ANONYMOUS, NotFound)]:
        with pytest.raises(expected):
            service.create_cluster(session, actor, values={**CLUSTER, "code": "NEW"})
        with pytest.raises(expected):
            service.edit_cluster(session, actor, cluster_id=row.id, values=CLUSTER, expected_version=1)
    assert row.version == 1

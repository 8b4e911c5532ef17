"""Asking to join, confirming, refusing, leaving."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.clusters import queries, service
from portal.clusters.models import Cluster, ClusterMember
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused
from portal.identity.models import Membership, Organisation, OrgRole, Role
from portal.identity.policy import ANONYMOUS, Actor, scope
from portal.notifications.models import Letter
from tests.factories import clusters, identity


@dataclass
class Stage:
    """A cluster with its specialised organisation, and an organisation that wants to join."""

    cluster: Cluster
    spec_org: Organisation
    organisation: Organisation
    spec: Actor
    owner: Actor


@pytest.fixture
def stage(session: Session) -> Stage:
    return make(session)


def make(session: Session) -> Stage:
    spec_org, organisation = identity.organisation(session), identity.organisation(session)
    cluster = clusters.cluster(session, spec_org=spec_org)
    spec = identity.actor(session, identity.member(session, spec_org))
    owner = identity.actor(session, identity.member(session, organisation, locale="ru"))
    return Stage(cluster, spec_org, organisation, spec, owner)


def ask(session: Session, stage: Stage, actor: Actor | None = None, product: str = "valves") -> ClusterMember:
    return service.request_membership(
        session,
        actor or stage.owner,
        cluster_id=stage.cluster.id,
        organisation_id=stage.organisation.id,
        product=product,
        final_producer=False,
    )


def letters(session: Session) -> list[tuple[str, str]]:
    found = session.execute(select(Letter.kind, Letter.recipient).order_by(Letter.id)).all()
    return [(kind, recipient) for kind, recipient in found]


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(p.field, p.code) for p in caught.value.problems]


def test_a_request_is_kept_and_told_to_the_specialised_organisation(session: Session, stage: Stage) -> None:
    row = ask(session, stage, product="  ball\u202e  valves ")
    assert (row.state, row.product, row.final_producer) == ("requested", "ball valves", False)
    assert (row.requested_by, row.requested_at is not None) == (stage.owner.user_id, True)
    assert letters(session) == [("membership_requested", stage.spec.email)]
    assert not queries.is_confirmed(session, stage.cluster.id, stage.organisation.id)
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(row.id))).one()
    assert event.tag == "clusters:membership:request"


def test_all_problems_of_a_request_come_together(session: Session, stage: Stage) -> None:
    stage.cluster.spec_org_id = None
    session.flush()
    with pytest.raises(Problems) as caught:
        ask(session, stage, product=" ")
    assert codes(caught) == [("product", "empty"), ("", "no_spec_org")]
    with pytest.raises(Problems) as caught:
        ask(session, stage, product="x" * 301)
    assert codes(caught) == [("product", "too_long"), ("", "no_spec_org")]


def test_the_specialised_organisation_cannot_join_its_own_cluster(session: Session, stage: Stage) -> None:
    with pytest.raises(Problems) as caught:
        service.request_membership(
            session,
            stage.spec,
            cluster_id=stage.cluster.id,
            organisation_id=stage.spec_org.id,
            product="services",
            final_producer=False,
        )
    assert codes(caught) == [("organisation_id", "own_cluster")]


def test_a_waiting_request_cannot_be_sent_again(session: Session, stage: Stage) -> None:
    ask(session, stage)
    with pytest.raises(Conflict):
        ask(session, stage)


def test_a_member_cannot_ask_again(session: Session, stage: Stage) -> None:
    clusters.membership(session, stage.cluster, stage.organisation)
    with pytest.raises(Problems) as caught:
        ask(session, stage)
    assert codes(caught) == [("organisation_id", "member")]


def test_unknown_cluster_and_organisation_are_not_found(session: Session, stage: Stage) -> None:
    other = Stage(stage.cluster, stage.spec_org, stage.spec_org, stage.spec, stage.owner)
    with pytest.raises(NotFound):
        ask(session, other)
    with pytest.raises(NotFound):
        service.request_membership(
            session,
            stage.owner,
            cluster_id=stage.organisation.id,
            organisation_id=stage.organisation.id,
            product="valves",
            final_producer=False,
        )


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (OrgRole.OWNER, True),
        (OrgRole.SIGNATORY, True),
        (OrgRole.EDITOR, False),
        (OrgRole.VIEWER, False),
    ],
)
def test_only_signers_of_the_organisation_ask(session: Session, stage: Stage, role: OrgRole, may: bool) -> None:
    actor = identity.actor(session, identity.member(session, stage.organisation, role))
    if may:
        assert ask(session, stage, actor).state == "requested"
    else:
        with pytest.raises(Refused):
            ask(session, stage, actor)


@pytest.mark.parametrize("role", list(Role))
def test_the_fund_does_not_ask_for_others(session: Session, stage: Stage, role: Role) -> None:
    actor = identity.actor(session, identity.user(session, role))
    with pytest.raises(NotFound):
        ask(session, stage, actor)


def test_a_request_is_confirmed(session: Session, stage: Stage) -> None:
    row = service.confirm_membership(session, stage.spec, member_id=ask(session, stage).id)
    assert (row.state, row.decided_by) == ("confirmed", stage.spec.user_id)
    assert queries.is_confirmed(session, stage.cluster.id, stage.organisation.id)
    assert letters(session)[-1] == ("membership_confirmed", stage.owner.email)
    with pytest.raises(Conflict):
        service.confirm_membership(session, stage.spec, member_id=row.id)


def test_a_request_is_refused_with_a_reason_and_asked_again(session: Session, stage: Stage) -> None:
    row = ask(session, stage)
    with pytest.raises(Problems) as caught:
        service.refuse_membership(session, stage.spec, member_id=row.id, reason=" \n ")
    assert codes(caught) == [("reason", "empty")]
    with pytest.raises(Problems) as caught:
        service.refuse_membership(session, stage.spec, member_id=row.id, reason="x" * 1001)
    assert codes(caught) == [("reason", "too_long")]
    service.refuse_membership(session, stage.spec, member_id=row.id, reason="<b>No contracts</b>")
    assert (row.state, row.reason) == ("refused", "<b>No contracts</b>")
    letter = session.scalars(select(Letter).where(Letter.kind == "membership_refused")).one()
    assert letter.locale == "ru"
    assert "&lt;b&gt;No contracts&lt;/b&gt;" in letter.html
    assert "<b>No contracts</b>" in letter.text
    again = ask(session, stage, product="better valves")
    assert (again.id, again.state, again.reason, again.decided_at) == (row.id, "requested", None, None)
    assert [kind for kind, _ in letters(session)] == [
        "membership_requested",
        "membership_refused",
        "membership_requested",
    ]


def test_leaving_from_a_request_and_from_a_membership(session: Session, stage: Stage) -> None:
    row = ask(session, stage)
    assert service.leave(session, stage.owner, member_id=row.id).state == "left"
    assert letters(session)[-1] == ("membership_left", stage.spec.email)
    with pytest.raises(Conflict):
        service.leave(session, stage.owner, member_id=row.id)
    ask(session, stage)
    service.confirm_membership(session, stage.spec, member_id=row.id)
    service.leave(session, stage.owner, member_id=row.id)
    assert not queries.is_confirmed(session, stage.cluster.id, stage.organisation.id)


def test_others_cannot_decide(session: Session, stage: Stage) -> None:
    row, other = ask(session, stage), make(session)
    viewer = identity.actor(session, identity.member(session, stage.spec_org, OrgRole.VIEWER))
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    for actor, expected in (
        (viewer, Refused),
        (administrator, NotFound),
        (stage.owner, NotFound),
        (other.spec, NotFound),
        (other.owner, NotFound),
        (ANONYMOUS, NotFound),
    ):
        with pytest.raises(expected):
            service.confirm_membership(session, actor, member_id=row.id)
        with pytest.raises(expected):
            service.refuse_membership(session, actor, member_id=row.id, reason="no")
    with pytest.raises(NotFound):
        service.leave(session, stage.spec, member_id=row.id)
    assert row.state == "requested"


def test_nobody_confirms_their_own_organisation(session: Session, stage: Stage) -> None:
    person = identity.member(session, stage.spec_org)
    session.add(Membership(user_id=person.id, organisation_id=stage.organisation.id, role="viewer"))
    session.flush()
    row = ask(session, stage)
    with pytest.raises(Refused):
        service.confirm_membership(session, identity.actor(session, person), member_id=row.id)


def test_what_each_reader_sees(session: Session, stage: Stage) -> None:
    other = make(session)
    confirmed = clusters.membership(session, stage.cluster, identity.organisation(session))
    waiting = ask(session, stage)
    refused = clusters.membership(session, stage.cluster, identity.organisation(session), "refused")

    def seen(actor: Actor) -> set[object]:
        return {row.id for row in session.scalars(scope(actor, ClusterMember))}

    everything = {confirmed.id, waiting.id, refused.id}
    assert seen(ANONYMOUS) == {confirmed.id}
    assert seen(other.owner) == {confirmed.id}
    assert seen(other.spec) == {confirmed.id}
    assert seen(stage.owner) == {confirmed.id, waiting.id}
    assert seen(stage.spec) == everything
    for role in Role:
        actor = identity.actor(session, identity.user(session, role))
        assert seen(actor) == ({confirmed.id} if role is Role.REVIEWER else everything)


def test_queries_for_others(session: Session, stage: Stage) -> None:
    first = clusters.membership(session, stage.cluster, stage.organisation, product="a")
    producer = identity.organisation(session)
    clusters.membership(session, stage.cluster, producer, final_producer=True)
    clusters.membership(session, stage.cluster, identity.organisation(session), "left")
    members = queries.confirmed_members(session, stage.cluster.id)
    assert [m.organisation.id for m in members] == [producer.id, stage.organisation.id]
    found = queries.confirmed_clusters_of(session, [stage.organisation.id, stage.spec_org.id])
    assert found == {stage.organisation.id: [stage.cluster], stage.spec_org.id: []}
    assert queries.confirmed_clusters_of(session, []) == {}
    assert [(c.id, n) for c, n in queries.run_by(session, [stage.spec_org.id])] == [(stage.cluster.id, 0)]
    assert first.state == "confirmed"


def race(app: Flask, verbs: list[Callable[[Session], object]]) -> list[str]:
    """Run the verbs at once on real connections; what each ended with, sorted."""
    ready, ends = threading.Barrier(len(verbs)), []

    def run(verb: Callable[[Session], object]) -> None:
        with app.app_context():
            try:
                ready.wait()
                with transaction() as current:
                    verb(current)
                ends.append("done")
            except PortalError as error:
                ends.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)


def test_two_requests_at_once_are_one(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        stage = make(session)
        ids = (stage.cluster.id, stage.organisation.id)
        owner = stage.owner

    def verb(current: Session) -> object:
        return service.request_membership(
            current, owner, cluster_id=ids[0], organisation_id=ids[1], product="valves", final_producer=False
        )

    assert race(fresh_app, [verb] * 4) == ["Conflict", "Conflict", "Conflict", "done"]
    with fresh_app.app_context(), transaction() as session:
        assert session.scalar(select(func.count()).select_from(ClusterMember)) == 1
        assert len(letters(session)) == 1


def test_confirming_and_refusing_at_once_decides_once(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        stage = make(session)
        key, spec, owner = ask(session, stage).id, stage.spec, stage.owner

    assert race(
        fresh_app,
        [
            lambda current: service.confirm_membership(current, spec, member_id=key),
            lambda current: service.refuse_membership(current, spec, member_id=key, reason="no"),
            lambda current: service.confirm_membership(current, spec, member_id=key),
        ],
    ) == ["Conflict", "Conflict", "done"]
    with fresh_app.app_context(), transaction() as session:
        assert len(letters(session)) == 2
    assert owner.user_id is not None

"""What ties the experts of the demo to organisations, and what an officer decided about it. No real people."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, State
from portal.clusters.models import ClusterMember
from portal.demo.identifiers import demo_inn
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.identity.models import Organisation
from portal.review import barring, conflict_queries, ties
from portal.review.conflict_models import ConflictRow
from portal.review.models import Assignment

DECLARED: Final = moscow(2018, 9, 25, 11)
INSTITUTE: Final = {
    "inn": demo_inn("77", 4001),
    "name": "АНО «Демо-институт станкостроения»",
    "kind": "employment",
    "since": "01.02.2011",
}
HOLDING: Final = {
    "owner_inn": demo_inn("77", 4002),
    "owner_name": "АО «Демо-Холдинг»",
    "source": "Демо: выписка из ЕГРЮЛ от 20.09.2018",
}
EXTRACT: Final = "Демо: список аффилированных лиц за II квартал 2018"


def load(people: People) -> None:
    """An expert at work in a cluster, a former engineer, a small shareholder, a family of organisations."""
    with moment(DECLARED) as session:
        officer = people.actor(session, "officer")
        first = people.actor(session, "reviewer1")
        ties.declare(session, first, user_id=people.key("reviewer1"), values=INSTITUTE)
        engineer, shareholder, former = (people.key(f"reviewer{number}") for number in (12, 11, 10))
        works, partner, rival = _free(session, engineer)[:3]
        values = {"inn": works.inn, "kind": "employment", "since": "14.03.2016", "note": "Демо: главный технолог"}
        ties.declare(session, people.actor(session, "reviewer12"), user_id=engineer, values=values)
        share = {"inn": partner.inn, "kind": "ownership", "share": "1,5", "source": EXTRACT}
        ties.declare(session, officer, user_id=shareholder, values=share)
        past = {"inn": rival.inn, "kind": "employment", "since": "01.09.2008", "until": "30.06.2014"}
        ties.declare(session, people.actor(session, "reviewer10"), user_id=former, values=past)
        for owned, part in ((works, "75"), (rival, "40")):
            ties.enter_owner(session, officer, values={**HOLDING, "owned_inn": owned.inn, "share": part})
    work(DECLARED)
    with moment(moscow(2018, 9, 26, 12)) as session:
        soft = session.scalars(
            conflict_queries.select_kept(None, undecided=True).where(ConflictRow.user_id == people.key("reviewer10"))
        ).first()
        if soft is not None:
            barring.rule(
                session,
                people.actor(session, "officer"),
                conflict_id=soft.id,
                ruling="waived",
                reason="Демо: работа окончена более четырёх лет назад, с проектом она не связана.",
                expected_version=soft.version,
            )


def _free(session: Session, person: UUID) -> list[Organisation]:
    """Initiators of projects in expertise, one of a cluster, in clusters where the person reviews nothing."""
    busy = (
        select(ClusterMember.organisation_id)
        .join(Application, Application.cluster_id == ClusterMember.cluster_id)
        .join(Assignment, Assignment.application_id == Application.id)
        .where(Assignment.reviewer_id == person)
    )
    judged = select(Participant.organisation_id).join(
        Assignment, Assignment.application_id == Participant.application_id
    )
    statement = (
        select(Application.cluster_id, Organisation)
        .join(Application, Application.initiator_id == Organisation.id)
        .where(
            Application.state == State.EXPERTISE,
            Organisation.id.not_in(busy),
            Organisation.id.not_in(judged.where(Assignment.reviewer_id == person)),
        )
        .order_by(Application.cluster_id, Application.number.desc())
    )
    first: dict[UUID, Organisation] = {}
    for cluster_id, firm in session.execute(statement):
        first[cluster_id] = firm
    return list(first.values())

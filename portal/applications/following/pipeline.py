"""The projects of a cluster as its specialised organisation may know them.

From submission on it sees the project's name, who takes part, where it stands and what it asks for; nothing of what
was typed, no score and no decision before it is published. Of a draft it knows only what it is asked for (the
letters), not even that there is one; of a sealed one neither, until it is opened.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.applications.models import Application, Participant
from portal.clusters.models import Cluster
from portal.identity.policy import Actor, Permission, allowed


def run_by(session: Session, actor: Actor) -> list[Cluster]:
    """The clusters whose specialised organisation the actor may sign for: whose projects it may know of."""
    statement = select(Cluster).where(Cluster.spec_org_id.in_(list(actor.memberships)))
    found = session.scalars(statement)
    return [cluster for cluster in found if allowed(actor, Permission.CLUSTER_CONFIRM_MEMBER, cluster)]


def projects(clusters: Iterable[Cluster]) -> Select[Application]:
    """The submitted projects of the clusters, to be paged by ``(received_at, id)``."""
    return (
        select(Application)
        .where(
            Application.cluster_id.in_([cluster.id for cluster in clusters]),
            Application.submission_id.is_not(None),
            Application.received_at.is_not(None),
            ~Application.sealed,
        )
        .options(
            joinedload(Application.tender, innerjoin=True),
            joinedload(Application.cluster, innerjoin=True),
            joinedload(Application.initiator, innerjoin=True),
            selectinload(Application.participants).joinedload(Participant.organisation, innerjoin=True),
        )
    )

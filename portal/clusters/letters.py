"""Letters about memberships: to the signers of the other side, each in their own language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.clusters.models import Cluster, ClusterMember
from portal.core.language import N_, Message
from portal.identity.models import Membership, Organisation, OrgRole, User
from portal.notifications import service as notifications
from portal.notifications.letters import compose


def requested(session: Session, row: ClusterMember, cluster: Cluster, organisation: Organisation, at: datetime) -> None:
    """To the specialised organisation: somebody asks to join."""
    names = _names(cluster, organisation)
    _write(
        session,
        "membership_requested",
        row,
        at,
        cluster.spec_org_id,
        N_("Request to join the cluster: %(organisation)s", **names),
        [N_("%(organisation)s asks to be confirmed as a member of “%(cluster)s”.", **names)],
        (N_("Open the requests"), "/spec-org/"),
    )


def confirmed(session: Session, row: ClusterMember, cluster: Cluster, organisation: Organisation, at: datetime) -> None:
    """To the organisation: it is a member now."""
    names = _names(cluster, organisation)
    _write(
        session,
        "membership_confirmed",
        row,
        at,
        organisation.id,
        N_("Membership confirmed: %(cluster)s", **names),
        [
            N_("%(organisation)s is now a confirmed member of “%(cluster)s”.", **names),
            N_("It can take part in joint projects of this cluster."),
        ],
        (N_("Open the cluster"), f"/clusters/{cluster.id}"),
    )


def refused(
    session: Session,
    row: ClusterMember,
    cluster: Cluster,
    organisation: Organisation,
    at: datetime,
    reason: str,
) -> None:
    """To the organisation: why it was not confirmed."""
    names = _names(cluster, organisation)
    _write(
        session,
        "membership_refused",
        row,
        at,
        organisation.id,
        N_("Membership not confirmed: %(cluster)s", **names),
        [
            N_("The membership of %(organisation)s in “%(cluster)s” was not confirmed.", **names),
            N_("Reason: %(reason)s", reason=reason),
            N_("You can ask again when the reason no longer applies."),
        ],
        (N_("Open the cluster"), f"/clusters/{cluster.id}"),
    )


def left(session: Session, row: ClusterMember, cluster: Cluster, organisation: Organisation, at: datetime) -> None:
    """To the specialised organisation: a member has left."""
    names = _names(cluster, organisation)
    _write(
        session,
        "membership_left",
        row,
        at,
        cluster.spec_org_id,
        N_("%(organisation)s has left the cluster", **names),
        [N_("%(organisation)s has ended its membership in “%(cluster)s”.", **names)],
        (N_("Open the cluster"), f"/clusters/{cluster.id}"),
    )


def _names(cluster: Cluster, organisation: Organisation) -> dict[str, dict[str, str]]:
    return {
        "cluster": {"ru": cluster.name_ru, "en": cluster.name_en or cluster.name_ru},
        "organisation": {"ru": organisation.name_ru, "en": organisation.name_en or organisation.name_ru},
    }


def _write(
    session: Session,
    kind: str,
    row: ClusterMember,
    at: datetime,
    organisation_id: UUID | None,
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str],
) -> None:
    for person in _signers(session, organisation_id):
        said = compose(subject, paragraphs, link, person.locale)
        notifications.write(
            session,
            key=f"{kind}:{row.id}:{at.isoformat()}:{person.id}",
            kind=kind,
            recipient=person.email,
            locale=person.locale,
            subject=said.subject,
            text=said.text,
            html=said.html,
            user_id=person.id,
            about=("cluster_member", row.id),
        )


def _signers(session: Session, organisation_id: UUID | None) -> Sequence[User]:
    if organisation_id is None:
        return ()
    statement = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.role.in_((OrgRole.OWNER, OrgRole.SIGNATORY)),
            User.active,
        )
        .order_by(User.id)
    )
    return session.scalars(statement).all()

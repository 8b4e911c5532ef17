"""Letters about memberships and the board: to the signers of the other side, each in their own language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.clusters.board_models import BoardPost
from portal.clusters.models import Cluster, ClusterMember
from portal.core.language import N_, Message
from portal.identity.models import Membership, Organisation, OrgRole, User
from portal.identity.policy import Actor
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell

REQUESTED: Final = declare("membership_requested", Topic.CLUSTERS, N_("An organisation asks to join a cluster"))
CONFIRMED: Final = declare(
    "membership_confirmed", Topic.CLUSTERS, N_("A membership in a cluster is confirmed"), important=True
)
REFUSED: Final = declare(
    "membership_refused", Topic.CLUSTERS, N_("A membership in a cluster is not confirmed"), important=True
)
CONTACT: Final = declare(
    "board_contact", Topic.CLUSTERS, N_("An organisation asks for contact about a post on the board"), important=True
)
TAKEN_OFF: Final = declare("board_removed", Topic.CLUSTERS, N_("A post is taken off the board"), important=True)
LEFT: Final = declare("membership_left", Topic.CLUSTERS, N_("A member has left a cluster"))


def requested(session: Session, row: ClusterMember, cluster: Cluster, organisation: Organisation, at: datetime) -> None:
    """To the specialised organisation: somebody asks to join."""
    names = _names(cluster, organisation)
    _write(
        session,
        REQUESTED,
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
        CONFIRMED,
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
        REFUSED,
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
        LEFT,
        row,
        at,
        cluster.spec_org_id,
        N_("%(organisation)s has left the cluster", **names),
        [N_("%(organisation)s has ended its membership in “%(cluster)s”.", **names)],
        (N_("Open the cluster"), f"/clusters/{cluster.id}"),
    )


def contact_asked(
    session: Session, post: BoardPost, asking: Organisation, actor: Actor, message: str, contact_id: UUID
) -> None:
    """To the people behind a post: who asks for contact, with the address to answer to."""
    name = {"ru": asking.name_ru, "en": asking.name_en or asking.name_ru}
    _tell(
        session,
        key=f"board_contact:{contact_id}",
        kind=CONTACT,
        about=("board_post", post.id),
        organisation_id=post.organisation_id,
        subject=N_("About your post: %(title)s", title=post.title),
        paragraphs=[
            N_("%(organisation)s, INN %(inn)s, asks you to get in touch.", organisation=name, inn=asking.inn),
            N_("%(person)s writes: %(message)s", person=actor.audit_name, message=message),
            N_("To answer, write to %(email)s. Your own address was not shown to anybody.", email=actor.email),
        ],
        link=(N_("Open the post"), f"/board/{post.id}"),
    )


def post_removed(session: Session, post: BoardPost, reason: str, at: datetime) -> None:
    """To the people behind a post: why it was taken off the board."""
    _tell(
        session,
        key=f"board_removed:{post.id}:{at.isoformat()}",
        kind=TAKEN_OFF,
        about=("board_post", post.id),
        organisation_id=post.organisation_id,
        subject=N_("Taken off the board: %(title)s", title=post.title),
        paragraphs=[
            N_("Your post “%(title)s” was taken off the board of needs and offers.", title=post.title),
            N_("Reason: %(reason)s", reason=reason),
        ],
        link=(N_("Open the post"), f"/board/{post.id}"),
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
    _tell(
        session,
        key=f"{kind}:{row.id}:{at.isoformat()}",
        kind=kind,
        about=("cluster_member", row.id),
        organisation_id=organisation_id,
        subject=subject,
        paragraphs=paragraphs,
        link=link,
    )


def _tell(
    session: Session,
    *,
    key: str,
    kind: str,
    about: tuple[str, UUID],
    organisation_id: UUID | None,
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str],
) -> None:
    """To everybody who signs for the organisation, once for the key."""
    tell(
        session,
        _signers(session, organisation_id),
        kind=kind,
        key=key,
        subject=subject,
        paragraphs=paragraphs,
        link=link,
        about=about,
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

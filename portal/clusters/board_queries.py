"""Reading the board: the posts that the reader may see, and what answers one of them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
from portal.clusters.board_models import BoardContact, BoardPost, PostState, Side
from portal.clusters.matching import Match, matches
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.errors import NotFound
from portal.identity.models import Organisation
from portal.identity.policy import Actor, scope

CANDIDATES: Final = 300
"""How many posts of the other side are compared, newest first."""


def posts(
    actor: Actor,
    day: date,
    *,
    side: str = "",
    kind: str = "",
    region: str = "",
    okpd2: str = "",
    text: str = "",
    cluster_id: UUID | None = None,
    mine: bool = False,
) -> Select[Any]:
    """Posts that stand on ``day``, with cluster and organisation; to be paged by ``BoardPost.id``.

    ``okpd2``: the beginning of a code; ``mine``: those of the actor's organisations in any state.
    """
    statement = scope(actor, BoardPost).options(
        joinedload(BoardPost.cluster, innerjoin=True), joinedload(BoardPost.organisation, innerjoin=True)
    )
    if mine:
        statement = statement.where(BoardPost.organisation_id.in_(list(actor.memberships)))
    else:
        statement = statement.where(BoardPost.state == PostState.OPEN, BoardPost.valid_until >= day)
    for column, wanted in ((BoardPost.side, side), (BoardPost.kind, kind), (BoardPost.region, region)):
        if wanted:
            statement = statement.where(column == wanted)
    if cluster_id:
        statement = statement.where(BoardPost.cluster_id == cluster_id)
    if okpd2:
        statement = statement.where(BoardPost.okpd2.startswith(okpd2, autoescape=True))
    if text:
        # Not in the text: who sees a teaser only must not find out what stands in it.
        statement = statement.where(func.strpos(func.lower(BoardPost.title), func.lower(text)) > 0)
    return statement


def post_of(session: Session, actor: Actor, post_id: UUID) -> BoardPost:
    """A post with cluster and organisation, within the reader's scope; :class:`NotFound`."""
    statement = (
        scope(actor, BoardPost)
        .where(BoardPost.id == post_id)
        .options(joinedload(BoardPost.cluster, innerjoin=True), joinedload(BoardPost.organisation, innerjoin=True))
    )
    row: BoardPost | None = session.scalar(statement)
    if row is None:
        raise NotFound
    return row


def answers(session: Session, actor: Actor, post: BoardPost, day: date) -> list[tuple[BoardPost, Match]]:
    """Posts of the other side that answer this one, among those the reader may see, best first."""
    other = Side.OFFER if post.side == Side.NEED else Side.NEED
    statement = posts(actor, day, side=other).order_by(BoardPost.id.desc()).limit(CANDIDATES)
    found = {row.id: row for row in session.scalars(statement)}
    return [(found[match.post_id], match) for match in matches(post, found.values())]


def standing(session: Session, actor: Actor) -> frozenset[UUID]:
    """Clusters of which the actor's organisations are confirmed members or which they run."""
    if not actor.memberships:
        return frozenset()
    mine = list(actor.memberships)
    belongs = select(ClusterMember.cluster_id).where(
        ClusterMember.organisation_id.in_(mine), ClusterMember.state == MembershipState.CONFIRMED
    )
    statement = select(Cluster.id).where(or_(Cluster.id.in_(belongs), Cluster.spec_org_id.in_(mine)))
    return frozenset(session.scalars(statement))


def places(session: Session, organisation_ids: list[UUID]) -> list[tuple[Organisation, Cluster]]:
    """Each organisation with each cluster in which it may post, by name."""
    member = (
        select(ClusterMember.organisation_id, ClusterMember.cluster_id)
        .where(ClusterMember.organisation_id.in_(organisation_ids), ClusterMember.state == MembershipState.CONFIRMED)
        .union(
            select(Cluster.spec_org_id, Cluster.id).where(Cluster.spec_org_id.in_(organisation_ids))
        )
        .subquery()
    )  # fmt: skip
    statement = (
        select(Organisation, Cluster)
        .join(member, member.c.organisation_id == Organisation.id)
        .join(Cluster, Cluster.id == member.c.cluster_id)
        .order_by(Organisation.name_ru, Cluster.name_ru)
    )
    return [(organisation, cluster) for organisation, cluster in session.execute(statement)]


def contacts_of(session: Session, post_id: UUID) -> list[BoardContact]:
    """Who asked for contact, with the organisations, newest first."""
    statement = (
        select(BoardContact)
        .options(joinedload(BoardContact.organisation, innerjoin=True))
        .where(BoardContact.post_id == post_id)
        .order_by(BoardContact.id.desc())
    )
    return list(session.scalars(statement))


def waiting_on_board(session: Session, cluster_ids: list[UUID], day: date) -> list[BoardPost]:
    """The newest open posts of these clusters, for the desk of their specialised organisation."""
    statement = (
        select(BoardPost)
        .options(joinedload(BoardPost.cluster, innerjoin=True), joinedload(BoardPost.organisation, innerjoin=True))
        .where(
            BoardPost.cluster_id.in_(cluster_ids),
            BoardPost.state == PostState.OPEN,
            BoardPost.valid_until >= day,
        )
        .order_by(BoardPost.id.desc())
        .limit(10)
    )
    return list(session.scalars(statement))

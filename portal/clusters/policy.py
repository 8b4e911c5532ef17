"""Who may do what in the register of clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, false, or_, select

from portal.clusters.board_models import BoardPost, PostState, Visibility
from portal.clusters.models import Cluster, ClusterMember, MembershipState, RegisterImport
from portal.clusters.profile_models import Roadmap, RoadmapState
from portal.core.language import N_
from portal.identity.models import Organisation, OrgRole, Role
from portal.identity.policy import (
    FUND,
    HIDDEN,
    YES,
    Actor,
    Decision,
    Permission,
    by_role,
    no,
    rule,
    scope_of,
)

_SIGNERS: Final = (OrgRole.OWNER, OrgRole.SIGNATORY)
_WRITERS: Final = (*_SIGNERS, OrgRole.EDITOR)
_READING_FUND: Final = FUND - {Role.REVIEWER}


@dataclass(frozen=True, slots=True)
class Circle:
    """A cluster with the keys of its confirmed members: those who may see each other's figures."""

    cluster: Cluster
    members: frozenset[UUID]


rule(Permission.CLUSTER_EDIT, Permission.CLUSTER_IMPORT)(by_role(Role.ADMINISTRATOR))


@rule(Permission.CLUSTER_JOIN)
def _join(actor: Actor, obj: Any) -> Decision:
    """Ask for a membership, or end it, in the name of an organisation."""
    if obj is None:
        return _signs_for_any(actor)
    assert isinstance(obj, Organisation)
    if actor.acts_for(obj.id, *_SIGNERS):
        return YES
    if actor.acts_for(obj.id):
        return no(N_("Only an owner or a signatory of the organisation can do this."))
    return HIDDEN


@rule(Permission.CLUSTER_CONFIRM_MEMBER)
def _confirm(actor: Actor, obj: Any) -> Decision:
    """Decide on memberships in the name of the cluster's specialised organisation."""
    if obj is None:
        return _signs_for_any(actor)
    assert isinstance(obj, Cluster)
    if actor.acts_for(obj.spec_org_id, *_SIGNERS):
        return YES
    if actor.acts_for(obj.spec_org_id):
        return no(N_("Only an owner or a signatory of the specialised organisation can do this."))
    return HIDDEN


@rule(Permission.CLUSTER_KEEP)
def _keep(actor: Actor, obj: Any) -> Decision:
    """Keep the profile, the functional map and the draft of the roadmap for the specialised organisation."""
    if obj is None:
        if actor.has(Role.ADMINISTRATOR) or any(actor.acts_for(key, *_WRITERS) for key in actor.memberships):
            return YES
        return no(N_("Only the people of the cluster's specialised organisation can do this."))
    assert isinstance(obj, Cluster)
    if actor.acts_for(obj.spec_org_id, *_WRITERS) or actor.has(Role.ADMINISTRATOR):
        return YES
    return no(N_("Only the people of the cluster's specialised organisation can do this."))


@rule(Permission.CLUSTER_PUBLISH)
def _publish(actor: Actor, obj: Any) -> Decision:
    """Publish a version of the roadmap: what is published can never be changed."""
    if obj is None:
        return _signs_for_any(actor)
    assert isinstance(obj, Cluster)
    if actor.acts_for(obj.spec_org_id, *_SIGNERS):
        return YES
    return no(N_("Only an owner or a signatory of the specialised organisation can do this."))


@rule(Permission.CLUSTER_FIGURES)
def _figures(actor: Actor, obj: Any) -> Decision:
    """See the volumes and the figures of single members: the cluster's own people and the fund."""
    if obj is None:
        return YES if actor.is_authenticated else no(N_("Sign in to continue."))
    assert isinstance(obj, Circle)
    if actor.has(*_READING_FUND) or actor.acts_for(obj.cluster.spec_org_id):
        return YES
    if any(actor.acts_for(member) for member in obj.members):
        return YES
    return no(N_("The figures of single members are known to the members of the cluster and to the fund."))


@rule(Permission.BOARD_POST)
def _post(actor: Actor, obj: Any) -> Decision:
    """Post, renew, close and ask for contact on the board in the name of an organisation."""
    if obj is None:
        if any(actor.acts_for(key, *_WRITERS) for key in actor.memberships):
            return YES
        return no(N_("Only people who write for an organisation can do this."))
    assert isinstance(obj, Organisation)
    if actor.acts_for(obj.id, *_WRITERS):
        return YES
    if actor.acts_for(obj.id):
        return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))
    return HIDDEN


@rule(Permission.BOARD_MODERATE)
def _moderate(actor: Actor, obj: Any) -> Decision:
    """Take posts off the board: the cluster's specialised organisation, officers and administrators."""
    if actor.has(Role.OFFICER, Role.ADMINISTRATOR):
        return YES
    if obj is None:
        return _post(actor, None)
    assert isinstance(obj, Cluster)
    if actor.acts_for(obj.spec_org_id, *_WRITERS):
        return YES
    return no(N_("Only the people of the cluster's specialised organisation can do this."))


def _signs_for_any(actor: Actor) -> Decision:
    if any(actor.acts_for(organisation, *_SIGNERS) for organisation in actor.memberships):
        return YES
    return no(N_("Only an owner or a signatory of an organisation can do this."))


@scope_of(Cluster)
def _clusters(actor: Actor) -> Select[Any]:
    """The register is public."""
    return select(Cluster)


@scope_of(ClusterMember)
def _members(actor: Actor) -> Select[Any]:
    """Confirmed members are public; the rest is known to both sides and to the fund."""
    statement = select(ClusterMember)
    if actor.system or actor.has(*_READING_FUND):
        return statement
    mine = list(actor.memberships)
    run_by_mine = select(Cluster.id).where(Cluster.spec_org_id.in_(mine))
    return statement.where(
        or_(
            ClusterMember.state == MembershipState.CONFIRMED,
            ClusterMember.organisation_id.in_(mine),
            ClusterMember.cluster_id.in_(run_by_mine),
        )
    )


@scope_of(BoardPost)
def _board(actor: Actor) -> Select[Any]:
    """Public posts for everybody, others for members of any cluster or of their own; what was taken off, for
    those who posted it, for those who may take it off, and for the fund."""
    statement = select(BoardPost)
    if actor.system or actor.has(*_READING_FUND):
        return statement
    mine = list(actor.memberships)
    run = select(Cluster.id).where(Cluster.spec_org_id.in_(mine))
    belongs = select(ClusterMember.cluster_id).where(
        ClusterMember.organisation_id.in_(mine), ClusterMember.state == MembershipState.CONFIRMED
    )
    inside = or_(BoardPost.cluster_id.in_(belongs), BoardPost.cluster_id.in_(run))
    registered = or_(belongs.exists(), run.exists())
    return statement.where(
        or_(
            BoardPost.organisation_id.in_(mine),
            BoardPost.cluster_id.in_(run),
            and_(
                BoardPost.state != PostState.REMOVED,
                or_(
                    BoardPost.visibility == Visibility.PUBLIC,
                    and_(BoardPost.visibility == Visibility.MEMBERS, registered),
                    inside,
                ),
            ),
        )
    )


@scope_of(RegisterImport)
def _imports(actor: Actor) -> Select[Any]:
    """The register's are the administrator's; those of a cluster's map also its specialised organisation's."""
    statement = select(RegisterImport)
    if actor.has(Role.ADMINISTRATOR):
        return statement
    kept = [key for key in actor.memberships if actor.acts_for(key, *_WRITERS)]
    if not kept:
        return statement.where(false())
    return statement.where(RegisterImport.cluster_id.in_(select(Cluster.id).where(Cluster.spec_org_id.in_(kept))))


@scope_of(Roadmap)
def _roadmaps(actor: Actor) -> Select[Any]:
    """Published versions are public; a draft is known to the specialised organisation's people."""
    statement = select(Roadmap)
    if actor.system or actor.has(Role.ADMINISTRATOR, Role.AUDITOR):
        return statement
    mine = select(Cluster.id).where(Cluster.spec_org_id.in_(list(actor.memberships)))
    return statement.where(or_(Roadmap.state == RoadmapState.PUBLISHED, Roadmap.cluster_id.in_(mine)))

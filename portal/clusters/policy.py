"""Who may do what in the register of clusters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, false, or_, select

from portal.clusters.models import Cluster, ClusterMember, MembershipState, RegisterImport
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

_SIGNERS = (OrgRole.OWNER, OrgRole.SIGNATORY)

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
    if actor.system or actor.has(*(FUND - {Role.REVIEWER})):
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


@scope_of(RegisterImport)
def _imports(actor: Actor) -> Select[Any]:
    statement = select(RegisterImport)
    return statement if actor.has(Role.ADMINISTRATOR) else statement.where(false())

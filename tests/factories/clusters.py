"""Clusters and memberships."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.clock import now
from portal.identity.models import Organisation

_serial = itertools.count(1)


def cluster(session: Session, *, spec_org: Organisation | None = None, **fields: Any) -> Cluster:
    """A cluster in the register since June 2016, without an end."""
    number = next(_serial)
    row = Cluster(
        **{
            "code": f"T{number}",
            "name_ru": f"Демо-кластер {number}",
            "name_en": f"Demo cluster {number}",
            "sector_ru": "станкостроение",
            "sector_en": "machine tools",
            "regions": ["36"],
            "registered_on": date(2016, 6, 1),
            "valid_until": None,
            "spec_org_id": spec_org.id if spec_org else None,
            **fields,
        }
    )
    session.add(row)
    session.flush()
    return row


def membership(
    session: Session,
    cluster: Cluster,
    organisation: Organisation,
    state: str = MembershipState.CONFIRMED,
    **fields: Any,
) -> ClusterMember:
    """A membership, confirmed unless another state is given."""
    at = now(session)
    row = ClusterMember(
        **{
            "cluster_id": cluster.id,
            "organisation_id": organisation.id,
            "state": state,
            "product": "gate valves",
            "requested_at": at,
            "decided_at": None if state == MembershipState.REQUESTED else at,
            "reason": "Demo reason" if state == MembershipState.REFUSED else None,
            **fields,
        }
    )
    session.add(row)
    session.flush()
    return row

"""What the pages of one cluster share: its badges, its tabs, and the words for its kinds."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.clusters import profile_queries
from portal.clusters.models import Cluster
from portal.clusters.profile_models import ActionKind, ActionState, Infrastructure, Paper, Programme
from portal.core import regions
from portal.core.clock import today
from portal.core.db import session
from portal.identity.policy import Actor, Permission, allowed, find
from portal.web.language import locale
from portal.web.page import current_actor

PROGRAMMES: Final = {
    Programme.PILOT_INNOVATIVE: _l("Pilot innovative cluster"),
    Programme.LEADING: _l("Leading cluster"),
    Programme.INDUSTRIAL: _l("Industrial cluster"),
}
INFRASTRUCTURE: Final = {
    Infrastructure.EDUCATION: _l("Education"),
    Infrastructure.TECHNOLOGY: _l("Technology"),
    Infrastructure.FINANCE: _l("Finance and support"),
}
PAPERS: Final = {
    Paper.AGREEMENT: _l("Participation agreement"),
    Paper.PROGRAMME: _l("Development programme"),
    Paper.MAP: _l("Functional map"),
    Paper.MEMBERS: _l("List of members"),
    Paper.REGION: _l("Agreement with the region"),
    Paper.OTHER: _l("Other document"),
}
ACTION_KINDS: Final = {
    ActionKind.LOGISTICS: _l("Logistics"),
    ActionKind.WAREHOUSE: _l("Warehouse"),
    ActionKind.MARKET: _l("Market access and sales"),
    ActionKind.RETRAINING: _l("Retraining"),
    ActionKind.RCC: _l("Regional competence centre"),
    ActionKind.PRODUCTIVITY: _l("Labour productivity"),
    ActionKind.CHAIN: _l("Open product chain"),
    ActionKind.INVESTMENT: _l("Investment project"),
    ActionKind.OTHER: _l("Other"),
}
ACTION_STATES: Final = {
    ActionState.PLANNED: _l("Planned"),
    ActionState.RUNNING: _l("Under way"),
    ActionState.DONE: _l("Done"),
    ActionState.DROPPED: _l("Dropped"),
}
_TABS: Final = (
    ("show", "clusters.show", _l("Overview")),
    ("map", "cluster_map.show", _l("Functional map")),
    ("figures", "cluster_map.figures", _l("Requirements and figures")),
    ("roadmap", "cluster_roadmap.show", _l("Roadmap")),
    ("board", "board.index", _l("Needs and offers")),
)


def opened(cluster_id: UUID) -> tuple[Actor, Cluster]:
    """The cluster of a page, through the reader's scope."""
    actor = current_actor()
    return actor, find(session(), actor, Cluster, cluster_id)


def frame(actor: Actor, cluster: Cluster, tab: str) -> dict[str, Any]:
    """Variables of ``clusters/_frame.html``: the cluster, its badges, tabs, and whether the reader keeps it."""
    current = session()
    day = today(current)
    return {
        "cluster": cluster,
        "badges": profile_queries.badges(current, [cluster], day)[cluster.id],
        "tabs_of": [(name, endpoint, label, name == tab) for name, endpoint, label in _TABS],
        "keeps": allowed(actor, Permission.CLUSTER_KEEP, cluster),
        "today": day,
        "region_name": region_name,
        "programme_names": PROGRAMMES,
    }


def region_name(code: str) -> str:
    """The region in the language of the page; the code itself where it is unknown."""
    region = regions.find(code)
    return region.name_in(locale()) if region else code


def organisation_name(row: Any) -> str:
    """The organisation in the language of the page, with its INN: what a list to choose from shows."""
    name = row.name_ru if locale() == "ru" else row.name_en or row.name_ru
    return str(_("%(name)s, INN %(inn)s", name=name, inn=row.inn))

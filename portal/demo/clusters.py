"""The register of the demo: real names of clusters, organisations that do not exist.

The clusters, their regions and sectors are public facts (``D13`` has no entry in the register that could be
verified, so it has none here). Every organisation carries "demo" in its name and identifiers of
:mod:`portal.demo.identifiers`; there are no people.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.db import uuid7
from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.identity.models import Organisation


@dataclass(frozen=True, slots=True)
class Trade:
    """What a demo organisation makes: the word of its name, its OKVED 2 code, and its product in both languages."""

    ru: str
    en: str
    okved2: str
    product: str
    product_en: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster of the demo; ``makers`` are its own trades, the first of them makes the final product."""

    code: str
    name_ru: str
    name_en: str
    sector_ru: str
    sector_en: str
    regions: tuple[str, ...]
    place_ru: str
    place_en: str
    registered_on: date | None
    suppliers: int
    makers: tuple[Trade, ...]


def _read() -> tuple[tuple[Trade, ...], tuple[Entry, ...]]:
    data = json.loads(_FILE.read_text("utf-8"))
    entries = []
    for item in data["clusters"]:
        makers = tuple(Trade(**maker) for maker in item.pop("makers"))
        registered_on = date.fromisoformat(item["registered_on"]) if item["registered_on"] else None
        entries.append(
            Entry(**{**item, "regions": tuple(item["regions"]), "registered_on": registered_on, "makers": makers})
        )
    return tuple(Trade(**trade) for trade in data["suppliers"]), tuple(entries)


_FILE: Final = Path(__file__).with_name("data") / "clusters.json"
SUPPLIERS, ENTRIES = _read()

# Size class, head-count and income (roubles): within the limits of 209-FZ.
_LARGE: Final = ("none", 640, Decimal("2650000000.00"))
_MEDIUM: Final = ("medium", 190, Decimal("1480000000.00"))
_SMALL: Final = ("small", 86, Decimal("510000000.00"))
_MICRO: Final = ("micro", 12, Decimal("64000000.00"))
_SIZES: Final = (
    _LARGE, _LARGE, _SMALL, _LARGE, _LARGE, _SMALL, _LARGE, _LARGE, _MEDIUM, _MICRO,
)  # fmt: skip
_SERIALS_PER_CLUSTER: Final = 100


@dataclass(frozen=True, slots=True)
class DemoCluster:
    """A loaded cluster with its specialised organisation and its members, final producers first."""

    cluster: Cluster
    spec_org: Organisation
    members: tuple[Organisation, ...]


def load(session: Session) -> dict[str, DemoCluster]:
    """Write the demo register into an empty database; returns the clusters by code. Does not commit."""
    loaded = {}
    for number, entry in enumerate(ENTRIES, start=1):
        loaded[entry.code] = _load(session, entry, number * _SERIALS_PER_CLUSTER)
    session.flush()
    return loaded


def trades(entry: Entry) -> tuple[Trade, ...]:
    """What the members of a cluster make: its own trades first, then ordinary suppliers."""
    return entry.makers + SUPPLIERS[: entry.suppliers]


def _load(session: Session, entry: Entry, serial: int) -> DemoCluster:
    spec_org = _organisation(
        entry,
        serial,
        "70.22",
        f"ООО «Демо-Центр развития кластера {entry.place_ru}»",
        f"Demo {entry.place_en} Cluster Development Centre LLC",
    )
    cluster = Cluster(
        id=uuid7(),
        code=entry.code,
        name_ru=entry.name_ru,
        name_en=entry.name_en,
        sector_ru=entry.sector_ru,
        sector_en=entry.sector_en,
        regions=list(entry.regions),
        registered_on=entry.registered_on,
        valid_until=None,
        spec_org_id=spec_org.id,
    )
    decided = datetime(2016, 6, 20, 9, 0, tzinfo=UTC)
    members = []
    for place, trade in enumerate(trades(entry), start=1):
        form_ru, form_en = ("АО", "JSC") if place % 3 == 1 else ("ООО", "LLC")
        organisation = _organisation(
            entry,
            serial + place,
            trade.okved2,
            f"{form_ru} «Демо-{trade.ru} {entry.place_ru}»",
            f"Demo {entry.place_en} {trade.en} {form_en}",
        )
        members.append(organisation)
        session.add(
            ClusterMember(
                cluster_id=cluster.id,
                organisation_id=organisation.id,
                state=MembershipState.CONFIRMED,
                final_producer=place == 1,
                product=trade.product,
                decided_at=decided,
            )
        )
    session.add_all([spec_org, cluster, *members])
    return DemoCluster(cluster, spec_org, tuple(members))


def _organisation(entry: Entry, serial: int, okved2: str, name_ru: str, name_en: str) -> Organisation:
    region = entry.regions[serial % len(entry.regions)]
    sme, headcount, income = _SIZES[serial % len(_SIZES)]
    return Organisation(
        id=uuid7(),
        inn=demo_inn(region, serial),
        kpp=demo_kpp(region),
        ogrn=demo_ogrn(region, serial),
        okved2=okved2,
        region=region,
        name_ru=name_ru,
        name_en=name_en,
        sme=sme,
        headcount=headcount,
        income=income,
        offshore_share=Decimal("0.00"),
    )

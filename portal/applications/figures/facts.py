"""From a package (a draft with gaps, or a frozen submission) to the figures that the rules speak of.

Sums are roubles; ratios, shares and percentage points are kept to four decimals, half up. ``None`` means "not
filled in yet". The arithmetic of caps and limits is in :mod:`portal.applications.figures.estimate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.applications.drafts.reading import added, mapping, parts, sums, total
from portal.applications.figures.estimate import SOURCES, Costs, subsidy_limits, subsidy_max
from portal.core.figures import decimal_of, exact, four_places, int_of, ratio, share
from portal.tenders.ruleset import RuleSet

PRIVATE: Final = ("own", "loans", "idf_loan")
SME_SIZES: Final = ("micro", "small", "medium")
_HUNDRED_MILLION: Final = Decimal(100_000_000)


@dataclass(frozen=True, slots=True)
class ParticipantFacts:
    """One participant's sums, roubles; ``sme`` is None while the organisation's size is not known."""

    id: str
    role: str
    sme: bool | None
    costs: Mapping[str, Decimal]
    costs_total: Decimal
    eligible: Decimal
    financing: Mapping[str, Decimal]
    financing_total: Decimal
    subsidy_by_year: Mapping[str, Decimal]
    subsidy: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures of one project. Metrics of ``tenders.metrics`` are attributes of the same name."""

    participants: tuple[ParticipantFacts, ...]
    participant_count: int
    costs_by_category: Mapping[str, Decimal]
    costs_by_year: Mapping[str, Decimal]
    costs_total: Decimal | None
    cap_base: Decimal | None
    eligible_by_category: Mapping[str, Decimal]
    eligible: Decimal | None
    sme_eligible: Decimal | None
    sme_share: Decimal | None
    financing: Mapping[str, Decimal]
    own: Decimal | None
    loans: Decimal | None
    regional: Decimal | None
    private: Decimal | None
    subsidy_by_year: Mapping[str, Decimal]
    subsidy: Decimal | None
    subsidy_share: Decimal | None
    subsidy_max: Decimal | None
    leverage: Decimal | None
    taxes: Decimal | None
    sales: Decimal | None
    budget_efficiency: Decimal | None
    hpj: int | None
    jobs: int | None
    hpj_per_100m: Decimal | None
    subsidy_per_hpj: Decimal | None
    import_share_now: Decimal | None
    import_share_target: Decimal | None
    import_fall: Decimal | None
    localisation: Decimal | None
    sold_to_members: Decimal | None
    export_revenue: Decimal | None
    export_to_subsidy: Decimal | None
    export_share: Decimal | None
    export_countries: int | None
    npv: Decimal | None
    irr: Decimal | None
    discount_rate: Decimal | None
    irr_spread: Decimal | None
    trl: int | None
    rcc: int | None
    agreement_years: int | None


def facts(package: Mapping[str, Any], rules: RuleSet) -> Facts:
    """All figures of ``package`` under ``rules``; never fails on gaps or on values that are not numbers."""
    with exact():
        return _facts(package, rules)


def _facts(package: Mapping[str, Any], rules: RuleSet) -> Facts:
    project = mapping(package.get("project"))
    entered = [_entered(item) for item in parts(package)]
    costs = Costs([item.costs for item in entered], rules)
    participants = tuple(item.facts(held) for item, held in zip(entered, costs.shares, strict=True))
    financing = added(item.financing for item in participants)
    own = financing.get("own")
    private = total({source: financing[source] for source in PRIVATE if source in financing})
    subsidy_by_year = added(item.subsidy_by_year for item in participants)
    subsidy = total(subsidy_by_year)
    sme_eligible = _sme(participants)
    taxes = decimal_of(project.get("taxes_total"))
    hpj = int_of(project.get("hpj_new"))
    export_revenue = decimal_of(project.get("export_revenue_total"))
    import_now, import_target = (decimal_of(project.get(f"import_share_{when}")) for when in ("now", "target"))
    irr, discount = decimal_of(project.get("irr")), decimal_of(project.get("discount_rate"))
    return Facts(
        participants=participants,
        participant_count=len(participants),
        costs_by_category=costs.by_category,
        costs_by_year=added(item.costs_by_year for item in entered),
        costs_total=total(costs.by_category),
        cap_base=costs.base,
        eligible_by_category=costs.counted,
        eligible=costs.eligible,
        sme_eligible=sme_eligible,
        sme_share=share(sme_eligible, costs.eligible),
        financing=financing,
        own=own,
        loans=total({source: financing[source] for source in ("loans", "idf_loan") if source in financing}),
        regional=financing.get("regional"),
        private=private,
        subsidy_by_year=subsidy_by_year,
        subsidy=subsidy,
        subsidy_share=share(subsidy, costs.eligible),
        subsidy_max=None if costs.eligible is None else subsidy_max(subsidy_limits(costs.eligible, own, rules)),
        leverage=ratio(private, subsidy),
        taxes=taxes,
        sales=decimal_of(project.get("sales_total")),
        budget_efficiency=ratio(taxes, subsidy),
        hpj=hpj,
        jobs=int_of(project.get("jobs_new")),
        hpj_per_100m=ratio(None if hpj is None else hpj * _HUNDRED_MILLION, subsidy),
        subsidy_per_hpj=ratio(subsidy, None if hpj is None else Decimal(hpj)),
        import_share_now=import_now,
        import_share_target=import_target,
        import_fall=_difference(import_now, import_target),
        localisation=decimal_of(project.get("localisation_target")),
        sold_to_members=decimal_of(project.get("sold_to_members")),
        export_revenue=export_revenue,
        export_to_subsidy=ratio(export_revenue, subsidy),
        export_share=decimal_of(project.get("export_share")),
        export_countries=_countries(project.get("export_countries")),
        npv=decimal_of(project.get("npv")),
        irr=irr,
        discount_rate=discount,
        irr_spread=_difference(irr, discount),
        trl=int_of(project.get("trl")),
        rcc=int(project["rcc"]) if isinstance(project.get("rcc"), bool) else None,
        agreement_years=int_of(project.get("agreement_years")),
    )


@dataclass(frozen=True, slots=True)
class _Entered:
    id: str
    role: str
    sme: bool | None
    costs: dict[str, Decimal]
    costs_by_year: dict[str, Decimal]
    financing: dict[str, Decimal]
    subsidy_by_year: dict[str, Decimal]

    def facts(self, held: Mapping[str, Decimal]) -> ParticipantFacts:
        return ParticipantFacts(
            id=self.id,
            role=self.role,
            sme=self.sme,
            costs=self.costs,
            costs_total=sum(self.costs.values(), Decimal(0)),
            eligible=sum(held.values(), Decimal(0)),
            financing=self.financing,
            financing_total=sum(self.financing.values(), Decimal(0)),
            subsidy_by_year=self.subsidy_by_year,
            subsidy=sum(self.subsidy_by_year.values(), Decimal(0)),
        )


def _entered(part: Mapping[str, Any]) -> _Entered:
    table = {code: sums(years) for code, years in mapping(part.get("costs")).items()}
    financing = {source: sums(years) for source, years in mapping(part.get("financing")).items()}
    sme = mapping(part.get("organisation")).get("sme")
    return _Entered(
        id=str(part.get("id", "")),
        role=str(part.get("role", "")),
        sme=None if not sme else sme in SME_SIZES,
        costs={code: sum(years.values(), Decimal(0)) for code, years in table.items() if years},
        costs_by_year=added(table.values()),
        financing={
            source: sum(years.values(), Decimal(0))
            for source, years in financing.items()
            if years and source in SOURCES
        },
        subsidy_by_year=sums(part.get("subsidy")),
    )


def _difference(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    return None if left is None or right is None else four_places(left - right)


def _sme(participants: Iterable[ParticipantFacts]) -> Decimal | None:
    """Eligible costs of small and medium enterprises; None while the size of one with costs is not known."""
    total = Decimal(0)
    for item in participants:
        if item.eligible and item.sme is None:
            return None
        if item.sme:
            total += item.eligible
    return total


def _countries(value: object) -> int | None:
    if not isinstance(value, (list, tuple)):
        return None
    return len({str(code).strip().upper() for code in value if str(code).strip()}) or None

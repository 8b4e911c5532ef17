"""Fifteen joint projects for the demonstration and the tests, and the complete package of each.

The clusters are real; costs, subsidies, jobs and taxes are scaled on the means of the real programme; the
rest is invented, and every organisation says "demo". Two are negative examples: P14 (net present value below
zero, tax debt) and P15 (55 % of the eligible costs asked).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.tenders.ruleset import Giver, Need, RuleSet

MILLION: Final = 1_000_000
DISCOUNT_RATE: Final = 14
SUBSIDY_PERCENT: Final = {"import_substitution": (45, 35, 20), "export": (40, 35, 25)}
"""How the request is spread over the track's years, three at most."""
COST_PERCENT: Final = {"CC-01": 10, "CC-03": 10, "CC-05": 5, "CC-08": 15, "CC-04": 60}
"""How the eligible costs are spread over the categories, within every cap."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of the real register with the region of its seat."""

    code: str
    region: str
    name_ru: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Project:
    """One row; sums in million roubles, shares in percent, ``spread``: IRR above the discount rate, points.

    ``members``: number of participants; ``sme``: their share of the eligible costs that small ones bear.
    """

    code: str
    track: str
    cluster: str
    title_ru: str
    title_en: str
    okpd2: str
    tn_ved: str
    capex: str
    eligible: str
    subsidy: str
    hpj: int
    taxes: str
    spread: int
    npv: int
    members: int
    sme: int
    sold_to_members: int
    import_now: int
    import_target: int
    export_revenue: int = 0
    export_share: int = 0
    countries: tuple[str, ...] = ()
    tax_debt: bool = False


CLUSTERS: Final = {
    cluster.code: cluster
    for cluster in (
        Cluster(
            "D1",
            "36",
            "Кластер производителей нефтегазового и химического оборудования Воронежской области",
            "Oil-gas and chemical equipment makers of Voronezh Oblast",
        ),
        Cluster(
            "D2",
            "48",
            "Промышленный кластер станкостроения и станкоинструментальной промышленности «Липецкмаш»",
            "Lipetskmash",
        ),
        Cluster(
            "D3",
            "60",
            "Промышленный электротехнический кластер Псковской области",
            "Electrotechnical cluster of Pskov Oblast",
        ),
        Cluster("D4", "50", "Кластер метровагоностроения", "Metro car building cluster of Moscow and Tver Oblasts"),
        Cluster("D5", "50", "Промышленный кластер микроэлектроники и приборостроения «Фрязино»", "Fryazino"),
        Cluster(
            "D6",
            "16",
            "Машиностроительный кластер Республики Татарстан",
            "Machine-building cluster of Tatarstan",
        ),
        Cluster(
            "D7",
            "16",
            "Межрегиональный промышленный кластер «Композиты без границ»",
            "Composites without Borders",
        ),
        Cluster(
            "D8",
            "52",
            "Автомобильный промышленный кластер Нижегородской области",
            "Automotive cluster of Nizhny Novgorod Oblast",
        ),
        Cluster(
            "D9",
            "38",
            "Промышленный машиностроительный кластер Иркутской области",
            "Machine-building cluster of Irkutsk Oblast",
        ),
        Cluster(
            "D10",
            "45",
            "Курганский территориально-отраслевой комплекс «Новые технологии арматуростроения»",
            "Kurgan: new valve technologies",
        ),
        Cluster("D11", "55", "Омский биокластер", "Omsk biocluster"),
        Cluster(
            "D12",
            "22",
            "Алтайский кластер аграрного машиностроения («АлтаКАМ»)",
            "Altai cluster of agricultural machinery",
        ),
    )
}

_IS, _EX = "import_substitution", "export"
# fmt: off
_ROWS: Final = (
    Project("P01", _IS, "D1", "Автоматизированный модуль обвязки скважин", "Automated well-piping module",
            "28.92.61.110", "8431430000", "640", "420", "195", 62, "610", 7, 96, 4, 12, 40, 70, 25),
    Project("P02", _IS, "D2", "Семейство обрабатывающих центров с ЧПУ с российскими шпинделями",
            "CNC machining centre family, Russian spindle units",
            "28.41.22.110", "8457101000", "820", "510", "240", 88, "540", 6, 115, 5, 18, 35, 65, 35),
    Project("P03", _IS, "D3", "Элегазовое оборудование 110–220 кВ с локализованными изоляторами",
            "SF6 switchgear 110-220 kV, localised insulators",
            "27.12.10.110", "8535210000", "455", "300", "140", 41, "380", 8, 70, 3, 10, 30, 60, 30),
    Project("P04", _IS, "D4", "Тормозная система тележки вагона метро", "Bogie brake system for metro cars",
            "30.20.40.140", "8607211000", "390", "260", "118", 35, "300", 9, 66, 4, 15, 50, 55, 30),
    Project("P05", _IS, "D6", "Аккумуляторные батареи EFB для грузовых автомобилей",
            "EFB batteries for trucks",
            "27.20.21.000", "8507102000", "1150", "495", "247.5", 96, "900", 8, 160, 3, 8, 30, 50, 25),
    Project("P06", _IS, "D7", "Линия ПАН-прекурсора углеродного волокна", "PAN precursor fibre line",
            "20.60.11.110", "5503300000", "2400", "994", "497", 130, "1650", 5, 240, 6, 10, 45, 90, 40),
    Project("P07", _IS, "D10", "Отливки корпусов арматуры DN 300–800 с поставщиками МСП",
            "Valve body castings DN 300-800 with small suppliers",
            "28.14.20.110", "8481909000", "310", "205", "98", 28, "190", 6, 38, 5, 35, 40, 45, 20),
    Project("P08", _IS, "D11", "Кормовые ферменты и премикс лизина", "Feed enzymes and lysine premix",
            "10.91.10.210", "3507909000", "275", "180", "85", 22, "150", 4, 24, 4, 30, 45, 80, 50),
    Project("P09", _EX, "D8", "Цельнометаллические фургоны для Латинской Америки и Ближнего Востока",
            "All-metal vans for Latin America and the Middle East",
            "29.10.41.110", "8704219100", "2900", "1300", "620", 210, "2400", 7, 410, 6, 12, 35, 35, 20,
            3100, 45, ("BR", "MX", "EG", "SA", "AE")),
    Project("P10", _EX, "D8", "Автокомпоненты на экспорт: дверные системы",
            "Export automotive components: door systems",
            "29.32.30.390", "8708299009", "760", "430", "205", 74, "520", 9, 130, 4, 15, 30, 40, 25,
            900, 40, ("DE", "CZ", "KZ", "TR")),
    Project("P11", _EX, "D12", "Почвообрабатывающие машины для Казахстана, Монголии, ЕС",
            "Tillage machines for Kazakhstan, Mongolia and the EU",
            "28.30.31.110", "8432100000", "340", "225", "108", 36, "210", 6, 44, 5, 30, 40, 30, 20,
            420, 48, ("KZ", "MN", "DE")),
    Project("P12", _EX, "D5", "Мобильные газотурбинные установки для Юго-Восточной Азии",
            "Mobile gas-turbine sets for South-East Asia",
            "28.11.23.000", "8411822000", "1450", "690", "330", 85, "980", 8, 210, 4, 10, 25, 45, 30,
            1650, 55, ("VN", "MY", "ID")),
    Project("P13", _EX, "D9", "Узлы горных машин", "Mining machinery assemblies",
            "28.92.61.120", "8431490000", "520", "330", "160", 48, "330", 3, 30, 3, 12, 35, 40, 30,
            560, 35, ("KZ", "MN")),
    Project("P14", _IS, "D4", "Композитные интерьеры рельсовых автобусов", "Railbus interior composites",
            "30.20.40.160", "8607910000", "210", "150", "75", 12, "40", -2, -18, 2, 5, 20, 60, 45,
            tax_debt=True),
    Project("P15", _EX, "D2", "Станочные узлы на экспорт", "Machine-tool units for export",
            "28.49.23.190", "8466933000", "300", "200", "110", 20, "120", 5, 22, 3, 20, 30, 40, 30,
            600, 50, ("BY", "KZ", "IN", "VN", "EG")),
)
# fmt: on

PROJECTS: Final = {project.code: project for project in _ROWS}

_ORGANISATIONS: Final = (
    ("АО «Демо-Сборка {n}»", "Demo Assembly {n} JSC", "28.99", "none"),
    ("ООО «Демо-Деталь {n}»", "Demo Parts {n} LLC", "25.62", "small"),
    ("АО «Демо-Сталь {n}»", "Demo Steel {n} JSC", "24.10", "none"),
    ("ООО «Демо-Привод {n}»", "Demo Drive {n} LLC", "28.15", "none"),
    ("ООО «Демо-Литьё {n}»", "Demo Castings {n} LLC", "24.51", "none"),
    ("АО «Демо-Электро {n}»", "Demo Electric {n} JSC", "27.12", "none"),
)


def organisations(project: Project) -> list[dict[str, Any]]:
    """The organisations of a project in the order of its participants, the initiator first."""
    cluster, number = CLUSTERS[project.cluster], int(project.code[1:])
    found = []
    for place, (name_ru, name_en, okved2, sme) in enumerate(_ORGANISATIONS[: project.members]):
        serial = number * 10 + place
        found.append(
            {
                "id": f"{project.code}-O{place}",
                "name_ru": name_ru.format(n=serial),
                "name_en": name_en.format(n=serial),
                "inn": demo_inn(cluster.region, serial),
                "kpp": demo_kpp(cluster.region),
                "ogrn": demo_ogrn(cluster.region, serial),
                "okved2": okved2,
                "region": cluster.region,
                "sme": sme,
                "offshore_share": "0",
            }
        )
    return found


def package(project: Project, rules: RuleSet, filed_on: str = "2018-08-20") -> dict[str, Any]:
    """The complete package of a project: it can be submitted, and shows what its row is meant to show.

    The project starts in the year before ``filed_on``; the tender of 2018 is the one the rows were made for.
    """
    cluster = CLUSTERS[project.cluster]
    return {
        "format": 1,
        "tender": {"id": "demo-2018", "code": "2018", "year": 2018},
        "track": project.track,
        "cluster": {
            "id": cluster.code,
            "name_ru": cluster.name_ru,
            "name_en": cluster.name_en,
            "in_register": True,
            "valid_until": "2023-06-01",
            "regions": [cluster.region],
        },
        "project": _passport(project, int(filed_on[:4])),
        "participants": participants(project, rules, filed_on),
        "kpi": _kpi(project, rules),
        "documents": _documents(rules, Giver.PROJECT, project.code, filed_on),
    }


def participants(project: Project, rules: RuleSet, filed_on: str = "2018-08-20") -> list[dict[str, Any]]:
    """The participants' parts. The small enterprises bear ``sme`` percent, the initiator most of the rest."""
    people = organisations(project)
    spent = (int(filed_on[:4]) - 1, int(filed_on[:4]))
    weights = _weights(project)
    eligible, subsidy = _roubles(project.eligible), _roubles(project.subsidy)
    other = _roubles(project.capex) - eligible
    parts = []
    for place, (organisation, one, two, three) in enumerate(
        zip(people, _split(eligible, weights), _split(other, weights), _split(subsidy, weights), strict=True)
    ):
        costs = dict(zip(COST_PERCENT, _split(one, tuple(COST_PERCENT.values())), strict=True)) | {"CC-99": two}
        private = one + two - three
        loans = private * 3 // 5
        parts.append(
            {
                "id": f"{project.code}-{place}",
                "role": "participant" if place else "initiator",
                "organisation": organisation,
                "cluster_member": True,
                "costs": {code: _years(amount, spent, (50, 50)) for code, amount in costs.items()},
                "financing": {
                    "own": _years(private - loans, spent, (50, 50)),
                    "loans": _years(loans, spent, (50, 50)),
                },
                "subsidy": _years(three, rules.years, SUBSIDY_PERCENT[project.track][: len(rules.years)]),
                "documents": _documents(rules, Giver.EACH, f"{project.code}-{place}", filed_on),
                "declarations": _declarations(project, place, rules),
            }
        )
    return parts


def _weights(project: Project) -> tuple[int, ...]:
    """Percent of the costs per participant; the second is the small enterprise, the first the initiator."""
    others = (100 - project.sme) * 2 // 5 // max(project.members - 2, 1) if project.members > 2 else 0
    rest = (others,) * (project.members - 2)
    return (100 - project.sme - sum(rest), project.sme, *rest)


def _declarations(project: Project, place: int, rules: RuleSet) -> dict[str, bool]:
    answers = {item.code: item.code != "EL-18" for item in rules.declarations}
    if project.tax_debt and place == 1:
        answers["EL-12"] = False
    return answers


def _passport(project: Project, year: int) -> dict[str, Any]:
    export = project.track == _EX
    sales = project.export_revenue * MILLION * 100 // project.export_share if export else _roubles(project.subsidy) * 5
    return {
        "name_ru": project.title_ru,
        "name_en": project.title_en,
        "summary": f"{project.title_ru}. Демонстрационный проект.",
        "product_name": project.title_ru,
        "okpd2": project.okpd2,
        "tn_ved": project.tn_ved,
        "final_product": True,
        "analogue_abroad": "Серийные изделия зарубежных изготовителей",
        "is_plan": None if export else "Отраслевой план импортозамещения",
        "import_share_now": f"{project.import_now}",
        "import_share_target": f"{project.import_target}",
        "localisation_target": f"{100 - project.import_target}",
        "trl": 7,
        "site_region": CLUSTERS[project.cluster].region,
        "start_on": f"{year - 1}-02-01",
        "finish_on": f"{year + 2}-12-15",
        "agreement_years": 5,
        "costs_from": f"{year - 1}-02-01",
        "stages": "Документация; оснастка и оборудование; опытная партия; серийное производство",
        "risks": "Сроки поставки оборудования; рост цен на сырьё",
        "npv": f"{project.npv * MILLION}.00",
        "irr": f"{DISCOUNT_RATE + project.spread}",
        "discount_rate": f"{DISCOUNT_RATE}",
        "payback_years": "4.5",
        "taxes_total": f"{_roubles(project.taxes)}.00",
        "sales_total": f"{sales}.00",
        "export_revenue_total": f"{project.export_revenue * MILLION}.00" if export else None,
        "export_share": f"{project.export_share}" if export else None,
        "export_countries": list(project.countries),
        "export_contracts": "Рамочные договоры поставки" if export else None,
        "sold_to_members": f"{project.sold_to_members}",
        "hpj_new": project.hpj,
        "jobs_new": project.hpj * 3 // 2,
        "roadmap_action": "Развитие производства конечной продукции",
        "rcc": True,
    }


def _kpi(project: Project, rules: RuleSet) -> dict[str, dict[str, str]]:
    """Targets that grow evenly to the last half-year; the import share falls evenly."""
    periods = rules.kpi_periods
    private = Decimal(project.capex) - Decimal(project.subsidy)
    ends = {
        "K1": Decimal(project.subsidy) * 2,
        "K6": Decimal(project.hpj * 3 // 2),
        "K7": Decimal(project.hpj),
        "K8": private,
        "K9": Decimal(project.taxes) / 2,
    }
    if project.export_revenue:
        ends["K5"] = Decimal(project.export_revenue) / 2
    table = {
        code: {period: _tidy(end * place / len(periods)) for place, period in enumerate(periods, start=1)}
        for code, end in ends.items()
    }
    fall = Decimal(project.import_now - project.import_target)
    table["K3"] = {
        period: _tidy(project.import_now - fall * place / len(periods)) for place, period in enumerate(periods, start=1)
    }
    return table


def _documents(rules: RuleSet, giver: Giver, owner: str, issued_on: str) -> list[dict[str, Any]]:
    return [
        {
            "code": item.code,
            "file_id": f"{owner}-{item.code}",
            "name": f"{item.code.lower()}.{item.formats[0]}",
            "sha256": "0" * 64,
            "size": 1024,
            "issued_on": issued_on if item.max_age_days else None,
        }
        for item in rules.documents
        if item.giver is giver and item.need is Need.REQUIRED
    ]


def _roubles(millions: str) -> int:
    return int(Decimal(millions) * MILLION)


def _split(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` in whole parts by ``weights``; the first part takes what rounding leaves."""
    shares = [amount * weight // sum(weights) for weight in weights]
    shares[0] += amount - sum(shares)
    return shares


def _years(amount: int, years: Sequence[int], weights: Sequence[int]) -> dict[str, str]:
    return {str(year): f"{part}.00" for year, part in zip(years, _split(amount, weights), strict=True) if part}


def _tidy(value: Decimal) -> str:
    return format(value.quantize(Decimal("0.1")), "f")


def amounts(parts: Sequence[Mapping[str, Any]]) -> dict[int, Decimal]:
    """The requested subsidy of all participants by year, roubles."""
    total: dict[int, Decimal] = {}
    for part in parts:
        for year, text in part["subsidy"].items():
            total[int(year)] = total.get(int(year), Decimal(0)) + Decimal(text)
    return dict(sorted(total.items()))

"""The register of the demo: real names of clusters, organisations that do not exist.

The clusters, their regions and sectors are public facts (``D13`` has no entry in the register that could be
verified, so it has none here). Every organisation carries "demo" in its name and identifiers of
:mod:`portal.demo.identifiers`; there are no people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.db import uuid7
from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.identity.models import Organisation


@dataclass(frozen=True, slots=True)
class Trade:
    """What a demo organisation makes: the word of its name, its OKVED 2 code and its product."""

    ru: str
    en: str
    okved2: str
    product: str


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


SUPPLIERS: Final = (
    Trade("Литьё", "Casting", "24.51", "отливки из чугуна и стали"),
    Trade("Поковка", "Forge", "25.50", "поковки и штампованные заготовки"),
    Trade("Крепёж", "Fasteners", "25.94", "крепёжные изделия"),
    Trade("Инструмент", "Tooling", "25.73", "металлорежущий инструмент"),
    Trade("Кабель", "Cable", "27.32", "кабельные сборки"),
    Trade("Электропривод", "Drives", "27.11", "электродвигатели и приводы"),
    Trade("Гидравлика", "Hydraulics", "28.12", "гидроцилиндры и насосы"),
    Trade("Покрытие", "Coatings", "25.61", "гальванические и полимерные покрытия"),
    Trade("Полимер", "Polymers", "22.29", "детали из пластмасс"),
    Trade("Резинотехника", "Rubber", "22.19", "уплотнения и резинотехнические изделия"),
)

ENTRIES: Final = (
    Entry(
        "D1",
        "Кластер производителей нефтегазового и химического оборудования Воронежской области",
        "Oil-gas and chemical equipment makers of Voronezh Oblast",
        "нефтегазовое и химическое оборудование",
        "oil, gas and chemical equipment",
        ("36",),
        "Воронеж",
        "Voronezh",
        date(2016, 6, 15),
        9,
        (
            Trade("Нефтемаш", "Oilmash", "28.92", "блочно-модульное оборудование обвязки скважин"),
            Trade("Арматура", "Valves", "28.14", "трубопроводная арматура высокого давления"),
            Trade("Химмаш", "Chemmash", "28.99", "теплообменные аппараты и колонны"),
            Trade("Компрессор", "Compressors", "28.13", "компрессоры и насосные агрегаты"),
            Trade("Сосуд", "Vessels", "25.29", "сосуды под давлением"),
        ),
    ),
    Entry(
        "D2",
        "Промышленный кластер станкостроения и станкоинструментальной промышленности «Липецкмаш»",
        "Industrial cluster of machine tools and tooling “Lipetskmash”",
        "станкостроение",
        "machine tools",
        ("48",),
        "Липецк",
        "Lipetsk",
        date(2016, 10, 21),
        10,
        (
            Trade("Станкомаш", "Machine Tools", "28.41", "обрабатывающие центры с ЧПУ"),
            Trade("Шпиндель", "Spindles", "28.49", "шпиндельные узлы"),
            Trade("Станина", "Machine Beds", "24.51", "станины и базовые детали станков"),
            Trade("Линейные Системы", "Linear Systems", "28.15", "направляющие и шарико-винтовые передачи"),
            Trade("Оснастка", "Fixtures", "25.73", "технологическая оснастка"),
            Trade("Числовое Управление", "Controls", "26.51", "системы числового программного управления"),
        ),
    ),
    Entry(
        "D3",
        "Промышленный электротехнический кластер Псковской области",
        "Electrotechnical cluster of Pskov Oblast",
        "электротехническое оборудование",
        "switchgear and electrical equipment",
        ("60",),
        "Псков",
        "Pskov",
        date(2016, 12, 9),
        8,
        (
            Trade(
                "Элегаз",
                "Switchgear",
                "27.12",
                "элегазовые комплектные распределительные устройства 110-220 кВ",
            ),
            Trade("Изолятор", "Insulators", "23.43", "полимерные и фарфоровые изоляторы"),
            Trade("Трансформатор", "Transformers", "27.11", "измерительные трансформаторы"),
            Trade("Реле", "Relays", "27.12", "устройства релейной защиты"),
            Trade("Шинопровод", "Busbars", "27.33", "шинопроводы и токоведущие части"),
        ),
    ),
    Entry(
        "D4",
        "Кластер метровагоностроения",
        "Metro car building cluster of Moscow and Tver Oblasts",
        "рельсовый транспорт",
        "rail vehicles",
        ("50", "69"),
        "Волга-Вагон",
        "Volga Rail",
        date(2016, 12, 9),
        9,
        (
            Trade("Метровагон", "Metro Cars", "30.20", "вагоны метрополитена и рельсовые автобусы"),
            Trade("Тележка", "Bogies", "30.20", "тележки вагонов метро"),
            Trade("Тормоз", "Brakes", "30.20", "тормозные системы тележек"),
            Trade("Интерьер", "Interiors", "30.20", "элементы интерьера вагонов"),
            Trade("Тяга", "Traction", "27.11", "тяговый электропривод"),
        ),
    ),
    Entry(
        "D5",
        "Промышленный кластер микроэлектроники и приборостроения «Фрязино»",
        "Industrial cluster of microelectronics and instruments “Fryazino”",
        "электроника и энергомашиностроение",
        "electronics and energy machinery",
        ("50",),
        "Фрязино",
        "Fryazino",
        date(2017, 2, 17),
        7,
        (
            Trade("Газотурбина", "Gas Turbines", "28.11", "передвижные газотурбинные электростанции"),
            Trade("Микроэлектроника", "Microelectronics", "26.11", "микросхемы и модули СВЧ"),
            Trade("Прибор", "Instruments", "26.51", "контрольно-измерительные приборы"),
            Trade("Лазер", "Lasers", "26.70", "лазерные источники"),
            Trade("Лопатка", "Blades", "28.11", "лопатки турбин"),
            Trade("Генератор", "Generators", "27.11", "генераторы переменного тока"),
        ),
    ),
    Entry(
        "D6",
        "Машиностроительный кластер Республики Татарстан",
        "Machine-building cluster of Tatarstan",
        "автомобильные компоненты",
        "automotive components",
        ("16",),
        "Кама",
        "Kama",
        date(2016, 9, 5),
        10,
        (
            Trade("Аккумулятор", "Batteries", "27.20", "аккумуляторные батареи EFB для грузовых автомобилей"),
            Trade("Свинец", "Lead", "24.43", "свинцовые сплавы и решётки"),
            Trade("Грузовик", "Trucks", "29.10", "грузовые автомобили и шасси"),
            Trade("Сепаратор", "Separators", "22.21", "сепараторы для аккумуляторов"),
            Trade("Ось", "Axles", "29.32", "мосты и оси"),
            Trade("Штамп", "Stampings", "25.50", "штампованные детали кузова"),
        ),
    ),
    Entry(
        "D7",
        "Межрегиональный промышленный кластер «Композиты без границ»",
        "Interregional industrial cluster “Composites without Borders”",
        "композитные материалы",
        "composites",
        ("16", "77", "64"),
        "Волокно",
        "Fibre",
        date(2017, 6, 30),
        7,
        (
            Trade("Углеволокно", "Carbon", "20.60", "углеродное волокно"),
            Trade("ПАН-прекурсор", "PAN Precursor", "20.60", "полиакрилонитрильное волокно"),
            Trade("Препрег", "Prepregs", "20.16", "препреги и связующие"),
            Trade("Ткань", "Fabrics", "13.96", "ткани из углеродного волокна"),
            Trade("Композит", "Composites", "22.29", "изделия из композитов"),
        ),
    ),
    Entry(
        "D8",
        "Автомобильный промышленный кластер Нижегородской области",
        "Automotive cluster of Nizhny Novgorod Oblast",
        "автомобилестроение",
        "vehicles",
        ("52",),
        "Нижний Новгород",
        "Nizhny Novgorod",
        date(2016, 11, 3),
        10,
        (
            Trade("Фургон", "Vans", "29.10", "цельнометаллические фургоны"),
            Trade("Кузов", "Bodies", "29.20", "кузова автомобилей"),
            Trade("Автодверь", "Door Systems", "29.32", "дверные системы"),
            Trade("Сиденье", "Seats", "29.32", "сиденья и салоны"),
            Trade("Автостекло", "Glass", "23.12", "автомобильные стёкла"),
            Trade("Подвеска", "Suspension", "29.32", "элементы подвески"),
            Trade("Автосвет", "Lighting", "27.40", "светотехника"),
        ),
    ),
    Entry(
        "D9",
        "Промышленный машиностроительный кластер Иркутской области",
        "Machine-building cluster of Irkutsk Oblast",
        "машиностроение",
        "machine building",
        ("38",),
        "Ангара",
        "Angara",
        date(2017, 9, 22),
        8,
        (
            Trade("Горное Оборудование", "Mining Machines", "28.92", "узлы горных машин"),
            Trade("Дробилка", "Crushers", "28.92", "дробильное оборудование"),
            Trade("Металлоконструкция", "Steelwork", "25.11", "металлоконструкции"),
            Trade("Редуктор", "Gearboxes", "28.15", "редукторы"),
        ),
    ),
    Entry(
        "D10",
        "Курганский территориально-отраслевой комплекс «Новые технологии арматуростроения»",
        "Kurgan complex “New valve technologies”",
        "трубопроводная арматура",
        "pipeline valves",
        ("45",),
        "Курган",
        "Kurgan",
        date(2017, 11, 10),
        8,
        (
            Trade("Задвижка", "Gate Valves", "28.14", "задвижки DN 300-800"),
            Trade("Корпус", "Valve Bodies", "24.52", "отливки корпусов арматуры"),
            Trade("Привод Арматуры", "Actuators", "28.14", "приводы трубопроводной арматуры"),
            Trade("Уплотнение", "Seals", "22.19", "уплотнительные элементы"),
            Trade("Наплавка", "Hardfacing", "25.61", "наплавка и упрочнение деталей"),
        ),
    ),
    Entry(
        "D11",
        "Омский биокластер",
        "Omsk biocluster",
        "биотехнологии и корма",
        "biotechnology, feed, agriculture",
        ("55",),
        "Омск",
        "Omsk",
        date(2017, 12, 1),
        0,
        (
            Trade("Премикс", "Premix", "10.91", "кормовые премиксы с лизином"),
            Trade("Фермент", "Enzymes", "20.14", "кормовые ферменты"),
            Trade("Лизин", "Lysine", "20.14", "лизин"),
            Trade("Комбикорм", "Compound Feed", "10.91", "комбикорма"),
            Trade("Крахмал", "Starch", "10.62", "крахмал и глюкозные сиропы"),
            Trade("Белок", "Protein", "10.41", "растительный белок"),
            Trade("Спирт", "Ethanol", "20.14", "биоэтанол"),
            Trade("Мельница", "Mills", "10.61", "продукты глубокой переработки зерна"),
            Trade("Биоупаковка", "Packaging", "22.22", "упаковка"),
            Trade("Ветпрепарат", "Veterinary", "21.20", "ветеринарные препараты"),
            Trade("Биореактор", "Bioreactors", "28.93", "биореакторы и ферментёры"),
        ),
    ),
    Entry(
        "D12",
        "Алтайский кластер аграрного машиностроения («АлтаКАМ»)",
        "Altai cluster of agricultural machinery",
        "сельскохозяйственное машиностроение",
        "agricultural machinery",
        ("22",),
        "Алтай",
        "Altai",
        date(2016, 12, 23),
        9,
        (
            Trade("Почвомаш", "Tillage", "28.30", "почвообрабатывающие машины"),
            Trade("Сеялка", "Seeders", "28.30", "посевные комплексы"),
            Trade("Диск", "Discs", "25.73", "рабочие органы почвообрабатывающих машин"),
            Trade("Рама", "Frames", "25.11", "рамы сельхозмашин"),
            Trade("Агроэлектроника", "Agro Electronics", "26.51", "системы контроля высева"),
        ),
    ),
    Entry(
        "D13",
        "Композитный кластер Санкт-Петербурга",
        "Composite cluster of St Petersburg",
        "композитные материалы",
        "composites",
        ("78",),
        "Нева",
        "Neva",
        None,
        6,
        (
            Trade("Стеклопластик", "Fibreglass", "23.14", "профили из стеклопластика"),
            Trade("Базальт", "Basalt", "23.99", "базальтовое волокно"),
            Trade("Смола", "Resins", "20.16", "эпоксидные смолы"),
            Trade("Матрица", "Moulds", "25.73", "формующая оснастка"),
        ),
    ),
)

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

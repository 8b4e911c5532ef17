"""The 85 federal subjects by Russian law of 2018, with the codes that other registers give them.

Source: the table of github.com/hflabs/region (tax code, OKTMO, ISO 3166-2, federal district).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

# Decree of the President: Buryatia and Zabaikalye left the Siberian district on this day.
MOVED_TO_FAR_EAST: Final = date(2018, 11, 3)
_MOVED: Final = frozenset({"03", "75"})


class District(StrEnum):
    """A federal district."""

    CENTRAL = "central"
    NORTH_WEST = "north_west"
    SOUTH = "south"
    NORTH_CAUCASUS = "north_caucasus"
    VOLGA = "volga"
    URALS = "urals"
    SIBERIA = "siberia"
    FAR_EAST = "far_east"

    def name_in(self, locale: str) -> str:
        """``Сибирский федеральный округ`` or ``Siberian Federal District``."""
        russian, english = _DISTRICT_NAMES[self]
        return russian if locale == "ru" else english


_DISTRICT_NAMES: Final = {
    District.CENTRAL: ("Центральный федеральный округ", "Central Federal District"),
    District.NORTH_WEST: ("Северо-Западный федеральный округ", "Northwestern Federal District"),
    District.SOUTH: ("Южный федеральный округ", "Southern Federal District"),
    District.NORTH_CAUCASUS: ("Северо-Кавказский федеральный округ", "North Caucasian Federal District"),
    District.VOLGA: ("Приволжский федеральный округ", "Volga Federal District"),
    District.URALS: ("Уральский федеральный округ", "Ural Federal District"),
    District.SIBERIA: ("Сибирский федеральный округ", "Siberian Federal District"),
    District.FAR_EAST: ("Дальневосточный федеральный округ", "Far Eastern Federal District"),
}


@dataclass(frozen=True, slots=True)
class Region:
    """A federal subject.

    ``code`` is the two-digit code of the tax service, ``oktmo`` the prefix of its municipalities' codes
    (three digits for the districts that lie inside another subject), ``iso`` the code of ISO 3166-2.
    """

    code: str
    name_ru: str
    name_en: str
    oktmo: str
    iso: str
    _first_district: District

    def name_in(self, locale: str) -> str:
        """The name in ``ru`` or ``en``."""
        return self.name_ru if locale == "ru" else self.name_en

    def district(self, on: date) -> District:
        """The federal district it belonged to on that day."""
        if self.code in _MOVED and on >= MOVED_TO_FAR_EAST:
            return District.FAR_EAST
        return self._first_district


# Code, Russian name, English name, federal district of August 2018, OKTMO prefix, ISO 3166-2.
_ROWS: Final = (
    ("01", "Республика Адыгея", "Republic of Adygea", District.SOUTH, "79", "RU-AD"),
    ("02", "Республика Башкортостан", "Republic of Bashkortostan", District.VOLGA, "80", "RU-BA"),
    ("03", "Республика Бурятия", "Republic of Buryatia", District.SIBERIA, "81", "RU-BU"),
    ("04", "Республика Алтай", "Altai Republic", District.SIBERIA, "84", "RU-AL"),
    ("05", "Республика Дагестан", "Republic of Dagestan", District.NORTH_CAUCASUS, "82", "RU-DA"),
    ("06", "Республика Ингушетия", "Republic of Ingushetia", District.NORTH_CAUCASUS, "26", "RU-IN"),
    (
        "07",
        "Кабардино-Балкарская Республика",
        "Kabardino-Balkar Republic",
        District.NORTH_CAUCASUS,
        "83",
        "RU-KB",
    ),
    ("08", "Республика Калмыкия", "Republic of Kalmykia", District.SOUTH, "85", "RU-KL"),
    (
        "09",
        "Карачаево-Черкесская Республика",
        "Karachay-Cherkess Republic",
        District.NORTH_CAUCASUS,
        "91",
        "RU-KC",
    ),
    ("10", "Республика Карелия", "Republic of Karelia", District.NORTH_WEST, "86", "RU-KR"),
    ("11", "Республика Коми", "Komi Republic", District.NORTH_WEST, "87", "RU-KO"),
    ("12", "Республика Марий Эл", "Mari El Republic", District.VOLGA, "88", "RU-ME"),
    ("13", "Республика Мордовия", "Republic of Mordovia", District.VOLGA, "89", "RU-MO"),
    ("14", "Республика Саха (Якутия)", "Sakha Republic (Yakutia)", District.FAR_EAST, "98", "RU-SA"),
    (
        "15",
        "Республика Северная Осетия - Алания",
        "Republic of North Ossetia-Alania",
        District.NORTH_CAUCASUS,
        "90",
        "RU-SE",
    ),
    ("16", "Республика Татарстан", "Republic of Tatarstan", District.VOLGA, "92", "RU-TA"),
    ("17", "Республика Тыва", "Tyva Republic", District.SIBERIA, "93", "RU-TY"),
    ("18", "Удмуртская Республика", "Udmurt Republic", District.VOLGA, "94", "RU-UD"),
    ("19", "Республика Хакасия", "Republic of Khakassia", District.SIBERIA, "95", "RU-KK"),
    ("20", "Чеченская Республика", "Chechen Republic", District.NORTH_CAUCASUS, "96", "RU-CE"),
    ("21", "Чувашская Республика", "Chuvash Republic", District.VOLGA, "97", "RU-CU"),
    ("22", "Алтайский край", "Altai Krai", District.SIBERIA, "01", "RU-ALT"),
    ("23", "Краснодарский край", "Krasnodar Krai", District.SOUTH, "03", "RU-KDA"),
    ("24", "Красноярский край", "Krasnoyarsk Krai", District.SIBERIA, "04", "RU-KYA"),
    ("25", "Приморский край", "Primorsky Krai", District.FAR_EAST, "05", "RU-PRI"),
    ("26", "Ставропольский край", "Stavropol Krai", District.NORTH_CAUCASUS, "07", "RU-STA"),
    ("27", "Хабаровский край", "Khabarovsk Krai", District.FAR_EAST, "08", "RU-KHA"),
    ("28", "Амурская область", "Amur Oblast", District.FAR_EAST, "10", "RU-AMU"),
    ("29", "Архангельская область", "Arkhangelsk Oblast", District.NORTH_WEST, "11", "RU-ARK"),
    ("30", "Астраханская область", "Astrakhan Oblast", District.SOUTH, "12", "RU-AST"),
    ("31", "Белгородская область", "Belgorod Oblast", District.CENTRAL, "14", "RU-BEL"),
    ("32", "Брянская область", "Bryansk Oblast", District.CENTRAL, "15", "RU-BRY"),
    ("33", "Владимирская область", "Vladimir Oblast", District.CENTRAL, "17", "RU-VLA"),
    ("34", "Волгоградская область", "Volgograd Oblast", District.SOUTH, "18", "RU-VGG"),
    ("35", "Вологодская область", "Vologda Oblast", District.NORTH_WEST, "19", "RU-VLG"),
    ("36", "Воронежская область", "Voronezh Oblast", District.CENTRAL, "20", "RU-VOR"),
    ("37", "Ивановская область", "Ivanovo Oblast", District.CENTRAL, "24", "RU-IVA"),
    ("38", "Иркутская область", "Irkutsk Oblast", District.SIBERIA, "25", "RU-IRK"),
    ("39", "Калининградская область", "Kaliningrad Oblast", District.NORTH_WEST, "27", "RU-KGD"),
    ("40", "Калужская область", "Kaluga Oblast", District.CENTRAL, "29", "RU-KLU"),
    ("41", "Камчатский край", "Kamchatka Krai", District.FAR_EAST, "30", "RU-KAM"),
    ("42", "Кемеровская область", "Kemerovo Oblast", District.SIBERIA, "32", "RU-KEM"),
    ("43", "Кировская область", "Kirov Oblast", District.VOLGA, "33", "RU-KIR"),
    ("44", "Костромская область", "Kostroma Oblast", District.CENTRAL, "34", "RU-KOS"),
    ("45", "Курганская область", "Kurgan Oblast", District.URALS, "37", "RU-KGN"),
    ("46", "Курская область", "Kursk Oblast", District.CENTRAL, "38", "RU-KRS"),
    ("47", "Ленинградская область", "Leningrad Oblast", District.NORTH_WEST, "41", "RU-LEN"),
    ("48", "Липецкая область", "Lipetsk Oblast", District.CENTRAL, "42", "RU-LIP"),
    ("49", "Магаданская область", "Magadan Oblast", District.FAR_EAST, "44", "RU-MAG"),
    ("50", "Московская область", "Moscow Oblast", District.CENTRAL, "46", "RU-MOS"),
    ("51", "Мурманская область", "Murmansk Oblast", District.NORTH_WEST, "47", "RU-MUR"),
    ("52", "Нижегородская область", "Nizhny Novgorod Oblast", District.VOLGA, "22", "RU-NIZ"),
    ("53", "Новгородская область", "Novgorod Oblast", District.NORTH_WEST, "49", "RU-NGR"),
    ("54", "Новосибирская область", "Novosibirsk Oblast", District.SIBERIA, "50", "RU-NVS"),
    ("55", "Омская область", "Omsk Oblast", District.SIBERIA, "52", "RU-OMS"),
    ("56", "Оренбургская область", "Orenburg Oblast", District.VOLGA, "53", "RU-ORE"),
    ("57", "Орловская область", "Oryol Oblast", District.CENTRAL, "54", "RU-ORL"),
    ("58", "Пензенская область", "Penza Oblast", District.VOLGA, "56", "RU-PNZ"),
    ("59", "Пермский край", "Perm Krai", District.VOLGA, "57", "RU-PER"),
    ("60", "Псковская область", "Pskov Oblast", District.NORTH_WEST, "58", "RU-PSK"),
    ("61", "Ростовская область", "Rostov Oblast", District.SOUTH, "60", "RU-ROS"),
    ("62", "Рязанская область", "Ryazan Oblast", District.CENTRAL, "61", "RU-RYA"),
    ("63", "Самарская область", "Samara Oblast", District.VOLGA, "36", "RU-SAM"),
    ("64", "Саратовская область", "Saratov Oblast", District.VOLGA, "63", "RU-SAR"),
    ("65", "Сахалинская область", "Sakhalin Oblast", District.FAR_EAST, "64", "RU-SAK"),
    ("66", "Свердловская область", "Sverdlovsk Oblast", District.URALS, "65", "RU-SVE"),
    ("67", "Смоленская область", "Smolensk Oblast", District.CENTRAL, "66", "RU-SMO"),
    ("68", "Тамбовская область", "Tambov Oblast", District.CENTRAL, "68", "RU-TAM"),
    ("69", "Тверская область", "Tver Oblast", District.CENTRAL, "28", "RU-TVE"),
    ("70", "Томская область", "Tomsk Oblast", District.SIBERIA, "69", "RU-TOM"),
    ("71", "Тульская область", "Tula Oblast", District.CENTRAL, "70", "RU-TUL"),
    ("72", "Тюменская область", "Tyumen Oblast", District.URALS, "71", "RU-TYU"),
    ("73", "Ульяновская область", "Ulyanovsk Oblast", District.VOLGA, "73", "RU-ULY"),
    ("74", "Челябинская область", "Chelyabinsk Oblast", District.URALS, "75", "RU-CHE"),
    ("75", "Забайкальский край", "Zabaykalsky Krai", District.SIBERIA, "76", "RU-ZAB"),
    ("76", "Ярославская область", "Yaroslavl Oblast", District.CENTRAL, "78", "RU-YAR"),
    ("77", "г. Москва", "Moscow", District.CENTRAL, "45", "RU-MOW"),
    ("78", "г. Санкт-Петербург", "Saint Petersburg", District.NORTH_WEST, "40", "RU-SPE"),
    ("79", "Еврейская автономная область", "Jewish Autonomous Oblast", District.FAR_EAST, "99", "RU-YEV"),
    ("83", "Ненецкий автономный округ", "Nenets Autonomous Okrug", District.NORTH_WEST, "118", "RU-NEN"),
    (
        "86",
        "Ханты-Мансийский автономный округ - Югра",
        "Khanty-Mansi Autonomous Okrug - Yugra",
        District.URALS,
        "718",
        "RU-KHM",
    ),
    ("87", "Чукотский автономный округ", "Chukotka Autonomous Okrug", District.FAR_EAST, "77", "RU-CHU"),
    (
        "89",
        "Ямало-Ненецкий автономный округ",
        "Yamalo-Nenets Autonomous Okrug",
        District.URALS,
        "719",
        "RU-YAN",
    ),
    ("91", "Республика Крым", "Republic of Crimea", District.SOUTH, "35", "UA-43"),
    ("92", "г. Севастополь", "Sevastopol", District.SOUTH, "67", "UA-40"),
)

REGIONS: Final[dict[str, Region]] = {
    code: Region(code, name_ru, name_en, oktmo, iso, district) for code, name_ru, name_en, district, oktmo, iso in _ROWS
}
_BY_OKTMO: Final = {region.oktmo: region for region in REGIONS.values()}


def find(code: str) -> Region | None:
    """The federal subject with this two-digit code, or ``None`` (99 is Baikonur and inter-regional)."""
    return REGIONS.get(code)


def of_oktmo(oktmo: str) -> Region | None:
    """The federal subject of a municipality by its OKTMO code; the longer prefix decides."""
    return _BY_OKTMO.get(oktmo[:3]) or _BY_OKTMO.get(oktmo[:2])


def of_inn(inn: str) -> Region | None:
    """The federal subject whose tax office gave the INN; Nenets offices (2983) lie inside code 29."""
    return REGIONS["83"] if inn.startswith("2983") else REGIONS.get(inn[:2])


def choices(locale: str) -> list[tuple[str, str]]:
    """(code, name) of all federal subjects in the alphabetical order of the language."""
    named = [(region.code, region.name_in(locale)) for region in REGIONS.values()]
    return sorted(named, key=lambda choice: choice[1].casefold().replace("ё", "е"))

from __future__ import annotations

from datetime import date

from portal.core import okved, regions
from portal.core.regions import REGIONS, District


def test_there_are_85_subjects_with_codes_of_their_own() -> None:
    assert len(REGIONS) == 85
    assert len({region.oktmo for region in REGIONS.values()}) == 85
    assert len({region.iso for region in REGIONS.values()}) == 85


def test_a_region_is_found_by_its_code() -> None:
    region = regions.find("48")
    assert region is not None
    assert (region.name_in("ru"), region.name_in("en")) == ("Липецкая область", "Lipetsk Oblast")
    assert (region.oktmo, region.iso) == ("42", "RU-LIP")
    assert [regions.find(code) for code in ("00", "99", "")] == [None, None, None]


def test_two_regions_moved_to_the_far_east_in_november_2018() -> None:
    for code in ("03", "75"):
        assert REGIONS[code].district(date(2018, 11, 2)) is District.SIBERIA
        assert REGIONS[code].district(date(2018, 11, 3)) is District.FAR_EAST
    assert REGIONS["38"].district(date(2026, 1, 1)) is District.SIBERIA


def test_every_district_has_its_regions() -> None:
    august = date(2018, 8, 1)
    count = dict.fromkeys(District, 0)
    for region in REGIONS.values():
        count[region.district(august)] += 1
    assert list(count.values()) == [18, 11, 8, 7, 14, 6, 12, 9]
    assert District.VOLGA.name_in("ru") == "Приволжский федеральный округ"
    assert District.VOLGA.name_in("en") == "Volga Federal District"


def test_the_longer_oktmo_prefix_decides() -> None:
    found = [regions.of_oktmo(code) for code in ("11701000", "11851000", "71871000", "71951000", "71701000")]
    assert [region and region.code for region in found] == ["29", "83", "86", "89", "72"]
    assert regions.of_oktmo("00000000") is None


def test_the_region_of_an_inn() -> None:
    found = [regions.of_inn(inn) for inn in ("7707083893", "2983000000", "2901000000", "9909000000")]
    assert [region and region.code for region in found] == ["77", "83", "29", None]


def test_choices_are_in_the_order_of_the_alphabet() -> None:
    assert [code for code, _ in regions.choices("ru")][:2] == ["22", "28"]
    assert [name for _, name in regions.choices("en")][:2] == ["Altai Krai", "Altai Republic"]
    assert len(regions.choices("ru")) == 85


def test_industry_is_section_c() -> None:
    assert [okved.section(code) for code in ("10", "28.14", "33.20", "35.11", "04", "34", "", "2x")] == [
        "C",
        "C",
        "C",
        "D",
        None,
        None,
        None,
        None,
    ]
    assert okved.is_industry("28.14")
    assert not okved.is_industry("62.01")

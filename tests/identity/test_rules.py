"""An organisation's profile and the sizes of enterprises."""

from __future__ import annotations

from decimal import Decimal

from portal.identity.rules import Profile, check_person_name, check_profile
from tests.factories.identity import inn

LEGAL = {
    "inn": inn(36, 1),
    "kpp": "369901001",
    "ogrn": "1163699000018",
    "okved2": "28.14",
    "region": "36",
    "name_ru": " ООО  «Демо» ",
    "name_en": "Demo LLC",
    "headcount": "",
    "income": "",
    "sme": "",
    "offshore_share": "",
}


def ogrn(head: str) -> str:
    return head + str(int(head) % 11 % 10)


def codes(**changes: str) -> dict[str, str]:
    profile, problems = check_profile({**LEGAL, "ogrn": ogrn("116369900001"), **changes})
    assert (profile is None) == bool(problems)
    return {problem.field: problem.code for problem in problems}


def test_profile_of_a_legal_entity() -> None:
    profile, problems = check_profile(
        {
            **LEGAL,
            "ogrn": ogrn("116369900001"),
            "headcount": "100",
            "income": "800 000 000,00",
            "offshore_share": "12,5",
        }
    )
    assert problems == []
    assert profile == Profile(
        inn=inn(36, 1),
        kpp="369901001",
        ogrn=ogrn("116369900001"),
        okved2="28.14",
        region="36",
        name_ru="ООО «Демо»",
        name_en="Demo LLC",
        sme="small",
        headcount=100,
        income=Decimal("800000000.00"),
        offshore_share=Decimal("12.5"),
    )


def test_everything_wrong_is_named_at_once() -> None:
    profile, problems = check_profile(
        {
            "inn": "1234567890",
            "kpp": "12",
            "ogrn": "1",
            "okved2": "99.99.99.99",
            "region": "00",
            "name_ru": "",
            "name_en": "x" * 301,
            "headcount": "-1",
            "income": "a lot",
            "sme": "giant",
            "offshore_share": "101",
        }
    )
    assert profile is None
    assert [problem.field for problem in problems] == [
        "inn",
        "kpp",
        "ogrn",
        "okved2",
        "region",
        "name_ru",
        "name_en",
        "headcount",
        "income",
        "offshore_share",
        "sme",
    ]


def test_single_mistakes() -> None:
    assert codes() == {}
    assert codes(inn="") == {"inn": "empty"}
    assert codes(inn=inn(36, 1)[:-1] + str((int(inn(36, 1)[-1]) + 1) % 10)) == {"inn": "checksum"}
    assert codes(kpp="") == {"kpp": "empty"}
    assert codes(income="-5") == {"income": "negative"}
    assert codes(income="1" * 40) == {"income": "too_large"}
    assert codes(headcount="1.5") == {"headcount": "too_many_decimals"}
    assert codes(name_ru="\x00") == {"name_ru": "empty"}


def test_an_entrepreneur_has_no_kpp_and_an_ogrnip() -> None:
    assert codes(inn="500100732259", kpp="369901001", ogrn="304500116000157") == {"kpp": "not_for_person"}
    assert codes(inn="500100732259", kpp="", ogrn=ogrn("116369900001"))["ogrn"] == "format"
    assert codes(inn="500100732259", kpp="", ogrn="304500116000157") == {}


def test_a_chosen_category_stands() -> None:
    values = {**LEGAL, "ogrn": ogrn("116369900001"), "headcount": "1", "income": "1", "sme": "none"}
    profile, _problems = check_profile(values)
    assert profile is not None
    assert profile.sme == "none"


def test_person_name() -> None:
    assert check_person_name("  Demo\x00   Person ") == ("Demo Person", [])
    assert [p.code for p in check_person_name(" ")[1]] == ["empty"]
    assert [p.code for p in check_person_name("x" * 201)[1]] == ["too_long"]

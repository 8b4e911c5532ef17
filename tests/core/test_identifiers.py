from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import identifiers as ids
from portal.core.identifiers import IdentifierError
from portal.demo import identifiers as demo

# Region of the demo's organisations and what section 3.1 of the domain facts gives for each.
DEMO = [
    ("16", "1699900160", "1161699000165", "40702810100000090016"),
    ("48", "4899900484", "1164899000485", "40702810000000090048"),
    ("50", "5099900504", "1165099000505", "40702810700000090050"),
    ("36", "3699900365", "1163699000365", "40702810300000090036"),
    ("52", "5299900526", "1165299000525", "40702810300000090052"),
    ("78", "7899900786", "1167899000785", "40702810300000090078"),
    ("38", "3899900387", "1163899000385", "40702810900000090038"),
    ("60", "6099900601", "1166099000605", "40702810800000090060"),
    ("55", "5599900559", "1165599000555", "40702810200000090055"),
    ("45", "4599900451", "1164599000455", "40702810100000090045"),
    ("22", "2299900224", "1162299000225", "40702810000000090022"),
    ("69", "6999900690", "1166999000695", "40702810500000090069"),
]

GOOD: list[tuple[Callable[[str], str], str, str]] = [
    (ids.check_inn, "7707083893", "7707083893"),
    (ids.check_inn, " 77 0708\u00a03893 ", "7707083893"),
    (ids.check_inn, "1234567894", "1234567894"),
    (ids.check_inn, "500100732259", "500100732259"),
    (ids.check_inn, "123456789047", "123456789047"),
    (ids.check_inn_legal, "7707083893", "7707083893"),
    (ids.check_inn_person, "500100732259", "500100732259"),
    (ids.check_kpp, "770701001", "770701001"),
    (ids.check_kpp, "9950ab001", "9950AB001"),
    (ids.check_ogrn, "1027700132195", "1027700132195"),
    (ids.check_ogrn, "1022500001325", "1022500001325"),
    (ids.check_ogrnip, "304500116000157", "304500116000157"),
    (ids.check_ogrnip, "385768585948949", "385768585948949"),
    (ids.check_ogrnip, "318500000000100", "318500000000100"),
    (ids.check_ogrnip, "318500000000111", "318500000000111"),
    (ids.check_ogrnip, "318500000000122", "318500000000122"),
    (ids.check_snils, "112-233-445 95", "112-233-445 95"),
    (ids.check_snils, "11223344595", "112-233-445 95"),
    (ids.check_snils, "001-001-998 00", "001-001-998 00"),
    (ids.check_bik, "044525225", "044525225"),
    (ids.check_bik, "040305000", "040305000"),
    (ids.check_bik, "049900999", "049900999"),
    (ids.check_okpo, "00032537", "00032537"),
    (ids.check_oktmo, "45000000", "45000000"),
    (ids.check_oktmo, "71871000001", "71871000001"),
    (ids.check_okved2, "28", "28"),
    (ids.check_okved2, "28.1", "28.1"),
    (ids.check_okved2, "28.14", "28.14"),
    (ids.check_okved2, "28.14.1", "28.14.1"),
    (ids.check_okved2, "28.14.11", "28.14.11"),
    (ids.check_okpd2, "28.14.13.131", "28.14.13.131"),
    (ids.check_okpd2, "28.14.13", "28.14.13"),
    (ids.check_tn_ved, "8481 80 819 0", "8481808190"),
    (ids.check_tn_ved, "8481", "8481"),
    (ids.check_kbk, "020 0412 1600000000 811", "02004121600000000811"),
    (ids.check_export_declaration, "10130200/010818/0012345", "10130200/010818/0012345"),
]

BAD: list[tuple[Callable[[str], str], str, str]] = [
    (ids.check_inn, "", "empty"),
    (ids.check_inn, " \u00a0", "empty"),
    (ids.check_inn, "7707083894", "checksum"),
    (ids.check_inn, "500100732258", "checksum"),
    (ids.check_inn, "0000000000", "unknown"),
    (ids.check_inn, "000000000000", "unknown"),
    (ids.check_inn, "770708389", "format"),
    (ids.check_inn, "77070838930", "format"),
    (ids.check_inn, "７７０７０８３８９３", "format"),
    (ids.check_inn, "7" * 65, "format"),
    (ids.check_inn_legal, "500100732259", "format"),
    (ids.check_inn_person, "7707083893", "format"),
    (ids.check_kpp, "77070100", "format"),
    (ids.check_kpp, "7707АБ001", "format"),
    (ids.check_ogrn, "1022500001328", "checksum"),
    (ids.check_ogrn, "0000000000000", "format"),
    (ids.check_ogrn, "304500116000157", "format"),
    (ids.check_ogrnip, "304500116000158", "checksum"),
    (ids.check_ogrnip, "204500116000157", "format"),
    (ids.check_snils, "112-233-445 96", "checksum"),
    (ids.check_snils, "000-000-000 00", "format"),
    (ids.check_snils, "112-233-445", "format"),
    (ids.check_bik, "054525225", "format"),
    (ids.check_bik, "044525049", "format"),
    (ids.check_bik, "04452522", "format"),
    (ids.check_okpo, "00032538", "checksum"),
    (ids.check_okpo, "00000000", "checksum"),
    (ids.check_okpo, "123456789", "format"),
    (ids.check_oktmo, "00000000", "unknown"),
    (ids.check_oktmo, "450000000", "format"),
    (ids.check_okved2, "28.", "format"),
    (ids.check_okved2, "2814", "format"),
    (ids.check_okved2, "34.10", "unknown"),
    (ids.check_okpd2, "28.14.13.1", "format"),
    (ids.check_okpd2, "04.11.10.110", "unknown"),
    (ids.check_tn_ved, "7701", "unknown"),
    (ids.check_tn_ved, "9801", "format"),
    (ids.check_tn_ved, "0001", "format"),
    (ids.check_tn_ved, "84818", "format"),
    (ids.check_kbk, "0200412160000000081", "format"),
    (ids.check_kbk, "00004121600000000811", "unknown"),
    (ids.check_export_declaration, "10130200-010818-0012345", "format"),
    (ids.check_export_declaration, "10130200/310218/0012345", "unknown"),
]

checks = st.sampled_from(sorted({check for check, _, _ in GOOD}, key=lambda check: check.__name__))


@pytest.mark.parametrize(("check", "typed", "kept"), GOOD)
def test_a_valid_identifier_is_kept_in_one_form(check: Callable[[str], str], typed: str, kept: str) -> None:
    assert check(typed) == kept
    assert check(kept) == kept


@pytest.mark.parametrize(("check", "typed", "code"), BAD)
def test_an_invalid_identifier_is_refused_with_advice(check: Callable[[str], str], typed: str, code: str) -> None:
    with pytest.raises(IdentifierError) as refusal:
        check(typed)
    assert refusal.value.code == code
    assert refusal.value.message.msgid.endswith(".")


@given(checks, st.text(max_size=80))
def test_no_text_breaks_a_check(check: Callable[[str], str], text: str) -> None:
    try:
        kept = check(text)
    except IdentifierError:
        return
    assert check(kept) == kept


@pytest.mark.parametrize(
    ("account", "bik"),
    [
        ("40602810700000000025", "049805746"),
        ("30101810800000000746", "049805746"),
        ("30101810400000000225", "044525225"),
        ("40102810100000010001", "040305000"),
        ("40702810900000000025", "044514512"),
    ],
)
def test_an_account_belongs_to_its_bank(account: str, bik: str) -> None:
    assert ids.check_account(account, bik) == account


@pytest.mark.parametrize(
    ("account", "bik", "code"),
    [
        ("40602810600000000025", "049805746", "checksum"),
        ("40602810700000000025", "044525220", "checksum"),
        ("4060281070000000002", "049805746", "format"),
        ("40602810700000000025", "49805746", "format"),
        ("", "049805746", "empty"),
    ],
)
def test_an_account_of_another_bank_is_refused(account: str, bik: str, code: str) -> None:
    with pytest.raises(IdentifierError) as refusal:
        ids.check_account(account, bik)
    assert refusal.value.code == code


def test_the_tn_ved_code_as_printed() -> None:
    codes = ("8481", "848180", "84818081", "8481808190")
    assert [ids.spaced_tn_ved(code) for code in codes] == ["8481", "8481 80", "8481 80 81", "8481 80 819 0"]


@pytest.mark.parametrize(("region", "inn", "ogrn", "account"), DEMO)
def test_demo_identifiers_are_those_of_the_domain_facts(region: str, inn: str, ogrn: str, account: str) -> None:
    serial = int(region)
    assert demo.demo_inn(region, serial) == inn
    assert demo.demo_ogrn(region, serial) == ogrn
    assert demo.demo_account(serial) == account


regions = st.sampled_from(["01", "16", "50", "77", "92"])
serials = st.integers(0, 9999)


@given(regions, serials)
def test_demo_identifiers_pass_every_check(region: str, serial: int) -> None:
    assert ids.check_inn_legal(demo.demo_inn(region, serial)).startswith(f"{region}999")
    assert ids.check_ogrn(demo.demo_ogrn(region, serial)).startswith(f"116{region}99")
    assert ids.check_kpp(demo.demo_kpp(region)) == f"{region}9901001"
    assert ids.check_account(demo.demo_account(serial), demo.DEMO_BIK).startswith("40702810")


@given(regions, serials, st.integers(0, 8), st.integers(1, 9))
def test_a_mistyped_digit_of_an_account_or_an_ogrn_is_found(region: str, serial: int, place: int, shift: int) -> None:
    def mistype(number: str, at: int) -> str:
        return f"{number[:at]}{(int(number[at]) + shift) % 10}{number[at + 1 :]}"

    with pytest.raises(IdentifierError):
        ids.check_account(mistype(demo.demo_account(serial), 9 + place), demo.DEMO_BIK)
    with pytest.raises(IdentifierError):
        ids.check_ogrn(mistype(demo.demo_ogrn(region, serial), 12))


@given(st.integers(30_000_000_000_000, 49_999_999_999_999))
def test_exactly_one_check_digit_makes_an_ogrnip(body: int) -> None:
    valid = [digit for digit in range(10) if _passes(ids.check_ogrnip, f"{body}{digit}")]
    assert valid == [body % 13 % 10]


@given(st.integers(1_001_999, 999_999_999))
def test_exactly_one_control_number_makes_a_snils(number: int) -> None:
    text = f"{number:09}"
    total = sum(int(digit) * weight for digit, weight in zip(text, range(9, 0, -1), strict=True))
    # The older wording: below 100 as it is, 100 and 101 are 00, above that the rest by 101, read likewise.
    control = total if total < 100 else (0 if total in (100, 101) or total % 101 == 100 else total % 101)
    assert ids.check_snils(f"{text}{control:02}")[:3] == text[:3]
    assert not _passes(ids.check_snils, f"{text}{(control + 1) % 100:02}")


@given(st.integers(1, 9_999_999))
def test_exactly_one_check_digit_makes_an_okpo(body: int) -> None:
    assert sum(_passes(ids.check_okpo, f"{body:07}{digit}") for digit in range(10)) == 1


@pytest.mark.parametrize("serial", [-1, 10_000])
def test_demo_serials_have_four_digits(serial: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 9999"):
        demo.demo_inn("16", serial)


def _passes(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except IdentifierError:
        return False
    return True

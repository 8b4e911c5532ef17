"""The one layer of redaction: what tells who applies goes, what is judged stays. No database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.core.canonical import digest
from portal.core.language import N_
from portal.review.redaction import Peers, Redaction
from portal.tenders.ruleset import Blindness, from_json, to_json
from tests.factories.packages import package, rules

PERSON, MAIL = "Demo Insider", "boss@demo-works.example"


def planted() -> dict[str, Any]:
    """A package whose texts, files and figures tell who wrote it."""
    content = package(row="P01")
    first, second = (part["organisation"] for part in content["participants"][:2])
    content["project"]["summary"] = (
        f"Мы, {first['name_ru']} (ИНН {first['inn']}, ОГРН {first['ogrn']}), и {second['name_en']} просим. "
        f"{PERSON}, {MAIL}, +7 (495) 123-45-67, www.demo-works.ru. Сумма 8 500 000 рублей, 8500000."
    )
    content["documents"][0]["name"] = f"{first['name_ru']}.PDF"
    return content


def secrets(content: dict[str, Any]) -> list[str]:
    found = [PERSON, MAIL, "123-45-67", "demo-works", content["cluster"]["name_ru"], content["cluster"]["name_en"]]
    for part in content["participants"]:
        found += [part["organisation"][key] for key in ("inn", "ogrn", "name_ru", "name_en")]
        found.append(part["organisation"]["name_ru"].split("«")[1].strip("»"))
    return found


@pytest.mark.parametrize(("locale", "label"), [("en", "Participant 1"), ("ru", "Участник 1")])
def test_nothing_that_tells_is_left(locale: str, label: str) -> None:
    content = planted()
    shown = json.dumps(Redaction(content, locale, people=[PERSON]).package(), ensure_ascii=False)
    assert [secret for secret in secrets(content) if secret.lower() in shown.lower()] == []
    assert label in shown


def test_what_is_judged_stays() -> None:
    content = planted()
    before = json.dumps(content)
    redacted = Redaction(content, "ru").package()
    assert "8 500 000 рублей, 8500000" in redacted["project"]["summary"]
    for part, original in zip(redacted["participants"], content["participants"], strict=True):
        assert (part["costs"], part["financing"], part["subsidy"]) == (
            original["costs"],
            original["financing"],
            original["subsidy"],
        )
        assert part["organisation"]["okved2"] == original["organisation"]["okved2"]
    assert {name: redacted["project"][name] for name in ("okpd2", "npv", "trl")} == {
        name: content["project"][name] for name in ("okpd2", "npv", "trl")
    }
    assert json.dumps(content) == before


@pytest.mark.parametrize(
    "words",
    [
        "с ДЕМО-СБОРКОЙ 10",
        "у «Демо-Сборки  10»",
        "DEMO ASSEMBLY\n10",
        "3699900100",
        "a.b+c@mail.example",
        "8 800 555-35-35",
        "https://demo.example/about?x=1",
    ],
)
def test_names_are_found_in_other_forms(words: str) -> None:
    shown = Redaction(package(row="P01"), "en").text(f"… {words} …")
    assert shown in ("… Participant 1 …", "… [hidden] …", "… с Participant 1 …", "… у Participant 1 …")


@pytest.mark.parametrize(
    "words", ["13699900100", "36999001000", "2018–2020", "28.92.61.110", "8 500 000,50", "8 000 000"]
)
def test_figures_are_no_identifiers(words: str) -> None:
    assert Redaction(package(row="P01"), "en").text(words) == words


def test_files_are_called_by_their_document() -> None:
    content = planted()
    redaction = Redaction(content, "en")
    first, of_part = content["documents"][0], content["participants"][1]["documents"][0]
    assert redaction.file_name(first["file_id"], first["name"]) == f"{first['code']} project 1.pdf"
    assert redaction.file_name(of_part["file_id"], of_part["name"]) == f"{of_part['code']} participant 2 1.pdf"
    assert redaction.file_name("unknown", "Demo Works.pdf") == "project 1.pdf"


def test_sentences_of_the_portal_are_redacted_in_the_readers_language() -> None:
    name = package(row="P01")["participants"][0]["organisation"]
    message = N_("%(name)s may have a conflict of interest: decide about it first.", name=name["name_ru"])
    redaction = Redaction(package(row="P01"), "en")
    shown = redaction.message(message)
    assert str(shown) == "Participant 1 may have a conflict of interest: decide about it first."
    assert redaction.message(None) is None


def test_rules_that_hide_nobody_are_written_as_before() -> None:
    given = rules("import_substitution")
    assert "blindness" not in to_json(given)
    kept = from_json({**to_json(given), "blindness": "applicants_hidden"})
    assert kept.blindness is Blindness.APPLICANTS_HIDDEN
    assert from_json(to_json(kept)) == kept
    assert digest(to_json(from_json({**to_json(given), "blindness": "open"}))) == digest(to_json(given))


def test_reviewers_are_numbers_to_one_another() -> None:
    peers = Peers(["Кленова Анна Павловна", "maple@demo.example", "Maple Reviewer"], "en")
    written = "Согласна с Кленовой Анной Павловной; Кленова А. П., И. Кленов, MAPLE@demo.example, Maple Reviewer."
    assert peers.text(written) == "Согласна с [hidden]; [hidden], [hidden], [hidden], [hidden]."
    assert peers.text("Клён растёт у завода А. П.") == "Клён растёт у завода А. П."


def test_names_in_a_text_are_told_each_once() -> None:
    content = planted()
    redaction = Redaction(content, "en", people=[PERSON])
    first = content["participants"][0]["organisation"]
    assert redaction.named(f"{first['name_ru']}, {first['inn']}, {first['name_ru']}; {MAIL}") == [
        first["name_ru"],
        first["inn"],
        MAIL,
    ]
    assert redaction.named("План работ на 8500000 рублей") == []

"""Tables as XLSX: out, edited by another program, and back."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from portal.applications.drafts.sections import BY_NAME
from portal.applications.drafts.values import Unreadable, read
from portal.applications.figures.grids import costs
from portal.applications.figures.workbook import Owner, Reading, compare, page
from portal.core.figures import decimal_of
from portal.core.language import render
from portal.documents.sheets import as_workbook
from portal.documents.tables import Sheet, sheets
from tests.factories.packages import rules

D = Decimal
PART, APPLICATION = uuid4(), uuid4()
TYPED = {
    "CC-01.2018": "1 250 000,50",
    "CC-04.2017": "=HYPERLINK(1)",
    "CC-04.2018": "123456789012.34",
    "CC-05.2020": "+5",
    "CC-99.2019": "7",
}


def out(data: dict[str, str], section: str = "costs", locale: str = "ru", key: UUID | None = None) -> bytes:
    owner = key or (PART if BY_NAME[section].each else APPLICATION)
    return as_workbook([page(BY_NAME[section], owner, "АО «Демо»", data, rules(), locale)])


def back(book: bytes | list[Sheet], data: dict[str, str], writable: dict[Owner, bool] | None = None) -> Reading:
    found = sheets(book, "a.xlsx") if isinstance(book, bytes) else book
    return compare(found, rules(), APPLICATION, lambda *_: data, writable or {None: True, PART: True})


def edited(book: bytes, change: Callable[[str], str]) -> bytes:
    """The first sheet's XML through another program's hands; shared strings become inline ones."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as target:
        shared = re.findall(r"<si><t[^>]*>(.*?)</t></si>", source.read("xl/sharedStrings.xml").decode(), re.DOTALL)
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text = re.sub(
                    r'<c r="(\w+)"( s="\d+")? t="s"><v>(\d+)</v></c>',
                    lambda cell: f'<c r="{cell[1]}" t="inlineStr"><is><t>{shared[int(cell[3])]}</t></is></c>',
                    content.decode(),
                )
                content = change(text).encode()
            target.writestr(name, content)
    return held.getvalue()


def put(text: str, cell: str, value: str) -> str:
    """A number into a cell that is empty or holds one."""
    number = re.search(r"\d+", cell)
    assert number is not None
    text = re.sub(rf'<c r="{cell}"[^>]*?(/>|>.*?</c>)', "", text)
    row = re.search(rf'<row r="{number[0]}"[^>]*>(.*?)</row>', text, re.DOTALL)
    assert row is not None
    # Cells of a row stand in the order of their columns.
    cells = [*re.findall(r"<c .*?(?:/>|</c>)", row[1], re.DOTALL), f'<c r="{cell}"><v>{value}</v></c>']
    cells.sort(key=lambda each: re.search(r'r="([A-Z]+)', each)[1].rjust(3))  # type: ignore[index]
    return text.replace(row[1], "".join(cells))


def total(data: dict[str, str]) -> Decimal:
    amounts = []
    for text in data.values():
        try:
            amounts.append(decimal_of(read(BY_NAME["costs"].grid(rules()).kind, text)) or D(0))  # type: ignore[misc]
        except Unreadable:
            continue
    return sum(amounts, D(0))


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_what_comes_back_untouched_changes_nothing(locale: str) -> None:
    found = back(out(TYPED, locale=locale), TYPED)
    assert (found.changes, found.faults, found.notes, found.tables) == ([], [], [], 1)
    assert found.same == len(list(BY_NAME["costs"].keys(rules())))


def test_formulas_in_texts_stay_texts_and_totals_are_formulas() -> None:
    book = out(TYPED)
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "HYPERLINK" not in sheet
        assert "HYPERLINK" in parts.read("xl/sharedStrings.xml").decode()
    assert all(formula.startswith("SUM(") for formula in re.findall(r"<f>(.*?)</f>", sheet))
    (read_back,) = sheets(book, "a.xlsx")
    cells = [cell for row in read_back.rows for cell in row]
    assert "=HYPERLINK(1)" in cells
    assert "+5" in cells
    # The total of documentation stands ready for programs that do not compute.
    assert cells.count("1250000.5") >= 2


def test_exported_edited_imported_same_totals() -> None:
    draw = Random("workbook")
    grid = costs(rules())
    data = {
        grid.key(row.code, column): f"{draw.randrange(10**11)},{draw.randrange(100):02}"
        for row in grid.rows
        for column in grid.columns
        if draw.random() < 0.6
    }
    places = {
        (row.code, column): (5 + line, "CDEFGH"[place])
        for line, row in enumerate(grid.rows)
        for place, column in enumerate(grid.columns)
    }
    new = {key: f"{draw.randrange(10**11)}.{draw.randrange(100):02}" for key in draw.sample(sorted(places), 20)}

    def change(text: str) -> str:
        for key, value in new.items():
            line, letter = places[key]
            text = put(text, f"{letter}{line}", value)
        return text

    found = back(edited(out(data), change), data)
    assert (found.faults, found.notes) == ([], [])
    merged = {**data, **{item.key: item.new for item in found.changes}}
    wanted = {**data, **{grid.key(*key): value for key, value in new.items()}}
    assert total(merged) == total(wanted)
    assert {item.key for item in found.changes} == {
        grid.key(*key) for key, value in new.items() if D(value) != D(data.get(grid.key(*key), "-1").replace(",", "."))
    }
    again = back(out(merged), merged)
    assert again.changes == []


def rows(*lines: list[str], section: str = "costs", key: UUID | None = None, name: str = "S") -> list[Sheet]:
    owner = key or (PART if BY_NAME[section].each else APPLICATION)
    return [Sheet(name, [["t"], [f"portal:{section}:{owner}"], ["", "", "2017", "2018"], *lines])]


def said(found: Reading) -> str:
    return " ".join(render(note, "en") for note in found.notes)


def test_each_cell_that_cannot_be_taken_over_is_told_with_place_and_reason() -> None:
    found = back(
        rows(
            ["CC-01", "", "1.005", "x"],
            ["CC-04", "", "-1", "5", "9"],
            ["CC-77", "", "1"],
            ["CC-01", "", "2"],
            ["", "", "3"],
            ["*", "Total", "99", "99"],
        ),
        {},
    )
    assert [(fault.place, fault.value, fault.reason.msgid[:24]) for fault in found.faults] == [
        ("S!C4", "1.005", "Enter the amount in roub"),
        ("S!D4", "x", "Enter the amount in digi"),
        ("S!C5", "-1", "Enter an amount that is "),
        ("S!E5", "9", "The table has no such co"),
        ("S!A6", "CC-77", "The table has no line wi"),
        ("S!A7", "CC-01", "This line is there twice"),
        ("S!A8", "", "The table has no line wi"),
    ]
    assert [(item.key, item.old, item.new, item.place) for item in found.changes] == [
        ("CC-04.2018", "", "5.00", "S!D5")
    ]
    assert "CC-02" in said(found)


def test_an_emptied_cell_is_a_change_and_the_same_number_otherwise_written_is_none() -> None:
    found = back(rows(["CC-01", "", "1000.5", ""]), {"CC-01.2017": "1 000,50", "CC-01.2018": "7"})
    assert [(item.key, item.new) for item in found.changes] == [("CC-01.2018", "")]


@pytest.mark.parametrize(
    ("unit", "factor", "note"),
    [
        ("тыс. руб.", 1000, "multiplied by 1,000"),
        ("в тысячах рублей", 1000, "multiplied by 1,000"),
        ("Unit: thousand roubles", 1000, "multiplied by 1,000"),
        ("млн руб.", None, "in millions"),
        ("million RUB", None, "in millions"),
        ("ООО «Тысяча мелочей»", 1, ""),
        ("Unit: roubles", 1, ""),
    ],
)
def test_units(unit: str, factor: int | None, note: str) -> None:
    (sheet,) = rows(["CC-01", "", "12,34567" if factor == 1000 else "12.34"])
    sheet.rows.insert(0, [unit])
    found = back([sheet], {})
    assert note in said(found)
    expected = [] if factor is None else ["12345.67"] if factor == 1000 else ["12.34"]
    assert [item.new for item in found.changes] == expected


def test_two_units_at_once_are_refused() -> None:
    (sheet,) = rows(["CC-01", "", "12"])
    sheet.rows[:0] = [["Unit: roubles"], ["тыс. руб."]]
    found = back([sheet], {})
    assert (found.changes, found.tables) == ([], 0)
    assert "Leave one unit" in said(found)


def test_thousands_do_not_touch_headcount() -> None:
    lines = [["wages", "", "", "5"], ["headcount", "", "", "5"]]
    (sheet,) = rows(*lines, section="productivity")
    sheet.rows.insert(0, ["тыс. руб."])
    assert [item.new for item in back([sheet], {}).changes] == ["5000.00", "5"]


def test_sheets_that_are_left_out_are_named() -> None:
    other, stranger = uuid4(), uuid4()
    book = [
        *rows(["CC-01", "", "1"], key=other, name="not mine"),
        *rows(["CC-01", "", "1"], key=stranger, name="elsewhere"),
        *rows(["K1", "", "1"], section="kpi", key=uuid4(), name="other project"),
        *rows(["CC-01", "", "1"], name="first"),
        *rows(["CC-01", "", "2"], name="second"),
        Sheet("notes", [["hello"]]),
        Sheet("empty", []),
        Sheet("headless", [[f"portal:financing:{PART}"], ["own", "", "5"]]),
    ]
    found = back(book, {}, {None: True, PART: True, other: False})
    for words in (
        "“not mine” is not yours to change",
        "“elsewhere” belongs to another",
        "“other project” belongs to another",
        "“second” holds a table that an earlier",
        "“notes” is not a table of this portal",
        "“headless” has no line with the codes",
    ):
        assert words in said(found).replace("The table of the sheet ", "").replace("The sheet ", "")
    assert "empty" not in said(found)
    assert [item.new for item in found.changes] == ["1.00"]


def test_every_table_of_the_portal_goes_out_and_comes_back() -> None:
    for section in (item for item in BY_NAME.values() if item.grid is not None):
        data = {key: "-5" if key.startswith("profit") else "5" for key, _ in section.keys(rules())}
        found = back(out(data, section.name), data)
        assert (found.changes, found.faults, found.notes, found.tables) == ([], [], [], 1), section.name


def test_nothing_in_a_file_breaks_the_reading() -> None:
    draw = Random("odd")
    odd: list[Any] = [
        "",
        "portal:costs:x",
        f"portal:costs:{PART}",
        "2017",
        "CC-01",
        "=1",
        "1e9",
        "\x00",
        "𝟙",
        "9" * 300,
    ]
    for _ in range(200):
        lines = [[draw.choice(odd) for _ in range(draw.randrange(6))] for _ in range(draw.randrange(8))]
        back([Sheet("s", lines)], {"CC-01.2017": "x"})

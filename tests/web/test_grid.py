"""The tables in a browser: keys, pasting from a spreadsheet, and taking a paste back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import User
from tests.factories import applications

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[2] / "portal" / "static" / "js" / "grid.js"
PASTE = """([input, text]) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  input.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
}"""
HEARD = "() => { window.heard = []; document.addEventListener('input', e => window.heard.push(e.target.id)); }"


class Table:
    """The costs table of an empty draft, opened in a browser."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def cell(self, row: str, year: int) -> Any:
        return self.page.locator(f"#costs-{row}-{year}")

    def value(self, row: str, year: int) -> str:
        return str(self.cell(row, year).input_value())

    def paste(self, row: str, year: int, text: str) -> None:
        self.cell(row, year).focus()
        self.page.evaluate(PASTE, [self.cell(row, year).element_handle(), text])

    def press(self, *keys: str) -> str:
        """The id of the cell in which the keys end."""
        for key in keys:
            self.page.keyboard.press(key)
        return str(self.page.evaluate("document.activeElement.id"))

    def note(self) -> str:
        return str(self.page.locator("#costs-note").inner_text())


@pytest.fixture(scope="module")
def browser_page(chromium: Any) -> Iterator[Any]:
    page = chromium.new_page()
    yield page
    page.close()


@pytest.fixture
def table(session: Session, sign_in: Callable[[User], FlaskClient], browser_page: Any) -> Table:
    joint = applications.draft(session)
    session.commit()
    part = joint.parts[0].id
    answer = sign_in(joint.owners[0]).get(f"/applications/{joint.id}/participants/{part}/sections/costs?lang=en")
    browser_page.set_content(answer.text)
    browser_page.add_script_tag(content=SCRIPT.read_text(), type="module")
    browser_page.wait_for_selector("#costs-note-help:not([hidden])")
    browser_page.evaluate(HEARD)
    return Table(browser_page)


def test_keys_move_between_the_cells_and_never_trap(table: Table) -> None:
    years = (2015, 2020)
    table.cell("CC-01", 2016).focus()
    assert table.press("ArrowDown") == "costs-CC-02-2016"
    assert table.press("ArrowRight", "ArrowRight") == "costs-CC-02-2018"
    assert table.press("ArrowLeft", "ArrowUp", "ArrowUp") == "costs-CC-01-2017"
    assert table.press("Enter", "Enter") == "costs-CC-03-2017"
    assert table.press("Shift+Enter") == "costs-CC-02-2017"
    assert table.press("End") == f"costs-CC-02-{years[1]}"
    assert table.press("Home") == f"costs-CC-02-{years[0]}"
    assert table.press("Control+End") == f"costs-CC-99-{years[1]}"
    assert table.press("Control+Home") == f"costs-CC-01-{years[0]}"
    assert table.press("Control+ArrowRight", "Control+ArrowDown") == f"costs-CC-99-{years[1]}"
    assert table.press("Enter") == f"costs-CC-99-{years[1]}"
    # Tab goes on through the page, out of the table.
    assert not table.press("Tab").startswith("costs-")


def test_the_cursor_moves_within_a_number_first(table: Table) -> None:
    cell = table.cell("CC-01", 2016)
    cell.fill("125")
    assert table.press("ArrowLeft", "ArrowLeft", "ArrowRight") == "costs-CC-01-2016"
    assert table.press("Home", "Home") == "costs-CC-01-2015"
    assert table.press("ArrowRight", "Escape") == "costs-CC-01-2016"
    cell.fill("1")
    table.press("Escape")
    assert table.value("CC-01", 2016) == "125"


def test_a_block_with_russian_numbers(table: Table) -> None:
    block = "1\u00a0250\u00a0000,50\t2 000,00 ₽\r\n\u2212\t1,234,567.89\r\n"
    table.paste("CC-03", 2018, block)
    assert [table.value("CC-03", 2018), table.value("CC-03", 2019)] == ["1250000,50", "2000,00"]
    assert [table.value("CC-04", 2018), table.value("CC-04", 2019)] == ["", "1234567.89"]
    heard = table.page.evaluate("window.heard")
    assert heard == ["costs-CC-03-2018", "costs-CC-03-2019", "costs-CC-04-2019"]
    assert "Cells filled in: 3." in table.note()


def test_what_does_not_fit_is_told_with_its_values(table: Table) -> None:
    table.paste("CC-99", 2019, "1\t2\t3\n4\t\tabc\n")
    assert [table.value("CC-99", 2019), table.value("CC-99", 2020)] == ["1", "2"]
    assert "they lie outside the table: 3 (3; 4; abc)" in table.note()
    table.paste("CC-01", 2015, "ten\t5\n")
    assert table.value("CC-01", 2015) == "ten"
    assert "not numbers: 1" in table.note()
    assert "R&D" in table.note()


def test_headings_are_recognised_and_counted(table: Table) -> None:
    table.paste("CC-01", 2015, "Code\tItem\t2015\t2016\nCC-01\tR&D\t10\t20\nCC-02\tPilot\t30\t40\n")
    assert [table.value("CC-01", 2015), table.value("CC-02", 2016)] == ["10", "40"]
    assert "left out: 3." in table.note()
    assert "outside" not in table.note()


def test_a_paste_is_taken_back_but_not_what_was_typed_after_it(table: Table) -> None:
    table.cell("CC-01", 2015).fill("7")
    table.paste("CC-01", 2015, "1\t2\n3\t4\n")
    assert table.press("Control+z") == "costs-CC-01-2015"
    assert [table.value("CC-01", 2015), table.value("CC-02", 2016)] == ["7", ""]
    table.paste("CC-01", 2015, "1\t2\n3\t4\n")
    table.cell("CC-02", 2016).fill("44")
    table.page.locator("#costs-note button").click()
    assert [table.value("CC-01", 2015), table.value("CC-01", 2016), table.value("CC-02", 2016)] == ["7", "", "44"]
    assert "stay as they are: 1." in table.note()


def test_one_cell_goes_where_the_cursor_is(table: Table) -> None:
    table.cell("CC-01", 2015).fill("9")
    table.paste("CC-01", 2015, "1\u00a0000,00\n")
    assert table.value("CC-01", 2015) == "91000,00"
    table.page.evaluate(PASTE, [table.cell("CC-01", 2016).element_handle(), "500"])
    assert table.value("CC-01", 2016) == "", "a plain text is left to the browser"


def test_a_quoted_cell_with_a_line_break_is_one_cell(table: Table) -> None:
    table.paste("CC-03", 2018, '"1\n000"\t2\n3\t4\n')
    assert [table.value("CC-03", 2018), table.value("CC-03", 2019)] == ["1000", "2"]
    assert [table.value("CC-04", 2018), table.value("CC-04", 2019)] == ["3", "4"]

"""The tables of an application as a workbook, and what of an edited workbook would change them.

Each sheet is one table. Its first column holds the codes of the rows, its header the codes of the columns (years,
half-years); a line above them names the table, so that a sheet may be renamed and moved. Totals are formulas, and
are computed anew when the file is read back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from portal.applications.drafts.sections import BY_NAME, SECTIONS, Section
from portal.applications.drafts.values import Kind, Unreadable, longest, read
from portal.applications.figures.grids import Grid, Row
from portal.core.canonical import plain_decimal
from portal.core.figures import decimal_of
from portal.core.language import LOCALES, N_, Message, render
from portal.core.money import NumberError, parse_decimal
from portal.documents.sheets import Cell, Formula, Page
from portal.documents.tables import Sheet
from portal.tenders.ruleset import RuleSet, Text

_FOREIGN: Final = N_("The sheet “%(sheet)s” is not a table of this portal and was left out.")
_OTHER: Final = N_("The sheet “%(sheet)s” belongs to another application and was left out.")
_NOT_YOURS: Final = N_("The table of the sheet “%(sheet)s” is not yours to change; it was left out.")
_TWICE: Final = N_("The sheet “%(sheet)s” holds a table that an earlier sheet holds too; it was left out.")
_HEADLESS: Final = N_("The sheet “%(sheet)s” has no line with the codes of the columns; it was left out.")
_COARSE: Final = N_(
    "The sheet “%(sheet)s” is in millions, too coarse for a table in roubles and kopecks. It was left out."
)
_UNCLEAR: Final = N_("The sheet “%(sheet)s” speaks of roubles and of thousands. Leave one unit; it was left out.")
_MULTIPLIED: Final = N_("The sheet “%(sheet)s” is in thousands of roubles: its sums were multiplied by 1,000.")
_LINES_MISSING: Final = N_("The sheet “%(sheet)s” has no lines for: %(codes)s. They stay as they are.")
_LINE_TWICE: Final = N_("This line is there twice.")
_NO_LINE: Final = N_("The table has no line with this code.")
_NO_COLUMN: Final = N_("The table has no such column.")

Owner = UUID | None
"""The participant of a table; None for the project as a whole."""

_MARK: Final = re.compile(r"portal:([a-z]+):([0-9a-f-]{36})")
_THOUSANDS: Final = re.compile(
    r"тыс\.?\s*(руб|₽|р\.)|тысяч\w*\s+руб|^\s*тыс\.?\s*$|thousands?\s+(of\s+)?(rub|rouble)|\bk\s*rub", re.IGNORECASE
)
_MILLIONS: Final = re.compile(
    r"(млн|млрд)\.?\s*(руб|₽|р\.|$)|(миллион|миллиард)\w*\s+руб|(million|billion)s?\s+(of\s+)?(rub|rouble)",
    re.IGNORECASE,
)
_SEARCHED: Final = 20
_FIRST: Final = 2
_BODY: Final = 4
_TOTAL: Final = N_("Total")
_ROUBLES: Final = N_("Unit: roubles")
_AS_NAMED: Final = N_("Units: as the rows say")
_KEEP: Final = N_("Do not change the codes in this line, in the first column and in the header")
_MONEY: Final = (Kind.MONEY, Kind.SIGNED_MONEY)
_SUM: Final = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that the file would change, with texts as they are typed; "" is empty."""

    section: str
    owner: Owner
    key: str
    row: Text | Message
    column: str
    old: str
    new: str
    place: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell of the file that is not taken over: where it stands, what it holds, and why."""

    place: str
    value: str
    reason: Message


@dataclass
class Reading:
    """What a file would do. ``notes`` are about whole sheets; ``same``: cells that hold what is there already."""

    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)
    same: int = 0
    tables: int = 0


def tables(rules: RuleSet, owner: Owner) -> list[Section]:
    """The sections with tables of a participant, or of the project as a whole."""
    return [item for item in SECTIONS if item.grid is not None and item.each is (owner is not None)]


def page(section: Section, key: UUID, name: str, data: Mapping[str, str], rules: RuleSet, locale: str) -> Page:
    """One table as a sheet.

    ``key`` is of its participant, or of the application; ``name`` is whose it is. What cannot be read stays the text
    that was typed.
    """
    assert section.grid is not None
    grid = section.grid(rules)
    title = render(section.title, locale)
    unit = _ROUBLES if grid.roubles else _AS_NAMED
    across = grid.sums and len(grid.columns) > 1
    head: list[Cell] = [render(N_("Code"), locale), render(N_("Item"), locale), *grid.columns]
    rows: list[list[Cell]] = [
        [f"{title}. {name}"],
        [render(unit, locale)],
        [f"portal:{section.name}:{key}", render(_KEEP, locale)],
        [*head, render(_TOTAL, locale)] if across else head,
    ]
    for row in grid.rows:
        rows.append(_line(grid, row, data, len(rows) + 1, across, locale))
    if grid.sums and len(grid.rows) > 1:
        rows.append([_SUM, render(_TOTAL, locale), *_sums(rows[_BODY:], len(grid.columns) + across)])
    return Page(f"{title} {name}".strip(), rows, head=_BODY - 1)


def _line(grid: Grid, row: Row, data: Mapping[str, str], number: int, across: bool, locale: str) -> list[Cell]:
    title = row.title[locale] if isinstance(row.title, Text) else render(row.title, locale)
    cells = [_cell(grid.kind_of(row), data.get(grid.key(row.code, column), "")) for column in grid.columns]
    line: list[Cell] = [row.code or "-", title, *cells]
    if across:
        last = _letters(_FIRST + len(grid.columns) - 1)
        total = sum((cell for cell in cells if isinstance(cell, Decimal)), Decimal(0))
        line.append(Formula(f"SUM({_letters(_FIRST)}{number}:{last}{number})", total))
    return line


def _sums(rows: Sequence[Sequence[Cell]], width: int) -> list[Cell]:
    found: list[Cell] = []
    for place in range(_FIRST, _FIRST + width):
        letter = _letters(place)
        total = sum((_number(row[place]) for row in rows), Decimal(0))
        found.append(Formula(f"SUM({letter}{_BODY + 1}:{letter}{_BODY + len(rows)})", total))
    return found


def _number(cell: Cell) -> Decimal:
    if isinstance(cell, Formula):
        return cell.value
    return cell if isinstance(cell, Decimal) else Decimal(0)


def _cell(kind: Kind, text: str) -> Cell:
    try:
        value = decimal_of(read(kind, text))
    except Unreadable:
        return text
    return "" if value is None else value


def _letters(place: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def compare(
    sheets: Iterable[Sheet],
    rules: RuleSet,
    application_id: UUID,
    typed: Callable[[Owner, str], Mapping[str, str]],
    writable: Mapping[Owner, bool],
) -> Reading:
    """What the sheets would change. ``writable``: every owner of the application, and whether the reader may write.

    Nothing is left out in silence: a sheet, row, column or cell that is not taken over is a note or a fault.
    """
    found = Reading()
    seen: set[tuple[Owner, str]] = set()
    for sheet in sheets:
        mark = _marked(sheet)
        if mark is None:
            if any(any(row) for row in sheet.rows):
                found.notes.append(_told(_FOREIGN, sheet))
            continue
        section, key, line = mark
        owner = key if section.each else None
        mine = owner in writable and (section.each or key == application_id)
        if not mine:
            found.notes.append(_told(_OTHER, sheet))
        elif not writable[owner]:
            found.notes.append(_told(_NOT_YOURS, sheet))
        elif (owner, section.name) in seen:
            found.notes.append(_told(_TWICE, sheet))
        else:
            seen.add((owner, section.name))
            _Table(sheet, section, owner, rules, typed(owner, section.name), found).read(line)
    return found


def _told(message: Message, sheet: Sheet, **more: str) -> Message:
    return Message(message.msgid, {"sheet": sheet.name, **more})


def _marked(sheet: Sheet) -> tuple[Section, UUID, int] | None:
    """The table that a sheet says it is, the key of its owner, and the line that says so."""
    for line, row in enumerate(sheet.rows[:_SEARCHED]):
        for cell in row:
            mark = _MARK.fullmatch(cell.strip())
            section = BY_NAME.get(mark[1]) if mark else None
            if mark is None or section is None or section.grid is None:
                continue
            try:
                return section, UUID(mark[2]), line
            except ValueError:
                continue
    return None


class _Table:
    """One sheet on its way into one table."""

    def __init__(
        self, sheet: Sheet, section: Section, owner: Owner, rules: RuleSet, data: Mapping[str, str], found: Reading
    ) -> None:
        assert section.grid is not None
        self.sheet, self.section, self.owner, self.data, self.found = sheet, section, owner, data, found
        self.grid: Grid = section.grid(rules)
        self.rows = {row.code or "-": row for row in self.grid.rows}
        self.factor = 1

    def read(self, mark: int) -> None:
        """Everything below the line of the mark."""
        head = next((n for n in range(mark + 1, len(self.sheet.rows)) if self._columns(n)), None)
        if head is None:
            self._note(_HEADLESS)
            return
        if not self._unit(head):
            return
        self.found.tables += 1
        columns, seen = self._columns(head), set()
        for number in range(head + 1, len(self.sheet.rows)):
            row = self.sheet.rows[number]
            code = row[0].strip() if row else ""
            if code == _SUM or not any(cell.strip() for cell in row):
                continue
            if code not in self.rows or code in seen:
                reason = _LINE_TWICE if code in seen else _NO_LINE
                self._fault(number, 0, code, reason)
                continue
            seen.add(code)
            self._line(number, self.rows[code], columns, head)
        missing = [code for code in self.rows if code not in seen]
        if missing:
            self._note(_LINES_MISSING, codes=", ".join(missing))

    def _columns(self, number: int) -> dict[int, str]:
        """Place -> column of the table, in a line that may be the header."""
        cells = [cell.split(",")[0].strip() for cell in self.sheet.rows[number]]
        return {place: cell for place, cell in enumerate(cells) if place >= 1 and cell in self.grid.columns}

    def _unit(self, head: int) -> bool:
        """Thousands of roubles are recognised, millions refused; False when the sheet is left out."""
        if not any(self.grid.kind_of(row) in _MONEY for row in self.grid.rows):
            return True
        told = [cell for row in self.sheet.rows[: head + 1] for cell in row]
        thousands = any(_THOUSANDS.search(cell) for cell in told)
        roubles = {render(_ROUBLES, locale) for locale in LOCALES}
        if any(_MILLIONS.search(cell) for cell in told):
            self._note(_COARSE)
        elif thousands and any(cell.strip() in roubles for cell in told):
            self._note(_UNCLEAR)
        elif thousands:
            self.factor = 1000
            self._note(_MULTIPLIED)
            return True
        else:
            return True
        return False

    def _line(self, number: int, row: Row, columns: Mapping[int, str], head: int) -> None:
        cells = self.sheet.rows[number]
        for place, column in columns.items():
            self._compare(number, place, row, column, cells[place] if place < len(cells) else "")
        totals = {render(_TOTAL, locale) for locale in LOCALES}
        header = self.sheet.rows[head]
        for place in range(_FIRST, len(cells)):
            title = header[place].strip() if place < len(header) else ""
            if place not in columns and cells[place].strip() and title not in totals:
                self._fault(number, place, cells[place], _NO_COLUMN)

    def _compare(self, number: int, place: int, row: Row, column: str, text: str) -> None:
        key, kind = self.grid.key(row.code, column), self.grid.kind_of(row)
        old, text = self.data.get(key, ""), text.strip()
        if text == old.strip():
            self.found.same += 1
            return
        try:
            new = self._value(kind, text)
            if _same(kind, old, new):
                self.found.same += 1
                return
        except (Unreadable, NumberError) as error:
            self._fault(number, place, text, error.message)
            return
        where = self._where(number, place)
        self.found.changes.append(Change(self.section.name, self.owner, key, row.title, column, old, new, where))

    def _value(self, kind: Kind, text: str) -> str:
        """The text of the cell as it is typed into the table, in the table's unit."""
        if text and self.factor != 1 and kind in _MONEY:
            number = parse_decimal(text, places=5, minimum=None) * self.factor
            text = plain_decimal(number)
        value = read(kind, text)
        return "" if value is None else str(value)

    def _fault(self, number: int, place: int, value: str, reason: Message) -> None:
        self.found.faults.append(Fault(self._where(number, place), value[: longest(Kind.TEXT)], reason))

    def _where(self, number: int, place: int) -> str:
        cell = f"{_letters(place)}{number + 1}"
        return f"{self.sheet.name}!{cell}" if self.sheet.name else cell

    def _note(self, message: Message, **more: str) -> None:
        self.found.notes.append(_told(message, self.sheet, **more))


def _same(kind: Kind, old: str, new: str) -> bool:
    """Whether two texts are the same number; what cannot be read is no number."""
    try:
        return bool(read(kind, old) == read(kind, new))
    except Unreadable:
        return False

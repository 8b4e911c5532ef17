"""Scenarios side by side, as the pages and their files show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from flask_babel import gettext as _

from portal.awards.allocation.problem import EACH, SME
from portal.awards.allocation.words import POLICY_NAMES
from portal.awards.scenarios.changes import ZERO, Changes, Difference, Ground, Outcome, Place, Result, difference
from portal.awards.scenarios.checks import groups_of
from portal.awards.scenarios.models import Scenario
from portal.awards.scenarios.outcome import limit_name
from portal.awards.scenarios.queries import Named, Standing, names_of_groups
from portal.awards.scenarios.simulating import Simulated
from portal.core.db import session
from portal.core.formats import format_number, format_percent
from portal.tenders.wording import limit_group
from portal.web.language import locale, say
from portal.web.templating import localised

MOST_COLUMNS: Final = 4
PLACES: Final = 50


@dataclass(frozen=True)
class Column:
    """A list beside the present one, of a ``scenario`` or of changes that are not saved. ``stale``: it stands on what
    has changed since."""

    title: str
    result: Result
    difference: Difference
    scenario: Scenario | None = None
    stale: bool = False


@dataclass(frozen=True)
class Cell:
    """An application in a column. ``mark``: "entered", "left" or ""; ``by``: places won."""

    place: Place | None
    mark: str = ""
    by: int = 0


@dataclass(frozen=True)
class Line:
    """An application in all columns, the present list first."""

    number: str
    named: Named | None
    present: Place
    cells: Sequence[Cell]


def column(scenario: Scenario, result: Result, present: Result, held: Standing) -> Column:
    """A scenario beside the present list."""
    stale = scenario.ground_digest != held.ground.digest
    return Column(scenario.name, result, difference(present, result), scenario, stale)


def lines(present: Result, columns: Sequence[Column], held: Standing) -> list[Line]:
    """All applications in the order of the present list."""
    return [
        Line(each.number, held.names.get(each.number), each, [cell(one, each.number) for one in columns])
        for each in present.places
    ]


def cell(one: Column, number: str) -> Cell:
    """An application in a column."""
    mark = "entered" if number in one.difference.entered else "left" if number in one.difference.left else ""
    place = one.result.by_number.get(number)
    return Cell(place, mark, one.difference.moved.get(number, 0) if place and place.total is not None else 0)


def bars(results: Sequence[tuple[str, Result]]) -> list[dict[str, Any]]:
    """Rows of ``budget_chart``: for each year what each list spends of its envelope."""
    years = sorted({year for _title, result in results for year in (*result.available, *result.spent)})
    return [
        {
            "label": f"{year}: {title}",
            "parts": [
                {"key": "awards", "label": _("Awards"), "value": result.spent.get(year, ZERO), "css": "jp-fill-2"},
                {"key": "left", "label": _("Left"), "value": _left(result, year), "css": "jp-fill-4"},
            ],
            "total": result.available.get(year, ZERO),
        }
        for year in years
        for title, result in results
    ]


def _left(result: Result, year: int) -> Decimal:
    return result.available.get(year, ZERO) - result.spent.get(year, ZERO)


def outcome_name(outcome: Outcome | str) -> str:
    """An outcome in words."""
    names = {
        Outcome.AWARD: _("Award"),
        Outcome.RESERVE: _("Reserve list"),
        Outcome.DECLINE: _("Not supported"),
        Outcome.OPEN: _("Reviews are open"),
    }
    return str(names[Outcome(outcome)])


def told(ground: Ground, changes: Changes) -> list[tuple[str, str, str]]:
    """Weights and threshold that a scenario changes: what, as it is, as supposed."""
    rules = ground.rules
    found = [
        (
            f"{each.code} {getattr(each.title, locale())}",
            _figure(each.weight),
            _figure(changes.weights[each.code]),
        )
        for each in rules.criteria
        if changes.weights.get(each.code, each.weight) != each.weight
    ]
    if changes.threshold is not None:
        found.append((_("Threshold"), _figure(rules.threshold), _figure(changes.threshold)))
    return found


def money_told(ground: Ground, changes: Changes) -> list[tuple[int, Decimal, Decimal]]:
    """Year, what is left in its envelope, and what is supposed instead, roubles."""
    return [(year, ground.available.get(year, ZERO), amount) for year, amount in sorted(changes.available.items())]


def limits_told(changes: Changes) -> list[str]:
    """How the money is given out, where it is not as now, and the limits, in words."""
    policy = [] if changes.policy is None else [say(POLICY_NAMES[changes.policy])]
    if changes.limits == ():
        return [*policy, _("Without the limits of the rules")]
    limits = changes.limits or ()
    names = names_of_groups(session(), ((limit.field, limit.value) for limit in limits))
    told = [(say(limit_name(limit)), names.get((limit.field, limit.value))) for limit in limits]
    return [*policy, *(words if name is None else f"{words} ({name[locale()]})" for words, name in told)]


def groups(ground: Ground) -> list[tuple[str, str]]:
    """What can be limited, as the choices of the form: "field:value" and words, clusters and organisations by name."""
    held = [(field, value) for field, values in groups_of(ground).items() for value in values]
    names = names_of_groups(session(), held)
    found = []
    for field, value in held:
        words = say(limit_group(field, EACH if value == SME else value))
        name = names.get((field, value))
        found.append((f"{field}:{value}", words if name is None else f"{name[locale()]} · {words}"))
    return found


def scores_told(ground: Ground, changes: Changes) -> list[tuple[str, str, str, str, str]]:
    """Single scores that a scenario supposes: application, criterion, points as they are, as supposed, and why."""
    rows = []
    for number, held in changes.scores.items():
        project = ground.numbers.get(number)
        for code, supposed in held.items():
            line = project.lines.get(code) if project else None
            before = "—" if line is None or line.points is None else _figure(line.points)
            rows.append((number, code, before, _figure(supposed.points), supposed.reason))
    return rows


def _figure(value: Decimal) -> str:
    return format_number(value, locale())


def compared(present: Result, columns: Sequence[Column], held: Standing) -> list[list[str]]:
    """All of it as a table to download."""
    head = [_("Number"), _("Project"), _("Place now"), _("Outcome now"), _("Total now")]
    for one in columns:
        head += [_("%(name)s: place", name=one.title), _("%(name)s: outcome", name=one.title)]
        head += [_("%(name)s: total", name=one.title)]
    rows = [head]
    for line in lines(present, columns, held):
        title = localised(line.named, "title") if line.named else ""
        row = [line.number, title, *_written(line.present)]
        for each in line.cells:
            row += _written(each.place)
        rows.append(row)
    return rows


def _written(place: Place | None) -> list[str]:
    if place is None:
        return ["", "", ""]
    if place.total is None:  # without a total there is no place either
        return ["", outcome_name(place.outcome), ""]
    return [str(place.place), outcome_name(place.outcome), _figure(place.total)]


@dataclass(frozen=True)
class Heat:
    """A cell of the heat map: its share in words, and one of eleven shades."""

    share: str
    shade: int


def heat(found: Simulated) -> list[tuple[str, list[Heat]]]:
    """Application -> its cells, in the order of the mean places."""
    return [(row.number, [_heat(count, found.draws) for count in row.ranks]) for row in found.rows]


def _heat(count: int, draws: int) -> Heat:
    return Heat(share_of(count, draws), -(-10 * count // draws))


def share_of(count: int, draws: int) -> str:
    """A count as percent; "<1" where it is not nothing."""
    if not count:
        return ""
    percent = Decimal(100 * count) / draws
    return "<1" if percent < 1 else format_number(percent.quantize(Decimal(1)), locale())


def band_name(band: tuple[int, int]) -> str:
    """A place, or the places of a band."""
    low, high = band
    return str(low) if low == high else f"{low}–{high}"


def chances(found: Simulated, names: Mapping[str, Named]) -> list[list[str]]:
    """The simulation as a table to download: probabilities in percent with one decimal."""
    head = [_("Number"), _("Project"), _("Probability of money, %"), _("Mean place")]
    head += [_("Place %(place)s, %%", place=band_name(band)) for band in found.bands]
    head += [_("Central weight %(code)s", code=code) for code in found.criteria]
    rows = [head]
    for row in found.rows:
        named = names.get(row.number)
        central = [""] * len(found.criteria) if row.central is None else [_figure(weight) for weight in row.central]
        rows.append(
            [
                row.number,
                localised(named, "title") if named else "",
                _share(row.funded, found.draws),
                _figure(row.mean),
                *(_share(count, found.draws) for count in row.ranks),
                *central,
            ]
        )
    return rows


def _share(count: int, draws: int) -> str:
    return _figure((Decimal(100 * count) / draws).quantize(Decimal("0.1")))


def funded(found: Simulated) -> list[tuple[str, str, Decimal]]:
    """Application, its probability of money in words, and as a share of 100."""
    rows = []
    for row in found.rows:
        percent = (Decimal(100 * row.funded) / found.draws).quantize(Decimal(1))
        rows.append((row.number, format_percent(percent, locale()), percent))
    return rows

"""The subsidy calculator: for anyone, without an account. Nothing is stored; the address holds what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar, Final

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.applications.drafts.values import Kind, Unreadable, read
from portal.applications.figures import grids
from portal.applications.figures.estimate import estimate
from portal.applications.figures.grids import Grid, Row
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import NotFound, Problem
from portal.core.figures import decimal_of
from portal.core.language import N_
from portal.identity.policy import Permission
from portal.tenders import queries
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES, official_rules
from portal.tenders.ruleset import RuleSet
from portal.web.application_frame import wording
from portal.web.application_sections import figures, shown
from portal.web.language import say
from portal.web.page import page
from portal.web.templating import localised

pages = Blueprint("calculator", __name__, url_prefix="/calculator")

AMOUNT: Final = "sum"
_TITLES: Final = {AMOUNT: N_("Amount")}
_LONGEST: Final = 64


@dataclass
class Sheet:
    """A table of the calculator, drawn by the same macro as the tables of an application."""

    name: str
    grid: Grid
    typed: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    @property
    def section(self) -> Any:
        return SimpleNamespace(name=self.name)

    def html_name(self, key: str) -> str:
        return f"{self.name}-{key.replace('.', '-')}"

    early: ClassVar[frozenset[str]] = frozenset()
    first_year: ClassVar[str] = ""

    def errors(self, key: str) -> list[str]:
        return [say(problem.message) for problem in self.problems if problem.field == self.html_name(key)]

    def row_errors(self, row: str) -> list[str]:
        return []

    def changed(self, key: str) -> None:
        return None

    def said(self, key: str, kind: Kind) -> str:
        return shown(kind, self.typed.get(key, ""))

    def totals(self) -> dict[str, str]:
        amounts = self.amounts()
        total = sum(amounts.values(), Decimal(0))
        found = {f"row:{row}": figures(amount) for row, amount in amounts.items()}
        return {**found, f"column:{AMOUNT}": figures(total), "all": figures(total)} if amounts else {}

    def amounts(self) -> dict[str, Decimal]:
        """Row -> roubles, of what can be read; what cannot is a problem of its cell."""
        found = {}
        self.problems.clear()
        for row in self.grid.rows:
            key = self.grid.key(row.code, AMOUNT)
            try:
                amount = decimal_of(read(Kind.MONEY, self.typed.get(key, "")))
            except Unreadable as error:
                self.problems.append(Problem(error.code, self.html_name(key), error.message))
                continue
            if amount is not None:
                found[row.code] = amount
        return found


@page(pages, "/", get=Permission.PUBLIC)
def show() -> ResponseReturnValue:
    """The form and, once something is typed, what the subsidy may be and why."""
    choices = _choices()
    chosen = request.args.get("rules", "") or choices[0][0]
    rules = _rules(chosen)
    costs = _sheet("costs", tuple(Row(item.code, item.title, item.note) for item in grids.costs(rules).rows))
    money = _sheet("financing", (*grids.financing(rules).rows, Row("subsidy", N_("Requested subsidy"))))
    spent, paid = costs.amounts(), money.amounts()
    asked = paid.pop("subsidy", None)
    part = {
        "id": "",
        "costs": {code: {AMOUNT: amount} for code, amount in spent.items()},
        "financing": {source: {AMOUNT: amount} for source, amount in paid.items()},
        "subsidy": {} if asked is None else {AMOUNT: asked},
    }
    return render_template(
        "calculator/show.html",
        choices=choices,
        chosen=chosen,
        rules=rules,
        costs=costs,
        money=money,
        found=estimate({"participants": [part]}, rules) if spent or paid or asked is not None else None,
        problems=[*costs.problems, *money.problems],
        link=url_for(".show", _external=True, rules=chosen, **_filled((costs, money))),
        wording=wording,
    )


def _sheet(name: str, rows: tuple[Row, ...]) -> Sheet:
    sheet = Sheet(name, Grid(rows, (AMOUNT,), Kind.MONEY, titles=_TITLES), {})
    keys = [sheet.grid.key(row.code, AMOUNT) for row in rows]
    sheet.typed = {key: request.args.get(sheet.html_name(key), "")[:_LONGEST] for key in keys}
    return sheet


def _filled(sheets: Sequence[Sheet]) -> dict[str, str]:
    return {sheet.html_name(key): text for sheet in sheets for key, text in sheet.typed.items() if text.strip()}


def _choices() -> list[tuple[str, str]]:
    """The rules of the published tenders, the newest first; the official ones where there is no tender."""
    found = [
        (
            f"{row.tender.code}:{track.track}",
            f"{say(TRACK_NAMES[Track(track.track)])}: {localised(row.tender, 'title')}",
        )
        for row in queries.on_home(session(), g.actor)
        for track in row.tracks
    ]
    return found or [(f":{track}", say(name)) for track, name in TRACK_NAMES.items()]


def _rules(chosen: str) -> RuleSet:
    code, _, track = chosen.partition(":")
    if track not in list(Track):
        raise NotFound
    if not code:
        return official_rules(Track(track), today(session()).year)
    return rules_in(queries.track_with_rules(session(), g.actor, code, track).rule_set)

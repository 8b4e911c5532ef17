"""Filling in: one page for each section, the same for typing, for reading, and for a stale version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from babel import Locale
from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications import service
from portal.applications.drafts import questions
from portal.applications.drafts.project_fields import Field
from portal.applications.drafts.saving import Saved, mark_of
from portal.applications.drafts.sections import BY_NAME, Section, place_of
from portal.applications.drafts.values import Kind, Unreadable, read
from portal.applications.figures.grids import Grid
from portal.applications.following.dossier import Dossier
from portal.core import regions
from portal.core.canonical import plain_decimal
from portal.core.db import session
from portal.core.errors import NotFound, Problem
from portal.core.figures import decimal_of
from portal.core.formats import format_date, format_money, format_number
from portal.identity.policy import Permission
from portal.web import question_words
from portal.web.application_drafts import (
    Disagreement,
    TypedFields,
    disagreements,
    fields_url,
    name_of_input,
    reading_error,
    typed_fields,
)
from portal.web.application_frame import (
    Tasks,
    anchor,
    blueprint,
    editable,
    labelled,
    opened,
    saved_text,
    section_url,
    wording,
)
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import page

COST_TABLES: Final = frozenset({"costs", "financing", "cashflow"})
"""The tables whose years begin with the rules' first allowed day of costs."""


@dataclass
class Sheet:
    """A section as its page shows it: ``typed`` by key, what is wrong with it, and what others made of it.

    ``bases``: marks of the texts that fields with a clash were typed over; all others were typed over what is kept.
    """

    dossier: Dossier
    section: Section
    participant_id: UUID | None
    typed: Mapping[str, str]
    version: int
    problems: list[Problem] = field(default_factory=list)
    clashes: list[Disagreement] = field(default_factory=list)
    bases: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.section.fields(self.dossier.rules) if self.section.fields else ()

    @property
    def grid(self) -> Grid | None:
        return self.section.grid(self.dossier.rules) if self.section.grid else None

    words = question_words
    preview = False

    @cached_property
    def early(self) -> frozenset[str]:
        """The columns of years before the project's first day of costs that hold nothing: a phone does not show them
        until asked to."""
        grid, first = self.grid, str(self.dossier.package.content["project"].get("costs_from") or "")[:4]
        if grid is None or self.section.name not in COST_TABLES or not first.isdigit():
            return frozenset()
        return frozenset(
            column
            for column in grid.columns
            if int(column) < int(first) and not any(self.typed.get(grid.key(row.code, column)) for row in grid.rows)
        )

    @property
    def first_year(self) -> str:
        """The first year that is not an early one."""
        return next((column for column in self.grid.columns if column not in self.early), "") if self.grid else ""

    @property
    def extra(self) -> bool:
        """Whether the page has extra questions of the rule set."""
        return self.section.name in (questions.PROJECT, questions.EACH)

    @cached_property
    def asked(self) -> frozenset[str]:
        """Codes of the extra questions that are asked, by what is saved."""
        return self.dossier.asked(self.participant_id)

    @property
    def documents_url(self) -> str:
        return section_url(self.dossier, "documents", self.participant_id)

    def is_asked(self, item: Field) -> bool:
        return item.question is None or item.name in self.asked

    def ticked(self, item: Field) -> list[str]:
        """The answers that are ticked in a choice of several."""
        return [key.partition(".")[2] for key, _kind in item.typed_keys() if self.typed.get(key) == "yes"]

    def answer(self, item: Field) -> str:
        """What was typed or attached for a field, written for readers."""
        if item.question is None:
            return self.said(item.name, item.kind)
        if item.kind is Kind.FILE:
            return ", ".join(each.file.name for each in self.dossier.attached(self.participant_id, item.name))
        if item.kind is Kind.CHOICES:
            return question_words.chosen(item.question, dict.fromkeys(self.ticked(item), True)) or ""
        if item.kind is Kind.CHOICE:
            return question_words.chosen(item.question, self.typed.get(item.name, "")) or ""
        return self.said(item.name, item.kind)

    def html_name(self, key: str) -> str:
        """The name and id of the input of a key."""
        return name_of_input(self.section, key)

    @property
    def prefix(self) -> str:
        """What stands before a key in the name of its input."""
        return f"{self.section.name}-" if self.section.grid else ""

    @property
    def marks(self) -> dict[str, str]:
        """The mark of the text that each field is typed over."""
        row = self.dossier.sections.get((self.participant_id, self.section.name))
        kept_texts: Mapping[str, str] = row.data if row else {}
        keys = (key for key, _kind in self.section.keys(self.dossier.rules))
        return {key: self.bases.get(key) or mark_of(kept_texts.get(key, "")) for key in keys}

    def errors(self, key: str) -> list[str]:
        path = self.section.prefix(self.participant_id) + key
        return [say(problem.message) for problem in self.problems if problem.field == path]

    def row_errors(self, row: str) -> list[str]:
        """What is wrong with a row as a whole (``kpi.K1``)."""
        return self.errors(row) if row else []

    @property
    def hrefs(self) -> dict[str, str]:
        return {problem.field: f"#{anchor(place_of(problem.field), self.dossier.rules)}" for problem in self.problems}

    def changed(self, key: str) -> str | None:
        """What somebody else made of a field meanwhile; None where nobody did."""
        found = (clash.theirs or _("empty") for clash in self.clashes if clash.key == key)
        return next(found, None)

    def totals(self) -> dict[str, str]:
        """Sums of rows, of columns and of all, of what can be read."""
        grid = self.grid
        if grid is None or not grid.sums:
            return {}
        sums: dict[str, Decimal] = {}
        for row in grid.rows:
            for column in grid.columns:
                amount = _amount(grid.kind, self.typed.get(grid.key(row.code, column), ""))
                if amount is None:
                    continue
                for key in (f"row:{row.code}", f"column:{column}", "all"):
                    sums[key] = sums.get(key, Decimal(0)) + amount
        return {key: figures(total) for key, total in sums.items()}

    def said(self, key: str, kind: Kind) -> str:
        """What was typed, written for readers."""
        return shown(kind, self.typed.get(key, ""))


def figures(amount: Decimal) -> str:
    """The amount without its currency: the column's head has it."""
    return format_money(amount, locale()).replace("RUB", "").replace("₽", "").strip("\u00a0 ")


def _amount(kind: Kind, text: str) -> Decimal | None:
    try:
        return decimal_of(read(kind, text))
    except Unreadable:
        return None


def shown(kind: Kind, text: str) -> str:
    """A typed value for readers: sums with groups, dates, names of regions and countries; "" for nothing."""
    try:
        value = read(kind, text)
    except Unreadable:
        return text
    if value is None:
        return ""
    writer = _WRITERS.get(kind)
    return writer(value) if writer else str(value)


def _country_names(codes: list[str]) -> str:
    return ", ".join(Locale.parse(locale()).territories.get(code, code) for code in codes)


def _region_name(code: str) -> str:
    found = regions.find(code)
    return found.name_in(locale()) if found else code


_WRITERS: Mapping[Kind, Any] = {
    Kind.MONEY: lambda value: format_money(Decimal(value), locale()),
    Kind.SIGNED_MONEY: lambda value: format_money(Decimal(value), locale()),
    Kind.PERCENT: lambda value: f"{format_number(Decimal(value), locale())}\u00a0%",
    Kind.SIGNED_PERCENT: lambda value: f"{format_number(Decimal(value), locale())}\u00a0%",
    Kind.NUMBER: lambda value: format_number(Decimal(value), locale(), 4),
    Kind.WHOLE: lambda value: plain_decimal(Decimal(value)),
    Kind.DATE: lambda value: format_date(date.fromisoformat(value), locale()),
    Kind.YES_NO: lambda value: _("Yes") if value else _("No"),
    Kind.REGION: _region_name,
    Kind.COUNTRIES: _country_names,
}


@page(
    blueprint,
    "/<uuid:application_id>/sections/<name>",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
)
def section(application_id: UUID, name: str) -> ResponseReturnValue:
    """A section of the project as a whole."""
    return _page(application_id, None, name)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/sections/<name>",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
)
def part_section(application_id: UUID, participant_id: UUID, name: str) -> ResponseReturnValue:
    """A section of one participant."""
    return _page(application_id, participant_id, name)


def _page(application_id: UUID, participant_id: UUID | None, name: str) -> ResponseReturnValue:
    dossier = opened(application_id)
    definition = BY_NAME.get(name)
    if definition is None or definition.each is not (participant_id is not None):
        raise NotFound
    if not definition.present(dossier.rules):
        raise NotFound
    if participant_id is not None:
        dossier.participant(participant_id)
    if request.method == "POST":
        return _save(dossier, definition, participant_id)
    row = dossier.sections.get((participant_id, name))
    sheet = Sheet(dossier, definition, participant_id, row.data if row else {}, row.version if row else 0)
    tasks = Tasks(dossier, current=(name, participant_id))
    if row is not None:
        everything = tasks.problems(name, participant_id)
        unreadable = dossier.package.problems
        sheet.problems = [p for p in everything if "missing" in request.args or p in unreadable]
    elif "missing" in request.args:
        sheet.problems = tasks.problems(name, participant_id)
    return _render(sheet, tasks)


def _save(dossier: Dossier, definition: Section, participant_id: UUID | None) -> ResponseReturnValue:
    sent = typed_fields(dossier, definition, participant_id)
    tasks = Tasks(dossier, current=(definition.name, participant_id))
    following = tasks.following(definition.name, participant_id)
    saved = service.save_fields(
        session(),
        g.actor,
        application_id=dossier.application.id,
        participant_id=participant_id,
        section=definition.name,
        changes=sent.changes,
    )
    if saved.clashes or saved.problems:
        return _kept_in_part(saved, sent, definition, participant_id)
    flash(_("Saved."), "success")
    here = section_url(dossier, definition.name, participant_id)
    if request.form.get("then") == "leave":
        return redirect(section_url(dossier, "overview", None), 303)
    kinds = dict(definition.keys(dossier.rules))
    unreadable = any(reading_error(dossier, definition, key, kinds[key], text) for key, text in sent.texts.items())
    return redirect(following if request.form.get("then") == "continue" and not unreadable else here, 303)


def _kept_in_part(
    saved: Saved, sent: TypedFields, definition: Section, participant_id: UUID | None
) -> ResponseReturnValue:
    """The page with the fields that could not be saved as they were typed. All others are, so it answers 200."""
    row = saved.row
    open_fields = {clash.key for clash in saved.clashes}
    prefix = definition.prefix(participant_id)
    open_fields |= {problem.field.removeprefix(prefix) for problem in saved.problems}
    own = {key: change for key, change in sent.changes.items() if key in open_fields}
    sheet = Sheet(
        saved.dossier,
        definition,
        participant_id,
        {**(row.data if row else {}), **{key: change.value for key, change in own.items()}},
        row.version if row else 0,
        problems=list(saved.problems),
        clashes=disagreements(saved.dossier, definition, saved.clashes),
        bases={key: change.base for key, change in own.items()},
    )
    return _render(sheet, Tasks(saved.dossier, current=(definition.name, participant_id)))


def _render(sheet: Sheet, tasks: Tasks) -> str:
    form = ActionForm(formdata=None)
    form.version.data = sheet.version
    dossier, name = sheet.dossier, sheet.section.name
    return render_template(
        "applications/section.html",
        sheet=sheet,
        dossier=dossier,
        application=dossier.application,
        part=dossier.participant(sheet.participant_id) if sheet.participant_id else None,
        action_form=form,
        problems=sheet.problems,
        summary=labelled(dossier, sheet.problems, names=False),
        tasks=tasks.mine(),
        place=tasks.place(name, sheet.participant_id),
        writable=editable(dossier, sheet.participant_id),
        saved=saved_text(dossier, sheet.participant_id, name),
        here=section_url(dossier, name, sheet.participant_id),
        fields_url=fields_url(dossier, sheet.section, sheet.participant_id),
        regions=regions.choices(locale()),
        wording=wording,
        Kind=Kind,
        back=url_for("applications.overview", application_id=dossier.application.id),
    )

"""The sections of an application and their fields, as data: what is asked, of whom, and of which kind.

A section belongs to the project as a whole or to each participant. A form section has fields; a grid
section has rows and columns; its keys are ``row.column`` (``CC-01.2018``), of a table of one row the columns.
``path`` of a field is the name that problems carry: ``project.name_ru``, ``kpi.K1.2018H2``,
``participant.<id>.costs.CC-01.2018``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from portal.applications.drafts import questions
from portal.applications.drafts.project_fields import ECONOMICS, MARKET, PLAN, PRODUCT, Field
from portal.applications.drafts.values import Kind, read
from portal.applications.figures import grids
from portal.applications.figures.grids import Grid
from portal.core.language import N_, Message
from portal.tenders.ruleset import Giver, RuleSet


@dataclass(frozen=True, slots=True)
class Section:
    """A page of the application. Exactly one of ``fields`` and ``grid`` is given.

    An ``optional`` one may stay empty; a package has its part only where something is filled in.
    """

    name: str
    title: Message
    intro: Message
    each: bool
    path: str
    fields: Callable[[RuleSet], tuple[Field, ...]] | None = None
    grid: Callable[[RuleSet], Grid] | None = None
    optional: bool = False

    def keys(self, rules: RuleSet) -> Iterator[tuple[str, Kind]]:
        """Every key of the section's data with the kind of its value."""
        if self.fields is not None:
            for field in self.fields(rules):
                yield from field.typed_keys()
        if self.grid is not None:
            grid = self.grid(rules)
            for row in grid.rows:
                for column in grid.columns:
                    yield grid.key(row.code, column), grid.kind_of(row)

    def present(self, rules: RuleSet) -> bool:
        """Whether these rules have the section: one without questions is not shown."""
        return self.fields is None or bool(self.fields(rules))

    def read(self, key: str, kind: Kind, text: str, rules: RuleSet) -> Any:
        """The value of what was typed into a key; raises :class:`~portal.applications.drafts.values.Unreadable`."""
        value = read(kind, text)
        question = rules.question(key) if self.name in (questions.PROJECT, questions.EACH) else None
        if question is not None:
            questions.within(question, value)
        return value

    def prefix(self, participant_id: UUID | str | None = None) -> str:
        """What stands before a key in the name of a field."""
        return f"participant.{participant_id}.{self.path}." if self.each else f"{self.path}."


def _on_track(fields: tuple[Field, ...]) -> Callable[[RuleSet], tuple[Field, ...]]:
    return lambda rules: tuple(field for field in fields if field.track in (None, rules.track))


def _declarations(rules: RuleSet) -> tuple[Field, ...]:
    return tuple(Field(item.code, Kind.YES_NO, item.statement) for item in rules.declarations)


def _questions(giver: Giver) -> Callable[[RuleSet], tuple[Field, ...]]:
    return lambda rules: questions.fields(rules, giver)


SECTIONS: Final = (
    Section(
        "product",
        N_("Project and product"),
        N_("What you make together. The names appear in the register and in the results."),
        each=False,
        path="project",
        fields=_on_track(PRODUCT),
    ),
    Section(
        "market",
        N_("Market and co-operation"),
        N_("Whom the product is for, and what it changes for the cluster."),
        each=False,
        path="project",
        fields=_on_track(MARKET),
    ),
    Section(
        "plan",
        N_("Plan and risks"),
        N_("Where and when the project is carried out. The stages become the calendar plan."),
        each=False,
        path="project",
        fields=_on_track(PLAN),
    ),
    Section(
        "economics",
        N_("Economics and jobs"),
        N_("The figures of your financial model. The objective score is computed from them."),
        each=False,
        path="project",
        fields=_on_track(ECONOMICS),
    ),
    Section(
        "cashflow",
        N_("Cash flow"),
        N_(
            "Roubles by year, of the project as a whole. Investments and subsidy are taken from the tables of the"
            " participants. From this the portal computes net present value, internal rate of return and payback."
        ),
        each=False,
        path="cashflow",
        grid=grids.cash_flow,
        optional=True,
    ),
    Section(
        "kpi",
        N_("Target indicators"),
        N_("Values at the end of each half-year. They become part of the agreement."),
        each=False,
        path="kpi",
        grid=grids.indicators,
    ),
    Section(
        questions.PROJECT,
        N_("Additional questions"),
        N_("What this tender asks of the project besides. Some questions appear only after certain answers."),
        each=False,
        path=questions.PROJECT,
        fields=_questions(Giver.PROJECT),
    ),
    Section(
        "costs",
        N_("Costs"),
        N_("Roubles without VAT, by category and year. Leave empty what does not apply."),
        each=True,
        path="costs",
        grid=grids.costs,
    ),
    Section(
        "financing",
        N_("Financing"),
        N_("What the costs are paid from. Financing and subsidy together equal the costs."),
        each=True,
        path="financing",
        grid=grids.financing,
    ),
    Section(
        "subsidy",
        N_("Requested subsidy"),
        N_("Whole roubles, by the year in which the costs are to be reimbursed."),
        each=True,
        path="subsidy",
        grid=grids.subsidy,
    ),
    Section(
        "productivity",
        N_("Labour productivity"),
        N_(
            "Value added per person by the official method: the last full year before the project as the baseline,"
            " and your plan for three years."
        ),
        each=True,
        path="productivity",
        grid=grids.productivity,
        optional=True,
    ),
    Section(
        "declarations",
        N_("Declarations"),
        N_("Answer for your own organisation. An untrue answer leads to refusal."),
        each=True,
        path="declarations",
        fields=_declarations,
    ),
    Section(
        questions.EACH,
        N_("Additional questions to the organisation"),
        N_("Answer for your own organisation. Some questions appear only after certain answers."),
        each=True,
        path=questions.EACH,
        fields=_questions(Giver.EACH),
    ),
)
BY_NAME: Final = {section.name: section for section in SECTIONS}
PROJECT: Final = tuple(section for section in SECTIONS if not section.each)
EACH: Final = tuple(section for section in SECTIONS if section.each)
_OF_FIELD: Final = {
    field.name: name
    for name, fields in (("product", PRODUCT), ("market", MARKET), ("plan", PLAN), ("economics", ECONOMICS))
    for field in fields
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to correct a problem: a section (or ``documents``, ``participants``) and the field in it."""

    section: str
    participant_id: str | None = None
    key: str = ""


def place_of(field: str) -> Place:
    """The place that a problem's or a rule's ``field`` names; ``overview`` where it names none."""
    head, _, rest = field.partition(".")
    if head == "project":
        return Place(_OF_FIELD.get(rest, "product"), None, rest)
    if head == "participant":
        participant_id, _, inner = rest.partition(".")
        name, _, key = inner.partition(".")
        known = name in BY_NAME or name == "documents"
        return Place(name if known else "participants", participant_id, key)
    if head in BY_NAME:
        return Place(head, None, rest)
    if head in ("documents", "participants", "confirmation"):
        return Place(head, None, rest)
    return Place("overview")

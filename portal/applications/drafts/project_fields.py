"""The fields of the passport of the joint project, in the order of the form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from portal.applications.drafts.values import Kind
from portal.core.formats import EXAMPLE_DAY
from portal.core.language import N_, Message
from portal.tenders.models import Track
from portal.tenders.ruleset import Question, Text


@dataclass(frozen=True, slots=True)
class Field:
    """A question; one with a ``track`` is asked on that track only.

    ``question``: the extra question of the rule set that this field is.
    """

    name: str
    kind: Kind
    label: Message | Text
    hint: Message | Text | None = None
    track: str | None = None
    question: Question | None = None

    def typed_keys(self) -> Iterator[tuple[str, Kind]]:
        """The keys of what is typed: one for each answer of a choice of several, none for a file."""
        if self.kind is Kind.CHOICES and self.question is not None:
            for option in self.question.options:
                yield f"{self.name}.{option.code}", Kind.FLAG
        elif self.kind is not Kind.FILE:
            yield self.name, self.kind


_IMPORT: Final = Track.IMPORT_SUBSTITUTION.value
_EXPORT: Final = Track.EXPORT.value

PRODUCT: Final = (
    Field("name_ru", Kind.TEXT, N_("Name of the project in Russian"), N_("As it will stand in the results.")),
    Field("name_en", Kind.TEXT, N_("Name of the project in English")),
    Field(
        "summary",
        Kind.LONG,
        N_("Summary of the project"),
        N_("What is done, by whom, for whom, and what changes. Five to ten sentences."),
    ),
    Field("product_name", Kind.TEXT, N_("Product")),
    Field(
        "okpd2",
        Kind.OKPD2,
        N_("OKPD 2 code of the product"),
        N_("With its points, for example 28.14.13.131."),
    ),
    Field(
        "tn_ved",
        Kind.TN_VED,
        N_("TN VED code of the product"),
        N_("4 to 10 digits, for example 8481 80 819 0."),
    ),
    Field(
        "final_product",
        Kind.YES_NO,
        N_("Is it a final product of the cluster?"),
        N_("Choose no for components that other members build in."),
    ),
    Field(
        "roadmap_action",
        Kind.LONG,
        N_("Action of the cluster's roadmap that the project carries out"),
        N_("Number and name, if there is one."),
    ),
)

MARKET: Final = (
    Field(
        "analogue_abroad",
        Kind.LONG,
        N_("Imported analogue: product, maker, country"),
        N_("What is bought abroad today."),
        _IMPORT,
    ),
    Field(
        "is_plan",
        Kind.LONG,
        N_("Sector import-substitution plan"),
        N_("Name the plan and its item, or say why the product is needed without one."),
        _IMPORT,
    ),
    Field(
        "import_share_now",
        Kind.PERCENT,
        N_("Share of imports in the final product today"),
        N_("Per cent of the cost of components and materials."),
        _IMPORT,
    ),
    Field("import_share_target", Kind.PERCENT, N_("Share of imports after the project"), None, _IMPORT),
    Field("localisation_target", Kind.PERCENT, N_("Level of localisation after the project"), None, _IMPORT),
    Field(
        "export_countries",
        Kind.COUNTRIES,
        N_("Target countries"),
        N_("Names set off by commas, for example Kazakhstan, Mongolia, Viet Nam."),
        _EXPORT,
    ),
    Field(
        "export_contracts",
        Kind.LONG,
        N_("Export contracts, signed or planned"),
        N_("Buyer, country, subject, sum, date, and how far the talks are."),
        _EXPORT,
    ),
    Field(
        "export_revenue_total",
        Kind.MONEY,
        N_("Export revenue over the term of the agreement"),
        None,
        _EXPORT,
    ),
    Field("export_share", Kind.PERCENT, N_("Share of export in the sales of the product"), None, _EXPORT),
    Field(
        "sold_to_members",
        Kind.PERCENT,
        N_("Share of the product sold to, or of components bought from, members of the cluster"),
    ),
)

PLAN: Final = (
    Field("site_region", Kind.REGION, N_("Region of the site")),
    Field(
        "trl",
        Kind.WHOLE,
        N_("Technology readiness level"),
        N_("1 (idea) to 9 (in serial production)."),
    ),
    Field("start_on", Kind.DATE, N_("Start of the project"), N_("For example %(day)s.", day=EXAMPLE_DAY)),
    Field("finish_on", Kind.DATE, N_("End of the project"), N_("For example 31.12.2020.")),
    Field(
        "costs_from",
        Kind.DATE,
        N_("Date of the first cost that is claimed"),
        N_("The date of its payment document."),
    ),
    Field("agreement_years", Kind.WHOLE, N_("Term of the agreement in years"), N_("1 to 5.")),
    Field(
        "stages",
        Kind.LONG,
        N_("Stages and control points by half-years"),
        N_("One line for each stage: what is ready, by when, who is responsible."),
    ),
    Field("risks", Kind.LONG, N_("Risks and what you do about them")),
    Field(
        "rcc",
        Kind.YES_NO,
        N_("Does a regional or the federal competence centre for productivity take part?"),
    ),
)

ECONOMICS: Final = (
    Field(
        "npv",
        Kind.SIGNED_MONEY,
        N_("Net present value (NPV)"),
        N_("A negative value is written with a minus. Projects with a negative one are not recommended."),
    ),
    Field("irr", Kind.SIGNED_PERCENT, N_("Internal rate of return (IRR)"), N_("Empty if there is none.")),
    Field("discount_rate", Kind.SIGNED_PERCENT, N_("Discount rate of the model")),
    Field("payback_years", Kind.NUMBER, N_("Discounted payback period in years"), N_("For example 4.5.")),
    Field(
        "taxes_total",
        Kind.MONEY,
        N_("Taxes and contributions paid over the term of the agreement"),
        N_("To budgets of all levels and to the funds, by all participants, because of the project."),
    ),
    Field("sales_total", Kind.MONEY, N_("Sales of the product over the term of the agreement")),
    Field("jobs_new", Kind.WHOLE, N_("New jobs")),
    Field("hpj_new", Kind.WHOLE, N_("High-productivity jobs among them")),
)

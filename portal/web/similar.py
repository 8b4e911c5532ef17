"""Projects that are alike: those of one application, all of them, and two side by side with the officer's verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.drafts.reading import mapping, parts, sums
from portal.applications.models import Application
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.core.figures import decimal_of
from portal.core.formats import format_money
from portal.core.language import N_, Message
from portal.identity.policy import Permission, authorize
from portal.review import queries, similar, similar_queries
from portal.review.models import SimilarPair, Verdict
from portal.review.similarity import wording
from portal.web import staff_list
from portal.web.forms import PortalForm
from portal.web.language import locale, say
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.templating import can, localised

pages = Blueprint("similar", __name__, url_prefix="/staff")

VERDICTS: Final[Mapping[Verdict, Message]] = {
    Verdict.NO_CONCERN: N_("No concern"),
    Verdict.SAME_PROJECT: N_("The same project"),
    Verdict.DOUBLE_FUNDING: N_("Double funding suspected"),
}
HINTS: Final[Mapping[Verdict, Message]] = {
    Verdict.NO_CONCERN: N_("Different projects, or the likeness has a good reason."),
    Verdict.SAME_PROJECT: N_("One project submitted again, for example after a refusal."),
    Verdict.DOUBLE_FUNDING: N_("The same costs would be paid twice: tell the commission."),
}
COLOURS: Final = {None: "yellow", "no_concern": "green", "same_project": "blue", "double_funding": "red"}


class VerdictForm(PortalForm):
    """The choice and its note are read as they were typed."""


@dataclass(frozen=True, slots=True)
class Line:
    """What both projects say of one thing; ``same`` where it agrees."""

    label: str
    left: str
    right: str

    @property
    def same(self) -> bool:
        return bool(self.left) and self.left == self.right


@page(pages, "/applications/<uuid:application_id>/similar", get=Permission.REVIEW_SIMILAR_VIEW)
def of_application(application_id: UUID) -> ResponseReturnValue:
    """The projects that one application is like."""
    actor, current = current_actor(), session()
    case = queries.case(current, actor, application_id)
    authorize(actor, Permission.REVIEW_SIMILAR_VIEW, case.subject)
    pairs = similar_queries.pairs_of(current, application_id)
    return render_template(
        "officer/similar.html",
        case=case,
        application=case.application,
        view="similar",
        pairs=pairs,
        similar_open=sum(pair.verdict is None for pair in pairs) or None,
        compared=similar_queries.compared(current, application_id),
    )


@page(pages, "/similar", get=Permission.REVIEW_SIMILAR_VIEW)
def index() -> ResponseReturnValue:
    """All pairs, the most alike first; those that wait for a verdict, or all."""
    everything = request.args.get("show") == "all"
    wanted = similar_queries.select_pairs(*([] if everything else [similar_queries.undecided()]))
    found: Page[SimilarPair] = keyset(
        session(),
        wanted,
        (SimilarPair.score, SimilarPair.id),
        lambda row: (row.score, row.id),
        request.args.get("cursor"),
    )
    return render_template("similar/index.html", page=found, everything=everything)


@page(pages, "/similar/<uuid:pair_id>", get=Permission.REVIEW_SIMILAR_VIEW, post=Permission.REVIEW_SIMILAR_DECIDE)
def show(pair_id: UUID) -> ResponseReturnValue:
    """Two projects side by side with the reasons; the officer decides here."""
    actor, current = current_actor(), session()
    row = similar.load_pair(current, pair_id)
    subject = similar.subject_of(row)
    authorize(actor, Permission.REVIEW_SIMILAR_VIEW, subject)
    form = VerdictForm(version=row.version)
    verdict, note = row.verdict or "", row.note
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        verdict, note = request.form.get("verdict", ""), request.form.get("note", "")
        try:
            similar.decide(
                current, actor, pair_id=pair_id, verdict=verdict, note=note, expected_version=form.version.data or 0
            )
        except Problems as refused:
            problems = refused.problems
            form.attach(())
        else:
            flash(_("The decision is saved."), "success")
            return redirect(url_for(".show", pair_id=pair_id), 303)
    answer = render_template(
        "similar/show.html",
        pair=row,
        sides=((row.first, row.first_submission), (row.second, row.second_submission)),
        lines=_lines(row),
        form=form,
        verdict=verdict,
        note=note,
        problems=problems,
        errors={problem.field: [say(problem.message)] for problem in problems},
        may_decide=can(Permission.REVIEW_SIMILAR_DECIDE, subject),
        longest=similar.MAX_NOTE,
    )
    return answer, 422 if problems else 200


def _lines(row: SimilarPair) -> list[Line]:
    left, right = row.first_submission.snapshot, row.second_submission.snapshot
    asked: list[tuple[str, Any]] = [
        (_("Participants"), _people),
        (_("Product"), lambda package: mapping(package.get("project")).get("product_name")),
        (_("OKPD 2"), lambda package: mapping(package.get("project")).get("okpd2")),
        (_("TN VED"), lambda package: mapping(package.get("project")).get("tn_ved")),
        (_("Summary"), lambda package: mapping(package.get("project")).get("summary")),
        (_("Requested subsidy"), _subsidy),
        (_("Costs by category"), _costs),
        (_("Stages"), lambda package: mapping(package.get("project")).get("stages")),
    ]
    return [Line(label, str(read(left) or ""), str(read(right) or "")) for label, read in asked]


def _people(package: Mapping[str, Any]) -> str:
    found = []
    for part in parts(package):
        organisation = mapping(part.get("organisation"))
        name = organisation.get(f"name_{locale()}") or organisation.get("name_ru") or ""
        found.append(_("%(name)s, INN %(inn)s", name=name, inn=organisation.get("inn") or "—"))
    return "\n".join(sorted(found))


def _subsidy(package: Mapping[str, Any]) -> str:
    years: dict[str, Decimal] = {}
    for part in parts(package):
        for year, amount in sums(part.get("subsidy")).items():
            years[year] = years.get(year, Decimal(0)) + amount
    return "\n".join(f"{year}: {format_money(amount, locale())}" for year, amount in sorted(years.items()))


def _costs(package: Mapping[str, Any]) -> str:
    categories: dict[str, Decimal] = {}
    for part in parts(package):
        for category, years in mapping(part.get("costs")).items():
            entered = (decimal_of(amount) for amount in mapping(years).values())
            total = sum((amount for amount in entered if amount is not None), Decimal(0))
            categories[category] = categories.get(category, Decimal(0)) + total
    entered_only = sorted((code, amount) for code, amount in categories.items() if amount)
    return "\n".join(f"{code}: {format_money(amount, locale())}" for code, amount in entered_only)


def other_of(pair: SimilarPair, application: Application) -> Application:
    """The other project of a pair."""
    return pair.second if pair.first_id == application.id else pair.first


def relation(pair: SimilarPair) -> str:
    """What the two have to do with each other, in a few words."""
    one, other = pair.first, pair.second
    if one.initiator_id == other.initiator_id:
        if one.tender_id != other.tender_id:
            return say(N_("the same initiator, another tender"))
        return say(N_("the same initiator, another track") if one.track != other.track else N_("the same initiator"))
    return say(N_("another initiator"))


def sentences(pair: SimilarPair) -> list[dict[str, Any]]:
    """The reasons in words, the strongest first, each with the phrases that stand in both texts."""
    return [
        {"words": say(wording(item)), "phrases": mapping(item.get("evidence")).get("phrases") or []}
        for item in pair.reasons
    ]


@pages.app_context_processor
def _similar_words() -> dict[str, Any]:
    return {
        "similar": {
            "other_of": other_of,
            "relation": relation,
            "sentences": sentences,
            "verdicts": VERDICTS,
            "hints": HINTS,
            "colours": COLOURS,
            "title": lambda application: localised(application, "title"),
            "states": staff_list.state_words,
            "tracks": staff_list.track_words,
        }
    }

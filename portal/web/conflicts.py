"""Conflicts of interest for the officers: the list, one with its path and the decision, people's ties, owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

import portal.scoring.jobs  # noqa: F401 - a review that is closed enqueues its work
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_, Message
from portal.identity.policy import Permission, authorize
from portal.review import barring, conflict_queries, ties
from portal.review.conflict_graph import IN_PLAY
from portal.review.conflict_models import ConflictRow, OrganisationOwner, Ruling, TieKind
from portal.review.conflict_queries import Judge
from portal.review.policy import ConflictSubject
from portal.web import staff_list
from portal.web.conflict_picture import draw
from portal.web.forms import ActionForm, PortalForm, uuid_argument
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import can

pages = Blueprint("conflicts", __name__, url_prefix="/staff/conflicts")

KINDS: Final[Mapping[TieKind, Message]] = {
    TieKind.EMPLOYMENT: N_("Employment, present or former"),
    TieKind.OWNERSHIP: N_("Share in the capital"),
    TieKind.CONTRACT: N_("Supply contract or other contract"),
    TieKind.FAMILY: N_("A close relative works there or owns a share"),
    TieKind.OTHER: N_("Another tie"),
}
SHOWN: Final = ("open", "hard", "all")
TYPED: Final = ("inn", "name", "kind", "share", "since", "until", "note", "source")
OWNER_TYPED: Final = ("owner_inn", "owner_name", "owned_inn", "owned_name", "share", "source")


class TypedForm(PortalForm):
    """The fields are read as they were typed."""


@page(pages, "", get=Permission.CONFLICT_VIEW, post=Permission.CONFLICT_RULE)
def index() -> ResponseReturnValue:
    """The conflicts found: those to decide, those that bar, or all; of one tender, if chosen. Several are decided
    about at once."""
    if request.method == "GET":
        return _list()
    try:
        ruled = barring.rule_all(
            session(),
            g.actor,
            chosen=_chosen(),
            ruling=request.form.get("ruling", ""),
            reason=request.form.get("reason", ""),
        )
    except Problems as refused:
        return _list(refused.problems), 422
    flash(ngettext("%(num)s decision is saved.", "%(num)s decisions are saved.", len(ruled)), "success")
    return redirect(url_for(".index", show=request.args.get("show"), tender=request.args.get("tender")), 303)


def _chosen() -> dict[UUID, int]:
    """The conflicts that are ticked, each with the version that was shown."""
    found = {}
    for text in request.form.getlist("chosen"):
        key, _sign, version = text.partition(":")
        try:
            found[UUID(key)] = int(version)
        except ValueError:
            raise NotFound from None
    return found


def _list(problems: tuple[Problem, ...] = ()) -> str:
    show, tender_id = request.args.get("show", ""), uuid_argument("tender")
    show = show if show in SHOWN else SHOWN[0]
    wanted = conflict_queries.select_kept(
        tender_id, strength="hard" if show == "hard" else "", undecided=show == "open", without=g.actor.memberships
    )
    found: Page[ConflictRow] = keyset(
        session(), wanted, (ConflictRow.id.expression,), lambda row: (row.id,), request.args.get("cursor")
    )
    tenders, _clusters = staff_list.choices(session(), locale())
    return render_template(
        "conflicts/index.html",
        page=found,
        show=show,
        tender_id=tender_id,
        tenders=[(row.id, row.label) for row in tenders],
        words={row.id: sentences(row) for row in found.rows},
        decides=show == "open" and bool(found.rows) and can(Permission.CONFLICT_RULE),
        form=ActionForm(formdata=None),
        ticked=request.form.getlist("chosen"),
        ruling=request.form.get("ruling", ""),
        reason=request.form.get("reason", ""),
        problems=problems,
        errors=_by_field(problems),
        longest=barring.MAX_REASON,
    )


@page(pages, "/<uuid:conflict_id>", get=Permission.CONFLICT_VIEW, post=Permission.CONFLICT_RULE)
def show(conflict_id: UUID) -> ResponseReturnValue:
    """One conflict: its path as a picture and in sentences; the officer decides on a soft one here."""
    row = conflict_queries.kept_by_id(session(), conflict_id)
    subject = barring.subject_of(session(), row)
    authorize(g.actor, Permission.CONFLICT_VIEW, subject)
    form, ruling, reason = TypedForm(version=row.version), row.ruling or "", row.reason
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        ruling, reason = request.form.get("ruling", ""), request.form.get("reason", "")
        try:
            barring.rule(
                session(),
                g.actor,
                conflict_id=conflict_id,
                ruling=ruling,
                reason=reason,
                expected_version=form.version.data or 0,
            )
        except Problems as refused:
            problems = refused.problems
            form.attach(())
        else:
            flash(_("The decision is saved."), "success")
            return redirect(url_for(".show", conflict_id=conflict_id), 303)
    answer = render_template(
        "conflicts/show.html",
        conflict=row,
        picture=draw(conflict_queries.paths_of(row), locale()),
        sentences=sentences(row),
        form=form,
        ruling=ruling,
        reason=reason,
        problems=problems,
        errors=_by_field(problems),
        may_rule=row.strength == "soft"
        and row.ended_at is None
        and row.application.state in IN_PLAY
        and can(Permission.CONFLICT_RULE, subject),
        longest=barring.MAX_REASON,
    )
    return answer, 422 if problems else 200


@page(pages, "/people", get=Permission.CONFLICT_VIEW)
def people() -> ResponseReturnValue:
    """Everybody who judges, with how many ties and conflicts are known."""
    found: Page[Any] = keyset(
        session(),
        conflict_queries.select_judges(),
        conflict_queries.JUDGES_ORDER,
        lambda row: (row.name, row.id),
        request.args.get("cursor"),
        rising=True,
    )
    return render_template("conflicts/people.html", page=found)


@page(pages, "/people/<uuid:user_id>", get=Permission.CONFLICT_VIEW, post=Permission.CONFLICT_RULE)
def person(user_id: UUID) -> ResponseReturnValue:
    """The ties of one person; an officer enters another one with its source."""
    judge = conflict_queries.judge(session(), user_id)
    typed = {name: request.form.get(name, "") for name in TYPED}
    form = TypedForm()
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        try:
            ties.declare(session(), g.actor, user_id=user_id, values=typed)
        except Problems as refused:
            problems = refused.problems
            form.attach(())
        else:
            flash(_("The tie is written down and the conflicts are computed anew."), "success")
            return redirect(url_for(".person", user_id=user_id), 303)
    return _person_page(judge, form, typed, problems), 422 if problems else 200


@page(pages, "/people/<uuid:user_id>/ties/<uuid:tie_id>/end", post=Permission.CONFLICT_RULE)
def end(user_id: UUID, tie_id: UUID) -> ResponseReturnValue:
    """Give a tie its last day."""
    return _change(user_id, tie_id, lambda: ties.end(session(), g.actor, tie_id=tie_id, until=_typed("until")))


@page(pages, "/people/<uuid:user_id>/ties/<uuid:tie_id>/strike", post=Permission.CONFLICT_RULE)
def strike(user_id: UUID, tie_id: UUID) -> ResponseReturnValue:
    """Strike out a tie that was entered by mistake."""
    return _change(user_id, tie_id, lambda: ties.strike(session(), g.actor, tie_id=tie_id, reason=_typed("reason")))


def _change(user_id: UUID, tie_id: UUID, verb: Any) -> ResponseReturnValue:
    judge = conflict_queries.judge(session(), user_id)
    conflict_queries.tie_of(session(), user_id, tie_id)
    try:
        verb()
    except (Problems, Conflict) as refused:
        found = refused.problems if isinstance(refused, Problems) else (Problem("clash", "", refused.reason),)
        code = 422 if isinstance(refused, Problems) else 409
        whole = tuple(Problem(each.code, "", each.message) for each in found)
        session().rollback()
        judge = conflict_queries.judge(session(), user_id)
        return _person_page(judge, TypedForm(), dict.fromkeys(TYPED, ""), whole, opened=tie_id), code
    flash(_("The tie is changed and the conflicts are computed anew."), "success")
    return redirect(url_for(".person", user_id=judge.id), 303)


def _person_page(
    judge: Judge,
    form: TypedForm,
    typed: Mapping[str, str],
    problems: tuple[Problem, ...],
    opened: UUID | None = None,
) -> str:
    return render_template(
        "conflicts/person.html",
        judge=judge,
        ties=conflict_queries.ties_of(session(), judge.id),
        form=form,
        typed=typed,
        problems=problems,
        errors=_by_field(problems),
        opened=opened,
        changed={name: request.form.get(name, "") if opened else "" for name in ("until", "reason")},
        today=today(session()),
        may_rule=can(Permission.CONFLICT_RULE, ConflictSubject(judge.id)),
    )


@page(pages, "/owners", get=Permission.CONFLICT_VIEW, post=Permission.CONFLICT_RULE)
def owners() -> ResponseReturnValue:
    """Who owns whom: organisations of one family."""
    typed = {name: request.form.get(name, "") for name in OWNER_TYPED}
    form = TypedForm()
    problems: tuple[Problem, ...] = ()
    if request.method == "POST":
        try:
            ties.enter_owner(session(), g.actor, values=typed)
        except Problems as refused:
            problems = refused.problems
            form.attach(())
        else:
            flash(_("The share is written down. The conflicts are computed anew in the background."), "success")
            return redirect(url_for(".owners"), 303)
    found: Page[OrganisationOwner] = keyset(
        session(),
        conflict_queries.select_owners(),
        (OrganisationOwner.id.expression,),
        lambda row: (row.id,),
        request.args.get("cursor"),
    )
    answer = render_template(
        "conflicts/owners.html",
        page=found,
        form=form,
        typed=typed,
        problems=problems,
        errors=_by_field(problems),
        may_rule=can(Permission.CONFLICT_RULE),
    )
    return answer, 422 if problems else 200


@page(pages, "/owners/<uuid:owner_id>/strike", post=Permission.CONFLICT_RULE)
def strike_owner(owner_id: UUID) -> ResponseReturnValue:
    """Strike out a share that is none (any more)."""
    ties.strike_owner(session(), g.actor, owner_id=owner_id, reason=_typed("reason"))
    flash(_("The share is struck out. The conflicts are computed anew in the background."), "success")
    return redirect(url_for(".owners"), 303)


def _typed(name: str) -> str:
    return request.form.get(name, "")


def _by_field(problems: tuple[Problem, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.field, []).append(say(problem.message))
    return found


def sentences(row: ConflictRow) -> list[list[str]]:
    """Each path as sentences, the strongest first."""
    return [[say(edge.words) for edge in path] for path in conflict_queries.paths_of(row)]


@pages.app_context_processor
def _words() -> dict[str, Any]:
    return {
        "conflict_words": {
            "kinds": {str(key): words for key, words in KINDS.items()},
            "sentences": sentences,
            "rulings": {
                Ruling.WAIVED: N_("May take part: the tie does not matter here"),
                Ruling.UPHELD: N_("May not take part: treat it as a conflict"),
            },
            "empty": ActionForm,
        }
    }

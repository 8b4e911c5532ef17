"""Statements: filters, one page after the other, the balance after each posting, and the same as XLSX and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements import queries as agreement_queries
from portal.agreements.service import SUBJECT
from portal.budget import queries, service, statement, statement_files
from portal.budget.models import Account, Envelope, Posting, PostingKind
from portal.budget.orders import booked_by
from portal.budget.statement import Filters
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem
from portal.core.language import N_
from portal.core.money import MoneyError, parse_money
from portal.documents.kinds import PDF, XLSX
from portal.identity.policy import Permission, find
from portal.tenders.models import Programme, Track
from portal.web.budget_words import account_name, kind_name, track_name
from portal.web.days import begins, ends, read_day
from portal.web.files import disposition
from portal.web.forms import ActionForm
from portal.web.language import locale
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import localised

pages = Blueprint("budget_statement", __name__, url_prefix="/staff/budget/programmes")

TYPED: Final = (
    "envelope",
    "account",
    "kind",
    "since",
    "until",
    "document",
    "subject",
    "least",
    "most",
    "words",
)
TYPES: Final = {"xlsx": XLSX, "pdf": PDF}


@pages.context_processor
def _names() -> dict[str, Any]:
    return {"track_name": track_name, "account_name": account_name, "kind_name": kind_name}


@page(pages, "/<uuid:programme_id>/statement", get=Permission.BUDGET_VIEW)
def show(programme_id: UUID) -> ResponseReturnValue:
    """The postings of a programme, or of the envelope of the address."""
    return _page(find(session(), g.actor, Programme, programme_id))


@page(pages, "/<uuid:programme_id>/statement/<extension>", get=Permission.BUDGET_VIEW)
def download(programme_id: UUID, extension: str) -> ResponseReturnValue:
    """A statement that is small enough to be written at once."""
    current = session()
    row = find(current, g.actor, Programme, programme_id)
    if extension not in TYPES:
        raise NotFound
    filters, problems = _filters(row, _typed(request.args))
    if problems or statement.count(current, g.actor, filters, statement_files.AT_ONCE + 1) > statement_files.AT_ONCE:
        return redirect(_here(row, request.args.to_dict()))
    made = statement_files.content(current, g.actor, filters, extension, locale(), _title(row))
    return _answer(made, extension, f"{row.code}-statement.{extension}")


@page(pages, "/<uuid:programme_id>/statement/files", post=Permission.BUDGET_VIEW)
def ask(programme_id: UUID) -> ResponseReturnValue:
    """Have a large statement made in the background."""
    row = find(session(), g.actor, Programme, programme_id)
    typed = _typed(request.form)
    filters, problems = _filters(row, typed)
    if not problems:
        try:
            statement_files.ask(
                session(),
                g.actor,
                filters=filters,
                kind="pdf" if request.form.get("format") == "pdf" else "xlsx",
                locale=locale(),
                name=_title(row),
            )
        except Conflict as refusal:
            problems = [Problem("refused", "", refusal.reason)]
    if problems:
        session().rollback()
        return _page(find(session(), g.actor, Programme, programme_id), typed, problems), 409
    flash(_("The file is being made. It will stand below in a moment."), "info")
    return redirect(_here(row, typed), 303)


@page(pages, "/<uuid:programme_id>/statement/files/<uuid:export_id>", get=Permission.BUDGET_VIEW, writes=True)
def fetch(programme_id: UUID, export_id: UUID) -> ResponseReturnValue:
    """A file that was made in the background, for the person who asked for it."""
    row, blocks = statement_files.fetch(session(), g.actor, programme_id, export_id)
    return _answer(blocks, row.format, f"statement.{row.format}")


def listing(
    programme: Programme,
    envelope: Envelope | None = None,
    typed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a page of a statement shows; of one envelope with the balance of an account after each posting."""
    current = session()
    held = typed or _typed(request.args)
    filters, problems = _filters(programme, held, envelope)
    envelopes = queries.by_programme(current, g.actor, programme.id)
    track = filters.track
    filters = replace(filters, envelopes=[each.id for each in envelopes if track in (None, each.track)])
    account = filters.account or Account.AVAILABLE
    listed: Page[Posting] = keyset(
        current,
        statement.postings(g.actor, filters),
        (Posting.number,),
        lambda row: (row.number,),
        request.args.get("cursor"),
    )
    lines = [row.subject_id for row in listed.rows if row.subject_type == SUBJECT and row.subject_id]
    one = filters.envelope_id
    return {
        "listed": listed,
        "typed": held,
        "problems": problems,
        "filtered": any(text for key, text in held.items() if not (envelope and key == "envelope")),
        "envelopes": {each.id: f"{track_name(each.track)}, {each.year}" for each in envelopes},
        "tracks": [
            (each.value, _("%(track)s, every year", track=track_name(each)))
            for each in Track
            if any(envelope.track == each for envelope in envelopes)
        ],
        "one": one,
        "account": account,
        "moved": statement.after(current, one, account, listed.rows) if one else {},
        "orders": {row.id: order for row in listed.rows if (order := booked_by(row)) is not None},
        "linked": queries.reversals(current, listed.rows) if listed.rows else {},
        "reversible": {row.id for row in listed.rows if service.irreversible(row) is None},
        "held": agreement_queries.held_for(current, lines),
        "kinds": [(kind.value, kind_name(kind)) for kind in PostingKind],
        "accounts": [(each.value, account_name(each)) for each in Account],
        "small": statement.count(current, g.actor, filters, statement_files.AT_ONCE + 1) <= statement_files.AT_ONCE,
        "files": statement_files.mine(current, g.actor, programme.id),
        "making": ActionForm(formdata=None),
        "asked": {key: text for key, text in held.items() if text} | ({"envelope": str(one)} if one else {}),
    }


def _page(programme: Programme, typed: Mapping[str, str] | None = None, problems: Any = ()) -> str:
    context = listing(programme, typed=typed)
    return render_template(
        "budget_statement/show.html",
        programme=programme,
        **context | {"problems": [*problems, *context["problems"]]},
    )


def _typed(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip()[:200] for name in TYPED}


def _filters(
    programme: Programme, typed: Mapping[str, str], envelope: Envelope | None = None
) -> tuple[Filters, list[Problem]]:
    """What was typed as filters, and what of it could not be read (and is left out)."""
    problems: list[Problem] = []
    since, until = (_day(typed, name, problems) for name in ("since", "until"))
    subject = typed["subject"]
    chosen = Filters(
        programme_id=programme.id,
        envelope_id=envelope.id if envelope else _uuid(typed["envelope"]),
        track=Track(typed["envelope"]) if typed["envelope"] in set(Track) and envelope is None else None,
        account=Account(typed["account"]) if typed["account"] in set(Account) else None,
        kind=PostingKind(typed["kind"]) if typed["kind"] in set(PostingKind) else None,
        since=begins(since) if since else None,
        until=ends(until) if until else None,
        document=typed["document"],
        words=typed["words"],
        subjects=agreement_queries.lines_of(session(), subject) if subject else None,
        least=_amount(typed, "least", problems),
        most=_amount(typed, "most", problems),
    )
    if chosen.envelope_id is not None and envelope is None:
        _held, owner = queries.envelope_of(session(), g.actor, chosen.envelope_id)
        if owner.id != programme.id:
            raise NotFound
    return chosen, problems


def _day(typed: Mapping[str, str], name: str, problems: list[Problem]) -> Any:
    day = read_day(typed[name])
    if typed[name] and day is None:
        problems.append(Problem("no_day", name, N_("Give a day such as 31.08.2018.")))
    return day


def _amount(typed: Mapping[str, str], name: str, problems: list[Problem]) -> Decimal | None:
    if not typed[name]:
        return None
    try:
        return parse_money(typed[name])
    except MoneyError as error:
        problems.append(Problem(error.code, name, error.message))
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _here(programme: Programme, typed: Mapping[str, str]) -> str:
    """The address of the statement with what was typed."""
    words = urlencode({key: text for key, text in typed.items() if text and key in TYPED})
    return url_for("budget_statement.show", programme_id=programme.id) + (f"?{words}" if words else "")


def _title(programme: Programme) -> str:
    return str(_("Statement: %(programme)s", programme=localised(programme, "name")))


def _answer(content: Any, kind: str, name: str) -> Response:
    response = Response(content, mimetype=TYPES[kind])
    response.headers["Content-Disposition"] = disposition("attachment", name)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response

"""The minutes of a meeting on paper, in the reader's language: PDF and DOCX of the same JSON."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.awards.commission.minutes import name, of_meeting
from portal.awards.commission.models import Choice, ItemState, Meeting, Minutes
from portal.awards.commission.rules import CHOICES, outcome_words
from portal.awards.models import DecisionKind
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.formats import format_datetime, format_money
from portal.core.language import N_, Message
from portal.documents import pdf
from portal.documents.kinds import DOCX
from portal.identity.policy import Permission, find
from portal.web.files import disposition
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.status_words import WORDS

pages = Blueprint("meeting_paper", __name__, url_prefix="/staff/meetings")
DASH: Final = "—"
LATER: Final[Mapping[DecisionKind, Message]] = {
    DecisionKind.SUPPLEMENTARY: N_("Awards from the reserve list"),
    DecisionKind.CORRECTION: N_("Correction of a published result"),
}


@page(pages, "/<uuid:meeting_id>/minutes.pdf", get=Permission.MEETING_VIEW)
def as_pdf(meeting_id: UUID) -> ResponseReturnValue:
    """The minutes as PDF."""
    row = _minutes(meeting_id)
    return _sent(pdf.render("minutes", paper_data(row)), "application/pdf", f"{_file_name(row)}.pdf")


@page(pages, "/<uuid:meeting_id>/minutes.docx", get=Permission.MEETING_VIEW)
def as_docx(meeting_id: UUID) -> ResponseReturnValue:
    """The minutes as DOCX."""
    row = _minutes(meeting_id)
    return _sent(docx_of(paper_data(row), row), DOCX, f"{_file_name(row)}.docx")


def _minutes(meeting_id: UUID) -> Minutes:
    meeting = find(session(), g.actor, Meeting, meeting_id)
    row = of_meeting(session(), meeting.id)
    if row is None:
        raise NotFound
    return row


def paper_data(row: Minutes) -> dict[str, Any]:
    """What the paper says, as plain JSON in the present language."""
    said = row.content
    zone = ZoneInfo(said["zone"])
    written = row.created_at.astimezone(zone)
    return {
        "locale": locale(),
        "portal": _("Joint Projects Portal"),
        "title": _("Minutes of the meeting of the commission No. %(number)s", number=said["number"]),
        "day": [written.year, written.month, written.day],
        "head": [
            [_("Tender"), said["tender"][locale()]],
            [_("Meeting opened"), _instant(said["opened_at"], zone)],
            [_("Meeting ended"), _instant(said["closed_at"], zone)],
            [_("Where"), said["place"]],
            [_("Chair"), said["chair"]],
            [_("Secretary"), said["secretary"]],
        ],
        "members_title": _("Members of the commission"),
        "members": [[one["name"], _("present") if one["present"] else _("absent")] for one in said["members"]],
        "agenda_title": _("Agenda and decisions"),
        "items": [_item(item) for item in said["items"]],
        "columns": [_("Place"), _("Application"), _("Outcome"), _("Amount, all years")],
        "signatures_title": _("Signatures"),
        "signatures": _signatures(row, zone),
        "digest": [_("Digest of the minutes (SHA-256)"), row.digest],
    }


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    parts, of = item["quorum"]
    facts = [
        [_("Ballot"), _("Secret ballot") if item["ballot"] == "closed" else _("Open vote")],
        [_("Quorum"), _("at least %(parts)s/%(of)s of those who may vote", parts=parts, of=of)],
    ]
    if item["entitled"] is not None:
        facts += [
            [_("May vote"), str(item["entitled"])],
            [_("Present"), str(item["present"])],
            [_("In favour"), str(item["yes"])],
            [_("Against"), str(item["no"])],
            [_("Abstained"), str(item["abstained"])],
        ]
    if item["casting"]:
        facts.append([_("Casting vote of the chair"), _choice(item["casting"])])
    votes = [
        _("%(name)s: %(choice)s", name=one["name"], choice=_choice(one["choice"])) for one in item.get("votes", ())
    ]
    decision = item.get("decision")
    if decision and "kind" in decision:
        facts += [
            [_("Decision"), say(LATER[DecisionKind(decision["kind"])])],
            [_("Grounds"), decision["grounds"][locale()]],
        ]
    return {
        "title": _("%(place)s. %(title)s", place=item["place"], title=item["title"][locale()]),
        "outcome": say(outcome_words(ItemState(item["outcome"]))),
        "facts": facts,
        "recused_title": _("Do not take part"),
        "recused": [
            _("%(name)s: %(reason)s", name=one["name"], reason=one["reason"][locale()]) for one in item["recused"]
        ],
        "votes_title": _("Votes"),
        "votes": votes,
        "sum": _sum(decision) if decision else "",
        "lines": [_line(line) for line in decision["lines"]] if decision else [],
        "digest": [_("Digest of the list (SHA-256)"), decision["digest"]] if decision else [],
    }


def _sum(decision: Mapping[str, Any]) -> str:
    amount = format_money(Decimal(decision["amount"]), locale())
    return str(_("To be awarded by the list: %(count)s, together %(amount)s", count=decision["awards"], amount=amount))


def _line(line: Mapping[str, Any]) -> list[str]:
    amount = sum((Decimal(value) for value in line["amounts"].values()), Decimal("0.00"))
    shown = format_money(amount, locale()) if line["amounts"] else DASH
    return [str(line["place"]), line["number"], say(WORDS["award"][line["outcome"]][0]), shown]


def _signatures(row: Minutes, zone: ZoneInfo) -> list[list[str]]:
    held = {signature.capacity: signature for signature in row.signatures}
    found = []
    for capacity, title in (("chair", _("Chair")), ("secretary", _("Secretary"))):
        signature = held.get(capacity)
        when = format_datetime(signature.signed_at, zone, locale()) if signature else _("not signed yet")
        found.append([title, name(signature.signer) if signature else row.content[capacity], when])
    return found


def docx_of(data: Mapping[str, Any], row: Minutes) -> bytes:
    """The same paper as a document that a secretary can go on with. Its properties name no person and no clock."""
    # Only who asks for such a document loads the library and its parser.
    from docx import Document
    from docx.shared import Mm, Pt

    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(30), Mm(15)
    section.top_margin = section.bottom_margin = Mm(20)
    document.styles["Normal"].font.name = "Times New Roman"
    document.styles["Normal"].font.size = Pt(12)
    properties = document.core_properties
    properties.title, properties.author = data["title"], data["portal"]
    properties.created = properties.modified = row.created_at.replace(tzinfo=None)
    properties.last_modified_by = properties.comments = ""
    document.add_heading(data["title"], level=0)
    _grid(document, data["head"])
    document.add_heading(data["members_title"], level=1)
    _grid(document, data["members"])
    document.add_heading(data["agenda_title"], level=1)
    for item in data["items"]:
        document.add_heading(item["title"], level=2)
        document.add_paragraph().add_run(item["outcome"]).bold = True
        _grid(document, item["facts"])
        for title, rows in ((item["recused_title"], item["recused"]), (item["votes_title"], item["votes"])):
            if rows:
                document.add_paragraph(title)
                for text in rows:
                    document.add_paragraph(text, style="List Bullet")
        if item["lines"]:
            document.add_paragraph(item["sum"])
            _grid(document, [data["columns"], *item["lines"]])
            document.add_paragraph(" ".join(item["digest"]))
    document.add_heading(data["signatures_title"], level=1)
    _grid(document, data["signatures"])
    document.add_paragraph(" ".join(data["digest"]))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _grid(document: Any, rows: list[list[str]]) -> None:
    if not rows:
        return
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for texts in rows:
        for cell, text in zip(table.add_row().cells, texts, strict=True):
            cell.text = text


def _choice(choice: str) -> str:
    return say(CHOICES[Choice(choice)])


def _instant(text: str | None, zone: ZoneInfo) -> str:
    return format_datetime(datetime.fromisoformat(text), zone, locale()) if text else DASH


def _file_name(row: Minutes) -> str:
    return f"{row.content['tender']['code']}-minutes-{row.content['number']}"


def _sent(content: bytes, kind: str, filename: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = disposition("attachment", filename)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response

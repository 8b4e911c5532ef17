"""Files of an application in a blind tender: what reviewers get of each, and where one may tell who applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_, Message
from portal.documents.stripping import FAULTS
from portal.identity.policy import Permission, authorize
from portal.identity.queries import names_of
from portal.review import blind_copies, queries, similar_queries
from portal.review.blind_models import BlindCopy, CopyState
from portal.review.queries import Case
from portal.web.forms import ActionForm
from portal.web.frozen import Given, frozen
from portal.web.language import say
from portal.web.page import current_actor, page

pages = Blueprint("blind_copies", __name__, url_prefix="/staff/applications")

_NAMED: Final[Mapping[str, Message]] = {
    "page": N_("Page %(at)s: “%(word)s”"),
    "cell": N_("Cell %(at)s: “%(word)s”"),
    "text": N_("In the text: “%(word)s”"),
    "note": N_("In a note, a link or a form: “%(word)s”"),
    "aside": N_("In a header, a comment, a link or a description: “%(word)s”"),
}
_UNREAD: Final[Mapping[str, Message]] = {
    "page": N_("Page %(at)s is a picture without text: look at it yourself"),
    "text": N_("The text consists of pictures: look at it yourself"),
    "picture": N_("A picture: look at it yourself"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A frozen file with whose it is, and what reviewers get of it; ``copy`` is None while it is being made."""

    whose: str
    file: Given
    copy: BlindCopy | None

    @property
    def waits(self) -> bool:
        return self.copy is not None and self.copy.state == CopyState.HELD and self.copy.allowed_at is None

    @property
    def places(self) -> list[str]:
        return [_place(each) for each in self.copy.places] if self.copy is not None else []

    @property
    def fault(self) -> str:
        return say(FAULTS[self.copy.fault]) if self.copy is not None and self.copy.fault else ""


def _place(each: Mapping[str, Any]) -> str:
    words = _NAMED if each["word"] else _UNREAD
    return say(Message(words[each["kind"]].msgid, {"at": each["at"], "word": each["word"]}))


@page(
    pages,
    "/<uuid:application_id>/copies",
    get=Permission.REVIEW_READ,
    post=Permission.REVIEW_ASSIGN,
)
def index(application_id: UUID) -> ResponseReturnValue:
    """What reviewers get of each file; an officer lets through what waits."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    authorize(actor, Permission.REVIEW_READ, case.subject)
    if request.method == "GET":
        return _shown(case)
    try:
        chosen = {UUID(value) for value in request.form.getlist("files")}
    except ValueError:
        raise NotFound from None
    try:
        count = blind_copies.allow(session(), actor, application_id=application_id, file_ids=chosen)
    except Problems as refused:
        return _shown(case, refused.problems), 422
    flash(ngettext("Reviewers get %(num)s file more.", "Reviewers get %(num)s files more.", count), "success")
    return redirect(url_for(".index", application_id=application_id), 303)


def _shown(case: Case, problems: tuple[Problem, ...] = ()) -> str:
    copies = blind_copies.copies_of(session(), case.submission.id)
    shown = frozen(case)
    given = [(_("Project"), item) for item in shown.documents]
    given += [(part.name, item) for part in shown.parts for item in part.documents]
    lines = [Line(whose, item, copies.get(UUID(item.file_id))) for whose, item in given]
    return render_template(
        "officer/copies.html",
        case=case,
        application=case.application,
        view="copies",
        similar_open=similar_queries.open_of(session(), case.application.id) or None,
        copies_held=sum(line.waits for line in lines) or None,
        lines=sorted(lines, key=lambda line: not line.waits),
        names=names_of(session(), {row.allowed_by for row in copies.values() if row.allowed_by}),
        problems=problems,
        form=ActionForm(),
    )

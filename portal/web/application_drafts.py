"""Autosave: what the script of a section's page asks and sends. ``static/js/draft.js`` is the other side.

One address for each section. POST saves changed fields and says who else is there; with no changes it is the beat
of an open page. GET gives the state anew, with a CSRF token of the present session, to a page that has lost it.
Fields go by their keys. Everything may be sent again: see :mod:`portal.applications.drafts.saving`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, g, json, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf

from portal.applications import service
from portal.applications.drafts import presence
from portal.applications.drafts.saving import Change, Clash, Saved, definition_of, kept, mark_of
from portal.applications.drafts.sections import Section
from portal.applications.drafts.values import Kind, Unreadable
from portal.applications.following.dossier import Dossier
from portal.applications.models import Application
from portal.applications.models import Section as Row
from portal.applications.queries import name_of
from portal.core.db import session
from portal.core.errors import Conflict, Problems, Refused
from portal.identity.policy import Permission
from portal.tenders.kept_rules import rules_in
from portal.web import autosave
from portal.web.application_frame import blueprint, clock_words, editable, opened, question_of
from portal.web.language import say
from portal.web.page import page
from portal.web.problem_json import problem
from portal.web.templating import localised


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A clash as a page shows it; ``said``: who wrote the other text, and when, by the clock of the tender."""

    key: str
    name: str
    label: str
    yours: str
    theirs: str
    mark: str
    said: str


def name_of_input(definition: Section, key: str) -> str:
    """The name and id of the input of a key."""
    return f"{definition.name}-{key.replace('.', '-')}" if definition.grid else key


def disagreements(dossier: Dossier, definition: Section, clashes: Iterable[Clash]) -> list[Disagreement]:
    """The clashes for their page, with the names of those who were faster."""
    names: dict[UUID | None, str] = {None: ""}
    found = []
    for clash in clashes:
        if clash.by not in names and clash.by is not None:
            names[clash.by] = name_of(session(), clash.by)
        found.append(
            Disagreement(
                key=clash.key,
                name=name_of_input(definition, clash.key),
                label=question_of(dossier, definition, clash.key),
                yours=clash.yours,
                theirs=clash.theirs,
                mark=mark_of(clash.theirs),
                said=_said(names[clash.by], clash.at, dossier),
            )
        )
    return found


def _said(name: str, at: datetime | None, dossier: Dossier) -> str:
    if at is None:
        return str(_("The field was emptied meanwhile."))
    return f"{name}, {clock_words(at, dossier.intake.now, dossier.zone)}"


@dataclass(frozen=True, slots=True)
class TypedFields:
    """An ordinary form as it came in: the text of every field that was sent, and what of it was changed."""

    texts: Mapping[str, str]
    changes: Mapping[str, Change]


def typed_fields(dossier: Dossier, definition: Section, participant_id: UUID | None) -> TypedFields:
    """The fields of a section's form, compared with the marks that its page carried.

    A button ``choose`` settles one clash: ``mine:<key>:<mark of theirs>`` or ``theirs:<key>:<mark of theirs>``.
    """
    marks = _sent_marks(dossier, definition, participant_id)
    whole = "marks" in request.form  # a page's own form has every field; a box that is not ticked sends nothing
    texts = {
        key: request.form.get(name, "")
        for key, _kind in definition.keys(dossier.rules)
        if (name := name_of_input(definition, key)) in request.form or (whole and key in marks)
    }
    choice, _, rest = request.form.get("choose", "").partition(":")
    key, _, mark = rest.rpartition(":")
    if choice == "mine":
        marks[key] = mark
    if choice == "theirs":
        texts.pop(key, None)
    changed = {key: text for key, text in texts.items() if mark_of(kept(text)) != marks.get(key)}
    return TypedFields(texts, {key: Change(text, marks.get(key, "")) for key, text in changed.items()})


def _sent_marks(dossier: Dossier, definition: Section, participant_id: UUID | None) -> dict[str, str]:
    """The marks the form carried; of a form without them those of its version, if that is still the present one."""
    try:
        marks = json.loads(request.form.get("marks", ""))
        return {str(key): str(mark) for key, mark in marks.items()}
    except (ValueError, AttributeError):
        pass
    row = dossier.sections.get((participant_id, definition.name))
    if request.form.get("version", "0") != str(row.version if row else 0):
        return {}
    data: Mapping[str, str] = row.data if row else {}
    return {key: mark_of(data.get(key, "")) for key, _kind in definition.keys(dossier.rules)}


def fields_url(dossier: Dossier, definition: Section, participant_id: UUID | None) -> str:
    """Where the section's page saves its fields by itself."""
    base: dict[str, Any] = {"application_id": dossier.application.id, "name": definition.name}
    if participant_id is None:
        return url_for("applications.section_fields", **base)
    return url_for("applications.part_section_fields", participant_id=participant_id, **base)


@page(
    blueprint,
    "/<uuid:application_id>/sections/<name>/fields",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
    repeatable=True,
)
def section_fields(application_id: UUID, name: str) -> ResponseReturnValue:
    """The fields of a section of the project as a whole."""
    return _fields(application_id, None, name)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/sections/<name>/fields",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
    repeatable=True,
)
def part_section_fields(application_id: UUID, participant_id: UUID, name: str) -> ResponseReturnValue:
    """The fields of a section of one participant."""
    return _fields(application_id, participant_id, name)


def _fields(application_id: UUID, participant_id: UUID | None, name: str) -> ResponseReturnValue:
    if request.method != "POST":
        return _state(application_id, participant_id, name)
    definition = definition_of(name, participant_id)
    try:
        wish = autosave.wish()
    except Problems:
        _open_to_write(application_id, participant_id, name)  # who may not write learns no more than that
        raise
    if wish["person"] != g.actor.user_id:
        return problem(409, "another_person", autosave.ANOTHER_PERSON)
    if not wish["changes"]:
        here = _open_to_write(application_id, participant_id, name)
        return _beaten(here.application, definition, participant_id, here.row, wish["version"])
    saved = service.save_fields(
        session(),
        g.actor,
        application_id=application_id,
        participant_id=participant_id,
        section=name,
        changes=wish["changes"],
    )
    return _beaten(
        saved.dossier.application,
        definition,
        participant_id,
        saved.row,
        wish["version"],
        **_outcome(saved, definition, participant_id, wish["changes"]),
    )


def _open_to_write(application_id: UUID, participant_id: UUID | None, name: str) -> presence.Opened:
    return presence.open_to_write(
        session(), g.actor, application_id=application_id, participant_id=participant_id, section=name
    )


def _outcome(
    saved: Saved, definition: Section, participant_id: UUID | None, changes: Mapping[str, Change]
) -> dict[str, Any]:
    """What became of each field that was sent."""
    prefix = definition.prefix(participant_id)
    too_long = {item.field.removeprefix(prefix): say(item.message) for item in saved.problems}
    clashing = {clash.key for clash in saved.clashes}
    data: Mapping[str, str] = saved.row.data if saved.row else {}
    dossier = saved.dossier
    kinds = dict(definition.keys(dossier.rules))
    sent = {key: change.value for key, change in changes.items() if key in kinds}
    return {
        "written": len(saved.written),
        "marks": {key: mark_of(data.get(key, "")) for key in sent if key not in clashing and key not in too_long},
        "errors": {
            key: too_long.get(key) or reading_error(dossier, definition, key, kinds[key], text)
            for key, text in sent.items()
        },
        "clashes": [
            {
                "key": item.key,
                "label": item.label,
                "theirs": item.theirs,
                "mark": item.mark,
                "said": item.said,
            }
            for item in disagreements(dossier, definition, saved.clashes)
        ],
    }


def reading_error(dossier: Dossier, definition: Section, key: str, kind: Kind, text: str) -> str:
    """Why a text is no value of its field, in the reader's language; "" where it is one, or is empty."""
    try:
        definition.read(key, kind, kept(text), dossier.rules)
    except Unreadable as unreadable:
        return say(unreadable.message)
    return ""


def _beaten(
    application: Application,
    definition: Section,
    participant_id: UUID | None,
    row: Row | None,
    known: int,
    written: int = 0,
    **outcome: Any,
) -> Response:
    """The answer: the section's version and who else is there; all fields where somebody else has written."""
    now = presence.beat(session(), g.actor, application, participant_id, definition.name)
    there = presence.others(session(), g.actor, application, participant_id, definition.name)
    version = row.version if row else 0
    answer = {
        "version": version,
        "saved": _saved_at(row, now, ZoneInfo(application.tender.zone)),
        "others": others_text(there),
        **outcome,
    }
    if version - (1 if written else 0) != known:
        answer["fields"] = _texts(application, definition, row)
    return jsonify(answer)


def _texts(application: Application, definition: Section, row: Row | None) -> dict[str, Any]:
    """The present text of each field with its mark."""
    data: Mapping[str, str] = row.data if row else {}
    rules = rules_in(application.tender_track.rule_set)
    return {
        key: {"value": data.get(key, ""), "mark": mark_of(data.get(key, ""))} for key, _kind in definition.keys(rules)
    }


def _saved_at(row: Row | None, now: datetime, zone: ZoneInfo) -> str:
    return _("Draft saved at %(time)s", time=clock_words(row.saved_at, now, zone)) if row else ""


def others_text(there: Iterable[presence.Somebody]) -> str:
    """Who else is in the section, as a sentence; "" for nobody."""
    people = ", ".join(f"{item.name} ({localised(item.organisation, 'name')})" for item in there)
    return _("Also in this section now: %(people)s", people=people) if people else ""


def _state(application_id: UUID, participant_id: UUID | None, name: str) -> Response:
    dossier = opened(application_id)
    definition = definition_of(name, participant_id)
    if participant_id is not None:
        dossier.participant(participant_id)
    row = dossier.sections.get((participant_id, name))
    return jsonify(
        {
            "person": str(g.actor.user_id),
            "csrf": generate_csrf(),
            "version": row.version if row else 0,
            "saved": _saved_at(row, dossier.intake.now, dossier.zone),
            "fields": _texts(dossier.application, definition, row),
            "closed": "" if editable(dossier, participant_id) else _closed(dossier, participant_id),
        }
    )


def _closed(dossier: Dossier, participant_id: UUID | None) -> str:
    """Why the reader cannot write the section now."""
    try:
        service.authorize_edit(g.actor, dossier, participant_id)
        service.require_editable(dossier)
    except (Refused, Conflict) as refused:
        return say(refused.reason)
    return ""

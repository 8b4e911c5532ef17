"""The audit trail for those who may read it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Text, cast, or_, select

from portal.applications.models import Application, Attachment
from portal.audit.models import AuditEvent
from portal.core.db import session
from portal.identity.policy import Permission
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.trail_words import OBJECTS, doer, told

pages = Blueprint("audit", __name__, url_prefix="/staff/audit")


@page(pages, "", get=Permission.AUDIT_READ)
def index() -> ResponseReturnValue:
    statement: Any = select(AuditEvent, _sealed())
    object_id, actor = request.args.get("object", "").strip(), request.args.get("actor", "").strip()
    tag = request.args.get("tag", "").strip()
    if object_id:
        statement = statement.where(AuditEvent.object_id == object_id)
    if actor:
        statement = statement.where(AuditEvent.actor == actor, ~_sealed())
    if tag:
        statement = statement.where(AuditEvent.tag.startswith(tag, autoescape=True))
    found: Page[Any] = keyset(session(), statement, (AuditEvent.seq,), _place, request.args.get("cursor"))
    return render_template(
        "audit/index.html",
        page=found,
        told=told,
        doer=doer,
        objects=OBJECTS,
        filters={"object": object_id, "actor": actor, "tag": tag},
    )


def _sealed() -> ColumnElement[bool]:
    """Events of applications that are sealed, and of their files: who applies is not read before the opening either."""
    keys = select(cast(Application.id, Text)).where(Application.sealed)
    given = select(cast(Attachment.file_id, Text)).join(Application, Application.id == Attachment.application_id)
    return or_(
        (AuditEvent.object_type == "application") & AuditEvent.object_id.in_(keys),
        (AuditEvent.object_type == "stored_file") & AuditEvent.object_id.in_(given.where(Application.sealed)),
    )


def _place(row: Any) -> tuple[Any, ...]:
    return (row[0].seq,)

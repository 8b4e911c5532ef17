"""The audit trail for those who may read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Text, cast, select

from portal.applications.models import Application
from portal.audit.models import AuditEvent
from portal.core.db import session
from portal.identity.policy import Permission
from portal.web.page import page
from portal.web.paging import keyset

pages = Blueprint("audit", __name__, url_prefix="/staff/audit")


@page(pages, "", get=Permission.AUDIT_READ)
def index() -> ResponseReturnValue:
    statement = select(AuditEvent)
    object_id, actor = request.args.get("object", "").strip(), request.args.get("actor", "").strip()
    tag = request.args.get("tag", "").strip()
    if object_id:
        statement = statement.where(AuditEvent.object_id == object_id)
    if actor:
        statement = statement.where(AuditEvent.actor == actor, ~_sealed())
    if tag:
        statement = statement.where(AuditEvent.tag.startswith(tag, autoescape=True))
    found = keyset(session(), statement, (AuditEvent.seq,), _place, request.args.get("cursor"))
    return render_template(
        "audit/index.html",
        page=found,
        sealed=_of_sealed(found.rows),
        filters={"object": object_id, "actor": actor, "tag": tag},
    )


def _sealed() -> ColumnElement[bool]:
    """Events of applications that are sealed: who applies is not read before the opening either."""
    keys = select(cast(Application.id, Text)).where(Application.sealed)
    return (AuditEvent.object_type == "application") & AuditEvent.object_id.in_(keys)


def _of_sealed(events: Sequence[AuditEvent]) -> frozenset[int]:
    """The numbers of those on the page."""
    wanted = select(AuditEvent.seq).where(AuditEvent.seq.in_([event.seq for event in events]), _sealed())
    return frozenset(session().scalars(wanted))


def _place(event: AuditEvent) -> tuple[Any, ...]:
    return (event.seq,)

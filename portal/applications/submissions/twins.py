"""The same project submitted twice by one organisation in one tender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.core.canonical import digest
from portal.core.errors import Conflict
from portal.core.language import N_, Message

_IDS: Final = frozenset({"id", "documents", "cluster_member"})


def content_digest(package: Mapping[str, Any]) -> str:
    """SHA-256 of what a package says: without keys, and without the files, which can be sent anew."""
    parts = [
        {name: value for name, value in part.items() if name not in _IDS}
        | {"organisation": (part.get("organisation") or {}).get("inn")}
        for part in package.get("participants") or ()
    ]
    ordered = sorted(parts, key=lambda part: (str(part["role"]), str(part["organisation"])))
    said = {name: value for name, value in package.items() if name not in ("tender", "cluster", "documents")}
    return digest({**said, "participants": ordered})


def mark(session: Session, application: Application, package: Mapping[str, Any]) -> None:
    """Remember what the application says; raises :class:`Conflict` where a twin of it is submitted already."""
    said = content_digest(package)
    twin = session.scalar(
        select(Application.number).where(
            Application.tender_id == application.tender_id,
            Application.initiator_id == application.initiator_id,
            Application.content_sha256 == said,
            Application.id != application.id,
        )
    )
    if twin is not None:
        raise Conflict(_twin(twin))
    try:
        with session.begin_nested():
            application.content_sha256 = said
            session.flush()
    except IntegrityError as error:
        if "uq_application_content" not in str(error.orig):
            raise
        raise Conflict(_twin("")) from None


def _twin(number: str) -> Message:
    if not number:
        return N_("Your organisation has just submitted the same project in this tender.")
    return N_(
        "Your organisation has submitted exactly the same project in this tender already: %(number)s. A project is"
        " submitted once. To change it, withdraw that application; this draft stays as it is.",
        number=number,
    )

"""Sessions on the server: the cookie holds a random token, the row its SHA-256; a signed-out token is dead."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import Flask, Request, Response, g
from flask import request as flask_request
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from werkzeug.datastructures import CallbackDict

from portal.core.db import read_only, transaction
from portal.core.db import session as database
from portal.identity.models import User, UserSession
from portal.identity.queries import reader_of
from portal.web import waiting

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods of requests that only read, but for pages that declare otherwise."""
LIFETIME: Final = timedelta(hours=12)
AGENT: Final = 200


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """A session dict that knows its token and whether it was changed."""

    def __init__(self, initial: Mapping[str, Any] | None = None, token: str | None = None) -> None:
        super().__init__(initial, self._changed)
        self.token = token
        self.modified = False
        self.accessed = False
        self.was_for = (initial or {}).get("_user_id")

    @staticmethod
    def _changed(changed: CallbackDict[str, Any]) -> None:
        changed.modified = True  # type: ignore[attr-defined]


class DatabaseSessions(SessionInterface):
    """Flask's sessions in the table ``user_session``; the token changes whenever another person signs in or out."""

    serializer = TaggedJSONSerializer()

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        token = request.cookies.get(self.get_cookie_name(app))
        if not token or len(token) > 100 or _of_files(app, request):
            return ServerSession()
        if request.method in SAFE:
            read_only(database())
        found = reader_of(database(), _hash(token), waiting.counts())
        if found is None:
            return ServerSession()
        g.reader = found
        return ServerSession(self.serializer.loads(found.data.decode()), token)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, ServerSession)
        if session.accessed or session.modified:
            response.vary.add("Cookie")
        if not session.modified or _of_files(app, flask_request):
            return
        name, domain, path = self.get_cookie_name(app), self.get_cookie_domain(app), self.get_cookie_path(app)
        changed_hands = session.token is not None and session.get("_user_id") != session.was_for
        with transaction() as current:
            if session.token and (changed_hands or not session):
                current.execute(delete(UserSession).where(UserSession.token_hash == _hash(session.token)))
                session.token = None
            if not session:
                response.delete_cookie(name, domain=domain, path=path)
                return
            token = session.token or secrets.token_urlsafe(32)
            row = {
                "data": self.serializer.dumps(dict(session)).encode(),
                "user_id": _user_id(session.get("_user_id")),
                "agent": flask_request.headers.get("User-Agent", "")[:AGENT],
                "expires_at": func.clock_timestamp() + LIFETIME,
            }
            current.execute(
                insert(UserSession)
                .values(token_hash=_hash(token), **row)
                .on_conflict_do_update(index_elements=[UserSession.token_hash], set_=row)
            )
        response.set_cookie(
            name,
            token,
            max_age=LIFETIME,
            domain=domain,
            path=path,
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite="Lax",
        )


def _of_files(app: Flask, request: Request) -> bool:
    """Whether a style sheet, script or font is asked for: the same for everybody, so nobody is looked up."""
    return request.path.startswith(f"{app.static_url_path}/")


def token_of(session: object) -> str:
    """The key of a browser's session, to tell it from the person's others; "" where none is kept yet."""
    token = getattr(session, "token", None)
    return _hash(token) if token else ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _user_id(uniquifier: object) -> UUID | None:
    if not uniquifier:
        return None
    return database().scalar(select(User.id).where(User.fs_uniquifier == str(uniquifier)))

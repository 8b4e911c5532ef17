"""Uploads in parts, for the script ``upload.js``: begin, ask, send a part, finish, discard. Answers are JSON.

After the core of tus 1.0: ``Upload-Offset`` says where a part begins and, in answers, what has been received;
``Upload-Checksum`` (``sha256`` and base64) may come with a part. A refusal is a problem document (RFC 9457) with
a sentence for the person; the script knows what to do by the status.
"""

from __future__ import annotations

import base64
import binascii
import functools
from typing import Final
from uuid import UUID

from flask import Response, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from portal.applications.models import Attachment
from portal.applications.papers import uploads
from portal.applications.service import authorize_edit
from portal.core.db import session, transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problem, Problems, Refused
from portal.core.language import N_, Message
from portal.documents.models import Upload
from portal.documents.uploads import MAX_PART, Misplaced
from portal.identity.policy import Permission
from portal.web.application_frame import blueprint, opened, section_url
from portal.web.language import say
from portal.web.page import View, page

PART_TYPE: Final = "application/offset+octet-stream"
KEPT: Final = frozenset({"unfinished"})
"""Problems after which the upload can go on."""
_NOT_THERE: Final = N_("This upload is not there any more. Choose the file again.")


def answering(view: View) -> View:
    """Refusals of the view as problem documents."""

    @functools.wraps(view)
    def answered(**values: UUID) -> ResponseReturnValue:
        try:
            return view(**values)
        except PortalError as error:
            return problem_document(error)

    return answered


def problem_document(error: PortalError) -> Response:
    """``{title, status, problems: [{code, field, message}]}`` in the reader's language."""
    found: list[tuple[str, str, Message]] = []
    match error:
        case Problems():
            status = 422
            found = [(item.code, item.field, item.message) for item in error.problems]
        case Refused():
            status, found = 403, [("refused", "", error.reason)]
        case Conflict():
            status, found = 409, [("conflict", "", error.reason)]
        case _:
            status, found = 404, [("not_found", "", _NOT_THERE)]
    problems = [{"code": code, "field": field, "message": say(message)} for code, field, message in found]
    answer = jsonify({"title": problems[0]["message"], "status": status, "problems": problems})
    answer.status_code, answer.mimetype = status, "application/problem+json"
    if isinstance(error, Misplaced):
        answer.headers["Upload-Offset"] = str(error.received)
    return answer


@page(blueprint, "/<uuid:application_id>/uploads", post=Permission.APPLICATION_EDIT)
@answering
def begin_upload(application_id: UUID) -> ResponseReturnValue:
    """Announce a file; an unfinished upload of the same file is taken up where it stood."""
    participant_id = _key("participant")
    authorize_edit(g.actor, opened(application_id), participant_id)
    row = uploads.begin(
        session(),
        g.actor,
        application_id=application_id,
        participant_id=participant_id,
        code=request.form.get("code", "")[:20],
        name=request.form.get("name", "")[:4096],
        size=_size(request.form.get("size", "")),
        sha256=request.form.get("sha256") or None,
        fingerprint=request.form.get("fingerprint", "")[:200],
        issued_on=request.form.get("issued_on", ""),
        replaces=_key("replaces"),
    )
    answer = _standing(row)
    answer.status_code = 201
    answer.headers["Location"] = url_for(".upload", application_id=application_id, upload_id=row.id)
    return answer


@page(
    blueprint,
    "/<uuid:application_id>/uploads/<uuid:upload_id>",
    get=Permission.APPLICATION_EDIT,
    patch=Permission.APPLICATION_EDIT,
)
@answering
def upload(application_id: UUID, upload_id: UUID) -> ResponseReturnValue:
    """How far an upload has come; or its next part."""
    row = uploads.standing(session(), g.actor, application_id=application_id, upload_id=upload_id)
    if request.method != "PATCH":
        return _standing(row)
    start = _size(request.headers.get("Upload-Offset", ""))
    # A slow network must not hold a connection to the database while the part comes in.
    session().rollback()
    data = _body()
    row = uploads.receive(
        session(),
        g.actor,
        application_id=application_id,
        upload_id=upload_id,
        start=start,
        data=data,
        sha256=_checksum(),
    )
    return _standing(row)


@page(
    blueprint,
    "/<uuid:application_id>/uploads/<uuid:upload_id>/finish",
    post=Permission.APPLICATION_EDIT,
)
@answering
def finish_upload(application_id: UUID, upload_id: UUID) -> ResponseReturnValue:
    """Look into the received file and attach it; of a refused one nothing is left."""
    try:
        row = uploads.finish(
            session(),
            g.actor,
            application_id=application_id,
            upload_id=upload_id,
            issued_on=request.form.get("issued_on", ""),
        )
    except Problems as refused:
        if any(problem.field == "file" and problem.code not in KEPT for problem in refused.problems):
            _forget(application_id, upload_id)
        raise
    answer = jsonify(_attached(row))
    # A key that is sent again is led there: the same answer, whatever became of the first one.
    answer.headers["Location"] = url_for(".upload", application_id=application_id, upload_id=upload_id)
    return answer


@page(
    blueprint,
    "/<uuid:application_id>/uploads/<uuid:upload_id>/discard",
    post=Permission.APPLICATION_VIEW,
)
def discard_upload(application_id: UUID, upload_id: UUID) -> ResponseReturnValue:
    """Forget an unfinished upload: a button of the page, and the script's "Cancel"."""
    dossier = opened(application_id)
    row = uploads.own(session(), g.actor, application_id=application_id, upload_id=upload_id)
    participant, code = row.place["participant"], row.place["code"]
    uploads.discard(session(), g.actor, application_id=application_id, upload_id=upload_id)
    return redirect(section_url(dossier, "documents", participant) + f"#{code}", 303)


def _forget(application_id: UUID, upload_id: UUID) -> None:
    """The refusal undoes its transaction; what was received goes in one of its own."""
    session().rollback()
    with transaction() as current:
        uploads.discard(current, g.actor, application_id=application_id, upload_id=upload_id)


def _standing(row: Upload) -> Response:
    answer = jsonify(
        {
            "id": row.id,
            "name": row.name,
            "size": row.size,
            "received": row.received,
            "done": row.done_at is not None,
            "csrf_token": generate_csrf(),
        }
    )
    answer.headers["Upload-Offset"] = str(row.received)
    answer.headers["Upload-Length"] = str(row.size)
    return answer


def _attached(row: Attachment) -> dict[str, object]:
    return {"id": row.id, "name": row.file.name, "size": row.file.size, "sha256": row.file.sha256}


def _body() -> bytes:
    if request.mimetype != PART_TYPE:
        raise _bad("type", N_("The browser sent the part of the file in an unknown form."))
    data = request.stream.read(MAX_PART + 1)
    if len(data) > MAX_PART:
        raise _bad("part_size", N_("The browser sent a part of the file that is too long or too short."))
    return data


def _checksum() -> str | None:
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    kind, _, value = given.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if kind != "sha256" or len(digest) != 32:
        raise _bad("bad_hash", N_("The browser sent an unusable digest. Choose the file again."))
    return digest.hex()


def _size(text: str) -> int:
    """A number of bytes as browsers write it: digits only, no longer than any real size."""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise _bad("bad_size", N_("The browser did not say how large the file is, or which part of it this is."))
    return int(text)


def _key(name: str) -> UUID | None:
    text = request.form.get(name, "")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound from None


def _bad(code: str, message: Message) -> Problems:
    return Problems([Problem(code, "file", message)])

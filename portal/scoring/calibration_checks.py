"""Run again and compare: a calibration computed anew from its reviews, and the first difference if there is one.

The reviews are read again as far as they were handed in when the calibration was made. One that was returned since, or
is of an application that was withdrawn, is the first difference: what it held then is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review import calibrating
from portal.review.calibration_models import ReviewCalibration
from portal.scoring.evaluation import subject
from portal.scoring.models import CalibrationCheck
from portal.scoring.origin import code_digest, libraries

KIND: Final = "check_calibration"
ACTOR: Final = system_actor("calibration")
SHOWN: Final = 3


def start(session: Session, actor: Actor, tender_track_id: UUID) -> CalibrationCheck:
    """Start computing the present calibration of a track again; a check of it that has not ended is taken up instead.

    Raises :class:`Conflict` while the present reviews are not calibrated yet.
    """
    authorize(actor, Permission.SCORE_CHECK)
    authorize(actor, Permission.EVALUATION_VIEW, subject(session, actor, tender_track_id))
    found = calibrating.present(session, tender_track_id)
    if found is None:
        raise Conflict(N_("The reviews are still being calibrated. Open the page again."))
    held = session.scalars(
        select(ReviewCalibration).where(ReviewCalibration.id == found.id).with_for_update(key_share=True)
    ).one()
    open_one = select(CalibrationCheck).where(
        CalibrationCheck.calibration_id == held.id, CalibrationCheck.ended_at.is_(None)
    )
    check = session.scalar(open_one)
    if check is not None:
        if check.task_id is not None:
            jobs.retry(session, check.task_id)
        return check
    check = CalibrationCheck(
        calibration_id=held.id, started_by=actor.user_id, code=code_digest(), libraries=libraries(session)
    )
    session.add(check)
    session.flush()
    check.task_id = jobs.enqueue(session, KIND, {"check_id": str(check.id)}, key=f"{KIND}:{check.id}")
    record(session, actor, "review:calibration:check", "tender_track", tender_track_id, {"check": check.id})
    return check


def compare(session: Session, check_id: UUID) -> CalibrationCheck:
    """Compute the check's calibration again; nothing the second time. :class:`NotFound` for an unknown one."""
    check = session.scalar(select(CalibrationCheck).where(CalibrationCheck.id == check_id).with_for_update())
    if check is None:
        raise NotFound
    if check.ended_at is not None:
        return check
    held = session.get_one(ReviewCalibration, check.calibration_id)
    inputs, result = calibrating.computed_again(session, held)
    check.output_digest, check.ended_at = digest(result), now(session)
    if inputs != held.inputs_digest:
        check.first = _difference(["reviews"], held.inputs_digest, inputs)
    elif check.output_digest != held.output_digest:
        found = next(_differences(held.result, result, []), None)
        check.first = found or _difference(["digest"], held.output_digest, check.output_digest)
    session.flush()
    facts = {"check": check.id, "output": check.output_digest, "same": check.first is None}
    record(session, ACTOR, "review:calibration:checked", "tender_track", held.tender_track_id, facts)
    return check


def _differences(before: Any, after: Any, path: list[str]) -> Iterator[dict[str, Any]]:
    """Where two results differ, in the order of their keys."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), [*path, key])
    elif before != after:
        yield _difference(path, before, after)


def _difference(path: list[str], before: Any, after: Any) -> dict[str, Any]:
    return {"path": path, "before": before, "after": after}


def checks_of(session: Session, calibration_id: UUID) -> Sequence[CalibrationCheck]:
    """The latest checks of a calibration, newest first."""
    statement = select(CalibrationCheck).where(CalibrationCheck.calibration_id == calibration_id)
    return session.scalars(statement.order_by(CalibrationCheck.id.desc()).limit(SHOWN)).all()

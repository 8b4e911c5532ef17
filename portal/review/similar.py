"""Finding projects that are alike, in the background, and what an officer decides about two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, any_, cast, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, insert
from sqlalchemy.orm import Session, joinedload

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, Participant, State, Submission
from portal.audit.service import record
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import NotFound, Problem, Problems, Stale
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review.models import ProjectTrace, SimilarPair, Verdict
from portal.review.policy import Subject
from portal.review.similarity import Likeness, compare
from portal.review.traces import Firm, Trace, bands, trace_of

LOCK: Final = 0x53494D
MOST_CANDIDATES: Final = 100
"""Projects that one submission is compared with: its organisations' own, and in its tender those that share most."""
LEAST_SHARED: Final = 2
"""Tokens of the text that two projects share before they are compared for their texts alone."""
MOST_PAIRS: Final = 20
MAX_NOTE: Final = 2_000
ACTOR: Final = system_actor("similarity")
TAKEN_BACK: Final = (State.DRAFT, State.WITHDRAWN)


def find(session: Session, submission_id: UUID) -> int:
    """Compare a submission with those it may be like, and keep the pairs; how many it was compared with.

    One at a time: of two submissions at once the second would not see the first. Nothing is done for one that was
    withdrawn or replaced meanwhile. A decision stands as long as neither side was submitted again.
    """
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    row = session.execute(
        select(Submission, Application.tender_id, Application.submission_id, Application.state)
        .join(Application, Application.id == Submission.application_id)
        .where(Submission.id == submission_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    submission, tender_id, current_id, state = row
    if current_id != submission.id or state in TAKEN_BACK:
        return 0
    own = trace_of(submission.snapshot)
    tokens = bands(own.text)
    candidates = _candidates(session, submission.application_id, tender_id, own, tokens)
    _keep_trace(session, submission, tender_id, own, tokens, len(candidates))
    found = {key: (other_submission, compare(own, other)) for key, other_submission, other in candidates}
    alike = {key: value for key, value in found.items() if value[1].remarkable}
    best = sorted(alike, key=lambda key: (-alike[key][1].score, key))[:MOST_PAIRS]
    _keep_pairs(session, submission, {key: alike[key] for key in best})
    return len(candidates)


def _candidates(
    session: Session, application_id: UUID, tender_id: UUID, own: Trace, tokens: list[int]
) -> list[tuple[UUID, UUID, Trace]]:
    """Traces that share a token: of the same organisations anywhere, of others in the same tender."""
    token = func.unnest(ProjectTrace.bands).column_valued("token")
    ours = literal(tokens, ProjectTrace.bands.type)
    shared = select(func.count(token)).where(token == any_(ours)).scalar_subquery()
    related = ProjectTrace.inns.overlap(_texts(own.inns))
    hard = or_(
        ProjectTrace.lines.overlap(_texts(sorted(own.lines))),
        ProjectTrace.files.overlap(_texts(sorted(own.files))),
    )
    alike = and_(
        ProjectTrace.tender_id == tender_id,
        or_(
            hard,
            ProjectTrace.codes.overlap(_texts(own.codes)),
            and_(ProjectTrace.bands.overlap(tokens), shared >= LEAST_SHARED),
        ),
    )
    found: dict[UUID, tuple[UUID, UUID, Trace]] = {}
    for blocked in (related, alike):
        wanted = _near(application_id, blocked).order_by(hard.desc(), shared.desc(), ProjectTrace.application_id)
        for row in session.execute(wanted.limit(MOST_CANDIDATES)):
            found.setdefault(row[0], (row[0], row[1], _read(row[2])))
    return list(found.values())


def _near(application_id: UUID, blocked: ColumnElement[bool]) -> Select[tuple[UUID, UUID, dict[str, Any]]]:
    return (
        select(ProjectTrace.application_id, ProjectTrace.submission_id, ProjectTrace.content)
        .join(Application, Application.id == ProjectTrace.application_id)
        .where(
            ProjectTrace.application_id != application_id,
            Application.submission_id == ProjectTrace.submission_id,
            Application.state.not_in(TAKEN_BACK),
            blocked,
        )
    )


def _texts(values: list[str]) -> ColumnElement[Any]:
    return cast(literal(values, ARRAY(TEXT)), ARRAY(TEXT))


def _keep_trace(
    session: Session, submission: Submission, tender_id: UUID, own: Trace, tokens: list[int], compared: int
) -> None:
    values = {
        "submission_id": submission.id,
        "tender_id": tender_id,
        "inns": own.inns,
        "codes": own.codes,
        "lines": sorted(own.lines),
        "files": sorted(own.files),
        "bands": tokens,
        "content": _written(own),
        "compared": compared,
    }
    statement = insert(ProjectTrace).values(application_id=submission.application_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["application_id"], set_=values))


def _written(trace: Trace) -> dict[str, Any]:
    return {**asdict(trace), "firms": [asdict(firm) for firm in trace.firms], "lines": sorted(trace.lines)}


def _read(content: Mapping[str, Any]) -> Trace:
    return Trace(
        firms=tuple(Firm(**firm) for firm in content["firms"]),
        okpd2=content["okpd2"],
        tn_ved=content["tn_ved"],
        lines=frozenset(content["lines"]),
        files=content["files"],
        text=content["text"],
    )


def _keep_pairs(session: Session, submission: Submission, alike: Mapping[UUID, tuple[UUID, Likeness]]) -> None:
    own = submission.application_id
    mine = or_(SimilarPair.first_id == own, SimilarPair.second_id == own)
    held = {_other(row, own): row for row in session.scalars(select(SimilarPair).where(mine))}
    gone = [row.id for key, row in held.items() if key not in alike and row.verdict is None]
    session.execute(delete(SimilarPair).where(SimilarPair.id.in_(gone)))
    for key, (other_submission, likeness) in alike.items():
        sides = sorted([(own, submission.id), (key, other_submission)])
        row = held.get(key)
        if row is None:
            row = SimilarPair(id=uuid7(), first_id=sides[0][0], second_id=sides[1][0], note="")
            session.add(row)
        elif row.verdict is not None and (row.first_submission_id, row.second_submission_id) != (
            sides[0][1],
            sides[1][1],
        ):
            _reopen(session, row)
        row.first_submission_id, row.second_submission_id = sides[0][1], sides[1][1]
        row.score, row.reasons = likeness.score, likeness.as_json()
    session.flush()


def _other(row: SimilarPair, own: UUID) -> UUID:
    return row.second_id if row.first_id == own else row.first_id


def _reopen(session: Session, row: SimilarPair) -> None:
    """What was decided about an earlier version is asked again; the audit trail keeps it."""
    for key in (row.first_id, row.second_id):
        changes = {"pair": row.id, "verdict": row.verdict, "note": row.note}
        record(session, ACTOR, "review:similar:reopen", "application", key, changes)
    row.verdict, row.decided_at, row.decided_by, row.note = None, None, None, ""


def load_pair(session: Session, pair_id: UUID, *, lock: bool = False) -> SimilarPair:
    """A pair with both applications, their participants and the versions compared; :class:`NotFound` for none."""
    wanted = (
        select(SimilarPair)
        .where(SimilarPair.id == pair_id)
        .options(
            joinedload(SimilarPair.decider),
            *(
                option
                for side in (SimilarPair.first, SimilarPair.second)
                for option in (
                    joinedload(side, innerjoin=True).joinedload(Application.tender, innerjoin=True),
                    joinedload(side, innerjoin=True).joinedload(Application.initiator, innerjoin=True),
                    joinedload(side, innerjoin=True)
                    .selectinload(Application.participants)
                    .joinedload(Participant.organisation, innerjoin=True),
                )
            ),
            joinedload(SimilarPair.first_submission, innerjoin=True),
            joinedload(SimilarPair.second_submission, innerjoin=True),
        )
        .execution_options(populate_existing=True)
    )
    if lock:
        wanted = wanted.with_for_update(of=SimilarPair)
    row = session.scalar(wanted)
    if row is None:
        raise NotFound
    return row


def subject_of(row: SimilarPair) -> Subject:
    """Everybody who takes part in either of the two projects."""
    return Subject(frozenset(part.organisation_id for side in (row.first, row.second) for part in side.participants))


def decide(
    session: Session, actor: Actor, *, pair_id: UUID, verdict: str, note: str, expected_version: int
) -> SimilarPair:
    """Say what two projects are to each other; it may be said anew. Problems: no choice, no or too long a note.

    Whoever belongs to an organisation of either project may not. Stale when another officer was faster.
    """
    row = load_pair(session, pair_id, lock=True)
    authorize(actor, Permission.REVIEW_SIMILAR_DECIDE, subject_of(row))
    if row.version != expected_version:
        raise Stale(N_("Another officer has decided this meanwhile. Read it before you decide anew."), row.version)
    note = note.replace("\x00", "").strip()
    problems = []
    if verdict not in list(Verdict):
        problems.append(Problem("required", "verdict", N_("Choose what the two projects are to each other.")))
    elif verdict != Verdict.NO_CONCERN and not note:
        problems.append(Problem("required", "note", N_("Say in a sentence what this rests on.")))
    if len(note) > MAX_NOTE:
        message = N_("Write no more than %(most)s characters; these are %(length)s.", most=MAX_NOTE, length=len(note))
        problems.append(Problem("too_long", "note", message))
    if problems:
        raise Problems(problems)
    before, decided_at = row.verdict, now(session)
    row.verdict, row.note = verdict, note
    row.decided_at, row.decided_by = decided_at, actor.user_id
    session.flush()
    for key, other in ((row.first_id, row.second_id), (row.second_id, row.first_id)):
        changes = {"pair": row.id, "other": other, "before": before, "verdict": verdict, "note": note}
        record(session, actor, "review:similar:decide", "application", key, changes)
    return row

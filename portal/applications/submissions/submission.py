"""Submitting and withdrawing: the moments at which an application becomes the fund's business.

Whether a submission is in time is the first thing its transaction asks, in SQL, by the database's clock, with
the tender's row locked, so that an extension or a cancellation cannot slip between the question and the deed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.applications.drafts.completeness import problems as missing
from portal.applications.eligibility import RuleOutcome, blocking, check
from portal.applications.figures.facts import facts
from portal.applications.following import letters
from portal.applications.following.corrections import unsettled
from portal.applications.following.dossier import Dossier, correction_open, intake_open, later_closing, load
from portal.applications.models import Application, State, Submission
from portal.applications.papers import standing as papers
from portal.applications.rules import EDITABLE, TRANSITIONS, after_submission, registration_number
from portal.applications.sealing import vault as sealing
from portal.applications.signatures.signing import of_submission, unconfirmed
from portal.applications.submissions import twins
from portal.audit import service as audit
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders.models import Tender, TenderTrack, Track

LATE: Final = N_("Applications are no longer accepted: the time for it is over. What was typed is kept in the draft.")


@dataclass(frozen=True, slots=True)
class Standing:
    """What keeps an application from submission, and what the rules say of it, at one moment."""

    problems: tuple[Problem, ...]
    outcomes: tuple[RuleOutcome, ...]

    @property
    def blocking(self) -> tuple[RuleOutcome, ...]:
        """Failed rules that lead to refusal; they can be submitted knowingly."""
        return blocking(self.outcomes)


def standing(dossier: Dossier, *, initiator_applications: int | None = None) -> Standing:
    """Everything that is missing, unreadable or unanswered, and every eligibility rule."""
    content = dossier.package.content
    if initiator_applications is not None:
        content = {**content, "initiator_applications": initiator_applications}
    outcomes = check(content, facts(content, dossier.rules), dossier.rules, dossier.today)
    return Standing(tuple(_problems(dossier)), tuple(outcomes))


def _problems(dossier: Dossier) -> Iterator[Problem]:
    unreadable = dossier.package.problems
    yield from unreadable
    known = {problem.field for problem in unreadable}
    for problem in missing(dossier.package.content, dossier.rules):
        if problem.field not in known:
            yield problem
    yield from papers.problems(dossier)
    for part in dossier.pending:
        message = N_(
            "%(organisation)s has not answered the invitation: wait for its answer or take it back.",
            organisation=letters.name_of(part.organisation),
        )
        yield Problem("unanswered", "participants", message)


def submit(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    acknowledged: bool = False,
    password: str = "",
    again: str = "",
) -> Submission:
    """Freeze the package and its signatures under a registration number and a time.

    ``acknowledged``: the person has read that the application fails rules that lead to refusal. Submitting what is
    with the fund already (a second click, another tab, a form sent again) gives the submission there is.
    ``password``, typed ``again``: in a sealed tender, that with which the applicants read and take back what they
    submit until it is opened (:mod:`portal.applications.sealing.vault`). Raises
    :class:`Conflict` when it is too late or not possible any more, :class:`Problems` with everything at once.
    """
    received_at, is_open, may_correct = _gate(session, application_id)
    dossier = load(session, application_id, lock=True)
    application = dossier.application
    authorize(actor, Permission.APPLICATION_SUBMIT, application)
    before = State(application.state)
    present = session.get(Submission, application.submission_id) if application.submission_id else None
    if before not in EDITABLE and present is not None:
        return present
    after = TRANSITIONS.after("seal" if application.sealed else "submit", before)
    if not (may_correct if before is State.RETURNED else is_open):
        raise Conflict(LATE)
    _require_ready(
        dossier,
        acknowledged,
        [*unsettled(session, dossier), *sealing.password_problems(dossier, password, again)],
    )
    number = application.number or _next_number(session, dossier)
    twins.mark(session, application, dossier.package.content)
    content = {**dossier.package.content, "signatures": of_submission(dossier)}
    secret = sealing.collect(session, dossier, content) if application.sealed else None
    submission = _freeze(session, actor, dossier, number, received_at, content)
    application.number = number
    application.state = after
    application.submission_id = submission.id
    application.correction_due = None
    # A correction keeps its place in the order of registration; what was withdrawn has lost it.
    if before is not State.RETURNED or application.received_at is None:
        application.received_at = received_at
    if secret is not None:
        application.title_ru = application.title_en = ""
        application.requested_total = None
    session.flush()
    if secret is not None:
        sealing.seal(session, dossier, submission, secret, password)
    changes = {"number": number, "round": submission.round, "sha256": submission.sha256}
    audit.record(session, actor, "applications:application:submit", "application", application.id, changes)
    if secret is None:
        for kind in after_submission(dossier.rules):
            jobs.enqueue(session, kind, {"submission_id": str(submission.id)}, key=f"{kind}:{submission.id}")
    _send_receipts(session, application, submission)
    return submission


def withdraw(
    session: Session, actor: Actor, *, application_id: UUID, password: str = "", forget: bool = False
) -> Application:
    """Take a submitted application back; possible until closing, and it may be submitted again until then.

    A sealed one becomes the draft that it was by its ``password``; who has lost it may ``forget`` what was typed.
    Raises :class:`Problems` for another password.
    """
    withdrawn_at, is_open, _ = _gate(session, application_id)
    dossier = load(session, application_id, lock=True)
    application = dossier.application
    authorize(actor, Permission.APPLICATION_WITHDRAW, application)
    after = TRANSITIONS.after("withdraw", State(application.state))
    if not is_open:
        raise Conflict(N_("The time for applications is over: it can no longer be withdrawn here."))
    secret = None
    if application.state == State.SEALED:
        secret = sealing.take_back(session, actor, dossier, password, forget=forget)
    application.state, application.content_sha256 = after, None
    if secret is not None:
        sealing.name_again(application, secret)
    session.flush()
    session.execute(
        update(Submission).where(Submission.id == application.submission_id).values(withdrawn_at=withdrawn_at)
    )
    audit.record(
        session,
        actor,
        "applications:application:withdraw",
        "application",
        application.id,
        {"number": application.number, "submission": application.submission_id},
    )
    session.flush()
    letters.write(
        session,
        application_id=application.id,
        key=f"withdrawn:{application.submission_id}",
        kind=letters.WITHDRAWN,
        subject=N_("Application %(number)s has been withdrawn", number=application.number or ""),
        paragraphs=[
            N_(
                "The project %(title)s no longer takes part in the tender. It can be changed and submitted"
                " again until applications close.",
                title=letters.title_of(application),
            )
        ],
        link=(N_("Open the application"), letters.path(application.id)),
    )
    return application


def _gate(session: Session, application_id: UUID) -> tuple[datetime, bool, bool]:
    """The database's time, whether intake is open, whether a correction may come; holds the tender's row.

    An exception counts in the same statement: it touches the tender's row, so that waiting for one that is being
    granted or revoked has the whole statement decided anew.
    """
    row = session.execute(
        select(func.portal_now(), intake_open(later_closing()), correction_open())
        .select_from(Tender)
        .join(Application, Application.tender_id == Tender.id)
        .where(Application.id == application_id)
        .with_for_update(read=True, of=Tender)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1], row[2]


def _require_ready(dossier: Dossier, acknowledged: bool, corrections: list[Problem]) -> None:
    stands = standing(dossier)
    problems = [*stands.problems, *unconfirmed(dossier), *corrections]
    if stands.blocking and not acknowledged:
        codes = ", ".join(outcome.code for outcome in stands.blocking)
        message = N_(
            "The application does not meet rules that lead to refusal (%(codes)s). Correct it, or confirm"
            " that you submit it all the same.",
            codes=codes,
        )
        problems.append(Problem("not_eligible", "acknowledged", message))
    if problems:
        raise Problems(problems)


def _next_number(session: Session, dossier: Dossier) -> str:
    application = dossier.application
    serial = session.scalar(
        update(TenderTrack)
        .where(TenderTrack.id == application.tender_track_id)
        .values(last_number=TenderTrack.last_number + 1)
        .returning(TenderTrack.last_number)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(serial, int)
    return registration_number(application.tender.code, Track(application.track), serial)


def _freeze(
    session: Session, actor: Actor, dossier: Dossier, number: str, received_at: datetime, content: dict[str, Any]
) -> Submission:
    """Of a sealed application the number, the time and the digest only."""
    sealed = dossier.application.sealed
    last = session.scalar(select(func.max(Submission.round)).where(Submission.application_id == dossier.application.id))
    assert actor.user_id is not None
    submission = Submission(
        application_id=dossier.application.id,
        tender_track_id=dossier.application.tender_track_id,
        round=(last or 0) + 1,
        number=number,
        received_at=received_at,
        submitted_by=actor.user_id,
        snapshot={} if sealed else content,
        sha256=digest(content),
    )
    session.add(submission)
    session.flush()
    session.expire(submission, ["snapshot"])
    if not sealed and digest(submission.snapshot) != submission.sha256:
        raise RuntimeError(f"the database changed the snapshot of {submission.id}")
    return submission


def _send_receipts(session: Session, application: Application, submission: Submission) -> None:
    letters.write(
        session,
        application_id=application.id,
        key=f"submitted:{submission.id}",
        kind=letters.SUBMITTED,
        subject=N_("Application %(number)s has been received", number=submission.number),
        paragraphs=[
            N_("Project: %(title)s.", title=letters.title_of(application)),
            N_(
                "Received: %(instant)s, by the portal's clock.",
                instant=letters.instant(submission.received_at, application.tender.zone),
            ),
            N_("SHA-256 of the frozen version: %(sha256)s.", sha256=submission.sha256),
            N_(
                "Until applications close, it can be withdrawn, changed and submitted again. Results are"
                " published on the portal and sent by mail."
            ),
        ],
        link=(N_("Open the receipt"), letters.path(application.id, "receipt")),
    )

"""The formal check: an officer goes through the checklist, then admits, refuses, or returns it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications import service as applications
from portal.applications.drafts.values import tidy
from portal.applications.eligibility import RuleOutcome
from portal.applications.following import corrections
from portal.applications.following.corrections import Wish
from portal.applications.following.letters import title_of
from portal.applications.models import State
from portal.audit.service import record
from portal.core.calendar import add_working_days
from portal.core.clock import now
from portal.core.errors import Conflict, Problem, Problems, Stale
from portal.core.language import N_, Message
from portal.identity.policy import Actor, Permission, authorize
from portal.review import letters
from portal.review.models import FormalCheck, Outcome
from portal.review.queries import Case, locked_case, overdue
from portal.review.rules import MAX_COMMENT, MAX_NOTE, CheckItem, checklist


@dataclass(frozen=True, slots=True)
class Answer:
    """What the officer says to one item: met, not met, or not said yet."""

    ok: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the officer typed: answers by key of the checklist, a comment for the applicant, reason codes, the
    working days for a correction as typed (empty: what the rule set gives), and what is to be corrected at which
    place besides the items that are not met."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    comment: str = ""
    reasons: tuple[str, ...] = ()
    days: str = ""
    requests: tuple[Wish, ...] = ()


def items_of(case: Case) -> list[CheckItem]:
    """The checklist of a case, from its rule set and the frozen package."""
    return checklist(case.rules, case.package, case.outcomes)


def save(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    submission_id: UUID,
    findings: Findings,
    expected_version: int = 0,
) -> FormalCheck:
    """Keep the checklist as it is, complete or not. ``expected_version`` is 0 before the first time.

    Raises :class:`Conflict` when the application is not waiting for a check or was sent anew,
    :class:`Stale` when another officer saved since, :class:`Problems` for texts that are too long.
    """
    case, check = _open(session, actor, application_id, submission_id, expected_version)
    _refuse_if(_too_long(findings, items_of(case)))
    _write(session, check, case, findings)
    session.flush()
    record(session, actor, "review:formal_check:save", "formal_check", check.id, {"application": application_id})
    return check


def admit(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    submission_id: UUID,
    findings: Findings,
    expected_version: int = 0,
) -> FormalCheck:
    """Everything is met: the application goes to the experts.

    Raises :class:`Problems` for every item without an answer or not met; otherwise as :func:`save`.
    """
    case, check = _open(session, actor, application_id, submission_id, expected_version)
    items = items_of(case)
    problems = _too_long(findings, items)
    for item in items:
        answer = findings.answers.get(item.key, Answer())
        if answer.ok is None:
            problems.append(Problem("not_answered", f"ok-{item.key}", _about(item, N_("say whether this is met."))))
        elif not answer.ok:
            message = N_("it is not met, so the application cannot be admitted.")
            problems.append(Problem("not_met", f"ok-{item.key}", _about(item, message)))
        elif item.found is False and not answer.note.strip():
            message = N_("the portal finds that it is not met. Write in the note why it is met all the same.")
            problems.append(Problem("no_note", f"note-{item.key}", _about(item, message)))
    _refuse_if(problems)
    _close(session, actor, check, case, findings, Outcome.ADMITTED)
    applications.admit(session, actor, application_id)
    number = case.application.number
    said = [
        N_("The formal check of the project “%(title)s” is passed.", title=title_of(case.application)),
        N_("The application goes to the experts. You need not do anything now."),
    ]
    letters.outcome(session, case.application, check, N_("Application %(number)s is admitted", number=number), said)
    return check


def refuse(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    submission_id: UUID,
    findings: Findings,
    expected_version: int = 0,
) -> FormalCheck:
    """Refuse with at least one reason of the rule set and a comment.

    An application that was returned and not sent again in time may be refused too. Raises as :func:`save`.
    """
    case, check = _open(session, actor, application_id, submission_id, expected_version, also_overdue=True)
    problems = _too_long(findings, items_of(case))
    known = {reason.code: reason for reason in case.rules.refusal_reasons}
    if not findings.reasons or not known.keys() >= set(findings.reasons):
        problems.append(Problem("no_reason", "reasons", N_("Choose at least one reason from the list.")))
    if not findings.comment.strip():
        problems.append(Problem("no_comment", "comment", N_("Explain the refusal: the applicant reads this.")))
    _refuse_if(problems)
    _close(session, actor, check, case, findings, Outcome.REFUSED)
    applications.refuse(session, actor, application_id, reasons=check.reasons)
    said = [
        N_("The project “%(title)s” is not admitted to the expertise.", title=title_of(case.application)),
        *(N_("%(code)s. %(title)s", code=code, title=known[code].title.both()) for code in check.reasons),
        N_("%(text)s", text=check.comment),
    ]
    subject = N_("Application %(number)s is not admitted", number=case.application.number)
    letters.outcome(session, case.application, check, subject, said)
    return check


def return_for_correction(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    submission_id: UUID,
    findings: Findings,
    expected_version: int = 0,
) -> FormalCheck:
    """Return it once, with what to correct, until the end of a working day. Raises as :func:`save`."""
    case, check = _open(session, actor, application_id, submission_id, expected_version)
    items = items_of(case)
    problems = _too_long(findings, items)
    if _returned_before(session, application_id):
        problems.append(
            Problem("returned_before", "outcome", N_("It was returned once already: admit it or refuse it."))
        )
    wrong = [item for item in items if findings.answers.get(item.key, Answer()).ok is False]
    problems += corrections.check(findings.requests, case.package, case.rules)
    if not wrong and not findings.requests and not findings.comment.strip():
        message = N_("Say what to correct: mark items as not met, or write a comment.")
        problems.append(Problem("nothing_to_correct", "comment", message))
    days = _days(findings.days, case.rules.correction_days, problems)
    _refuse_if(problems)
    due_on = add_working_days(case.today, days)
    _close(session, actor, check, case, findings, Outcome.RETURNED, due_on)
    applications.return_for_correction(session, actor, application_id, due_on=due_on)
    wishes = _wishes(case, wrong, findings)
    corrections.write(session, application_id, case.submission, wishes)
    said = [
        N_(
            "The application for the project “%(title)s” is returned for correction. Send it again by the"
            " end of %(day)s. It is returned only once.",
            title=title_of(case.application),
            day=due_on,
        ),
        *(_to_correct(item, findings.answers[item.key].note) for item in wrong),
        *(
            N_("%(what)s: %(note)s", what=corrections.label_of(wish.field, case.package, case.rules), note=wish.note)
            for wish in findings.requests
        ),
        *([N_("%(text)s", text=check.comment)] if check.comment else []),
    ]
    subject = N_("Application %(number)s is returned for correction", number=case.application.number)
    letters.outcome(session, case.application, check, subject, said)
    return check


def _wishes(case: Case, wrong: list[CheckItem], findings: Findings) -> list[Wish]:
    """What is asked at which place: the items that are not met, and the officer's own."""
    known = {target.field for target in corrections.targets(case.package, case.rules)}
    outcomes = {outcome.code: outcome for outcome in case.outcomes}
    found = []
    for item in wrong:
        note = findings.answers[item.key].note.strip() or f"{item.title.ru} / {item.title.en}"
        found += [Wish(field, note) for field in _places(item, outcomes.get(item.code), known)]
    return [*found, *findings.requests]


def _places(item: CheckItem, outcome: RuleOutcome | None, known: set[str]) -> list[str]:
    """Where an item of the checklist is corrected: its document, its field, the declarations, else its rule."""
    if item.kind == "document":
        participant_id = item.key.removeprefix(item.code).removeprefix("-")
        field = f"participant.{participant_id}.documents.{item.code}" if participant_id else f"documents.{item.code}"
        return [field]
    if outcome is None:
        return [f"{corrections.RULE}{item.code}"]
    if outcome.field in known:
        return [outcome.field]
    own = [f"participant.{part}.{outcome.field}" for part in outcome.participants]
    return [field for field in own if field in known] or [f"{corrections.RULE}{item.code}"]


NO_OUTCOME: Final = N_("Choose the outcome of the check.")

VERBS: Mapping[str, Callable[..., FormalCheck]] = {
    Outcome.ADMITTED: admit,
    Outcome.RETURNED: return_for_correction,
    Outcome.REFUSED: refuse,
}
"""The verb behind each outcome."""


def _open(
    session: Session,
    actor: Actor,
    application_id: UUID,
    submission_id: UUID,
    expected_version: int,
    *,
    also_overdue: bool = False,
) -> tuple[Case, FormalCheck]:
    """The locked case and its check, new where there is none yet; officers come one after another."""
    authorize(actor, Permission.REVIEW_FORMAL_CHECK)
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_FORMAL_CHECK, case.subject)
    application = case.application
    if application.state != State.SUBMITTED and not (also_overdue and overdue(case)):
        raise Conflict(N_("The application does not wait for a formal check now. Open the page again."))
    if case.submission.id != submission_id:
        raise Conflict(N_("The application was sent anew since you opened the page. Check the new version."))
    check = session.scalar(
        select(FormalCheck)
        .where(FormalCheck.submission_id == submission_id, FormalCheck.outcome.is_distinct_from(Outcome.RETURNED))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    held = check.version if check is not None else 0
    if held != expected_version:
        raise Stale(N_("Another officer changed this check since you opened it. What you typed is below."), held)
    return case, check or FormalCheck(submission_id=submission_id, application_id=application_id)


def _write(session: Session, check: FormalCheck, case: Case, findings: Findings) -> None:
    known = {reason.code for reason in case.rules.refusal_reasons}
    answers = ((item.key, findings.answers.get(item.key, Answer())) for item in items_of(case))
    check.checklist = [{"key": key, "ok": answer.ok, "note": tidy(answer.note).strip()} for key, answer in answers]
    check.comment = tidy(findings.comment).strip()
    check.reasons = sorted(known & set(findings.reasons))
    check.requests = [{"field": wish.field, "note": tidy(wish.note).strip()} for wish in findings.requests]
    session.add(check)


def _close(
    session: Session,
    actor: Actor,
    check: FormalCheck,
    case: Case,
    findings: Findings,
    outcome: Outcome,
    due_on: date | None = None,
) -> None:
    decided_at = now(session)
    _write(session, check, case, findings)
    check.outcome, check.due_on = outcome, due_on
    check.reasons = check.reasons if outcome is Outcome.REFUSED else []
    check.decided_by = actor.user_id
    check.decided_at = decided_at
    session.flush()
    facts: dict[str, Any] = {"application": case.application.id, "outcome": outcome, "reasons": check.reasons}
    if due_on:
        facts["due_on"] = due_on
    record(session, actor, f"review:formal_check:{_TAGS[outcome]}", "formal_check", check.id, facts)


_TAGS = {Outcome.ADMITTED: "admit", Outcome.RETURNED: "return", Outcome.REFUSED: "refuse"}


def _returned_before(session: Session, application_id: UUID) -> bool:
    statement = select(FormalCheck.id).where(
        FormalCheck.application_id == application_id, FormalCheck.outcome == Outcome.RETURNED
    )
    return session.scalar(statement) is not None


def _too_long(findings: Findings, items: list[CheckItem]) -> list[Problem]:
    problems = []
    for item in items:
        if len(findings.answers.get(item.key, Answer()).note) > MAX_NOTE:
            message = N_("the note has more than %(limit)s characters.", limit=MAX_NOTE)
            problems.append(Problem("too_long", f"note-{item.key}", _about(item, message)))
    if len(findings.comment) > MAX_COMMENT:
        message = N_("The comment has more than %(limit)s characters.", limit=MAX_COMMENT)
        problems.append(Problem("too_long", "comment", message))
    return problems


def _days(text: str, limit: int, problems: list[Problem]) -> int:
    text = text.strip()
    if not text:
        return limit
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= limit:
        return int(text)
    message = N_("Give 1 to %(limit)s working days for the correction.", limit=limit)
    problems.append(Problem("bad_days", "days", message))
    return limit


def _about(item: CheckItem, message: Message) -> Message:
    if item.subject:
        return N_("%(code)s, %(who)s: %(message)s", code=item.code, who=item.subject, message=message)
    return N_("%(code)s: %(message)s", code=item.code, message=message)


def _to_correct(item: CheckItem, note: str) -> Message:
    head = N_("%(code)s. %(title)s", code=item.code, title=item.title.both())
    if item.subject:
        head = N_("%(head)s (%(who)s)", head=head, who=item.subject)
    return N_("%(head)s: %(note)s", head=head, note=note.strip()) if note.strip() else head


def _refuse_if(problems: list[Problem]) -> None:
    if problems:
        raise Problems(problems)

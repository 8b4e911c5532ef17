"""The agreement of an award until it is signed: proposed, written, discarded, signed.

Signing commits in the ledger what the tranches bind and frees the rest of the award. Locks are taken in one order:
decision line, agreement, envelopes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, TypedDict
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

import portal.agreements.policy  # noqa: F401 - registers the rules of agreements
from portal.agreements import letters, rules
from portal.agreements.models import (
    Agreement,
    AgreementDue,
    AgreementResult,
    AgreementState,
    DueKind,
    Tranche,
)
from portal.agreements.rules import STATES, Draft, DueValues, ResultValues, TrancheValues
from portal.applications.models import State
from portal.audit.service import record
from portal.awards.chain import superseded
from portal.awards.models import Award, DecisionLine
from portal.awards.policy import interest_refusal
from portal.awards.queries import interests
from portal.budget import service as budget
from portal.budget.models import Account
from portal.core.clock import now, today
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused, Stale
from portal.core.formats import format_date
from portal.core.language import N_, Message, render
from portal.identity.policy import Actor, Permission, authorize
from portal.review import barring
from portal.scoring.models import Score
from portal.tenders.models import Tender

NUMBER_TAKEN: Final = "uq_agreement_number"
SUBJECT: Final = "decision_line"
"""What the ledger holds the money of an award for, from its reservation to its last return."""


def start(session: Session, actor: Actor, line_id: UUID) -> Agreement:
    """A draft for an award that is booked, with a proposed schedule. Conflict where there is one already."""
    authorize(actor, Permission.AGREEMENT_DRAFT)
    line = session.scalar(
        select(DecisionLine)
        .where(DecisionLine.id == line_id)
        .with_for_update(of=DecisionLine)
        .options(
            selectinload(DecisionLine.amounts), joinedload(DecisionLine.application), joinedload(DecisionLine.decision)
        )
    )
    if line is None:
        raise NotFound
    stands = select(DecisionLine.id).join(DecisionLine.decision).where(DecisionLine.id == line.id, ~superseded())
    awarded_now = line.outcome == Award.AWARD and line.application.state == State.AWARDED
    if not awarded_now or line.approved_at is None or session.scalar(stands) is None:
        raise Conflict(N_("An agreement is drafted for an award that is booked."))
    live = select(Agreement.id).where(Agreement.line_id == line.id, Agreement.state != AgreementState.DISCARDED)
    if session.scalar(live) is not None:
        raise Conflict(N_("There is an agreement for this award already."))
    replaced = select(DecisionLine.id).join(DecisionLine.decision).where(DecisionLine.id == line.id)
    if session.scalar(replaced.where(superseded(signed=True))) is not None:
        raise Conflict(N_("A later decision has changed this award."))
    _refuse_interested(session, [actor.user_id], line.application_id)
    assert actor.user_id is not None
    row = Agreement(line_id=line.id, organisation_id=line.application.initiator_id, drafted_by=actor.user_id)
    session.add(row)
    session.flush()
    _write(session, row, _proposal(session, line))
    changes = {"application": line.application.number, "line": line.id}
    record(session, actor, "awards:agreement:start", "agreement", row.id, changes)
    return row


def save(
    session: Session, actor: Actor, agreement_id: UUID, *, draft: Draft, expected_version: int | None = None
) -> Agreement:
    """Write the draft anew. Raises :class:`Problems` with all that is wrong, :class:`Conflict` once it is signed."""
    authorize(actor, Permission.AGREEMENT_DRAFT)
    row = locked(session, agreement_id, expected_version)
    STATES.after("save", AgreementState(row.state))
    problems = rules.draft_problems(draft, awarded(row))
    if problems:
        raise Problems(problems)
    row.fund_signatory, row.recipient_signatory = draft.fund_signatory.strip(), draft.recipient_signatory.strip()
    # The drafter is whoever wrote last: who has written it does not sign it.
    assert actor.user_id is not None
    row.drafted_by = actor.user_id
    row.version += 1
    session.flush()
    _write(session, row, draft)
    changes = {"tranches": len(draft.tranches), "sums": _plain(agreed(draft))}
    record(session, actor, "awards:agreement:save", "agreement", row.id, changes)
    return row


def discard(session: Session, actor: Actor, agreement_id: UUID, *, expected_version: int | None = None) -> Agreement:
    """Put a draft away; it stays on record, and another one may be started."""
    authorize(actor, Permission.AGREEMENT_DRAFT)
    row = locked(session, agreement_id, expected_version)
    row.state = STATES.after("discard", AgreementState(row.state))
    session.flush()
    record(session, actor, "awards:agreement:discard", "agreement", row.id, {})
    return row


def sign(
    session: Session,
    actor: Actor,
    agreement_id: UUID,
    *,
    number: str,
    signed_on: date,
    expected_version: int | None = None,
) -> Agreement:
    """Both sides have signed the paper: commits the tranches, frees the rest of the award, tells the recipient.

    Raises :class:`Problems` (number, day, schedule), :class:`Refused` for its drafter and for people of the
    recipient, :class:`Conflict` before the decision is published or when it is signed already.
    """
    authorize(actor, Permission.AGREEMENT_SIGN)
    row = locked(session, agreement_id, expected_version)
    state = STATES.after("sign", AgreementState(row.state))
    authorize(actor, Permission.AGREEMENT_SIGN, row)
    _refuse_interested(session, [actor.user_id, row.drafted_by], row.line.application_id)
    if row.line.decision.published_at is None:
        raise Conflict(N_("An agreement is signed after the decision is published."))
    given = awarded(row)
    problems = [
        *_number_problems(number),
        *rules.day_problems(signed_on, "signed_on", today=today(session)),
        *rules.signing_problems(written(row), given),
    ]
    if problems:
        raise Problems(problems)
    instant = now(session)
    row.state, row.number, row.signed_on = state, number.strip(), signed_on
    row.signed_by, row.signed_at = actor.user_id, instant
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) == NUMBER_TAKEN:
            taken = N_("Another agreement has this number.")
            raise Problems.one("taken", "number", taken) from error
        raise
    bound = rules.by_year((tranche.year, tranche.planned) for tranche in row.tranches)
    budget.commit(
        session,
        actor,
        key=f"agreement:{row.id}:commit",
        amounts=bound,
        **posted(session, row, N_("Agreement is signed")),
    )
    left = rules.rest(given, bound)
    if left:
        budget.release(
            session,
            actor,
            key=f"agreement:{row.id}:rest",
            amounts=left,
            source=Account.RESERVED,
            **posted(session, row, N_("The agreement does not need all of the award")),
        )
    changes = {"number": row.number, "on": signed_on, "bound": _plain(bound), "freed": _plain(left)}
    record(session, actor, "awards:agreement:sign", "agreement", row.id, changes)
    letters.signed(session, row)
    return row


def locked(session: Session, agreement_id: UUID, expected_version: int | None = None) -> Agreement:
    """The agreement with its line, award and tranches, locked. Raises :class:`NotFound`, :class:`Stale`."""
    row = session.scalar(
        select(Agreement)
        .where(Agreement.id == agreement_id)
        .options(
            selectinload(Agreement.tranches),
            selectinload(Agreement.results),
            selectinload(Agreement.dues),
            joinedload(Agreement.line, innerjoin=True).options(
                selectinload(DecisionLine.amounts),
                joinedload(DecisionLine.application, innerjoin=True),
                joinedload(DecisionLine.decision, innerjoin=True),
            ),
        )
        .with_for_update(of=Agreement)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    if expected_version is not None and row.version != expected_version:
        raise Stale(
            N_("Somebody else changed this since you opened it. Open the page again and repeat your change."),
            row.version,
        )
    return row


def awarded(row: Agreement) -> dict[int, Decimal]:
    """Year -> roubles of the award; ``line.amounts`` are loaded."""
    return {amount.year: amount.amount for amount in row.line.amounts}


def agreed(draft: Draft) -> dict[int, Decimal]:
    """Year -> roubles of the tranches of a draft."""
    return rules.by_year((tranche.planned_on.year, tranche.amount) for tranche in draft.tranches)


def written(row: Agreement) -> Draft:
    """What stands in the rows of an agreement; tranches, results and dues are loaded."""
    return Draft(
        row.fund_signatory,
        row.recipient_signatory,
        [TrancheValues(each.planned_on, each.planned, each.condition) for each in row.tranches],
        [ResultValues(each.title, each.target, each.due_on) for each in row.results],
        [DueValues(DueKind(each.kind), each.title, each.due_on) for each in row.dues],
    )


class Posted(TypedDict):
    """What every posting of an agreement says."""

    programme_id: UUID
    track: str
    reason: str
    document: str
    subject: tuple[str, UUID]


def posted(session: Session, row: Agreement, reason: Message, document: str | None = None) -> Posted:
    """Whose money, why, by which paper: in Russian, as the ledger is kept."""
    application = row.line.application
    tender = session.get_one(Tender, application.tender_id)
    assert row.signed_on is not None
    paper = N_("Agreement No. %(number)s of %(day)s", number=row.number or "", day=format_date(row.signed_on, "ru"))
    said = N_("%(reason)s: %(number)s", reason=reason, number=application.number or "")
    return {
        "programme_id": tender.programme_id,
        "track": application.track,
        "reason": render(said, "ru"),
        "document": document or render(paper, "ru"),
        "subject": (SUBJECT, row.line_id),
    }


def _refuse_interested(session: Session, people: list[UUID | None], application_id: UUID) -> None:
    known = [person for person in people if person is not None]
    refusal = interest_refusal(known[0] if known else None, interests(session, known, [application_id]))
    if refusal:
        raise Refused(refusal)
    barring.refuse_barred(session, known, [application_id])


def _proposal(session: Session, line: DecisionLine) -> Draft:
    """A schedule to start from: tranches by half-years, the reports after them, the jobs of the application."""
    given = {amount.year: amount.amount for amount in line.amounts}
    last = date(max(given), 12, 31)
    jobs = session.scalar(
        select(Score.hpj).where(
            Score.run_id == line.decision.run_id, Score.submission_id == line.application.submission_id
        )
    )
    condition = render(N_("Documents on the costs of the period"), "ru")
    report = N_("Report on results and spending")
    promised = N_("New high-productivity jobs")
    return Draft(
        tranches=[TrancheValues(day, part, condition) for day, part in rules.propose(given, today(session))],
        results=[ResultValues(render(promised, "ru"), str(jobs), last)] if jobs else [],
        dues=[DueValues(DueKind.REPORT, render(report, "ru"), day) for day in rules.report_days(given)],
    )


def _write(session: Session, row: Agreement, draft: Draft) -> None:
    """The rows of a draft in place of the earlier ones."""
    for model in (Tranche, AgreementResult, AgreementDue):
        session.execute(delete(model).where(model.agreement_id == row.id))
    session.add_all(
        Tranche(
            agreement_id=row.id,
            place=place,
            year=each.planned_on.year,
            planned_on=each.planned_on,
            planned=each.amount,
            condition=each.condition.strip(),
        )
        for place, each in enumerate(sorted(draft.tranches, key=lambda each: each.planned_on), start=1)
    )
    session.add_all(
        AgreementResult(
            agreement_id=row.id,
            place=place,
            title=each.title.strip(),
            target=each.target.strip(),
            due_on=each.due_on,
        )
        for place, each in enumerate(draft.results, start=1)
    )
    session.add_all(
        AgreementDue(agreement_id=row.id, kind=each.kind, title=each.title.strip(), due_on=each.due_on)
        for each in draft.dues
    )
    session.flush()
    session.expire(row, ["tranches", "results", "dues"])


def _number_problems(number: str) -> list[Problem]:
    if not number.strip():
        return [Problem("required", "number", N_("Enter the number of the agreement."))]
    if len(number) > rules.MAX_NUMBER or not number.isprintable():
        return [Problem("too_long", "number", N_("Enter no more than %(count)s characters.", count=rules.MAX_NUMBER))]
    return []


def _plain(amounts: Mapping[int, Decimal]) -> dict[str, str]:
    return {str(year): f"{amount:.2f}" for year, amount in amounts.items()}

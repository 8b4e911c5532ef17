"""The formal check by the officer and the reviews by experts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application, Submission
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of
from portal.tenders.ruleset import GENERAL


class Outcome(StrEnum):
    """Outcome of a formal check."""

    ADMITTED = "admitted"
    RETURNED = "returned"
    REFUSED = "refused"


class AssignmentState(StrEnum):
    ASSIGNED = "assigned"
    CONFLICT = "conflict"
    OPEN = "open"
    SUBMITTED = "submitted"
    REVOKED = "revoked"


class FormalCheck(Keyed, Stamped, Base):
    """The officer's check of one submission: a checklist, then one outcome.

    ``checklist`` is ``[{"key": "DOC-12-<participant id>", "ok": true | false | null, "note": "..."}]``, ``requests``
    what is to be corrected besides, ``[{"field": "project.summary", "note": "..."}]``. An
    application is returned once; one that was returned and not sent again may be refused by a second check.
    """

    __tablename__ = "formal_check"
    __table_args__ = (
        CheckConstraint(f"outcome is null or {one_of('outcome', Outcome)}", name="outcome"),
        CheckConstraint("(outcome is null) = (decided_at is null)", name="decided"),
        CheckConstraint("outcome is distinct from 'refused' or jsonb_array_length(reasons) > 0", name="reasons"),
        CheckConstraint("(outcome is not distinct from 'returned') = (due_on is not null)", name="due_on"),
        Index(
            "uq_formal_check_submission",
            "submission_id",
            unique=True,
            postgresql_where=text("outcome is distinct from 'returned'"),
        ),
        Index(
            "uq_formal_check_returned",
            "application_id",
            unique=True,
            postgresql_where=text("outcome = 'returned'"),
        ),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"), index=True)
    checklist: Mapped[list[Any]] = mapped_column(default=list)
    outcome: Mapped[str | None]
    reasons: Mapped[list[str]] = mapped_column(default=list)
    comment: Mapped[str] = mapped_column(default="")
    requests: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    due_on: Mapped[date | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Assignment(Keyed, Stamped, Base):
    """A reviewer's task: declare a conflict or none, then score the aspects of a lane of the rule set.

    ``draft`` keeps what was typed. A conflict may be declared, or found by the portal, at any time: ``stopped_at`` is
    when the portal found it. The marks of a review closed so stay as rows and count no more.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("submission_id", "reviewer_id"),
        CheckConstraint(one_of("state", AssignmentState), name="state"),
        CheckConstraint("(state = 'conflict') = (conflict is not null)", name="conflict"),
        CheckConstraint("(state = 'submitted') = (submitted_at is not null)", name="submitted"),
        CheckConstraint("stopped_at is null or state = 'conflict'", name="stopped"),
        CheckConstraint(
            "state not in ('open', 'submitted') or declared_at is not null", name="declared_before_reading"
        ),
        Index("ix_assignment_reviewer", "reviewer_id", "state"),
        Index("ix_assignment_application", "application_id"),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    reviewer_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    assigned_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    lane: Mapped[str] = mapped_column(default=GENERAL, server_default=GENERAL)
    due_on: Mapped[date]
    state: Mapped[str] = mapped_column(default=AssignmentState.ASSIGNED)
    conflict: Mapped[str | None]
    declared_at: Mapped[datetime | None]
    draft: Mapped[dict[str, Any]] = mapped_column(default=dict)
    draft_saved_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    reviewer: Mapped[User] = relationship(lazy="raise", foreign_keys=[reviewer_id])
    application: Mapped[Application] = relationship(lazy="raise")
    submission: Mapped[Submission] = relationship(lazy="raise")
    marks: Mapped[list[Mark]] = relationship(back_populates="assignment", lazy="raise", order_by="Mark.aspect")


class Mark(Keyed, Base):
    """A reviewer's score of one aspect of an expert criterion, 0 to 10, with its justification."""

    __tablename__ = "mark"
    __table_args__ = (
        UniqueConstraint("assignment_id", "criterion", "aspect"),
        CheckConstraint("score between 0 and 10", name="score"),
        CheckConstraint("length(justification) > 0", name="justified"),
    )

    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignment.id"))
    criterion: Mapped[str]
    aspect: Mapped[str]
    score: Mapped[Decimal] = mapped_column(Numeric(4, 2))
    justification: Mapped[str]
    evidence: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")

    assignment: Mapped[Assignment] = relationship(back_populates="marks")


class ReviewNote(Stamped, Base):
    """What a reviewer notes for themself. A table of its own, so that no list or export loads it by the way."""

    __tablename__ = "review_note"

    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignment.id"), primary_key=True)
    text: Mapped[str]


class ReviewVersion(Keyed, Base):
    """A review as it was handed in before an officer returned it; append-only, its marks count no more.

    ``marks`` are ``[{"criterion", "aspect", "score", "justification", "evidence"}]``, the score as text with two
    decimals. The rows of ``mark`` may be deleted only when they stand here.
    """

    __tablename__ = "review_version"
    __table_args__ = (
        UniqueConstraint("assignment_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("length(reason) > 0", name="reason"),
        CheckConstraint("returned_at >= submitted_at", name="order"),
    )

    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignment.id"))
    number: Mapped[int]
    marks: Mapped[list[Any]]
    submitted_at: Mapped[datetime]
    returned_at: Mapped[datetime]
    returned_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[str]


class ReviewRemark(Keyed, Stamped, Base):
    """What a reviewer or an officer says in the discussion of a submission; append-only."""

    __tablename__ = "review_remark"
    __table_args__ = (
        CheckConstraint("length(text) > 0", name="text"),
        Index("ix_review_remark_submission", "submission_id", "id"),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    text: Mapped[str]

    author: Mapped[User] = relationship(lazy="raise", foreign_keys=[author_id])


class InquiryState(StrEnum):
    """``passed``: the officer has sent it to the participants in the officer's words."""

    ASKED = "asked"
    PASSED = "passed"
    DECLINED = "declined"
    ANSWERED = "answered"


class Inquiry(Keyed, Stamped, Base):
    """A question of a reviewer to the applicant, through the officer.

    ``text`` is the reviewer's and for the officers; ``passed_text`` went to the participants as the message
    ``message_id``; ``answer`` is what the reviewers read: the answer, or why it was not passed on.
    """

    __tablename__ = "review_inquiry"
    __table_args__ = (
        CheckConstraint(one_of("state", InquiryState), name="state"),
        CheckConstraint("length(text) > 0", name="text"),
        CheckConstraint(
            "(state = 'asked') = (decided_at is null) and (decided_at is null) = (decided_by is null)", name="decided"
        ),
        CheckConstraint(
            "(state in ('passed', 'answered')) = (message_id is not null)"
            " and (message_id is null) = (passed_text is null)",
            name="passed",
        ),
        CheckConstraint(
            "(state in ('declined', 'answered')) = (answer is not null)"
            " and (state = 'answered') = (answered_at is not null)",
            name="answered",
        ),
        Index("ix_review_inquiry_submission", "submission_id", "id"),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"), index=True)
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignment.id"), index=True)
    state: Mapped[str] = mapped_column(default=InquiryState.ASKED)
    text: Mapped[str]
    passed_text: Mapped[str | None]
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("application_message.id"))
    answer: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    answered_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    assignment: Mapped[Assignment] = relationship(lazy="raise")


class Verdict(StrEnum):
    """What an officer thinks of two projects that are alike."""

    NO_CONCERN = "no_concern"
    SAME_PROJECT = "same_project"
    DOUBLE_FUNDING = "double_funding"


class ProjectTrace(Base):
    """By what an application's last submission is recognised (:class:`portal.review.traces.Trace`).

    The arrays are tokens of the index; ``bands`` those of the text. ``compared``: with how many projects.
    """

    __tablename__ = "project_trace"
    __table_args__ = (
        Index("ix_project_trace_tokens", "inns", "codes", "lines", "files", "bands", postgresql_using="gin"),
        Index("ix_project_trace_tender", "tender_id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"), primary_key=True)
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"), unique=True)
    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    inns: Mapped[list[str]] = mapped_column(ARRAY(Text))
    codes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    lines: Mapped[list[str]] = mapped_column(ARRAY(Text))
    files: Mapped[list[str]] = mapped_column(ARRAY(Text))
    bands: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    content: Mapped[dict[str, Any]]
    compared: Mapped[int] = mapped_column(default=0)


class SimilarPair(Keyed, Stamped, Base):
    """Two applications that are alike, with the reasons, and what an officer decided about them.

    ``first_id`` is the smaller key, so that a pair is there once. ``reasons`` are those of
    :meth:`portal.review.similarity.Likeness.as_json`, of the two submissions named beside them.
    """

    __tablename__ = "similar_pair"
    __table_args__ = (
        UniqueConstraint("first_id", "second_id"),
        CheckConstraint("first_id < second_id", name="order"),
        CheckConstraint("score between 0 and 1", name="score"),
        CheckConstraint(f"verdict is null or {one_of('verdict', Verdict)}", name="verdict"),
        CheckConstraint(
            "(verdict is null) = (decided_at is null) and (verdict is null) = (decided_by is null)", name="decided"
        ),
        CheckConstraint("verdict is null or verdict = 'no_concern' or length(note) > 0", name="note"),
        Index("ix_similar_pair_second", "second_id"),
        Index("ix_similar_pair_list", "score", "id"),
        Index("ix_similar_pair_open", "score", "id", postgresql_where=text("verdict is null")),
    )

    first_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    second_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    first_submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    second_submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    score: Mapped[Decimal] = mapped_column(Numeric(4, 3))
    reasons: Mapped[list[Any]]
    verdict: Mapped[str | None]
    note: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    first: Mapped[Application] = relationship(foreign_keys=[first_id], lazy="raise")
    second: Mapped[Application] = relationship(foreign_keys=[second_id], lazy="raise")
    first_submission: Mapped[Submission] = relationship(foreign_keys=[first_submission_id], lazy="raise")
    second_submission: Mapped[Submission] = relationship(foreign_keys=[second_submission_id], lazy="raise")
    decider: Mapped[User | None] = relationship(foreign_keys=[decided_by], lazy="raise")

"""The dossier: the whole of one application, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, TIMESTAMP, ColumnElement, Select, Uuid, and_, bindparam, cast, func, null, select
from sqlalchemy.orm import Session, contains_eager, joinedload, undefer
from sqlalchemy.orm.attributes import set_committed_value

import portal.applications.policy  # noqa: F401
from portal.applications.drafts import questions
from portal.applications.figures.facts import Facts, facts
from portal.applications.models import (
    Application,
    Attachment,
    Participant,
    ParticipantRole,
    ParticipantState,
    Section,
    Signature,
    State,
)
from portal.applications.partners.confidential import seen_parts
from portal.applications.signatures.scope import Binding, letter_binds, manifest, scope_of
from portal.applications.submissions.package import Assembled, Typed, accepted, assemble
from portal.clusters.models import ClusterMember, MembershipState
from portal.core.errors import NotFound
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet, rules_digest


@dataclass(frozen=True, slots=True)
class Intake:
    """What the database's clock says of an application: ``now``, and whether each door is open.

    ``later`` is the closing that an exception gives this application, None without one.
    """

    now: datetime
    open: bool
    correction: bool
    later: datetime | None = None


@dataclass
class Dossier:
    """One application with everything that its pages and verbs look at."""

    application: Application
    rules: RuleSet
    intake: Intake
    sections: Mapping[tuple[UUID | None, str], Section]
    attachments: list[Attachment]
    members: frozenset[UUID]
    signatures: list[Signature] | None = field(default=None, repr=False)
    """Read by ``signing.signatures`` where a page or verb asks for them."""
    _parts: dict[UUID, Participant] = field(init=False, repr=False)
    _bindings: dict[UUID, Binding] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._parts = {part.id: part for part in self.application.participants}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.application.tender.zone)

    @property
    def today(self) -> date:
        """The present date in the tender's zone, by the database's clock."""
        return self.intake.now.astimezone(self.zone).date()

    @property
    def closes_at(self) -> datetime | None:
        """Until when this application is taken: the tender's closing, or the exception's if that is later."""
        closing, later = self.application.tender.closes_at, self.intake.later
        return max(closing, later) if closing and later else closing

    @property
    def accepted(self) -> list[Participant]:
        return accepted(self.application.participants)

    @property
    def invited(self) -> list[Participant]:
        return [part for part in self.application.participants if part.state == ParticipantState.INVITED]

    @property
    def pending(self) -> list[Participant]:
        """Invitations that can still be answered; one that has expired keeps nobody waiting."""
        return [part for part in self.invited if not self.expired(part)]

    def expired(self, part: Participant) -> bool:
        """Whether the time to answer an invitation is over, by the database's clock."""
        return (
            part.state == ParticipantState.INVITED
            and part.expires_at is not None
            and part.expires_at <= self.intake.now
        )

    @property
    def initiator(self) -> Participant:
        return next(part for part in self.application.participants if part.role == ParticipantRole.INITIATOR)

    @property
    def typed(self) -> Typed:
        return {place: section.data for place, section in self.sections.items()}

    @cached_property
    def package(self) -> Assembled:
        """The package as it is now."""
        found = assemble(self.application, self.typed, self.attachments, self.members, self.rules, self.today)
        letter = self.application.letter
        if letter is not None and letter["scope"] and letter_binds(letter, found.content):
            found.content["letter_of_fit"] = {
                "signed_at": letter["signed_at"],
                "digest": letter["digest"],
                "manifest": letter["manifest"],
                **letter["scope"]["statement"],
            }
        return found

    @cached_property
    def _figures(self) -> Facts:
        """What all participants' signatures are counted from; none of it comes from the letter of fit."""
        return facts(self.package.content, self.rules)

    def asked(self, participant_id: UUID | None) -> frozenset[str]:
        """Codes of the extra questions that are asked of the project, or of one participant."""
        content = self.package.content
        if participant_id is None:
            return questions.asked(content, self.rules)
        key = str(participant_id)
        part = next((item for item in content["participants"] if item["id"] == key), None)
        return questions.asked(content, self.rules, part) if part is not None else frozenset()

    def binding(self, part: Participant) -> Binding:
        """What the participant would sign now."""
        if part.id not in self._bindings:
            seen = seen_parts(self.accepted, self.rules, (part.organisation_id,))
            version = self.application.tender_track.rule_set
            scope = scope_of(
                self.package.content,
                self.rules,
                version.digest or rules_digest(self.rules),
                str(part.id),
                frozenset(str(key) for key in seen),
                self._figures,
            )
            listed = manifest(scope, self.application.id, scope["own"]["organisation"])
            self._bindings[part.id] = Binding(scope, listed)
        return self._bindings[part.id]

    def participant(self, participant_id: UUID) -> Participant:
        """One that takes part. Raises :class:`NotFound`."""
        part = self._parts.get(participant_id)
        if part is None or part.state != ParticipantState.ACCEPTED:
            raise NotFound
        return part

    def attached(self, participant_id: UUID | None, code: str) -> list[Attachment]:
        """The files given as one document, oldest first."""
        return [
            item
            for item in self.attachments
            if item.participant_id == participant_id and item.code == code and item.removed_at is None
        ]

    def saved_at(self, participant_id: UUID | None, name: str) -> datetime | None:
        section = self.sections.get((participant_id, name))
        return section.saved_at if section else None


def later_closing() -> ColumnElement[datetime | None]:
    """The closing that an exception gives an application, or its initiator; null without one.

    The function reads by a snapshot of its own each time it is called: a statement that has waited for the tender's
    row calls it anew, and exceptions touch that row (:class:`DeadlineException`).
    """
    return func.later_closing(Tender.id, Application.id, Application.initiator_id, type_=TIMESTAMP(timezone=True))


def later_closing_for(organisation_id: UUID) -> ColumnElement[datetime | None]:
    """The closing that an exception gives to all applications of an initiator."""
    return func.later_closing(
        Tender.id, cast(null(), Uuid), cast(organisation_id, Uuid), type_=TIMESTAMP(timezone=True)
    )


def intake_open(later: ColumnElement[datetime | None] | None = None) -> ColumnElement[bool]:
    """Whether the tender takes applications now: published, opened, neither closed nor cancelled.

    ``later`` is a closing by exception, where the statement is about one application or initiator.
    """
    now = func.portal_now()
    closing = Tender.closes_at if later is None else func.greatest(Tender.closes_at, later)
    return func.coalesce(
        and_(
            Tender.published_at <= now,
            Tender.opens_at <= now,
            now < closing,
            Tender.cancelled_at.is_(None),
            Tender.unsealed_at.is_(None),
        ),
        False,
    )


def correction_open() -> ColumnElement[bool]:
    """Whether a returned application may still be corrected: until the due day ends in the tender's zone."""
    end = func.timezone(Tender.zone, cast(Application.correction_due + 1, TIMESTAMP))
    return func.coalesce(
        and_(Application.state == State.RETURNED, func.portal_now() < end, Tender.cancelled_at.is_(None)),
        False,
    )


@cache
def _statements(lock: bool) -> tuple[Select[Any], Select[Any], Select[Any], Select[Any]]:
    """Application, participants, sections and attachments by ``:application``; built once, for every page asks them.

    Participants are not loaded by the relationship: what SQLAlchemy does for that costs as much as the other three.
    """
    wanted = bindparam("application", type_=Uuid)
    later = later_closing()
    application = (
        select(Application, func.portal_now(), intake_open(later), correction_open(), later, _members())
        .join(Application.tender)
        .join(Application.tender_track)
        .join(TenderTrack.rule_set)
        .join(Application.cluster)
        .join(Application.initiator)
        .options(
            contains_eager(Application.tender),
            # Rules are large, and those of a published tender are read once per process (rules_in).
            contains_eager(Application.tender_track).contains_eager(TenderTrack.rule_set).defer(RuleSetVersion.content),
            contains_eager(Application.cluster),
            contains_eager(Application.initiator),
            undefer(Application.letter),  # type: ignore[arg-type]
        )
        .where(Application.id == wanted)
        .execution_options(populate_existing=True)
    )
    if lock:
        application = application.with_for_update(of=Application)
    participants = (
        select(Participant)
        .where(Participant.application_id == wanted)
        .options(joinedload(Participant.organisation, innerjoin=True))
        .order_by(Participant.id)
        .execution_options(populate_existing=True)
    )
    sections = select(Section).where(Section.application_id == wanted).execution_options(populate_existing=True)
    attachments = (
        select(Attachment)
        .where(Attachment.application_id == wanted)
        .options(joinedload(Attachment.file, innerjoin=True))
        .order_by(Attachment.id)
        .execution_options(populate_existing=True)
    )
    return application, participants, sections, attachments


def _members() -> ColumnElement[list[UUID]]:
    """Those of the participants that are confirmed members of the application's cluster."""
    members = (
        select(ClusterMember.organisation_id)
        .join(Participant, Participant.organisation_id == ClusterMember.organisation_id)
        .where(
            Participant.application_id == Application.id,
            ClusterMember.cluster_id == Application.cluster_id,
            ClusterMember.state == MembershipState.CONFIRMED,
        )
        .correlate(Application)
    )
    return func.array(members.scalar_subquery(), type_=ARRAY(Uuid))


def load(
    session: Session,
    application_id: UUID,
    *,
    lock: bool = False,
    permit: Callable[[Application], None] | None = None,
) -> Dossier:
    """The whole of one application in four queries; :class:`NotFound` where there is none.

    Asks for no right: verbs and pages authorise with what they get, or give ``permit``, which raises before more is
    read than the application and its participants. ``lock`` holds the application's row until the transaction ends,
    so that what was read stays what is written.
    """
    statement, participants, sections, attachments = _statements(lock)
    wanted = {"application": application_id}
    row = session.execute(statement, wanted).one_or_none()
    if row is None:
        raise NotFound
    application, now, is_open, correction, later, members = row
    set_committed_value(application, "participants", list(session.scalars(participants, wanted)))
    if permit is not None:
        permit(application)
    return Dossier(
        application=application,
        rules=rules_in(application.tender_track.rule_set),
        intake=Intake(now, is_open, correction, later),
        sections={(row.participant_id, row.name): row for row in session.scalars(sections, wanted)},
        attachments=list(session.scalars(attachments, wanted)),
        members=frozenset(members),
    )

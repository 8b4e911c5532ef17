"""Reading applications: lists, people, and what may be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from portal.applications.following.dossier import Dossier, intake_open, later_closing_for
from portal.applications.models import (
    Application,
    Participant,
    ParticipantState,
    State,
    Submission,
)
from portal.applications.policy import rights_by
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.errors import NotFound
from portal.identity.models import Membership, Organisation, OrgRole, User
from portal.identity.policy import Actor, scope
from portal.tenders.models import Tender, TenderTrack


def application_with(session: Session, actor: Actor, application_id: UUID) -> Application:
    """An application with tender, cluster, initiator, submission, participants and their organisations.

    Through the actor's scope; :class:`NotFound` outside of it.
    """
    statement = (
        scope(actor, Application)
        .where(Application.id == application_id)
        .options(
            joinedload(Application.tender, innerjoin=True),
            joinedload(Application.tender_track, innerjoin=True).joinedload(TenderTrack.rule_set, innerjoin=True),
            joinedload(Application.cluster, innerjoin=True),
            joinedload(Application.initiator, innerjoin=True),
            joinedload(Application.submission),
            selectinload(Application.participants).joinedload(Participant.organisation, innerjoin=True),
        )
    )
    found = session.scalar(statement)
    if found is None:
        raise NotFound
    return found


def own_select(actor: Actor, organisation_id: UUID | None = None) -> Select[Application]:
    """The applications in which the actor's organisations take part or are invited; page it by ``id``.

    ``organisation_id``: of one of them only.
    """
    mine = select(Participant.application_id).where(
        Participant.organisation_id.in_(
            [key for key in actor.memberships if organisation_id is None or key == organisation_id]
        ),
        Participant.state.in_((ParticipantState.INVITED, ParticipantState.ACCEPTED)),
    )
    return (
        select(Application)
        .where(Application.id.in_(mine))
        .options(
            joinedload(Application.tender, innerjoin=True),
            joinedload(Application.cluster, innerjoin=True),
            joinedload(Application.initiator, innerjoin=True),
        )
    )


def own_parts(session: Session, actor: Actor, applications: Iterable[Application]) -> dict[UUID, Participant]:
    """The part of the actor's organisations in each application; an invitation before an accepted part."""
    statement = (
        select(Participant)
        .where(
            Participant.application_id.in_([row.id for row in applications]),
            Participant.organisation_id.in_(actor.memberships),
            Participant.state.in_((ParticipantState.INVITED, ParticipantState.ACCEPTED)),
        )
        .options(joinedload(Participant.organisation, innerjoin=True))
        .order_by(Participant.state, Participant.id)
    )
    found: dict[UUID, Participant] = {}
    for part in session.scalars(statement):
        found[part.application_id] = part
    return found


def staff_select(
    actor: Actor,
    *,
    tender_id: UUID | None = None,
    track: str | None = None,
    state: str | None = None,
    cluster_id: UUID | None = None,
    words: str = "",
) -> Select[Application]:
    """The applications that were submitted, filtered, with tender, cluster and initiator; within the scope.

    Page it by ``(Application.received_at, Application.id)``. ``words``: part of the number or of a title.
    """
    statement = (
        scope(actor, Application)
        .where(Application.submission_id.is_not(None))
        .options(
            joinedload(Application.tender, innerjoin=True),
            joinedload(Application.cluster, innerjoin=True),
            joinedload(Application.initiator, innerjoin=True),
        )
    )
    for column, wanted in (
        (Application.tender_id, tender_id),
        (Application.track, track),
        (Application.state, state),
        (Application.cluster_id, cluster_id),
    ):
        if wanted:
            statement = statement.where(column == wanted)
    if words.strip():
        like = f"%{_escaped(words.strip())}%"
        statement = statement.where(
            or_(
                Application.number.ilike(like, escape="\\"),
                Application.title_ru.ilike(like, escape="\\"),
                Application.title_en.ilike(like, escape="\\"),
            )
        )
    return statement


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\x00", "")[:100]


def submission_of(session: Session, submission_id: UUID) -> Submission:
    """A frozen submission; :class:`NotFound`."""
    found = session.get(Submission, submission_id)
    if found is None:
        raise NotFound
    return found


def submissions_of(session: Session, application_id: UUID) -> list[Submission]:
    """Every submission of an application, newest first."""
    statement = select(Submission).where(Submission.application_id == application_id).order_by(Submission.round.desc())
    return list(session.scalars(statement))


def initiator_applications(session: Session, application: Application) -> int:
    """How many applications the initiator has in this tender, this one among them, withdrawn ones not."""
    statement = select(func.count()).where(
        Application.tender_id == application.tender_id,
        Application.initiator_id == application.initiator_id,
        Application.state != State.WITHDRAWN,
    )
    return session.scalar(statement) or 0


def invitable(session: Session, dossier: Dossier, words: str = "", limit: int = 50) -> list[Organisation]:
    """Confirmed members of the cluster that neither take part nor are invited, by name or INN."""
    application = dossier.application
    taken = [
        part.organisation_id
        for part in application.participants
        if part.state in (ParticipantState.INVITED, ParticipantState.ACCEPTED)
    ]
    statement = (
        select(Organisation)
        .join(ClusterMember, ClusterMember.organisation_id == Organisation.id)
        .where(
            ClusterMember.cluster_id == application.cluster_id,
            ClusterMember.state == MembershipState.CONFIRMED,
            Organisation.id.not_in(taken),
        )
        .order_by(Organisation.name_ru, Organisation.id)
        .limit(limit)
    )
    if words.strip():
        like = f"%{_escaped(words.strip())}%"
        statement = statement.where(
            or_(
                Organisation.name_ru.ilike(like, escape="\\"),
                Organisation.name_en.ilike(like, escape="\\"),
                Organisation.inn.like(like, escape="\\"),
            )
        )
    return list(session.scalars(statement))


def startable(session: Session, organisations: Iterable[UUID]) -> list[tuple[Organisation, Cluster]]:
    """The organisations that are confirmed members of a cluster, each with every such cluster."""
    statement = (
        select(Organisation, Cluster)
        .join(ClusterMember, ClusterMember.organisation_id == Organisation.id)
        .join(Cluster, Cluster.id == ClusterMember.cluster_id)
        .where(Organisation.id.in_(list(organisations)), ClusterMember.state == MembershipState.CONFIRMED)
        .order_by(Organisation.name_ru, Cluster.name_ru)
    )
    return [(organisation, cluster) for organisation, cluster in session.execute(statement)]


def open_tracks(session: Session, organisations: Iterable[UUID] = ()) -> list[TenderTrack]:
    """Tracks of tenders that take applications now, the first to close first.

    With ``organisations``, also those that take them from one of these by an exception.
    """
    opened = or_(intake_open(), *(intake_open(later_closing_for(key)) for key in organisations))
    statement = (
        select(TenderTrack)
        .join(TenderTrack.tender)
        .where(opened)
        .options(contains_eager(TenderTrack.tender))
        .order_by(Tender.closes_at, TenderTrack.track.desc())
    )
    return list(session.scalars(statement))


def people_of(session: Session, organisations: Iterable[UUID]) -> list[User]:
    """The people who act for any of the organisations and can sign in; each once."""
    statement = (
        select(User)
        .where(
            User.id.in_(select(Membership.user_id).where(Membership.organisation_id.in_(list(organisations)))),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(User.id)
    )
    return list(session.scalars(statement))


def signers_of(session: Session, parts: Sequence[Participant]) -> list[User]:
    """The people who may sign any of the parts and can sign in; each once."""
    by_organisation = {part.organisation_id: part for part in parts}
    statement = (
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organisation_id.in_(by_organisation), User.active, User.confirmed_at.is_not(None))
        .order_by(User.id)
    )
    found = {
        person.id: person
        for held, person in session.execute(statement)
        if "sign" in rights_by(OrgRole(held.role), by_organisation[held.organisation_id], person.id)
    }
    return list(found.values())


def is_member(session: Session, organisation_id: UUID, cluster_id: UUID) -> bool:
    """Whether the organisation's membership in the cluster is confirmed."""
    statement = select(ClusterMember.id).where(
        ClusterMember.organisation_id == organisation_id,
        ClusterMember.cluster_id == cluster_id,
        ClusterMember.state == MembershipState.CONFIRMED,
    )
    return session.scalar(statement) is not None


def name_of(session: Session, user_id: UUID) -> str:
    """The name of a person, or the address where no name was given."""
    row = session.execute(select(User.full_name, User.email).where(User.id == user_id)).one_or_none()
    return (row.full_name or row.email) if row else ""

"""Asking an organisation into a project that is not a member of the cluster yet, or not even registered.

It registers, asks to join the cluster, and when its membership is confirmed the waiting prospect becomes an
invitation like any other, in the name and with the present rights of the person who asked (:func:`follow`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.applications.following.dossier import load
from portal.applications.following.letters import name_of
from portal.applications.models import Application
from portal.applications.partners import participation
from portal.applications.partners.prospect_models import Prospect, ProspectState
from portal.applications.rules import EDITABLE
from portal.applications.service import require_editable
from portal.audit import service as audit
from portal.clusters import fields
from portal.clusters.models import ClusterMember, MembershipState
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, PortalError, Problem, Problems, Refused
from portal.core.identifiers import IdentifierError, check_inn
from portal.core.language import N_, Message, both
from portal.identity.models import Organisation, User
from portal.identity.policy import Actor, Permission, allowed, authorize
from portal.identity.queries import load_actor
from portal.notifications import service as notifications
from portal.notifications.kinds import Topic, declare
from portal.notifications.letters import compose

LIFETIME: Final = timedelta(days=60)
MAX_WAITING: Final = 10
MAX_NOTE: Final = 500
INVITED: Final = declare(
    "prospect_invited", Topic.PARTNERS, N_("Your organisation is asked into a project of a cluster"), important=True
)


def invite(session: Session, actor: Actor, *, application_id: UUID, inn: str, email: str, note: str) -> Prospect:
    """Ask an organisation by its INN, and write to the address; the letter tells nothing of the project itself.

    Raises :class:`Problems` (``inn``, ``email``, ``note``): no INN or address, a member already (invite it
    directly), asked already, or :data:`MAX_WAITING` are waiting.
    """
    dossier = load(session, application_id, lock=True)
    application = dossier.application
    authorize(actor, Permission.APPLICATION_INVITE, application)
    require_editable(dossier)
    problems: list[Problem] = []
    note = fields.tidy(note)
    inn, address = _inn(inn, problems), _address(email, problems)
    if len(note) > MAX_NOTE:
        problems.append(Problem("too_long", "note", N_("Shorten this to %(limit)s characters.", limit=MAX_NOTE)))
    if inn and _is_member(session, inn, application.cluster_id):
        message = N_("This organisation is a member of the cluster: invite it from the list of members.")
        problems.append(Problem("member", "inn", message))
    waiting = select(func.count()).where(
        Prospect.application_id == application_id, Prospect.state == ProspectState.WAITING
    )
    if (session.scalar(waiting) or 0) >= MAX_WAITING:
        limit = N_("No more than %(limit)s organisations can be waiting. Take one back first.", limit=MAX_WAITING)
        problems.append(Problem("too_many", "", limit))
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    row = Prospect(
        application_id=application_id,
        inn=inn,
        email=address,
        note=note,
        invited_by=actor.user_id,
        expires_at=now(session) + LIFETIME,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Problems.one("asked", "inn", N_("This organisation has been asked already.")) from None
    audit.record(session, actor, "applications:prospect:invite", "prospect", row.id, {"inn": inn, "email": address})
    _write(session, actor, row, application)
    return row


def withdraw(session: Session, actor: Actor, *, application_id: UUID, prospect_id: UUID) -> Prospect:
    """Take a waiting prospect back. Raises :class:`Conflict` when it is not waiting any more."""
    dossier = load(session, application_id, lock=True)
    authorize(actor, Permission.APPLICATION_INVITE, dossier.application)
    row = session.get(Prospect, prospect_id, with_for_update=True, populate_existing=True)
    if row is None or row.application_id != application_id:
        raise NotFound
    if row.state != ProspectState.WAITING:
        raise Conflict(N_("This has been answered or taken back already. Open the page again."))
    row.state, row.ended_at = ProspectState.WITHDRAWN, now(session)
    session.flush()
    audit.record(session, actor, "applications:prospect:withdraw", "prospect", row.id, {"inn": row.inn})
    return row


def follow(session: Session, *, cluster_id: UUID) -> int:
    """Turn what waits for members of a cluster into invitations; doing it twice changes nothing.

    What cannot become one (the tender closed, the project was submitted, the person lost the right) is stopped
    with the reason. Returns how many became invitations.
    """
    statement = (
        select(Prospect, Organisation.id)
        .join(Prospect.application)
        .join(Organisation, Organisation.inn == Prospect.inn)
        .join(ClusterMember, ClusterMember.organisation_id == Organisation.id)
        .where(
            ClusterMember.cluster_id == cluster_id,
            ClusterMember.state == MembershipState.CONFIRMED,
            Prospect.state == ProspectState.WAITING,
            Prospect.expires_at > func.portal_now(),
            Application.cluster_id == cluster_id,
        )
        .order_by(Prospect.id, Organisation.id)
        .with_for_update(of=Prospect)
    )
    invited = 0
    for row, organisation_id in session.execute(statement).all():
        if row.state != ProspectState.WAITING:
            continue  # two members with one INN: the first has been invited
        person = session.get_one(User, row.invited_by)
        actor = load_actor(session, person)
        reason, at = _try(session, actor, row, organisation_id), now(session)
        row.state = ProspectState.STOPPED if reason else ProspectState.INVITED
        if reason is not None:
            row.reason = dict(both(reason))
        row.ended_at = at
        session.flush()
        changes = {"inn": row.inn, "organisation": organisation_id, "state": row.state}
        audit.record(session, actor, "applications:prospect:follow", "prospect", row.id, changes)
        invited += reason is None
    return invited


def _try(session: Session, actor: Actor, row: Prospect, organisation_id: UUID) -> Message | None:
    """Invite as a participant; why not, if it cannot be."""
    try:
        with session.begin_nested():
            participation.invite(session, actor, application_id=row.application_id, organisation_id=organisation_id)
    except Problems as problems:
        return problems.problems[0].message
    except (Conflict, Refused) as refused:
        return refused.reason
    except PortalError:
        return N_("The person who asked may no longer invite into this project.")
    return None


def of_application(session: Session, application_id: UUID) -> list[Prospect]:
    """Everybody who was asked into a project this way, newest first."""
    statement = select(Prospect).where(Prospect.application_id == application_id).order_by(Prospect.id.desc())
    return list(session.scalars(statement))


def addressed_to(session: Session, actor: Actor) -> list[Prospect]:
    """What waits for the reader: by the confirmed e-mail address, or by the INN of one of their organisations."""
    if not actor.is_authenticated:
        return []
    mine = select(Organisation.inn).where(Organisation.id.in_(list(actor.memberships)))
    statement = (
        select(Prospect)
        .options(
            joinedload(Prospect.application, innerjoin=True).options(
                joinedload(Application.cluster, innerjoin=True), joinedload(Application.initiator, innerjoin=True)
            )
        )
        .where(
            or_(func.lower(Prospect.email) == actor.email.lower(), Prospect.inn.in_(mine)),
            Prospect.state == ProspectState.WAITING,
            Prospect.expires_at > func.portal_now(),
        )
        .order_by(Prospect.id)
    )
    return list(session.scalars(statement))


def open_drafts(session: Session, actor: Actor) -> list[Application]:
    """The projects into which the actor may invite now, newest first, with their clusters."""
    if not actor.memberships:
        return []
    statement = (
        select(Application)
        .options(joinedload(Application.cluster, innerjoin=True), selectinload(Application.participants))
        .where(Application.initiator_id.in_(list(actor.memberships)), Application.state.in_(EDITABLE))
        .order_by(Application.id.desc())
        .limit(20)
    )
    return [row for row in session.scalars(statement) if allowed(actor, Permission.APPLICATION_INVITE, row)]


def _is_member(session: Session, inn: str, cluster_id: UUID) -> bool:
    statement = (
        select(ClusterMember.id)
        .join(Organisation, Organisation.id == ClusterMember.organisation_id)
        .where(
            Organisation.inn == inn,
            ClusterMember.cluster_id == cluster_id,
            ClusterMember.state == MembershipState.CONFIRMED,
        )
        .limit(1)
    )
    return session.scalar(statement) is not None


def _inn(text: str, problems: list[Problem]) -> str:
    try:
        return check_inn(text)
    except IdentifierError as error:
        problems.append(Problem(error.code, "inn", error.message))
        return ""


def _address(email: str, problems: list[Problem]) -> str:
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        message = N_("Enter an e-mail address in the form name@organisation.ru.")
        problems.append(Problem("format", "email", message))
        return ""


def _write(session: Session, actor: Actor, row: Prospect, application: Application) -> None:
    """To the address: who asks, into which cluster, and where to go on. Of the project itself nothing is told.

    Somebody with an account gets it as they have chosen; an address that nobody has confirmed yet gets a letter.
    """
    known = session.scalar(
        select(User).where(func.lower(User.email) == row.email.lower(), User.active, User.confirmed_at.is_not(None))
    )
    names = {"initiator": name_of(application.initiator), "cluster": name_of(application.cluster), "inn": row.inn}
    subject = N_("%(initiator)s asks your organisation into a joint project", **names)
    paragraphs = [
        N_(
            "%(initiator)s asks the organisation with the INN %(inn)s into a joint project of the cluster"
            " “%(cluster)s”.",
            **names,
        ),
        *([N_("It writes: %(note)s", note=row.note)] if row.note else []),
        N_(
            "Sign in, or register, with this e-mail address. The page shows what to do next: enter the"
            " organisation, ask to join the cluster, and answer the invitation when the membership is confirmed."
        ),
        N_("The invitation is valid until %(day)s.", day=row.expires_at.date()),
    ]
    link = (N_("Open the page"), "/prospects/")
    key, about = f"prospect:{row.id}", ("prospect", row.id)
    if known is not None:
        notifications.tell(
            session, [known], kind=INVITED, key=key, subject=subject, paragraphs=paragraphs, link=link, about=about
        )
        return
    said = compose(subject, paragraphs, link, actor.locale)
    notifications.write(
        session,
        key=key,
        kind=INVITED,
        recipient=row.email,
        locale=actor.locale,
        subject=said.subject,
        text=said.text,
        html=said.html,
        about=about,
    )

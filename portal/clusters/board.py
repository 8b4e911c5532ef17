"""The verbs of the board: posting, renewing, closing, asking for contact, and taking a post off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from portal.audit import service as audit
from portal.clusters import fields, letters
from portal.clusters.board_models import BoardContact, BoardPost, PostKind, PostState, Side, Visibility
from portal.clusters.matching import PRODUCT_KINDS
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core import regions
from portal.core.clock import now, today
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.identifiers import IdentifierError, check_okpd2
from portal.core.language import N_
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize, find

MAX_TITLE: Final = 150
MAX_TEXT: Final = 2000
MAX_VOLUME: Final = 150
MAX_MESSAGE: Final = 1000
MAX_REASON: Final = 500
MAX_DAYS: Final = 180
MAX_OPEN: Final = 20
MAX_CONTACTS_A_DAY: Final = 10
_LENGTHS: Final = {"title": MAX_TITLE, "text": MAX_TEXT, "volume": MAX_VOLUME}
_CHOICES: Final = {"side": Side, "kind": PostKind, "visibility": Visibility}


def post(
    session: Session, actor: Actor, *, cluster_id: UUID, organisation_id: UUID, values: Mapping[str, str]
) -> BoardPost:
    """Post a need or an offer for an organisation that belongs to the cluster or runs it.

    ``values``: texts ``side``, ``kind``, ``title``, ``text``, ``okpd2``, ``region``, ``volume``, ``visibility``,
    ``valid_until``. Raises :class:`Problems`; an organisation may have :data:`MAX_OPEN` open posts.
    """
    organisation = session.get(Organisation, organisation_id, with_for_update={"key_share": True})
    if organisation is None:
        raise NotFound
    authorize(actor, Permission.BOARD_POST, organisation)
    cluster = find(session, actor, Cluster, cluster_id)
    day = today(session)
    columns, problems = _columns(values, day)
    if not _belongs(session, cluster, organisation_id):
        message = N_("Only confirmed members of the cluster and its specialised organisation can post.")
        problems.append(Problem("not_a_member", "", message))
    if _open_posts(session, organisation_id, day) >= MAX_OPEN:
        message = N_("An organisation can have no more than %(limit)s open posts. Close one first.", limit=MAX_OPEN)
        problems.append(Problem("too_many", "", message))
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    row = BoardPost(cluster_id=cluster_id, organisation_id=organisation_id, posted_by=actor.user_id, **columns)
    session.add(row)
    session.flush()
    changes = {"cluster": cluster.code, "organisation": organisation_id, **columns}
    audit.record(session, actor, "clusters:board:post", "board_post", row.id, changes)
    return row


def renew(session: Session, actor: Actor, *, post_id: UUID, valid_until: str) -> BoardPost:
    """Let a post stand longer, or open a closed one again; not one that was taken off."""
    row = _own(session, actor, post_id)
    if row.state == PostState.REMOVED:
        raise Conflict(N_("This post was taken off the board. Post anew what is in order."))
    day, problems = _valid_until(valid_until, today(session))
    # Posts of one organisation that are opened at once are counted one after the other, as in :func:`post`.
    session.get(Organisation, row.organisation_id, with_for_update={"key_share": True}, populate_existing=True)
    if row.state == PostState.CLOSED and _open_posts(session, row.organisation_id, today(session)) >= MAX_OPEN:
        message = N_("An organisation can have no more than %(limit)s open posts. Close one first.", limit=MAX_OPEN)
        problems.append(Problem("too_many", "", message))
    if problems or day is None:
        raise Problems(problems)
    before = row.valid_until
    row.valid_until, row.state, row.ended_at = day, PostState.OPEN, None
    session.flush()
    changes = {"valid_until": [before, day]}
    audit.record(session, actor, "clusters:board:renew", "board_post", row.id, changes)
    return row


def close(session: Session, actor: Actor, *, post_id: UUID) -> BoardPost:
    """Close an own post: what was needed or offered has been found, or is no longer there."""
    row = _own(session, actor, post_id)
    if row.state != PostState.OPEN:
        raise Conflict(N_("This post is closed already."))
    row.state, row.ended_at = PostState.CLOSED, now(session)
    session.flush()
    audit.record(session, actor, "clusters:board:close", "board_post", row.id, {})
    return row


def remove(session: Session, actor: Actor, *, post_id: UUID, reason: str) -> BoardPost:
    """Take a post off the board with a reason; the organisation's people get a letter."""
    row = _found(session, actor, post_id)
    authorize(actor, Permission.BOARD_MODERATE, row.cluster)
    if row.state == PostState.REMOVED:
        raise Conflict(N_("This post was taken off the board already."))
    reason = fields.tidy(reason)
    if not reason:
        raise Problems.one("empty", "reason", N_("Enter the reason: the organisation will read it."))
    if len(reason) > MAX_REASON:
        raise Problems.one("too_long", "reason", N_("Shorten this to %(limit)s characters.", limit=MAX_REASON))
    row.state, row.removed_reason, row.ended_at = PostState.REMOVED, reason, now(session)
    session.flush()
    audit.record(session, actor, "clusters:board:remove", "board_post", row.id, {"reason": reason})
    letters.post_removed(session, row, reason, row.ended_at)
    return row


def contact(session: Session, actor: Actor, *, post_id: UUID, organisation_id: UUID, message: str) -> BoardContact:
    """Ask the people behind a post to get in touch: they get the asking person's name, address and message.

    Nobody's address is shown to the one who asks. Once for a post, :data:`MAX_CONTACTS_A_DAY` a day. Raises
    :class:`Problems` (``message``, ``organisation_id``), :class:`Conflict` for a post that is not open.
    """
    row = _found(session, actor, post_id)
    organisation = session.get(Organisation, organisation_id, with_for_update={"key_share": True})
    if organisation is None:
        raise NotFound
    authorize(actor, Permission.BOARD_POST, organisation)
    if row.state != PostState.OPEN or row.valid_until < today(session):
        raise Conflict(N_("This post is closed already."))
    if actor.acts_for(row.organisation_id):
        raise Refused(N_("This is a post of your own organisation."))
    text = "\n".join(fields.tidy(line) for line in message.splitlines()).strip()
    problems = []
    if not text:
        problems.append(Problem("empty", "message", N_("Write what you want to talk about.")))
    if len(text) > MAX_MESSAGE:
        message_problem = N_("Shorten this to %(limit)s characters.", limit=MAX_MESSAGE)
        problems.append(Problem("too_long", "message", message_problem))
    since = now(session) - timedelta(days=1)
    asked = session.scalar(
        select(func.count()).where(BoardContact.organisation_id == organisation_id, BoardContact.created_at > since)
    )
    if (asked or 0) >= MAX_CONTACTS_A_DAY:
        limit = N_("An organisation can ask for contact %(limit)s times a day. Try tomorrow.", limit=MAX_CONTACTS_A_DAY)
        problems.append(Problem("too_many", "", limit))
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    made = BoardContact(post_id=post_id, organisation_id=organisation_id, message=text, asked_by=actor.user_id)
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:
        again = N_("Your organisation has asked for contact here already. Wait for the answer.")
        raise Problems.one("asked", "", again) from None
    changes = {"post": post_id, "organisation": organisation_id}
    audit.record(session, actor, "clusters:board:contact", "board_contact", made.id, changes)
    letters.contact_asked(session, row, organisation, actor, text, made.id)
    return made


def _found(session: Session, actor: Actor, post_id: UUID) -> BoardPost:
    find(session, actor, BoardPost, post_id)
    return session.scalars(
        select(BoardPost)
        .options(joinedload(BoardPost.cluster, innerjoin=True), joinedload(BoardPost.organisation, innerjoin=True))
        .where(BoardPost.id == post_id)
        .with_for_update(of=BoardPost)
        .execution_options(populate_existing=True)
    ).one()


def _own(session: Session, actor: Actor, post_id: UUID) -> BoardPost:
    row = _found(session, actor, post_id)
    authorize(actor, Permission.BOARD_POST, row.organisation)
    return row


def _belongs(session: Session, cluster: Cluster, organisation_id: UUID) -> bool:
    if cluster.spec_org_id == organisation_id:
        return True
    statement = select(ClusterMember.id).where(
        ClusterMember.cluster_id == cluster.id,
        ClusterMember.organisation_id == organisation_id,
        ClusterMember.state == MembershipState.CONFIRMED,
    )
    return session.scalar(statement) is not None


def _open_posts(session: Session, organisation_id: UUID, day: date) -> int:
    statement = select(func.count()).where(
        BoardPost.organisation_id == organisation_id,
        BoardPost.state == PostState.OPEN,
        BoardPost.valid_until >= day,
    )
    return session.scalar(statement) or 0


def _columns(values: Mapping[str, str], day: date) -> tuple[dict[str, object], list[Problem]]:
    problems = []
    columns: dict[str, object] = {}
    for name, known in _CHOICES.items():
        columns[name] = values.get(name, "")
        if columns[name] not in set(known):
            problems.append(Problem("unknown", name, N_("Choose one from the list.")))
    for name, limit in _LENGTHS.items():
        text = "\n".join(fields.tidy(line) for line in values.get(name, "").splitlines()).strip()
        columns[name] = text
        if len(text) > limit:
            problems.append(Problem("too_long", name, N_("Shorten this to %(limit)s characters.", limit=limit)))
    if not columns["title"]:
        problems.append(Problem("empty", "title", N_("Say in a few words what is needed or offered.")))
    columns["okpd2"] = fields.tidy(values.get("okpd2", ""))
    if columns["okpd2"]:
        try:
            columns["okpd2"] = check_okpd2(str(columns["okpd2"]))
        except IdentifierError as error:
            problems.append(Problem(error.code, "okpd2", error.message))
    elif columns["kind"] in PRODUCT_KINDS:
        problems.append(Problem("empty", "okpd2", N_("Enter the product's code of OKPD 2, at least its class.")))
    columns["region"] = values.get("region", "")
    if columns["region"] and regions.find(str(columns["region"])) is None:
        problems.append(Problem("unknown", "region", N_("Choose a region from the list.")))
    columns["valid_until"], found = _valid_until(values.get("valid_until", ""), day)
    return columns, problems + found


def _valid_until(text: str, day: date) -> tuple[date | None, list[Problem]]:
    latest = day + timedelta(days=MAX_DAYS)
    try:
        chosen = fields.day(fields.tidy(text))
    except fields.FieldError as error:
        return None, [Problem(error.code, "valid_until", error.message)]
    if chosen is None:
        return None, [Problem("empty", "valid_until", N_("Enter the day until which this stands."))]
    if not day <= chosen <= latest:
        message = N_("Choose a day from today to %(latest)s.", latest=latest)
        return None, [Problem("out_of_range", "valid_until", message)]
    return chosen, []

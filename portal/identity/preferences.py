"""A person's own choice of notices and letters, also by the link of a letter that needs no sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.notifications import preferences, tokens
from portal.notifications.kinds import Kind, known
from portal.notifications.preferences import ZONES, Choice

LINK_AUTHOR: Final = system_actor("link-of-a-letter")


def choose(
    session: Session, actor: Actor, *, choices: Mapping[str, Choice], zone: str, hour: int | None
) -> dict[str, Choice]:
    """Keep what the actor wants for each kind, and when the digest comes (``hour`` None: never).

    What cannot be switched off stays as it is. Returns what changed. Raises :class:`Problems` for a zone or an hour
    that does not exist.
    """
    authorize(actor, Permission.SIGNED_IN)
    assert actor.user_id is not None
    problems = []
    if zone not in ZONES:
        problems.append(Problem("unknown_zone", "zone", N_("Choose a time zone from the list.")))
    if hour is not None and not 0 <= hour <= 23:
        problems.append(Problem("unknown_hour", "hour", N_("Choose an hour from the list.")))
    if problems:
        raise Problems(problems)
    before = preferences.of_person(session, actor.user_id)
    changed = {}
    for name, choice in choices.items():
        kind = known(name)
        if kind is None or kind.obligatory:
            continue
        wanted = preferences.held(kind, choice)
        if before.get(name, preferences.default(kind)) != wanted:
            changed[name] = wanted
    preferences.save(session, actor.user_id, changed)
    preferences.save_digest_time(session, actor.user_id, zone, hour)
    noted = {name: [choice.portal, choice.mail] for name, choice in changed.items()}
    record(
        session, actor, "identity:notices:choose", "user", actor.user_id, {"kinds": noted, "zone": zone, "hour": hour}
    )
    session.flush()
    return changed


def read_token(token: str) -> Kind | str:
    """What a letter's link would switch off: a kind, or the name of the digest. Raises :class:`NotFound`."""
    found = tokens.read(token)
    if found is None:
        raise NotFound
    return known(found[1]) or found[1]


def stop(session: Session, token: str) -> None:
    """No more letters of the kind that the link of a letter names. Doing it again changes nothing.

    Raises :class:`NotFound` for a link that is not ours or names nothing that can be switched off.
    """
    found = tokens.read(token)
    if found is None or session.get(User, found[0]) is None:
        raise NotFound
    user_id, kind = found
    if not preferences.stop(session, user_id, kind):
        raise NotFound
    record(session, LINK_AUTHOR, "identity:notices:stop", "user", user_id, {"kind": kind})
    session.flush()

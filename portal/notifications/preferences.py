"""Which notices a person wants, and how: one choice for each kind, and the time of the daily digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.core.language import N_
from portal.notifications.kinds import DIGEST, Kind, Mail, known
from portal.notifications.models import DigestTime, Preference

ZONES: Final = {
    "Europe/Kaliningrad": N_("Kaliningrad (Moscow −1 hour)"),
    "Europe/Moscow": N_("Moscow"),
    "Europe/Samara": N_("Samara (Moscow +1 hour)"),
    "Asia/Yekaterinburg": N_("Yekaterinburg (Moscow +2 hours)"),
    "Asia/Omsk": N_("Omsk (Moscow +3 hours)"),
    "Asia/Krasnoyarsk": N_("Krasnoyarsk (Moscow +4 hours)"),
    "Asia/Irkutsk": N_("Irkutsk (Moscow +5 hours)"),
    "Asia/Yakutsk": N_("Yakutsk (Moscow +6 hours)"),
    "Asia/Vladivostok": N_("Vladivostok (Moscow +7 hours)"),
    "Asia/Magadan": N_("Magadan (Moscow +8 hours)"),
    "Asia/Kamchatka": N_("Kamchatka (Moscow +9 hours)"),
}
"""The zones of the country, from west to east."""

DEFAULT_ZONE: Final = "Europe/Moscow"
DEFAULT_HOUR: Final = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """How one kind reaches one person."""

    portal: bool
    mail: Mail


def default(kind: Kind) -> Choice:
    """What holds for those who have not chosen."""
    return Choice(True, kind.mail)


def held(kind: Kind, choice: Choice) -> Choice:
    """The choice with what cannot be switched off."""
    if kind.obligatory:
        return Choice(True, Mail.NOW)
    return Choice(True, choice.mail) if kind.important else choice


def choices_for(session: Session, people: Sequence[UUID], kind: Kind) -> dict[UUID, Choice]:
    """How ``kind`` reaches each of the people, in two queries at most; a digest that is off carries nothing."""
    found = {person: held(kind, default(kind)) for person in people}
    if kind.obligatory or not people:
        return found
    rows = session.execute(
        select(Preference.user_id, Preference.portal, Preference.mail).where(
            Preference.user_id.in_(people), Preference.kind == kind.name
        )
    )
    found |= {person: held(kind, Choice(portal, Mail(mail))) for person, portal, mail in rows}
    collecting = [person for person, choice in found.items() if choice.mail is Mail.DIGEST]
    if collecting:
        off = select(DigestTime.user_id).where(DigestTime.user_id.in_(collecting), DigestTime.hour.is_(None))
        found |= {person: Choice(found[person].portal, Mail.NONE) for person in session.scalars(off)}
    return found


def of_person(session: Session, user_id: UUID) -> dict[str, Choice]:
    """What a person has chosen so far: kind -> choice, without the kinds left as declared."""
    rows = session.execute(
        select(Preference.kind, Preference.portal, Preference.mail).where(Preference.user_id == user_id)
    )
    return {kind: Choice(portal, Mail(mail)) for kind, portal, mail in rows}


def digest_time(session: Session, user_id: UUID) -> tuple[str, int | None]:
    """A person's zone, and the hour of the digest or None for never."""
    row = session.execute(select(DigestTime.zone, DigestTime.hour).where(DigestTime.user_id == user_id)).one_or_none()
    return (row.zone, row.hour) if row else (DEFAULT_ZONE, DEFAULT_HOUR)


def save(session: Session, user_id: UUID, choices: Mapping[str, Choice]) -> None:
    """Keep the choices, with what cannot be switched off; unknown kinds are passed over."""
    rows = []
    for name, choice in choices.items():
        kind = known(name)
        if kind is not None and not kind.obligatory:
            chosen = held(kind, choice)
            rows.append({"user_id": user_id, "kind": name, "portal": chosen.portal, "mail": str(chosen.mail)})
    if not rows:
        return
    statement = insert(Preference).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Preference.user_id, Preference.kind],
            set_={"portal": statement.excluded.portal, "mail": statement.excluded.mail},
        )
    )


def save_digest_time(session: Session, user_id: UUID, zone: str, hour: int | None) -> None:
    """Keep when the digest comes."""
    row = {"zone": zone, "hour": hour}
    session.execute(
        insert(DigestTime)
        .values(user_id=user_id, **row)
        .on_conflict_do_update(index_elements=[DigestTime.user_id], set_=row)
    )


def stop(session: Session, user_id: UUID, kind_name: str) -> bool:
    """No more letters of a kind, or no more digests. Returns whether there is such a kind to switch off."""
    if kind_name == DIGEST:
        zone, _hour = digest_time(session, user_id)
        save_digest_time(session, user_id, zone, None)
        return True
    kind = known(kind_name)
    if kind is None or kind.obligatory:
        return False
    present = of_person(session, user_id).get(kind_name, default(kind))
    save(session, user_id, {kind_name: Choice(present.portal, Mail.NONE)})
    return True

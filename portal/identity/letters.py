"""Letters about people and what they may do, each in its reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core.db import uuid7
from portal.core.language import N_, Message
from portal.identity.models import Invitation, Organisation, OrgRole, Role, User
from portal.notifications import service as notifications
from portal.notifications.kinds import Topic, declare
from portal.notifications.letters import compose

INVITATION: Final = declare(
    "invitation", Topic.ACCOUNT, N_("You are invited to act for an organisation"), important=True
)
MEMBERSHIP_ENDED: Final = declare(
    "membership_ended", Topic.ACCOUNT, N_("You no longer act for an organisation"), obligatory=True
)
ROLE_CHANGED: Final = declare("role_changed", Topic.ACCOUNT, N_("Your role in the fund has changed"), obligatory=True)
SECURITY: Final = declare(
    "security", Topic.ACCOUNT, N_("Security: password, confirmation of the address, second factor"), obligatory=True
)
"""The letters of the sign-in library; they hold links that work once, so they are never notices of the portal."""

ORG_ROLES: Final = {
    OrgRole.OWNER: N_("owner: invites people and decides everything"),
    OrgRole.SIGNATORY: N_("signatory: writes, confirms and submits"),
    OrgRole.EDITOR: N_("editor: writes"),
    OrgRole.VIEWER: N_("viewer: reads"),
}
ROLES: Final = {
    Role.ADMINISTRATOR: N_("Administrator"),
    Role.OFFICER: N_("Programme officer"),
    Role.REVIEWER: N_("Reviewer"),
    Role.CHAIR: N_("Chair of the commission"),
    Role.COMMISSION: N_("Member of the commission"),
    Role.AUDITOR: N_("Auditor"),
    Role.DIRECTOR: N_("Director of the department"),
    Role.FINANCE: N_("Finance officer"),
}

Link = tuple[Message, str]


def invitation(
    session: Session,
    row: Invitation,
    organisation: Organisation,
    token: str,
    inviter: str,
    locale: str,
    user_id: UUID | None,
) -> None:
    """To the invited address: who invites, to what, and the link that works once."""
    names = {
        "organisation": {"ru": organisation.name_ru, "en": organisation.name_en},
        "inviter": inviter,
        "role": ORG_ROLES[OrgRole(row.role)],
        "until": row.expires_at.date(),
    }
    _write(
        session,
        INVITATION,
        (row.email, locale, user_id),
        N_("Invitation to act for %(organisation)s", **names),
        [
            N_("%(inviter)s invites you to act for %(organisation)s on the Joint Projects Portal.", **names),
            N_("Your role: %(role)s.", **names),
            N_(
                "Sign in, or register, with this e-mail address and accept. The invitation is valid "
                "until %(until)s and works once.",
                **names,
            ),
        ],
        (N_("Open the invitation"), f"/organisations/invitations/{token}"),
        ("invitation", row.id),
        "/organisations/",
        token,
    )


def removed(session: Session, person: User, organisation: Organisation) -> None:
    """To somebody who no longer acts for an organisation."""
    name = {"ru": organisation.name_ru, "en": organisation.name_en}
    _write(
        session,
        MEMBERSHIP_ENDED,
        (person.email, person.locale, person.id),
        N_("You no longer act for %(organisation)s", organisation=name),
        [N_("An owner of %(organisation)s has removed you from its people.", organisation=name)],
        None,
        ("organisation", organisation.id),
        None,
    )


def roles_changed(session: Session, person: User, role: Role, *, granted: bool) -> None:
    """To somebody who was given a role of the fund, or from whom it was taken back."""
    subject = (
        N_("You have been given a role: %(role)s", role=ROLES[role])
        if granted
        else N_("A role was taken back: %(role)s", role=ROLES[role])
    )
    _write(
        session,
        ROLE_CHANGED,
        (person.email, person.locale, person.id),
        subject,
        [N_("Your present sessions have ended. Sign in again to work with your present rights.")],
        (N_("Sign in"), "/account/login"),
        ("user", person.id),
        "/account/",
    )


@dataclass(frozen=True, slots=True)
class Addressee:
    """A person of the portal, as far as letters need one."""

    id: UUID
    email: str
    locale: str


def _write(
    session: Session,
    kind: str,
    reader: tuple[str, str, UUID | None],
    subject: Message,
    paragraphs: Sequence[Message],
    link: Link | None,
    about: tuple[str, UUID],
    portal_path: str | None,
    secret: str | None = None,
) -> None:
    """To an address, or to the person of the portal behind it. The link may hold a token: a notice leads elsewhere."""
    email, locale, user_id = reader
    key = f"{kind}:{uuid7()}"
    if user_id is not None:
        notifications.tell(
            session,
            [Addressee(user_id, email, locale)],
            kind=kind,
            key=key,
            subject=subject,
            paragraphs=paragraphs,
            link=link,
            about=about,
            portal_path=portal_path,
            secret=secret,
        )
        return
    said = compose(subject, paragraphs, link, locale)
    notifications.write(
        session,
        key=key,
        kind=kind,
        recipient=email,
        locale=locale,
        subject=said.subject,
        text=said.text,
        html=said.html,
        about=about,
        secret=secret,
    )

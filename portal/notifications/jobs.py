"""Sending letters by SMTP. At least once: a letter sent again after a crash carries the same Message-ID."""

from __future__ import annotations

import smtplib
import ssl
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.clock import now
from portal.notifications import tokens
from portal.notifications.kinds import DIGEST, known
from portal.notifications.letters import address
from portal.notifications.models import Letter

TIMEOUT: Final = 20.0
STRUCK_OUT: Final = "***"
_outgoing: dict[str, str] = {}


class _SpacesKept(EmailPolicy):
    """Folds long Russian subjects so that no space is lost.

    Python 3.11 puts a space that falls between two encoded words outside of both, where readers must drop it
    (RFC 2047, section 6.2); :class:`Header` encodes it with the words.
    """

    def fold(self, name: str, value: str) -> str:
        if name.lower() == "subject":
            charset = None if str(value).isascii() else "utf-8"
            folded = Header(str(value), charset, header_name=name).encode(linesep=self.linesep)
            return f"{name}: {folded}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() == "subject":
            return self.fold(name, value).encode("ascii")
        return bytes(super().fold_binary(name, value))


def configure(mail_url: str, mail_from: str) -> None:
    """Where letters go out (``smtp://user:password@host:port``, ``smtps://`` for TLS from the start), and from whom."""
    _outgoing.update(url=mail_url, sender=mail_from)


@jobs.handler("send_letter", lane="mail")
def send_letter(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Send one letter, once its row is not marked as sent."""
    letter = session.get(Letter, UUID(payload["letter_id"]))
    if letter is None or letter.sent_at is not None:
        return
    deliver(compose(letter), letter.recipient)
    strike_out(letter)
    letter.sent_at = now(session)


def strike_out(letter: Letter) -> None:
    """Forget the token of a letter's link: who reads the table or a backup of it later cannot use it."""
    if letter.secret:
        letter.text, letter.html = (part.replace(letter.secret, STRUCK_OUT) for part in (letter.text, letter.html))
    letter.secret = None


def compose(letter: Letter) -> EmailMessage:
    """The letter as a message with a text and an HTML part, and where to switch such letters off (RFC 2369, 8058)."""
    message = EmailMessage(_SpacesKept())
    message["Subject"] = letter.subject
    message["From"] = _outgoing["sender"]
    message["To"] = letter.recipient
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = letter.locale
    if letter.user_id is not None and _may_be_stopped(letter.kind):
        message["List-Unsubscribe"] = f"<{address(tokens.stop_path(letter.user_id, letter.kind))}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def _may_be_stopped(name: str) -> bool:
    kind = known(name)
    return name == DIGEST or (kind is not None and not kind.obligatory)


def deliver(message: EmailMessage, recipient: str) -> None:
    """Hand the message to the server of the configuration. Raises :class:`OSError` or ``SMTPException``."""
    place = urlsplit(_outgoing["url"])
    host, port = place.hostname or "localhost", place.port or (465 if place.scheme == "smtps" else 25)
    context = ssl.create_default_context()
    client = (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        if place.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=TIMEOUT)
    )
    with client:
        if place.scheme == "smtp" and client.has_extn("starttls"):
            client.starttls(context=context)
        if place.username:
            client.login(unquote(place.username), unquote(place.password or ""))
        client.send_message(message, parseaddr(_outgoing["sender"])[1], [recipient])

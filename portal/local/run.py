"""The whole portal on one machine: services, migrations, demo; then web, workers and scheduler."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

from portal.local.machine import services
from portal.local.process import Child, ServiceError

ROOT: Final = Path(__file__).resolve().parents[2]
DATA: Final = Path(os.environ.get("PORTAL_DATA") or ROOT / ".local").absolute()
SHORT_LIFE: Final = 5.0  # seconds; a process that ends sooner than this did not work at all
SHORT_LIVES: Final = 3
STOP_SECONDS: Final = 20.0


class Stopped(BaseException):
    """Ctrl-C or SIGTERM."""


def run() -> int:
    """Run until stopped; gives the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        port = _port()
        with services(DATA) as running:
            environment = _environment(running.environment(), port)
            _say("Preparing the database")
            _prepare(environment)
            return _serve(environment, port)
    except Stopped:
        _say("Stopped")
        return 0
    except ServiceError as error:
        _say(f"The portal cannot start: {error}")
        return 1


def _stop(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not tear the stopping itself.
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)
    raise Stopped


def _port() -> int:
    """PORT, default 8000; refused here when somebody has it, before anything is started."""
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ServiceError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_host(), int(text)))
        except OSError as error:
            raise ServiceError(f"port {text} cannot be used ({error.strerror}); try PORT=8001 make run") from error
    return int(text)


def _host() -> str:
    """HOST, default this machine only: the demo's passwords are public."""
    return os.environ.get("HOST") or "127.0.0.1"


def _environment(found: Mapping[str, str], port: int) -> dict[str, str]:
    """What the portal's processes get; values given from outside win over the defaults of one machine."""
    defaults = {
        "PORT": str(port),
        "PORTAL_DEMO": "1",
        "FILES_URL": (DATA / "files").as_uri(),
        "SIGNING_KEY": str(DATA / "signing_key.pem"),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # glibc would keep an arena of memory for every thread
    }
    given = {name: value for name, value in os.environ.items() if value}
    environment = {**defaults, **given, **found}
    if "SECRET_KEY" not in environment:
        environment["SECRET_KEY"] = _secret_key(DATA / "secret_key")
    (DATA / "files").mkdir(exist_ok=True)
    return environment


def _secret_key(path: Path) -> str:
    """The key of this machine, made at the first start, so that sign-ins survive a restart."""
    if not path.exists():
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(48))
        part.rename(path)
    return path.read_text()


def _prepare(environment: Mapping[str, str]) -> None:
    """Migrate and load the demo, in a process of its own: what that takes of memory ends with it."""
    child = Child("prepare", [sys.executable, "-m", "portal.local", "prepare"], env=environment, cwd=ROOT)
    try:
        while child.ended() is None:
            time.sleep(0.05)
    finally:
        child.stop()
    if child.ended():
        raise ServiceError("the database could not be prepared; the reason stands above.")


def _serve(environment: Mapping[str, str], port: int) -> int:
    """Start the three processes, say where the portal is, and keep them running."""
    commands = _commands(environment, port)
    children: dict[str, Child] = {}
    short_lives = dict.fromkeys(commands, 0)
    try:
        for name, argv in commands.items():
            children[name] = Child(name, argv, env=environment, cwd=ROOT)
        children["web"].wait_until(lambda: _answers(port), pause=0.2)
        _welcome(environment, port)
        while True:
            time.sleep(0.5)
            for name, child in children.items():
                if child.ended() is None:
                    continue
                lived = time.monotonic() - child.started
                short_lives[name] = short_lives[name] + 1 if lived < SHORT_LIFE else 0
                if short_lives[name] == SHORT_LIVES:
                    raise ServiceError(f"{name} ended {SHORT_LIVES} times right after its start.")
                _say(f"{name} ended with {child.ended()} and is started again")
                child.sweep()
                children[name] = Child(name, commands[name], env=environment, cwd=ROOT)
    finally:
        _say("Stopping")
        for child in children.values():
            child.ask_to_stop()
        limit = time.monotonic() + STOP_SECONDS
        for child in children.values():
            child.stop(max(limit - time.monotonic(), 0.1))


def _commands(environment: Mapping[str, str], port: int) -> dict[str, list[str]]:
    flask = [sys.executable, "-m", "flask", "--app", "wsgi", "portal"]
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app", "--preload", "--no-control-socket"]
    gunicorn += ["--bind", f"{_host()}:{port}", "--worker-class", "gthread"]
    gunicorn += ["--workers", environment.get("WEB_CONCURRENCY", "2"), "--threads", "8"]
    gunicorn += ["--timeout", "60", "--graceful-timeout", "15", "--log-level", "warning"]
    gunicorn += ["--max-requests", "20000", "--max-requests-jitter", "2000"]
    if os.access("/dev/shm", os.W_OK):  # noqa: S108 - the heartbeat file of a worker, made by gunicorn safely
        gunicorn += ["--worker-tmp-dir", "/dev/shm"]  # noqa: S108
    return {"web": gunicorn, "worker": [*flask, "worker"], "scheduler": [*flask, "scheduler"]}


def _answers(port: int) -> bool:
    host = "127.0.0.1" if _host() == "0.0.0.0" else _host()  # noqa: S104 - compared, not bound
    request = urllib.request.Request(f"http://{host}:{port}/healthz", headers={"Host": f"localhost:{port}"})
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - http, to ourselves
            return True
    except urllib.error.HTTPError:
        return True  # it answers; what it says of its state is for the page to show
    except OSError:
        return False


def _welcome(environment: Mapping[str, str], port: int) -> None:
    _say(f"\n  Joint Projects Portal: {environment.get('PUBLIC_URL', f'http://localhost:{port}')}\n")
    if environment["PORTAL_DEMO"] == "1":
        subprocess.run([sys.executable, "-m", "portal.local", "sign-ins"], env=environment, cwd=ROOT, check=False)
    _say(f"  Ctrl-C stops it; its data stay in {DATA.name}, `make reset` removes them.\n")


def _say(text: str) -> None:
    print(text, flush=True)

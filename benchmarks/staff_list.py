"""The staff's list of applications against a bare page of the same 25 rows, in one run.

``python -m benchmarks.staff_list [seconds]``: 16 clients, 2 web workers, 1,000 and 10,000 applications.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.support import environment, load, migrated, served
from portal.core.db import db, transaction
from portal.identity.models import Role
from portal.local import services
from portal.tenders.models import Tender, Track
from tests.factories import identity, tenders
from tests.factories.submissions import submitted, varied

LIST = "/staff/applications/"
COUNTS: Final = (1_000, 10_000)
ROUNDS = 5


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6
    figures: dict[str, list[float]] = {}
    with ExitStack() as stack:
        places = {count: _place(stack, count) for count in COUNTS}
        # Taking turns: what else happens on the machine falls on all of them alike.
        for _ in range(ROUNDS):
            for count, (portal, bare, cookie) in places.items():
                for name, place, path in (
                    ("bare", bare, "/"),
                    ("list", portal, LIST),
                    ("filtered", portal, f"{LIST}?state=submitted&track=import_substitution"),
                ):
                    found = load(place, path, seconds, cookie if place == portal else "")
                    if found.failures:
                        raise SystemExit(f"{name}: {found.failures} answers were not 200")
                    figures.setdefault(f"{name} {count}", []).append(found.per_second)
    middle = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in middle.items():
        print(f"{name:>15}: {value:8.1f} a second   {[round(each) for each in figures[name]]}")
    for count in COUNTS:
        for name in ("list", "filtered"):
            print(f"{name} / bare at {count}: {middle[f'{name} {count}'] / middle[f'bare {count}']:.2f}")
    for name in ("list", "filtered"):
        print(f"{name} at 10,000 / {name} at 1,000: {middle[f'{name} 10000'] / middle[f'{name} 1000']:.2f}")


def _place(stack: ExitStack, count: int) -> tuple[str, str, str]:
    """The portal and the bare page on a database with ``count`` applications, and the officer's cookie."""
    folder = stack.enter_context(TemporaryDirectory(prefix="portal-bench-"))
    running = stack.enter_context(services(Path(folder), {}, durable=False))
    variables = environment(running)
    app = migrated(variables)
    with app.app_context():
        cookie = _fill(app, count)
        db.engine.dispose()
    portal = stack.enter_context(served("wsgi:app", variables))
    bare = stack.enter_context(served("benchmarks.bare:app", variables))
    return portal, bare, cookie


def _fill(app: object, count: int) -> str:
    from flask import Flask

    assert isinstance(app, Flask)
    with transaction() as session:
        tender: Tender = tenders.open_tender(session)
        packages = varied(90)
        for start in range(0, count, 1000):
            submitted(
                session,
                tender,
                [packages[n % 90] for n in range(start, min(start + 1000, count))],
                track=Track.IMPORT_SUBSTITUTION,
            )
        officer = identity.user(session, Role.OFFICER)
    with transaction() as session:
        session.execute(db.text("analyze"))
    client = app.test_client()
    with client.session_transaction() as cookies:
        cookies["_user_id"] = officer.fs_uniquifier
        cookies["_fresh"] = True
    cookie = client.get_cookie("portal_session")
    assert cookie is not None
    return f"portal_session={cookie.value}"


if __name__ == "__main__":
    main()

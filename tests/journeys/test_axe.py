"""Every page that a role can reach: axe finds nothing, at a desk and on a phone, in both languages; the database is
asked a few times only.

One address stands for all of its endpoint; each role opens the endpoints that no role before it has shown, and
what is its own. On a phone (320 px) no page is wider than the screen. The combinations of language and width take turns
from page to page; ``FULL=1`` looks at every page in all four. Contrast of what looks as something that was found right
is not computed again (``looking.js``), under ``FULL=1`` it is.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from sqlalchemy import event, select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portal.core.db import db
from portal.demo.sign_ins import PASSWORD
from portal.identity.models import User
from tests.journeys.people import DESK, PHONE, Visitor
from tests.plugins.browser import Site, serving
from tests.plugins.services import TestServices

AXE: Final = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
ROLES: Final = ("", "initiator", "signatory", "newcomer", "centre", "reviewer1", "officer", "chair", "commission",
                "admin", "auditor")  # fmt: skip
STARTS: Final = ("/", "/start", "/account/login", "/account/", "/clusters/", "/organisations/")
# Downloads, and what answers without a page of its own.
SKIPPED: Final = re.compile(
    r"\.(json|pdf|csv|xlsx|ics)$|/documents/|/attachments/|/template/|/static/|/healthz|/demo/mail/.+"
)
LINK: Final = re.compile(r'<a\b[^>]*\bhref="([^"#]+)')
FULL: Final = "FULL" in os.environ
NEAR: Final = 99 if FULL else 2
"""What another role has shown is opened again only so many links from the start: there the links differ by role."""
ALIKE: Final = frozenset() if FULL else frozenset({"signatory", "newcomer", "chair", "commission", "auditor"})
"""Those for whom that is one link: they see no page that nobody before them has shown."""
LANGUAGES: Final = ("ru", "en")
SIZES: Final = [("desk", DESK), ("phone", PHONE)]
MOST_STATEMENTS: Final = 12
"""For a page, whatever it shows; its tests say exactly how many, with one row and with three."""
WIDE: Final = "() => document.scrollingElement.scrollWidth"
CHECK: Final = f"() => findFaults({str(FULL).lower()})"
PLANT: Final = """() => {
  const field = document.createElement("input");
  field.style.width = "400px";
  document.querySelector("h1").after(field);
  document.querySelector("h1").style.color = "#d0d4e0";
}"""
PLANTED: Final = {"color-contrast", "label", "the page is wider than the screen"}
LOOKING: Final = Path(__file__).with_name("looking.js")


@pytest.fixture(scope="module")
def demo_site(demo_app: Flask, services: TestServices) -> Iterator[Site]:
    with serving(demo_app, services.mail_folder, workers=False) as running:
        yield running


@pytest.fixture(scope="module")
def demo_people(demo_app: Flask) -> dict[str, str]:
    """What the sessions of the demo's people are bound to, by role."""
    with demo_app.app_context():
        found = db.session.execute(select(User.email, User.fs_uniquifier)).all()
        db.session.remove()
    return {email.partition("@")[0]: uniquifier for email, uniquifier in found}


class Found(NamedTuple):
    """The pages of the demo.

    ``shown``: for each role (``""``: a visitor) those that no role before it has shown; ``asked``: role and path -> how
    many statements the database was sent for it.
    """

    shown: dict[str, list[str]]
    asked: dict[str, int]


@pytest.fixture(scope="module")
def pages(demo_app: Flask, services: TestServices) -> Found:
    """Found by following links, once in a session: the copies of the demo have the same addresses."""
    note = services.mail_folder.parent / "pages.json"
    with services.alone("pages"):
        if not note.exists():
            demo_app.config["WTF_CSRF_ENABLED"] = False
            with _statements(demo_app) as statements:
                seen: set[str] = set()
                asked: dict[str, int] = {}
                shown = {role: _discover(demo_app, role, seen, statements, asked) for role in ROLES}
            note.write_text(json.dumps(Found(shown, asked)))
            demo_app.config["WTF_CSRF_ENABLED"] = True
    return Found(*json.loads(note.read_text()))


@contextmanager
def _statements(app: Flask) -> Iterator[list[str]]:
    """What the database is sent."""
    with app.app_context():
        engine = db.engine
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _discover(app: Flask, role: str, seen: set[str], statements: list[str], asked: dict[str, int]) -> list[str]:
    client = app.test_client()
    if role:
        client.post("/account/login", data={"email": f"{role}@demo.example", "password": PASSWORD})
    shown: list[str] = []
    waiting, opened = [(path, 0) for path in STARTS], set()
    while waiting:
        path, links = waiting.pop(0)
        path = html.unescape(path)
        kind = _kind(app, urlsplit(path).path)
        if kind is None or kind in opened or SKIPPED.search(path):
            continue
        if kind in seen and links > (1 if role in ALIKE else NEAR):
            continue
        opened.add(kind)
        statements.clear()
        answer = client.get(path)
        asked[f"{role} {path}"] = len(statements)
        assert answer.status_code < 500, f"{role} {path}: {answer.status_code}"
        if answer.status_code >= 300:
            waiting.insert(0, (answer.location or "", links))
            continue
        if answer.mimetype != "text/html":
            continue
        waiting += [(urljoin(path, href), links + 1) for href in LINK.findall(answer.get_data(as_text=True))]
        if kind not in seen:
            seen.add(kind)
            shown.append(path)
    return shown


def test_no_page_asks_the_database_often(pages: Found) -> None:
    often = {page: count for page, count in pages.asked.items() if count > MOST_STATEMENTS}
    assert often == {}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_on_any_page(
    chromium: Any, demo_site: Site, demo_people: dict[str, str], pages: Found, language: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `make assets`")
    assert sum(len(paths) for paths in pages.shown.values()) > 70, pages.shown
    visitor = _looker(chromium, demo_site, language)
    faults: list[str] = []
    for role, paths in pages.shown.items():
        visitor.enter(demo_people.get(role, ""))
        for name, size, chosen in _turns(paths, language):
            visitor.page.set_viewport_size(size)
            for path in chosen:
                visitor.go(path)
                faults += [f"{role} {path} ({name}) {fault}" for fault in _look(visitor)]
    visitor.page.set_viewport_size(PHONE)
    visitor.page.evaluate(PLANT)
    for _ in range(2):
        assert {fault.partition(":")[0] for fault in _look(visitor)} >= PLANTED, "what is planted is found, each time"
    visitor.close()
    assert faults == [], "\n".join(faults)


def _looker(chromium: Any, site: Site, language: str) -> Visitor:
    """A visitor whose pages can look for faults."""
    visitor = Visitor(chromium, site, language)
    # Sent to the browser once. As a function, not as text for eval, it is read and compiled once for all pages.
    text = f"window.readAxe = function () {{ {AXE.read_text()}\n}};"
    visitor.context.add_init_script(f"(() => {{ {text} {LOOKING.read_text()} }})()")
    return visitor


def _turns(paths: list[str], language: str) -> Iterator[tuple[str, dict[str, int], list[str]]]:
    """For each width the pages that this language's turn has at it, so that a page is laid out once."""
    for place, (name, size) in enumerate(SIZES):
        yield (
            name,
            size,
            [
                path
                for number, path in enumerate(paths)
                if FULL or (LANGUAGES[number % 2] == language and number // 2 % 2 == place)
            ],
        )


def _look(visitor: Visitor) -> list[str]:
    page = visitor.page
    found: list[str] = page.evaluate(CHECK)
    if page.viewport_size == PHONE:
        width = page.evaluate(WIDE)
        if width > PHONE["width"]:
            found.append(f"the page is wider than the screen: {width} px")
    return found


def _kind(app: Flask, path: str) -> str | None:
    """The endpoint of a path, with what tells its pages apart: the section of an application or a rule set."""
    try:
        endpoint, values = app.url_map.bind("localhost").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    if endpoint in ("static", "security.static"):
        return None
    return " ".join(
        [endpoint, *(str(values[name]) for name in ("name", "section") if name in values and endpoint != "mail.show")]
    )

"""Uploads in a real browser: the connection breaks, the page is closed, the session ends; nothing is sent twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from portal.applications.models import Attachment
from portal.core.db import db
from portal.documents.models import StoredFile, Upload
from portal.identity.models import User
from tests.factories import applications
from tests.journeys.people import Visitor
from tests.plugins.browser import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZE = 3_000_000
PATIENCE = 90_000
ROW = "#DOC-02 .jp-upload__row"
ARRIVED = "#DOC-02 .jp-files a"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A PDF of several parts."""
    filling = b"\n%" + b"x" * (SIZE - len(applications.PDF) - 2) + b"\n%%EOF"
    place = tmp_path / "План проекта.pdf"
    place.write_bytes(applications.PDF.replace(b"\n%%EOF", filling))
    return place


class Uploader(Visitor):
    """The owner of a draft with its page of documents, and what its browser sends."""

    def __init__(self, chromium: Any, site: Site) -> None:
        super().__init__(chromium, site, "en")
        self.context.set_default_timeout(PATIENCE)
        with site.app.app_context():
            joint = applications.draft(db.session())
            db.session.commit()
            self.documents = f"/applications/{joint.id}/documents"
            self.owner = db.session.get_one(User, joint.owners[0].id).fs_uniquifier
            db.session.remove()
        self.offsets: list[int] = []
        self.page.on("request", self._note)
        self.enter(self.owner)

    def _note(self, request: Any) -> None:
        if request.method == "PATCH":
            self.offsets.append(int(request.headers["upload-offset"]))

    def choose(self, file: Path) -> None:
        self.page.locator("#DOC-02-file").set_input_files(file)
        self.page.locator("#DOC-02 > [data-upload] button[type=submit]").click()

    def stop_after(self, parts: int) -> None:
        """The line breaks: after so many parts no request of an upload gets through."""
        seen = []

        def pass_or_break(route: Any) -> None:
            if route.request.method == "PATCH":
                seen.append(route)
            if len(seen) > parts:
                route.abort("connectionreset")
            else:
                route.continue_()

        self.page.route("**/uploads/**", pass_or_break)

    def mend(self) -> None:
        self.page.unroute("**/uploads/**")
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def attached(self, file: Path) -> None:
        """The file is there, whole, once."""
        self.page.locator(ARRIVED).first.wait_for(timeout=PATIENCE)
        with self.site.app.app_context():
            kept = db.session.scalars(select(StoredFile)).one()
            assert kept.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
            assert len(db.session.scalars(select(Attachment)).all()) == 1
            db.session.remove()


def test_an_upload_survives_a_broken_line_and_a_closed_page_and_a_new_session(
    chromium: Any, site: Site, file: Path
) -> None:
    person = Uploader(chromium, site)
    person.go(person.documents)
    person.stop_after(1)
    person.choose(file)
    person.page.locator(f"{ROW}:has-text('The connection is lost')").wait_for()
    with site.app.app_context():
        received = db.session.scalars(select(Upload.received)).one()
        db.session.remove()
    assert 0 < received < SIZE
    bar = person.page.locator(f"{ROW} progress")
    assert int(bar.get_attribute("value") or bar.evaluate("bar => bar.value")) == received

    # The page is closed; the same file goes on where it stood.
    person.page.unroute("**/uploads/**")
    person.page.on("dialog", lambda dialog: dialog.accept())
    person.go(person.documents)
    person.says(en="Choose the same file again to continue.", ru="")
    person.offsets.clear()
    person.stop_after(1)
    person.choose(file)
    person.page.locator(f"{ROW}:has-text('The connection is lost')").wait_for()
    assert person.offsets[0] == received

    # The session ends meanwhile; a sign-in in another tab, and "Continue".
    person.context.clear_cookies()
    person.mend()
    person.page.locator(f"{ROW}:has-text('You have been signed out')").wait_for()
    person.enter(person.owner)
    person.offsets.clear()
    person.page.locator(f"{ROW} button:has-text('Continue')").click()
    person.attached(file)
    assert person.offsets[0] > received
    person.close()


def test_it_goes_on_by_itself_and_the_rest_is_told(chromium: Any, site: Site, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"MZ" * 5000)
    person = Uploader(chromium, site)
    person.go(person.documents)
    person.stop_after(1)
    person.page.locator("#DOC-02-file").set_input_files([bad, file])
    person.page.locator("#DOC-02 > [data-upload] button[type=submit]").click()
    person.page.locator(f"{ROW}:has-text('The connection is lost')").wait_for()
    person.mend()
    person.attached(file)
    # What went wrong stays to be read beside what is attached.
    person.says(en="This kind of file is not known.", ru="")
    with site.app.app_context():
        assert all(row.done_at for row in db.session.scalars(select(Upload)))
        db.session.remove()

    # Cancelling leaves nothing.
    another = tmp_path / "another.pdf"
    another.write_bytes(file.read_bytes() + b"\n%%EOF")
    person.stop_after(1)
    person.choose(another)
    person.page.locator(f"{ROW}:has-text('The connection is lost')").wait_for()
    person.page.unroute("**/uploads/**")
    person.page.locator(f"{ROW} button:has-text('Cancel')").click()
    person.page.locator(f"{ROW}:has-text('Cancelled')").wait_for()
    site.until(lambda: not db.session.scalars(select(Upload).where(Upload.done_at.is_(None))).all())
    person.close()

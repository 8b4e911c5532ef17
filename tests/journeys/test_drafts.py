"""Typing in a real browser while everything goes wrong: the server dies, the session ends, the line is cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from flask import Flask
from flask_security.utils import hash_password
from sqlalchemy import delete, select, update

from portal.applications.models import Section
from portal.core.db import db, session, transaction
from portal.identity.models import Membership, OrgRole, User, UserSession
from tests.factories import applications, identity
from tests.journeys.people import PASSWORD, Visitor
from tests.plugins.browser import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG: Final = "Изготовление модуля: «ёлочки», 100 % — и\nвторая строка. " * 40
STATE: Final = "[data-draft-state]"
OWNER, EDITOR, BYSTANDER = "owner@drafts.example", "editor@drafts.example", "other@drafts.example"


@dataclass
class Desk:
    """A draft, and a server for it that can be killed and started again under its address."""

    app: Flask
    mail_folder: Path
    application_id: UUID
    port: int = 0

    @property
    def path(self) -> str:
        return f"/applications/{self.application_id}/sections/product"

    def kept(self) -> dict[str, str]:
        """What the database has of the section."""
        with self.app.app_context():
            found = session().scalar(
                select(Section.data).where(Section.application_id == self.application_id, Section.name == "product")
            )
            db.session.rollback()
            return dict(found or {})

    def end_sessions(self) -> None:
        with self.app.app_context(), transaction() as current:
            current.execute(delete(UserSession))

    def serve(self) -> Any:
        return serving(self.app, self.mail_folder, workers=False, port=self.port)


@pytest.fixture
def desk(fresh_app: Flask, mail_folder: Path) -> Desk:
    with fresh_app.app_context(), transaction() as current:
        joint = applications.draft(current, partners=0)
        owner = joint.owners[0]
        other = identity.member(current, joint.organisations[0], OrgRole.EDITOR)
        bystander = identity.member(current, identity.organisation(current))
        for person, email in ((owner, OWNER), (other, EDITOR), (bystander, BYSTANDER)):
            row = current.get(User, person.id)
            assert row is not None
            row.email, row.password, row.locale = email, hash_password(PASSWORD), "en"
        made = Desk(fresh_app, mail_folder, joint.id)
    with fresh_app.app_context():
        db.session.remove()
    return made


def saved(visitor: Visitor) -> None:
    """Wait until the corner says that the draft is saved."""
    visitor.page.wait_for_function(
        f"() => /^Draft saved at /.test(document.querySelector('{STATE}').textContent)", timeout=20_000
    )


def says(visitor: Visitor, words: str) -> None:
    visitor.page.wait_for_function(
        f"words => document.querySelector('{STATE}').textContent.includes(words)", arg=words, timeout=40_000
    )


def sign_in_here(visitor: Visitor, email: str) -> None:
    """On the sign-in page that the notice led to."""
    form = 'main form:has([name="password"][type="password"])'
    visitor.fill({"email": email, "password": PASSWORD}, form)
    visitor.send(form, status=200)


def test_every_character_is_there(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        desk.port = int(site.url.rpartition(":")[2])
        owner = Visitor(chromium, site, "en")
        owner.sign_in(OWNER)
        owner.go(desk.path)
        page = owner.page
        page.locator('[name="name_ru"]').fill("Сохранено сразу")
        saved(owner)
        assert desk.kept() == {"name_ru": "Сохранено сразу"}
    # The server is dead: typing goes on, and stays in the browser.
    page.locator('[name="summary"]').fill(LONG)
    says(owner, "no connection")
    assert page.locator("[data-draft-notice]").is_visible()
    with desk.serve():
        saved(owner)
        assert desk.kept()["summary"] == LONG.strip("\r"), "sent by itself when the server was back"
        # The line is cut, the page is closed without having been sent, and meanwhile the session ends.
        owner.context.set_offline(True)
        page.locator('[name="product_name"]').fill("Без связи")
        page.locator('[name="final_product"][value="yes"]').check()
        says(owner, "no connection")
        desk.end_sessions()
        page.close()
        owner.context.set_offline(False)
        page = owner.page = owner.context.new_page()
        # Somebody else signs in in this browser, and sees nothing of it.
        owner.sign_in(BYSTANDER)
        owner.go("/applications/")
        assert "Без связи" not in page.content()
        assert page.locator("[data-kept-list]").is_hidden()
        desk.end_sessions()
        # The owner signs in again, straight back to the page.
        page.goto(desk.path)
        assert "/account/login" in owner.path
        sign_in_here(owner, OWNER)
        assert owner.path == desk.path
        saved(owner)
        assert page.locator('[name="product_name"]').input_value() == "Без связи"
        # The session ends while typing: the notice leads to signing in and back.
        desk.end_sessions()
        page.locator('[name="name_en"]').fill("After the session")
        says(owner, "signed out")
        page.locator("[data-draft-sign-in] a").click()
        sign_in_here(owner, OWNER)
        assert owner.path == desk.path
        saved(owner)
        assert desk.kept() == {
            "name_ru": "Сохранено сразу",
            "summary": LONG,
            "product_name": "Без связи",
            "final_product": "yes",
            "name_en": "After the session",
        }
        assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('jp-kept'))") == []
        owner.close()


def test_two_browsers_on_one_field(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        owner, editor = Visitor(chromium, site, "en"), Visitor(chromium, site, "en")
        for visitor, email in ((owner, OWNER), (editor, EDITOR)):
            visitor.sign_in(email)
            visitor.go(desk.path)
        editor.page.locator("[data-draft-others]").wait_for(state="visible")
        owner.page.locator('[name="name_en"]').fill("The owner's title")
        saved(owner)
        owner.page.locator('[name="summary"]').focus()  # a field under the cursor is not changed by others
        editor.page.locator('[name="summary"]').fill("The editor's text")
        saved(editor)
        owner.page.locator('[name="summary"]').fill("The owner's text")
        owner.page.locator("[data-clash]").wait_for()
        assert desk.kept() == {"summary": "The editor's text", "name_en": "The owner's title"}
        clash = owner.page.locator('[data-clash="summary"]').inner_text()
        assert "The editor's text" in clash
        assert "The owner's text" in clash
        owner.page.locator('[data-clash="summary"] button', has_text="Keep mine").click()
        saved(owner)
        assert desk.kept()["summary"] == "The owner's text"
        editor.page.locator('[name="summary"]').fill("The editor insists")
        editor.page.locator("[data-clash]").wait_for()
        editor.page.locator('[data-clash="summary"] button', has_text="Take the other").click()
        saved(editor)
        assert editor.page.locator('[name="summary"]').input_value() == "The owner's text"
        owner.close()
        editor.close()


def test_signing_out_takes_what_is_unsent_along_after_asking(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        owner = Visitor(chromium, site, "en")
        owner.sign_in(OWNER)
        owner.go(desk.path)
        page = owner.page
        page.locator('[name="summary"]').fill("x" * 20_001)
        says(owner, "Saved but for the fields with a message.")
        page.locator('[name="name_en"]').focus()
        assert "no more than 20000" in page.locator("#summary-error").inner_text()
        asked: list[str] = []
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.locator("details[data-menu] summary").first.click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_timeout(500)
        assert asked
        assert owner.path == desk.path
        page.once("dialog", lambda dialog: dialog.accept())
        with page.expect_navigation():
            page.get_by_role("button", name="Sign out").click()
        assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('jp-kept'))") == []
        owner.close()


def test_who_may_not_write_any_more_still_has_what_was_typed(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        editor = Visitor(chromium, site, "en")
        editor.sign_in(EDITOR)
        editor.go(desk.path)
        page = editor.page
        with desk.app.app_context(), transaction() as current:
            chosen = select(User.id).where(User.email == EDITOR).scalar_subquery()
            current.execute(update(Membership).where(Membership.user_id == chosen).values(role=OrgRole.VIEWER))
        page.locator('[name="summary"]').fill("Too late, but not lost")
        says(editor, "not write")
        page.reload()
        panel = page.locator("[data-kept-list]")
        panel.wait_for(state="visible")
        assert "Too late, but not lost" in panel.inner_text()
        editor.go("/applications/")
        panel.wait_for(state="visible")
        panel.get_by_role("button", name="Remove from this browser").click()
        assert panel.is_hidden()
        assert desk.kept() == {}
        editor.close()


def test_a_text_that_is_too_large_does_not_keep_a_shorter_one_from_being_saved(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        editor = Visitor(chromium, site, "en")
        editor.sign_in(EDITOR)
        editor.go(desk.path)
        field = editor.page.locator('[name="summary"]')
        # Hidden while it is put in: the browser need not lay out what nobody reads.
        field.evaluate(
            "field => { field.style.display = 'none'; field.value = 'x'.repeat(4_300_000);"
            " field.dispatchEvent(new Event('input', { bubbles: true })) }"
        )
        says(editor, "more text than can be saved at once")
        field.evaluate("field => { field.value = ''; field.style.display = '' }")
        field.fill("Short enough")
        saved(editor)
        editor.go(desk.path)
        assert field.input_value() == "Short enough"
        editor.close()


def test_an_ordinary_form_comes_back_after_signing_in(chromium: Any, desk: Desk) -> None:
    with desk.serve() as site:
        owner = Visitor(chromium, site, "en")
        owner.sign_in(OWNER)
        owner.go("/account/")
        field = '[name="full_name"]'
        owner.page.locator(field).fill("A name typed for long")
        desk.end_sessions()
        with owner.page.expect_navigation():
            owner.page.locator(f"main form:has({field}) button[type=submit]").first.click()
        assert "A name typed for long" in owner.text()
        owner.page.get_by_role("button", name="Sign in").first.click()
        sign_in_here(owner, OWNER)
        assert owner.path == "/account/"
        assert owner.page.locator(field).input_value() == "A name typed for long"
        owner.says(ru="", en="What you typed before you were signed out is back in the form.")
        owner.close()

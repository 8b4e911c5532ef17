"""A person with a browser: finds things by what the pages call them, in whatever language they read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from tests.plugins.browser import Site

PASSWORD: Final = "A-Long-Demo-Passphrase-7"
PHONE: Final = {"width": 320, "height": 700}
DESK: Final = {"width": 1280, "height": 900}

_KINDS: Final = """forms => Object.fromEntries(forms.flatMap(form => [...form.querySelectorAll("[name]")])
  .reverse().map(field => [field.name, field.type]))"""
_PUT: Final = "cells => { for (const id in cells) document.getElementById(id).value = cells[id] }"


class Visitor:
    """One browser context, reading in ``language``; ``page`` is its only tab."""

    def __init__(self, chromium: Any, site: Site, language: str) -> None:
        self.site, self.language = site, language
        self.context = chromium.new_context(
            locale={"ru": "ru-RU", "en": "en-GB"}[language], base_url=site.url, viewport=DESK
        )
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def close(self) -> None:
        self.context.close()
        assert self.faults == [], self.faults

    def enter(self, uniquifier: str = "") -> None:
        """Begin the session that a sign-in begins, without its pages; without a name be nobody again.

        What the browser has read (style sheets, scripts, fonts) it keeps.
        """
        client = self.site.app.test_client()
        self.context.clear_cookies()
        cookies = {"portal_language": self.language}
        if uniquifier:
            with client.session_transaction(base_url=self.site.url) as begun:
                begun.update({"_user_id": uniquifier, "_fresh": True, "fs_cc": "set", "fs_paa": time.time()})
            given = client.get_cookie("portal_session", domain="127.0.0.1")
            assert given is not None
            cookies["portal_session"] = given.value
        self.context.add_cookies(
            [{"name": name, "value": value, "url": self.site.url} for name, value in cookies.items()]
        )

    def go(self, path: str, status: int = 200) -> None:
        """Open a page; it answers with ``status``, in the reader's language."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        assert self.page.locator("html").get_attribute("lang") == self.language

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.site.url)

    def text(self) -> str:
        """What stands in the main part of the page, with ordinary spaces."""
        return self.page.locator("main").inner_text().replace("\u00a0", " ")

    def heading(self) -> str:
        return self.page.locator("h1").first.inner_text()

    def says(self, **words: str) -> None:
        """The page has these words: ``says(ru=..., en=...)``."""
        assert words[self.language] in self.text(), (
            f"{words[self.language]!r} is not on {self.path}: {self.text()[:2000]}"
        )

    def fill(self, values: Mapping[str, str], form: str = "main form") -> None:
        """Type into inputs by their names; radios and selects take their values."""
        kinds = self.page.locator(form).evaluate_all(_KINDS)
        for name, value in values.items():
            field = self.page.locator(f'{form} [name="{name}"]')
            kind = kinds.get(name)  # without one, filling in waits for the field
            if kind in ("radio", "checkbox"):
                self.page.locator(f'{form} [name="{name}"][value="{value}"]').first.check()
            elif kind == "select-one":
                field.first.select_option(value)
            else:
                field.first.fill(value)

    def type_table(self, values: Mapping[str, str], prefix: str) -> None:
        """Put the numbers of a table in; the last one is typed, so that the page adds the sums up."""
        cells = {f"{prefix}-{key.replace('.', '-')}": value for key, value in values.items()}
        if not cells:
            return
        self.page.evaluate(_PUT, cells)
        last, value = list(cells.items())[-1]
        self.page.locator(f'[id="{last}"]').fill(value)

    def send(self, form: str = "main form", button: str = "button[type=submit]", status: int | None = None) -> int:
        """Press the form's first button (or another one) and wait for the page that answers."""
        with self.page.expect_navigation() as answer:
            self.page.locator(f"{form} {button}").first.click()
        assert answer.value is not None
        found = int(answer.value.status)
        assert found < 500, f"{self.path}: {found}"
        if status is not None:
            assert found == status, f"{self.path}: {found}\n{self.text()[:3000]}"
        return found

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.go("/account/login")
        form = 'main form:has([name="password"][type="password"])'
        self.fill({"email": email, "password": password}, form)
        self.send(form, status=200)
        assert "/account/login" not in self.path, self.text()[:500]

"""A reviewer scores an application with the keyboard alone, from the list to the review that is handed in."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask
from flask_security.utils import hash_password
from sqlalchemy import select

from portal.core.db import db, session, transaction
from portal.identity.models import User
from portal.review.models import Assignment, Mark, ReviewNote
from tests.factories import review
from tests.journeys.people import PASSWORD, PHONE, Visitor
from tests.plugins.browser import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EMAIL: Final = "expert@desk.example"
STATE: Final = "[data-draft-state]"
FOCUS: Final = "(at => at.name || at.getAttribute('href') || at.tagName)(document.activeElement)"
SCORES: Final = "[...document.querySelectorAll('[name$=\"-score\"]')].map(each => each.name.slice(0, -6))"
MOST: Final = 60


class Keyboard:
    """Moves through the page with Tab; knows where the focus has been."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page
        self.seen: list[str] = []

    def focus(self) -> str:
        found: str = self.page.evaluate(FOCUS)
        return found

    def tab_to(self, wanted: str, back: bool = False) -> None:
        """Press Tab until the input of this name, or the link to this address, has the focus."""
        for _ in range(MOST):
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            self.seen.append(self.focus())
            if self.seen[-1] == wanted:
                return
        raise AssertionError(f"{wanted} is not reached: {self.seen[-MOST:]}")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def follow(self, key: str = "Enter") -> None:
        with self.page.expect_navigation():
            self.page.keyboard.press(key)


def shot(visitor: Visitor, name: str) -> None:
    """Keep what the step looks like where the run asks for it."""
    folder = os.environ.get("SHOTS")
    if folder:
        visitor.page.screenshot(path=str(Path(folder) / f"desk-{name}.png"))


def test_a_reviewer_scores_by_keyboard_alone(chromium: Any, fresh_app: Flask, mail_folder: Path) -> None:
    with fresh_app.app_context(), transaction() as current:
        row = review.assigned(current, review.admitted(current))[0]
        person = current.get_one(User, row.reviewer_id)
        person.email, person.password, person.locale = EMAIL, hash_password(PASSWORD), "en"
        key, url = row.id, f"/reviews/{row.id}"
    with fresh_app.app_context():
        db.session.remove()
    with serving(fresh_app, mail_folder, workers=False) as site:
        expert = Visitor(chromium, site, "en")
        expert.sign_in(EMAIL)
        expert.go("/reviews/")
        keys, page = Keyboard(expert), expert.page
        keys.tab_to(f"{url}/declaration")
        shot(expert, "1-list")
        keys.follow()
        keys.tab_to("conflict")
        page.keyboard.press("Space")
        shot(expert, "2-declaration")
        keys.follow()
        assert expert.path == f"{url}/review"
        keys.tab_to("#sheet")
        page.keyboard.press("Enter")
        keys.seen.clear()
        aspects = page.evaluate(SCORES)
        for number, aspect in enumerate(aspects):
            keys.tab_to(f"{aspect}-score")
            keys.type(("10", "7,5", "0", "8", "6.5")[number % 5])
            keys.tab_to(f"{aspect}-justification")
            keys.type("The documents of the application bear this out.")
            if number == 0:
                shot(expert, "3-scoring")
                keys.tab_to("SUMMARY")
                page.keyboard.press("Enter")
                keys.tab_to(f"{aspect}-evidence-1")
                page.keyboard.press("ArrowDown")
                shot(expert, "4-evidence")
        inputs = [name for name in keys.seen if name.endswith(("-score", "-justification"))]
        assert inputs == [f"{aspect}-{part}" for aspect in aspects for part in ("score", "justification")]
        keys.tab_to("notes")
        keys.type("Ask about the supplier.")
        page.wait_for_function(
            f"() => /^Draft saved at /.test(document.querySelector('{STATE}').textContent)", timeout=20_000
        )
        shot(expert, "5-saved")
        page.reload()
        assert page.locator('[name="notes"]').input_value() == "Ask about the supplier."
        page.set_viewport_size(PHONE)
        shot(expert, "6-phone")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("#sheet").scroll_into_view_if_needed()
        shot(expert, "7-phone-sheet")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.locator('[name="notes"]').focus()
        keys.tab_to("then")
        shot(expert, "8-hand-in")
        keys.follow()
        expert.says(ru="", en="The review is handed in. Thank you.")
        shot(expert, "9-done")
        expert.close()
    with fresh_app.app_context():
        marks = list(session().scalars(select(Mark).where(Mark.assignment_id == key).order_by(Mark.id)))
        assert [mark.score for mark in marks] == [Decimal(text) for text in ("10", "7.5", "0", "8", "6.5")]
        assert [len(mark.evidence) for mark in marks] == [1, 0, 0, 0, 0]
        note = session().get_one(ReviewNote, key)
        assert (note.text, session().get_one(Assignment, key).state) == ("Ask about the supplier.", "submitted")
        db.session.rollback()

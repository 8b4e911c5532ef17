"""The whole story in a real browser: from a visitor to a booked and published award.

The applicants' people read English, the fund's Russian; ``FULL=1`` tells it twice, once in each language.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.applications.submissions.package import unpack
from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.demo.papers import paper
from tests.factories import packages
from tests.journeys.people import PASSWORD, Visitor
from tests.journeys.world import CODE, World, build
from tests.plugins.browser import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRACK = "import_substitution"
APPLICANTS = ("member", "partner", "centre")
ON_SUBMISSION = "2018-08-20"


class Story:
    """The site, the world behind it, and the people who have come so far."""

    def __init__(self, chromium: Any, site: Site, language: str, folder: Path) -> None:
        self.site, self.language, self.folder = site, language, folder
        self.world: World = build(site.app, self.language_of)
        self.chromium = chromium
        self._visitors: dict[str, Visitor] = {}
        self._at_desk = ""
        self.application = ""
        self.number = ""

    def language_of(self, name: str) -> str:
        """What somebody reads: the one language of the story, or that of their side."""
        return self.language or ("en" if name in APPLICANTS else "ru")

    def newcomer(self) -> Visitor:
        """Somebody who has not signed in."""
        return self._visitor("", "member")

    def who(self, name: str) -> Visitor:
        """Somebody of the world, signed in.

        The fund's people take turns at one browser: who is asked for sits down at it, until another one is. The
        officer, as everybody of the applicants, signs in by the form.
        """
        if name in APPLICANTS:
            begun = name in self._visitors
            visitor = self._visitor(name, name)
            if not begun:
                visitor.sign_in(self.world.address(name))
            return visitor
        visitor = self._visitor("fund", name)
        if not self._at_desk:
            visitor.sign_in(self.world.address(name))
        elif self._at_desk != name:
            visitor.enter(self.world.uniquifier(name))
        self._at_desk = name
        return visitor

    def _visitor(self, key: str, name: str) -> Visitor:
        if key not in self._visitors:
            self._visitors[key] = Visitor(self.chromium, self.site, self.language_of(name))
        return self._visitors[key]

    def close(self) -> None:
        for visitor in self._visitors.values():
            visitor.close()
        assert self.site.faults == []

    def pdf(self, name: str) -> str:
        path = self.folder / f"{name}.pdf"
        path.write_bytes(paper(name, "a journey"))
        return str(path)

    def at(self, rest: str = "") -> str:
        return f"/applications/{self.application}{rest}"


@pytest.fixture(params=["ru", "en"] if os.environ.get("FULL") else [""])
def story(request: pytest.FixtureRequest, chromium: Any, site: Site, tmp_path: Path) -> Iterator[Story]:
    told = Story(chromium, site, request.param, tmp_path)
    yield told
    told.close()


def test_from_a_visitor_to_a_published_award(story: Story) -> None:
    chapters: tuple[Callable[[Story], None], ...] = (
        the_visitor_reads,
        a_member_signs_up,
        the_organisation_joins_the_cluster,
        a_project_is_started,
        the_partner_takes_part,
        it_is_filled_in,
        it_is_submitted_withdrawn_and_submitted_again,
        intake_closes,
        the_officer_admits_it,
        two_experts_review_it,
        everything_is_scored,
        the_chair_drafts_and_another_signs,
        the_money_is_reserved,
        the_results_are_published,
        the_administrator_looks_after_it,
    )
    for chapter in chapters:
        chapter(story)


def the_visitor_reads(story: Story) -> None:
    visitor = story.newcomer()
    visitor.go("/")
    visitor.says(ru="Импортозамещение", en="Import substitution")
    visitor.go(f"/tenders/{CODE}")
    visitor.go(f"/tenders/{CODE}/rules/{TRACK}")
    for code in ("CR-10", "EL-07", "DOC-12", "CC-01"):
        assert code in visitor.text()


def a_member_signs_up(story: Story) -> None:
    visitor = story.newcomer()
    visitor.go("/account/register")
    visitor.fill(
        {
            "full_name": "Demo Member",
            "email": story.world.address("member"),
            "password": PASSWORD,
            "password_confirm": PASSWORD,
            "consent": "y",
        }
    )
    visitor.send(status=200)
    assert visitor.path == "/account/registered"
    visitor.go(story.site.link(story.world.address("member")))
    if "/confirm/" in visitor.path:
        visitor.send()
    if "/account/login" in visitor.path:
        visitor.fill({"email": story.world.address("member"), "password": PASSWORD})
        visitor.send()
    visitor.go("/organisations/new")
    assert visitor.path == "/organisations/new", visitor.text()[:800]
    values = {
        "inn": demo_inn("36", 7001),
        "kpp": demo_kpp("36"),
        "ogrn": demo_ogrn("36", 7001),
        "okved2": "28.14",
        "region": "36",
        "name_ru": "АО «Демо-Инициатор»",
        "name_en": "Demo Initiator JSC",
        "headcount": "640",
        "income": "2650000000",
        "offshore_share": "0",
    }
    visitor.fill({**values, "inn": "3699970019"})
    visitor.send(status=422)
    assert visitor.page.locator('[name="name_en"]').input_value() == "Demo Initiator JSC"
    visitor.fill(values)
    visitor.send(status=200)


def the_organisation_joins_the_cluster(story: Story) -> None:
    member = story.newcomer()
    member.go(f"/clusters/{story.world.cluster_id}/join")
    if member.page.locator('[name="organisation_id"][type="radio"]').count():
        member.page.locator('[name="organisation_id"]').first.check()
    member.fill({"product": "gate valves DN 300"})
    member.send(status=200)
    centre = story.who("centre")
    centre.go(story.site.link(story.world.address("centre")))
    centre.go("/spec-org/")
    centre.says(ru="АО «Демо-Инициатор»", en="Demo Initiator JSC")
    centre.send('main form[action$="/confirm"]', status=200)
    story.site.letter(
        story.world.address("member"),
        {"ru": "Демо-кластер арматуры", "en": "Demo valve cluster"}[story.language_of("member")],
    )


def a_project_is_started(story: Story) -> None:
    member = story.newcomer()
    member.go(f"/applications/start?track={story.world.track_id}")
    member.fill({"track": str(story.world.track_id)})
    member.page.locator('main form [name="organisation"]').first.check()
    member.send(status=200)
    found = re.search(r"/applications/([0-9a-f-]{36})", member.path)
    assert found
    story.application = found.group(1)


def the_partner_takes_part(story: Story) -> None:
    member = story.newcomer()
    member.go(story.at("/participants"))
    member.send('main form:has([name="organisation"])', status=200)
    partner = story.who("partner")
    partner.go(story.site.link(story.world.address("partner")))
    partner.send(button="button[value=accept]", status=200)


def it_is_filled_in(story: Story) -> None:
    rules = packages.rules(TRACK)
    content = packages.package(TRACK)
    spread = content["participants"][:2]
    typed = unpack({**content, "participants": spread}, rules)
    people = (story.newcomer(), story.who("partner"))
    with story.site.app.app_context():
        keys = [
            str(
                story.world.scalar(
                    f"select id from participant where application_id = :key and role = '{role}'", key=story.application
                )
            )
            for role in ("initiator", "participant")
        ]
    waiting: tuple[dict[str, tuple[str, dict[str, str]]], ...] = ({}, {})
    for (part, name), values in typed.items():
        place = [item["id"] for item in spread].index(part) if part else 0
        middle = f"/participants/{keys[place]}" if part else ""
        waiting[place][story.at(f"{middle}/sections/{name}")] = (name, values)
    for writer, sections in zip(people, waiting, strict=True):
        while sections:
            # "Save and continue" leads from one to the next, but not to what others have to fill in.
            if writer.path not in sections:
                writer.go(next(iter(sections)))
            name, values = sections.pop(writer.path)
            _type(writer, name, values)
            writer.send(button="button[value=continue]", status=200)
    for code in ("DOC-02", "DOC-07", "DOC-09"):
        _upload(story, people[0], story.at("/documents"), code)
    for person, key in zip(people, keys, strict=True):
        _upload(story, person, story.at(f"/participants/{key}/documents"), "DOC-12", ON_SUBMISSION)


def _type(writer: Visitor, name: str, values: dict[str, str]) -> None:
    if writer.page.locator("main table.jp-grid-table").count():
        writer.type_table(values, name)
    else:
        writer.fill(values)


def _upload(story: Story, person: Visitor, path: str, code: str, issued_on: str = "") -> None:
    person.go(path)
    form = f'main form:has(input[value="{code}"])'
    person.page.locator(f"{form} input[type=file]").set_input_files(story.pdf(code))
    if issued_on:
        with story.site.app.app_context():
            yesterday = story.world.scalar("select to_char(now() - interval '1 day', 'DD.MM.YYYY')")
        person.page.locator(f'{form} [name="issued_on"]').fill(str(yesterday))
    # The script sends the file in parts, without leaving the page.
    person.page.locator(f"{form} button[type=submit]").first.click()
    person.page.locator(f"#{code} .jp-files a").first.wait_for()


def it_is_submitted_withdrawn_and_submitted_again(story: Story) -> None:
    member = story.newcomer()
    member.go(story.at("/submit"))
    assert member.page.locator("main form button").count() == 0 or "confirm" in member.page.content()
    _confirm_and_submit(story)
    receipt = member.text()
    assert "JP-2018-IS-0001" in receipt
    assert re.search(r"[0-9a-f]{64}", receipt.replace(" ", "").replace("\n", ""))
    story.number = "JP-2018-IS-0001"
    story.site.letter(story.world.address("partner"), story.number)
    member.go(story.at("/withdraw"))
    member.send(status=200)
    story.site.letter(story.world.address("member"), {"ru": "отозвана", "en": "withdrawn"}[story.language_of("member")])
    _confirm_and_submit(story)
    story.site.until(lambda: story.world.scalar("select count(*) from score where current and objective > 0"))
    member.go(story.at("/check"))
    for code in ("CR-01", "EL-07"):
        assert code in member.text()
    member.go(story.at("/withdraw"))
    member.send(status=200)


def _confirm_and_submit(story: Story) -> None:
    for person in (story.newcomer(), story.who("partner")):
        person.go(story.at("/confirm"))
        with person.page.expect_navigation():
            person.page.locator('main a[href$="/sign"]').first.click()
        form = 'main form:has([name="digest"])'
        if person.page.locator(form).count():
            if person.page.locator(f'{form} [name="password"]').count():
                person.fill({"password": PASSWORD})
            person.send(form, status=200)
    member = story.newcomer()
    member.go(story.at("/submit"))
    _acknowledge(member)
    assert member.page.locator("main form button[type=submit]").count(), member.text()[:3000]
    member.send("main form:has(button[type=submit])", status=200)
    assert member.path.endswith("/receipt"), member.text()[:1500]


def intake_closes(story: Story) -> None:
    """The form of a second tab, sent after the end, is refused; what was typed there is not lost."""
    member = story.newcomer()
    member.go(story.at("/sections/product"))
    writing = member.page
    member.page = member.context.new_page()
    member.go(story.at("/submit"))
    _acknowledge(member)
    story.world.close_intake()
    assert member.send("main form:has(button[type=submit])") == 409
    member.says(ru="Заявки больше не принимаются", en="Applications are no longer accepted")
    assert _state(story) == "withdrawn"
    story.world.close_intake(days=1)
    member.go(story.at("/submit"))
    _acknowledge(member)
    member.send("main form:has(button[type=submit])", status=200)
    assert member.path.endswith("/receipt")
    member.go(story.at("/withdraw"))
    story.world.close_intake()
    assert member.send() == 409
    member.page.close()
    member.page = writing
    # The page saves by itself; it is told why this text can no longer be taken, and keeps it.
    member.page.locator('[name="summary"]').fill("Demo: typed while time ran out")
    closed = {"ru": "Заявка подана", "en": "The application has been submitted"}[story.language_of("member")]
    member.page.locator("[data-draft-state]", has_text=closed).wait_for()
    assert member.page.locator('[name="summary"]').input_value() == "Demo: typed while time ran out"
    assert _state(story) == "submitted"


def _state(story: Story) -> object:
    with story.site.app.app_context():
        return story.world.scalar("select state from application where id = :key", key=story.application)


def _acknowledge(member: Visitor) -> None:
    box = member.page.locator('main form [name="acknowledged"]')
    if box.count():
        box.first.check()


def the_officer_admits_it(story: Story) -> None:
    officer = story.who("officer")
    officer.go("/staff")
    officer.go("/staff/applications/")
    assert story.number in officer.text()
    officer.go(f"/staff/applications/{story.application}")
    officer.go(f"/staff/applications/{story.application}/check")
    for group in officer.page.locator('main form input[type=radio][value="yes"]').all():
        group.check()
    for note in officer.page.locator('main form input[name^="note-"]').all():
        note.fill("Demo: checked by hand")
    officer.page.locator('main form [name="outcome"][value="admitted"]').check()
    officer.send('main form:has([name="outcome"])', "button[type=submit]:not([name])", status=200)
    assert officer.path.endswith("/reviews"), officer.text()[:1500]
    for box in officer.page.locator('main form [name="reviewers"]').all():
        box.check()
    officer.send('main form:has([name="reviewers"])', status=200)


def two_experts_review_it(story: Story) -> None:
    for name, mark in (("expertone", "8"), ("experttwo", "7.5")):
        expert = story.who(name)
        expert.go(story.site.link(story.world.address(name)))
        expert.go("/reviews/")
        expert.page.locator('main a[href^="/reviews/"]').filter(has_text=re.compile("JP-")).first.click()
        expert.page.locator('main form [name="conflict"][value="no"]').check()
        expert.send('main form:has([name="conflict"])', status=200)
        for field in expert.page.locator('main form input[name$="-score"]').all():
            field.fill(mark)
        for field in expert.page.locator('main form textarea[name$="-justification"]').all():
            field.fill("Demo justification: the application supports this mark.")
        expert.send("main form:has(textarea)", 'button[value="hand_in"]', status=200)
        expert.says(ru="Заключение сдано. Спасибо.", en="The review is handed in. Thank you.")


def everything_is_scored(story: Story) -> None:
    officer = story.who("officer")
    officer.go("/staff/scoring")
    officer.send(f'main form[action$="{story.world.track_id}/run"]', status=200)
    assert "/runs/" in officer.path
    officer.page.wait_for_function(
        "number => document.querySelector('main').innerText.includes(number)"
        " || document.querySelector('main progress, main [role=progressbar]') !== null",
        arg=story.number,
    )
    story.site.until(
        lambda: story.world.scalar("select count(*) from score_run where kind = 'track' and ended_at > created_at")
    )
    officer.go(officer.path)
    assert story.number in officer.text()


def the_chair_drafts_and_another_signs(story: Story) -> None:
    chair = story.who("chair")
    place = f"/staff/decisions/tracks/{story.world.track_id}"
    chair.go("/staff/decisions")
    chair.go(place)
    chair.send('form[action$="/draft"]', status=200)
    assert story.number in chair.text()
    assert chair.page.locator('a[href$="/sign"]').count() == 0, "nobody signs their own draft"
    second = story.who("commission")
    second.go(place)
    second.page.locator('a[href$="/sign"]').first.click()
    second.send(status=200)
    assert _state(story) == "awarded"


def the_money_is_reserved(story: Story) -> None:
    with story.site.app.app_context():
        asked = story.world.scalar("select requested_total from application where id = :key", key=story.application)
        reserved = story.world.scalar("select sum(reserved) from envelope")
    assert asked == reserved
    for name in ("administrator", "auditor", "chair"):
        reader = story.who(name)
        reader.go("/staff/budget")
        reader.go(f"/staff/budget/programmes/{story.world.programme_id}")
    administrator = story.who("administrator")
    with story.site.app.app_context():
        envelope = story.world.scalar("select id from envelope where year = 2018")
    administrator.go(f"/staff/budget/envelopes/{envelope}")
    assert story.number in administrator.text()


def the_results_are_published(story: Story) -> None:
    chair, member = story.who("chair"), story.newcomer()
    chair.go(f"/staff/decisions/tracks/{story.world.track_id}")
    chair.send('form[action$="/publish"]', status=200)
    visitor = Visitor(story.chromium, story.site, story.language_of("member"))
    visitor.go(f"/tenders/{CODE}/results")
    assert story.number in visitor.text()
    visitor.says(ru="АО «Демо-Инициатор»", en="Demo Initiator JSC")
    visitor.close()
    letter = story.site.letter(story.world.address("member"), "CR-01")
    assert story.number in f"{letter.subject}{letter.text}"
    assert "CR-10" in letter.text
    member.go(story.at())


def the_administrator_looks_after_it(story: Story) -> None:
    administrator = story.who("administrator")
    for path in ("/staff", "/staff/jobs", "/staff/audit", "/staff/tenders", "/people/", "/register/"):
        administrator.go(path)
    answer = story.site.app.test_cli_runner().invoke(args=["portal", "verify"])
    assert answer.exit_code == 0, answer.output

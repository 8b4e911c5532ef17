"""Two people write one section, in any order of typing, sending, losing answers, choosing and reloading.

Each is a model of the page's script (``static/js/draft.js``) that speaks the real protocol. What must hold: a text
that was kept is only ever replaced by somebody who had it before their eyes, and what is not kept is shown as a
clash. 25 random interleavings by default, ``FULL=1`` runs 200.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.applications.drafts.saving import kept
from portal.applications.models import Section
from portal.identity.models import OrgRole, User
from tests.factories import applications, identity

EXAMPLES: Final = 200 if os.environ.get("FULL") else 8
KEYS: Final = ("name_ru", "summary")
TEXTS: Final = ("", " ", "а", "б", "аб", "а\r\nб")

keys = st.sampled_from(KEYS)
texts = st.sampled_from(TEXTS)
writers = st.integers(0, 1)
steps = st.one_of(
    st.tuples(st.sampled_from(("type", "type_and_send", "type_and_lose")), writers, keys, texts),
    st.tuples(st.sampled_from(("mine", "theirs")), writers, keys, st.none()),
    st.tuples(st.sampled_from(("send", "lose", "reload")), writers, st.none(), st.none()),
)


CLASHING: Final = [
    ("type_and_send", 0, "summary", "а"),
    ("type_and_send", 1, "summary", "б"),
    ("mine", 1, "summary", None),
    ("send", 1, None, None),
]
"""One that is always tried: both write over the same text."""
CLASHING_ANEW: Final = [
    ("type_and_send", 0, "summary", "а"),
    ("type_and_send", 1, "summary", "б"),
    ("type_and_send", 0, "summary", ""),
]
"""The text of a clash that one has not answered yet changes again."""


class Writer:
    """A page that is open: what each input holds, what it is based on, and every text it has ever shown."""

    def __init__(self, client: FlaskClient, person: str, url: str) -> None:
        self.client, self.person, self.url = client, person, url
        self.seen: dict[str, set[str]] = {key: set() for key in KEYS}
        self.version = 0
        self.value: dict[str, str] = {}
        self.known: dict[str, str] = {}
        self.base: dict[str, str] = {}
        self.sent: dict[str, list[str]] = {}
        self.clashes: dict[str, dict[str, str]] = {}
        self.open()

    def open(self) -> None:
        """Load the page; what was typed and not kept comes back over it with its own base, from the browser."""
        typed = {key: (self.value[key], self.base[key], self.sent[key]) for key in self.dirty}
        state = self.client.get(self.url).get_json()
        self.version = state["version"]
        self.clashes = {}
        for key in KEYS:
            field = state["fields"][key]
            self.value[key] = self.known[key] = field["value"]
            self.base[key], self.sent[key] = field["mark"], []
            self.seen[key].add(field["value"])
            if key in typed and typed[key][0] != field["value"]:
                self.value[key], self.base[key], self.sent[key] = typed[key]

    @property
    def dirty(self) -> list[str]:
        return [key for key in self.value if self.value[key] != self.known[key]]

    def type(self, key: str, text: str) -> None:
        self.value[key] = text

    def send(self, lost: bool) -> dict[str, Any] | None:
        """Send what is unsaved; a lost answer leaves the page not knowing whether it arrived."""
        waiting = [key for key in self.dirty if key not in self.clashes]
        changes = {key: {"value": self.value[key], "base": self.base[key], "sent": self.sent[key]} for key in waiting}
        for key in waiting:
            self.sent[key] = [*self.sent[key], self.value[key]][-10:]
            self.seen[key].add(kept(self.value[key]))
        answer = self.client.post(self.url, json={"person": self.person, "version": self.version, "changes": changes})
        assert answer.status_code == 200, answer.text
        if lost:
            return None
        body = answer.get_json()
        for key, mark in body.get("marks", {}).items():
            self.known[key], self.base[key], self.sent[key] = self.value[key], mark, []
        for clash in body.get("clashes", ()):
            self.clashes[clash["key"]] = clash
            self.sent[clash["key"]] = []
            self.seen[clash["key"]].add(clash["theirs"])
        for key in KEYS:
            field = body.get("fields", {}).get(key)
            if field and key not in self.dirty and field["mark"] != self.base[key]:
                self.value[key] = self.known[key] = field["value"]
                self.base[key] = field["mark"]
                self.seen[key].add(field["value"])
        self.version = body["version"]
        return {"changes": changes, **body}

    def choose(self, key: str, choice: str) -> None:
        clash = self.clashes.pop(key, None)
        if clash is None:
            return
        self.base[key], self.known[key] = clash["mark"], clash["theirs"]
        if choice == "theirs":
            self.value[key] = clash["theirs"]


class Judge:
    """Compares what the database holds before and after each send with what the writer was shown."""

    def __init__(self, session: Session, joint: applications.Joint) -> None:
        self.session, self.application_id = session, joint.id
        self.clashes = 0

    def forget(self) -> None:
        self.session.execute(delete(Section).where(Section.application_id == self.application_id))
        self.session.commit()

    def data(self) -> dict[str, str]:
        found = self.session.scalar(
            select(Section.data).where(Section.application_id == self.application_id, Section.name == "product")
        )
        return {key: (found or {}).get(key, "") for key in KEYS}

    def sent(self, writer: Writer, lost: bool = False) -> None:
        before = self.data()
        had_seen = {key: set(shown) for key, shown in writer.seen.items()}
        answer = writer.send(lost)
        after = self.data()
        for key in KEYS:
            if before[key] != after[key]:
                assert before[key] in had_seen[key], f"{before[key]!r} of {key} was lost unseen"
        if answer is not None:
            self.told(answer, after)

    def told(self, answer: dict[str, Any], after: dict[str, str]) -> None:
        shown = {clash["key"]: clash["theirs"] for clash in answer.get("clashes", ())}
        self.clashes += len(shown)
        for key, change in answer["changes"].items():
            if kept(change["value"]) == after[key]:
                assert key not in shown
            else:
                assert shown.get(key) == after[key], f"{key} was not kept, and no clash shown"


def play(writer: Writer, judge: Judge, what: str, key: Any, text: Any) -> None:
    if what.startswith("type"):
        writer.type(key, text)
    if what in ("mine", "theirs"):
        writer.choose(key, what)
    if what == "reload":
        writer.open()
    if what.endswith(("send", "lose")):
        judge.sent(writer, lost=what.endswith("lose"))


def insist(writer: Writer, judge: Judge) -> None:
    """In the end everybody insists on their own; nothing is left unsaved.

    Twice, for a clash that was shown long ago may be about a text that has changed again since.
    """
    for _ in range(2):
        judge.sent(writer)
        for key in KEYS:
            writer.choose(key, "mine")
    judge.sent(writer)
    assert writer.dirty == []


def test_no_kept_text_is_lost_and_every_clash_is_shown(
    session: Session, sign_in: Callable[[User], FlaskClient]
) -> None:
    joint = applications.draft(session)
    other = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    session.commit()
    url = f"/applications/{joint.id}/sections/product/fields"
    people = [(sign_in(person), str(person.id)) for person in (joint.owners[0], other)]
    judge = Judge(session, joint)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(steps, min_size=4, max_size=14))
    @example(CLASHING)
    @example(CLASHING_ANEW)
    def interleaved(plan: list[tuple[str, int, Any, Any]]) -> None:
        judge.forget()
        pages = [Writer(*person, url) for person in people]
        for what, who, key, text in plan:
            play(pages[who], judge, what, key, text)
        for page in pages:
            insist(page, judge)

    interleaved()
    assert judge.clashes, "no interleaving clashed: the test says nothing"

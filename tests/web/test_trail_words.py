"""What the administrator reads of the trail and of background work has words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from flask import Flask

from portal.core import jobs
from portal.identity.policy import ANONYMOUS, system_actor
from portal.web.status_words import WORDS
from portal.web.trail_words import DOERS, KINDS, doer, told

ROOT = Path(__file__).parents[2] / "portal"
TAG = re.compile(r'"([a-z_]+:[a-z_]+:[a-z_]+)"')
DOER = re.compile(r'system_actor\((?:"([a-z_-]+)"|([A-Z]+))\)|"system:([a-z_]+)"')
PERMISSIONS = ROOT / "identity" / "policy.py"


def test_every_tag_of_the_program_has_words() -> None:
    sources = [path for path in ROOT.rglob("*.py") if path != PERMISSIONS]
    tags = {tag for path in sources for tag in TAG.findall(path.read_text())}
    assert len(tags) > 100
    assert sorted(tag for tag in tags if told(tag) is None) == []
    assert told("core:thing:change") is None


def test_every_kind_of_work_has_words(app: Flask) -> None:
    own = {kind for kind, entry in jobs._kinds.items() if entry.handler.__module__.startswith("portal.")}
    assert own == set(KINDS)


def test_every_state_of_a_task_has_words() -> None:
    instant = datetime(2018, 1, 1, tzinfo=UTC)
    tasks = (
        jobs.Task(attempts=0),
        jobs.Task(attempts=1),
        jobs.Task(attempts=1, last_error="no"),
        jobs.Task(attempts=5, last_error="no", parked_at=instant),
        jobs.Task(attempts=1, done_at=instant),
    )
    states = [task.state for task in tasks]
    assert states == ["waiting", "running", "retrying", "parked", "done"]
    assert set(states) <= set(WORDS["job"])


def test_every_doer_that_is_no_person_has_words() -> None:
    names = set()
    for path in ROOT.rglob("*.py"):
        for plain, constant, whole in DOER.findall(path.read_text()):
            module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
            names.add(plain or whole or getattr(import_module(module), constant))
    assert names == set(DOERS)
    actor = system_actor("reserve")
    assert doer(actor.audit_id, actor.audit_name) == DOERS["reserve"]
    assert doer("user:1", "Anna") == "Anna"
    assert str(doer(ANONYMOUS.audit_id, "anonymous")) == "A visitor"
    assert doer("system:of_before", "of_before") == "of_before"

"""What the administrator reads of the trail and of background work has words."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

from portal.core import jobs
from portal.web.trail_words import KINDS, told

ROOT = Path(__file__).parents[2] / "portal"
TAG = re.compile(r'"([a-z_]+:[a-z_]+:[a-z_]+)"')
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

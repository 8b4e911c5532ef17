"""A process that writes a task must know its kind: the factory alone registers every handler."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HANDLER: Final = re.compile(r"^@(?:jobs\.)?handler\(", re.MULTILINE)
ASK: Final = """
import json, sys
from portal.app import create_app
create_app()
from portal.core.jobs import _kinds
print(json.dumps([sorted(_kinds), [name for name in ("highspy", "rq.worker_pool") if name in sys.modules]]))
"""


def test_the_factory_registers_every_handler(portal_environment: dict[str, str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=portal_environment, capture_output=True, text=True, check=True
    )
    kinds, heavy = json.loads(answer.stdout)
    written = [found for path in (ROOT / "portal").rglob("*.py") for found in HANDLER.findall(path.read_text())]
    assert len(kinds) == len(written) > 10
    assert {"find_similar", "score_submission", "send_letter"} <= set(kinds)
    assert heavy == [], "what only a worker needs is not loaded by the pages"

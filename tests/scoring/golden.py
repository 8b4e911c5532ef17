"""The digests of the demonstration's projects: ``python -m tests.scoring.golden`` prints them as JSON.

The same on every machine and version of Python; ``golden.json`` holds them. Needs neither database nor network.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Final

from portal.core.canonical import digest
from portal.demo.projects import PROJECTS
from portal.scoring.engine import Scorer
from portal.scoring.measuring import measure
from portal.tenders.rulebook import load_rulebook
from tests.factories.packages import marks, package

FILE: Final = Path(__file__).with_name("golden.json")


def digests() -> dict[str, str]:
    """Row of the demonstration -> digest of its score with two reviews; "all" is over all of them."""
    found = {}
    for row, project in sorted(PROJECTS.items()):
        rules = load_rulebook(project.track)
        known = measure(package(row=row), rules, date(2018, 9, 1))
        reviews = (marks("8", project.track), marks("6.5", project.track))
        found[row] = Scorer(rules).score(known, reviews).digest
    return found | {"all": digest(sorted(found.items()))}


if __name__ == "__main__":
    print(json.dumps(digests(), indent=1))

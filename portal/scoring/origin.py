"""What a result was computed with: the code, the libraries, the machine's Python."""

from __future__ import annotations

import decimal
import hashlib
import platform
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MODULES: Final = (
    "portal.core.canonical",
    "portal.core.figures",
    "portal.core.money",
    "portal.applications.drafts.reading",
    "portal.applications.figures.estimate",
    "portal.applications.figures.facts",
    "portal.applications.eligibility",
    "portal.applications.eligibility.case",
    "portal.applications.eligibility.parties",
    "portal.applications.eligibility.project",
    "portal.tenders.metrics",
    "portal.tenders.ruleset.model",
    "portal.tenders.ruleset.reading",
    "portal.tenders.ruleset.scales",
    "portal.review.calibration",
    "portal.review.mixed_model",
    "portal.review.rules",
    "portal.scoring.engine",
    "portal.scoring.measuring",
    "portal.scoring.scales",
    "portal.scoring.sheets",
    "portal.scoring.wording",
)
"""The modules that decide what a score is."""

SEED: Final = 0
"""No step of a run draws lots; the seed is kept so that a later one that does can be repeated."""

_LIBRARIES: Final = ("SQLAlchemy", "psycopg", "numpy")


@cache
def code_digest() -> str:
    """SHA-256 over the names and sources of :data:`MODULES`: figures computed by other code are not used again."""
    total = hashlib.sha256()
    for name in MODULES:
        found = find_spec(name)
        assert found is not None, name
        assert found.origin is not None, name
        total.update(name.encode() + b"\n" + Path(found.origin).read_bytes() + b"\n")
    return total.hexdigest()


def libraries(session: Session) -> dict[str, str]:
    """Name -> version of what the run was computed with."""
    return {
        "Python": platform.python_version(),
        "libmpdec": decimal.__libmpdec_version__,
        "PostgreSQL": str(session.scalar(text("show server_version"))),
        **{name: version(name) for name in _LIBRARIES},
    }

"""Where the problems of a draft are solved: the check or the score of an application, the run, the allocation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import g, url_for
from sqlalchemy import select

from portal.applications.models import Application
from portal.core.db import session
from portal.core.errors import Problem
from portal.identity.policy import Permission, scope
from portal.tenders.models import TenderTrack
from portal.web.templating import can

OF_APPLICATION: Final = "application."
SCORED: Final = frozenset({"not_scored", "asks_nothing"})
RUNS: Final = frozenset({"no_run", "running", "old_run"})
ALLOCATIONS: Final = frozenset({"no_allocation", "by_clock"})


def problem_links(track: TenderTrack, problems: Sequence[Problem]) -> dict[str, str]:
    """Field or code of a problem -> the page where it is solved, of those that the reader may open.

    One query where problems name applications; those of the other tracks of the tender too.
    """
    codes = {problem.code for problem in problems}
    links: dict[str, str] = {}
    if can(Permission.SCORE_VIEW):
        links |= {code: url_for("scoring.index") for code in codes & RUNS}
    links |= {code: url_for("allocations.track", tender_track_id=track.id) for code in codes & ALLOCATIONS}
    named = {problem.field: problem.code in SCORED for problem in problems if problem.field.startswith(OF_APPLICATION)}
    if not named or not can(Permission.APPLICATION_LIST_ALL):
        return links
    numbers = [field.removeprefix(OF_APPLICATION) for field in named]
    seen = scope(g.actor, Application).with_only_columns(Application.id)
    rows = session().execute(
        select(Application.id, Application.number).where(
            Application.tender_id == track.tender_id, Application.number.in_(numbers), Application.id.in_(seen)
        )
    )
    for key, number in rows:
        field = f"{OF_APPLICATION}{number}"
        page = "officer.score" if named[field] and can(Permission.SCORE_VIEW) else "officer.check"
        links[field] = url_for(page, application_id=key)
    return links

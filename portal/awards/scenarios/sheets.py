"""What scenarios need of the score sheets of a run, read once by each process.

The sheets of a run that has ended do not change. Reading them is most of what a page of the what-if room costs, so the
points and the gates of the runs that were looked at last are kept; a score of another digest is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards.scenarios.changes import Scored
from portal.core.language import Message
from portal.scoring.models import Score
from portal.scoring.sheets import told_gate

MOST: Final = 10_000
"""Sheets that are kept, about 2 KB each; the runs looked at longest ago go first, the last one stays."""
COLUMNS: Final[tuple[Any, ...]] = (Score.sheet["lines"].label("lines"), Score.sheet["gates"].label("gates"))
_PASSED: Final = (True, None)


class Sheet(NamedTuple):
    """``digest`` of the score; ``lines``: by criterion; ``gates``: all but that of the threshold."""

    digest: str
    lines: Mapping[str, Scored]
    gates: tuple[tuple[bool | None, Message | None], ...]


class Kept:
    """The sheets of some runs by submission. Threads share it: what is kept is never changed, only replaced."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._runs: OrderedDict[UUID, Mapping[UUID, Sheet]] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, run_id: UUID) -> bool:
        return run_id in self._runs

    def of(self, session: Session, run_id: UUID, rows: Iterable[Any]) -> Mapping[UUID, Sheet]:
        """The sheets of these scores of a run (``submission_id``, ``digest``, and :data:`COLUMNS` where the run is not
        kept yet), by submission; one statement where some of a kept run are not known, else none."""
        known = self._runs.get(run_id, {})
        lacking = []
        found: dict[UUID, Sheet] = {}
        for row in rows:
            held = known.get(row.submission_id)
            if held is not None and held.digest == row.digest:
                continue
            if hasattr(row, "lines"):
                found[row.submission_id] = _sheet(row)
            else:
                lacking.append(row.submission_id)
        if lacking:
            wanted = select(Score.submission_id, Score.digest, *COLUMNS).where(
                Score.run_id == run_id, Score.submission_id.in_(lacking)
            )
            found |= {row.submission_id: _sheet(row) for row in session.execute(wanted)}
        sheets = {**known, **found} if found else known
        self._keep(run_id, sheets)
        return sheets

    def _keep(self, run_id: UUID, sheets: Mapping[UUID, Sheet]) -> None:
        with self._lock:
            self._runs[run_id] = sheets
            self._runs.move_to_end(run_id)
            count = sum(len(each) for each in self._runs.values())
            while count > self._most and len(self._runs) > 1:
                count -= len(self._runs.popitem(last=False)[1])


KEPT: Final = Kept()


def _sheet(row: Any) -> Sheet:
    told = [told_gate(gate) for gate in row.gates if gate["code"] != "threshold"]
    return Sheet(
        digest=row.digest,
        lines={line["code"]: Scored(_number(line["points"]), _number(line["weighted"])) for line in row.lines},
        gates=tuple(_PASSED if gate.passed is True else (gate.passed, gate.reason) for gate in told),
    )


@lru_cache(maxsize=20_000)
def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

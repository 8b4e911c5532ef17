"""Finding similar projects: pairs a second in Python, and the whole work for a tender of 1,000 submissions.

``python -m benchmarks.similarity [submissions]`` (1,000): each is compared as it arrives, in one worker. A tenth are
another organisation's project with a third of its words changed; it is told how many of them were found.
"""

from __future__ import annotations

import random
import sys
import time
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import select

from benchmarks.support import environment, migrated
from portal.applications.models import Application
from portal.core.db import transaction
from portal.local import services
from portal.review import similar
from portal.review.models import SimilarPair
from portal.review.similarity import compare
from portal.review.traces import trace_of
from tests.factories import tenders
from tests.factories.packages import package
from tests.factories.submissions import submitted

WORDS = 60
COPIES = 10
PAIRS = 20_000
SYLLABLES = ("ра", "ко", "ми", "те", "ло", "на", "ви", "ста", "про", "вод", "ник", "ция", "ный", "ой", "ка", "мо", "ду")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    contents, copies = _contents(count, random.Random(20180831))
    _pure(contents)
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=False) as running:
        app = migrated(environment(running))
        with app.app_context():
            with transaction() as session:
                keys = submitted(session, tenders.open_tender(session), contents)
                rows = session.execute(select(Application.id, Application.submission_id)).all()
            latest = {row.id: row.submission_id for row in rows}
            compared, spent = 0, []
            for key in keys:
                begun = time.perf_counter()
                with transaction() as session:
                    compared += similar.find(session, latest[key] or key)
                spent.append(time.perf_counter() - begun)
            with transaction() as session:
                columns = select(SimilarPair.first_id, SimilarPair.second_id)
                pairs = {frozenset[UUID](row) for row in session.execute(columns)}
    seconds = sum(spent)
    found = sum(frozenset((keys[one], keys[other])) in pairs for one, other in copies)
    print(f"{count} submissions in {seconds:.1f} s: {seconds / count * 1000:.0f} ms each, slowest {max(spent):.2f} s")
    print(f"{compared} of {count * (count - 1) // 2} pairs compared, {compared / seconds:.0f} a second with the SQL")
    print(f"{len(pairs)} pairs kept; of {len(copies)} copies with a third of their words changed {found} found")


def _contents(count: int, chance: random.Random) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    """Packages of different organisations with random words; every tenth is a copy of an earlier one."""
    vocabulary = ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(3_000)]
    source = package()
    contents: list[dict[str, Any]] = []
    copies: list[tuple[int, int]] = []
    texts: list[list[str]] = []
    for number in range(count):
        words = chance.choices(vocabulary, k=WORDS)
        if number % COPIES == COPIES - 1:
            other = chance.randrange(number)
            copies.append((other, number))
            words = [own if chance.random() < 1 / 3 else held for own, held in zip(words, texts[other], strict=True)]
        texts.append(words)
        content = deepcopy(source)
        content["documents"] = []
        content["project"] |= {
            "name_ru": " ".join(words[:8]),
            "name_en": "",
            "product_name": " ".join(words[:4]),
            "summary": " ".join(words),
            "okpd2": f"28.{chance.randrange(11, 99)}.{chance.randrange(11, 99)}.110",
            "tn_ved": f"84{chance.randrange(10**7, 10**8)}",
        }
        for place, part in enumerate(content["participants"]):
            part["organisation"] = {**part["organisation"], "inn": f"{7_000_000_000 + number * 10 + place}"}
            part["costs"] = {"CC-04": {"2018": f"{chance.randrange(10**6, 10**8)}.{chance.randrange(10, 99)}"}}
        contents.append(content)
    return contents, copies


def _pure(contents: list[dict[str, Any]]) -> None:
    traces = [trace_of(content) for content in contents[:200]]
    begun, done = time.perf_counter(), 0
    while done < PAIRS:
        one, other = traces[done % len(traces)], traces[(done * 7 + 1) % len(traces)]
        compare(one, other)
        done += 1
    seconds = time.perf_counter() - begun
    print(f"comparing alone: {done / seconds:.0f} pairs a second")


if __name__ == "__main__":
    main()

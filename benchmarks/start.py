"""Cold start to the first answer, and memory of the web processes; the program is compiled, as ``make run`` leaves it.

``python -m benchmarks.start``: gunicorn with 2 workers on a migrated database; proportional set size where the
kernel tells it.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.support import CLIENTS, ROOT, environment, load, migrated, wait_for
from portal.local import services
from portal.local.prepare import compiled


def main() -> None:
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=False) as running:
        variables = environment(running)
        compiled()
        migrated(variables)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        for round_ in (1, 2, 3):
            start = time.monotonic()
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "-k",
                    "gthread",
                    "--threads",
                    "8",
                    "-w",
                    "2",
                    "--preload",
                    "-b",
                    place,
                    "--log-level",
                    "error",
                    "wsgi:app",
                ],
                cwd=ROOT,
                env={**os.environ, **variables, "MALLOC_ARENA_MAX": "2"},
            )
            wait_for(place)
            print(f"round {round_}: first answer after {time.monotonic() - start:.2f} s")
            if round_ == 3:
                load(place, "/", 5)
                print(f"after {CLIENTS} clients for 5 s: {_memory(process.pid):.0f} MB (master and 2 workers)")
            process.terminate()
            process.wait()


def _memory(master: int) -> float:
    children = subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True, check=False).stdout.split()
    total = 0.0
    for pid in [str(master), *children]:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert found is not None
        total += int(found[1]) / 1024
    return total


if __name__ == "__main__":
    main()

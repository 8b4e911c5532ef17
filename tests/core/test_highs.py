"""The solver says nothing, not even its banner."""

from __future__ import annotations

import subprocess
import sys


def test_a_solver_prints_nothing_and_what_was_printed_before_stays() -> None:
    code = "print('before'); from portal.core.highs import quiet_solver; quiet_solver().run(); print('after')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nafter\n"

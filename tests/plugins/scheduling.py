"""Which of xdist's workers gets which test: a file's tests stay together, the longest ones go one by one.

What the tests of a file ask and show alike is compiled, planned and read by one worker, not by all of them: a seventh
of the processor's time. xdist's own ``loadgroup`` does not see its groups under the present pytest.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

ALONE: Final = ("tests/journeys/", "tests/local/", "tests/fences/test_routes.py")
"""Where each test takes long enough to be worth a worker of its own."""


class FilesTogether(LoadScopeScheduling):
    """Units of work in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(ALONE) else nodeid.partition("::")[0]

    def _reschedule(self, node: Any) -> None:
        # A worker needs the next test to run the present one, and no more: what waits behind a long one is not run.
        if self._pending_of(self.assigned_work[node]) < 2 or not self.workqueue:
            super()._reschedule(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether | None:
    """For ``--dist loadscope --no-loadscope-reorder``."""
    return FilesTogether(config, log) if config.getvalue("dist") == "loadscope" else None

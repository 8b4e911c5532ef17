"""Each message that a view leaves for the next page says what it is; without a kind it is headed as a warning."""

from __future__ import annotations

import ast
from pathlib import Path


def test_messages_have_a_kind() -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted(Path("portal/web").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "flash" and len(node.args) < 2
    ]
    assert found == []

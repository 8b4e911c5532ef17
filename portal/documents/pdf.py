"""Paper: PDF from our own Typst templates; data goes in as JSON, never as source.

The same data gives the same bytes: no clock, no random identifiers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TEMPLATES: Final = Path(__file__).resolve().parent / "typst"


def render(template: str, data: Mapping[str, Any]) -> bytes:
    """Typeset ``typst/<template>.typ`` with ``data`` (plain JSON: texts, numbers, lists, objects)."""
    if not template.replace("_", "").isalnum():
        raise ValueError(template)
    # A compiler of its own: only who typesets loads it.
    import typst

    return typst.compile(
        str(TEMPLATES / f"{template}.typ"),
        root=str(TEMPLATES),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        ignore_system_fonts=True,
        timestamp=0,
        pdf_standards="a-2b",
    )

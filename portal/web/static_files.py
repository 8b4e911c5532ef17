"""Our style sheets, scripts and fonts under addresses that change with them.

The version is one for all files and stands in the path: what a script imports and a style sheet refers to is found
beside it, under the same version, so that browsers ask for none of it again (``url?v=`` versions only the first).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from flask import Flask, Response

_VERSIONED: Final = re.compile(r"(v-[0-9a-f]{12})/(.+)")


@cache
def version(folder: Path) -> str:
    """``v-`` and twelve digits over the names and contents of all files of a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return f"v-{total.hexdigest()[:12]}"


def init_static_files(app: Flask) -> None:
    """Serve ``/static/<version>/<file>`` too, to be kept for a year where it is the present version."""
    plain = app.send_static_file

    def send(filename: str) -> Response:
        found = _VERSIONED.fullmatch(filename)
        if found is None:
            return plain(filename)
        response = plain(found[2])
        if found[1] == version(Path(app.static_folder or "")):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    app.view_functions["static"] = send

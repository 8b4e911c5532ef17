"""Walking through the portal as somebody, and what is found on the way."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html import unescape
from typing import Final

from flask.testing import FlaskClient
from pypdf import PdfReader
from werkzeug.test import TestResponse

PUBLIC: Final = re.compile(r"^/(clusters|tenders|calendar|calculator|open|static|account|demo|mail|personal|$)")
"""Pages that everybody reads, and the way out."""
_KEY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_VALUE: Final = re.compile(r"=[^&]*")


def crawl(client: FlaskClient, *starts: str, limit: int = 60, language: str = "", once: bool = False) -> dict[str, str]:
    """Every page that is reached from ``starts`` by links of the same portal, breadth first, public ones left out.

    ``language``: in which one the first page is asked for, and with it all others. ``once``: of addresses that differ
    in keys and values only, one is enough, apart from those of ``starts``.
    """
    seen: dict[str, str] = {}
    shapes: set[str] = set()
    waiting = [f"{starts[0]}{'&' if '?' in starts[0] else '?'}lang={language}" if language else starts[0], *starts[1:]]
    while waiting and len(seen) < limit:
        path = waiting.pop(0)
        shape = _KEY.sub("*", _VALUE.sub("=", path))
        if path in seen or (once and shape in shapes and path not in starts):
            continue
        shapes.add(shape)
        answer = client.get(path)
        seen[path] = said(answer)
        found = re.findall(r'(?:href|action|src)="([^"#]+)', answer.text) if answer.mimetype == "text/html" else []
        targets = {unescape(link) for link in [*found, answer.headers.get("Location", "")]}
        links = (link for link in sorted(targets) if link.startswith("/") and not PUBLIC.match(link))
        waiting += [link for link in links if "lang=" not in link]
    return seen


def said(answer: TestResponse) -> str:
    """Headers and body of an answer; of files also what their readers show and what their properties say."""
    headers = " ".join(str(value) for _name, value in answer.headers)
    kind, data = answer.mimetype, answer.data
    if "json" in kind and data:
        return f"{headers}\n{json.dumps(json.loads(data), ensure_ascii=False)}"
    body = unescape(data.decode("utf-8" if kind.startswith("text/") else "latin-1", "replace"))
    if data.startswith(b"%PDF-"):
        paper = PdfReader(io.BytesIO(data))
        body += " ".join([str(paper.metadata), *(page.extract_text() for page in paper.pages)])
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            body += " ".join(f"{name} {archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist())
    return f"{headers}\n{body}"


def leaks(pages: dict[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    low = {path: f"{path}\n{body}".lower() for path, body in pages.items()}
    return [(path, secret) for path, body in low.items() for secret in secrets if secret.lower() in body]

"""What a database needs before the portal runs on it."""

from __future__ import annotations

import compileall
import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from sqlalchemy import text

from config import ROOT


def prepare() -> None:
    """Migrate to the newest revision; in demo mode fill a database that has no tender yet with the demo.

    The program is compiled once for all its processes, also where Python is told to keep no bytecode by itself.
    """
    compiled()
    from portal.app import create_app
    from portal.core.db import db
    from portal.schema import upgrade

    app = create_app()
    with app.app_context():
        upgrade()
        demo = _demo()
        if demo and hasattr(demo, "load") and os.environ.get("PORTAL_DEMO") == "1":
            with db.engine.connect() as connection:
                used = connection.scalar(text("select exists (select from tender)"))
            if not used:
                print("Loading the demo", flush=True)
                demo.load()


def compiled() -> None:
    """Keep the bytecode of our own modules beside them: a third of a cold start is reading half a thousand sources."""
    compileall.compile_dir(ROOT / "portal", quiet=2)


def sign_ins() -> list[str]:
    """The demo's sign-ins, a line each."""
    return [_line(entry) for entry in getattr(_demo(), "SIGN_INS", ())]


def _line(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    values = (
        entry.values() if isinstance(entry, dict) else vars(entry).values() if hasattr(entry, "__dict__") else entry
    )
    return "  ".join(str(value) for value in values)


def _demo() -> ModuleType | None:
    return import_module("portal.demo") if find_spec("portal.demo") else None

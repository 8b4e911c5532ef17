"""Pages: one module per topic, its forms on top; no rules here."""

from __future__ import annotations

import importlib
import pkgutil

from flask import Blueprint, Flask


def register_pages(app: Flask) -> None:
    """Register the blueprint ``pages`` of every module of this room that has one."""
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        blueprint = getattr(importlib.import_module(module.name), "pages", None)
        if isinstance(blueprint, Blueprint):
            app.register_blueprint(blueprint)

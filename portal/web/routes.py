"""Routes whose addresses are written by code that is made when the first one is wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.routing import Rule


class LateRule(Rule):
    """Werkzeug compiles two functions for each rule at once: for some hundred rules a fifth of a cold start, and a
    process writes the addresses of few."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build


def init_routes(app: Flask) -> None:
    """Before any route is added."""
    app.url_rule_class = LateRule

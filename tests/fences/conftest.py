"""The demo, for the table of routes."""

from tests.plugins.demo import demo, demo_app

__all__ = ["demo", "demo_app"]

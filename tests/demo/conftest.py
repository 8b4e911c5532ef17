"""The demo, loaded once."""

from tests.plugins.demo import demo, demo_app

__all__ = ["demo", "demo_app"]

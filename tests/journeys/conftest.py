"""Fixtures of the journeys."""

from tests.plugins.browser import chromium, site
from tests.plugins.demo import demo, demo_app

__all__ = ["chromium", "demo", "demo_app", "site"]

"""Fixtures of the journeys."""

from tests.plugins.browser import chromium, site

__all__ = ["chromium", "site"]

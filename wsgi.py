"""The web process: ``gunicorn --preload wsgi:app``."""

import gc
from importlib import import_module

from flask import Flask

# Nothing that is imported here becomes garbage: looking for it again and again is a tenth of a cold start.
gc.disable()
app: Flask = import_module("portal.app").create_app()
gc.enable()

# What was made at start lives as long as the process: out of the collector's sight it stays shared between forked
# workers, and a collection has only a request's own objects to look at.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)

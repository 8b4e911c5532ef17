"""The web process: ``gunicorn --preload wsgi:app``."""

import gc

from portal.app import create_app

app = create_app()

# What was made at start lives as long as the process: out of the collector's sight it stays shared between forked
# workers, and a collection has only a request's own objects to look at.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)

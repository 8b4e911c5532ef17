"""Benchmarks: each prints what it measured and ratios; run one with ``python -m benchmarks.NAME``."""

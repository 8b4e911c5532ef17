"""Rows and packages for tests: plain functions, one file per room."""

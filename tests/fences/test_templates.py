"""Templates compile, carry nothing that the content security policy forbids, and escape everything."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from jinja2 import nodes

ROOT: Final = Path(__file__).parents[2] / "templates"
TEMPLATES: Final = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.*") if path.suffix in (".html", ".txt"))
EXTENDS: Final = re.compile(r'{% extends "([^"]+)" %}')
FORBIDDEN: Final = {
    "marks text as safe": re.compile(r"\|\s*safe\b"),
    "switches escaping off": re.compile(r"autoescape\s+false"),
    "has an inline style": re.compile(r"\sstyle\s*=|<style\b", re.IGNORECASE),
    "has an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE),
    "has an inline handler": re.compile(r"\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "has a script as an address": re.compile(r"javascript:", re.IGNORECASE),
}


@cache
def source(name: str) -> str:
    return (ROOT / name).read_text()


@cache
def heirs() -> dict[str, list[str]]:
    """Which templates extend a template, by its name."""
    found: dict[str, list[str]] = {}
    for heir in TEMPLATES:
        for name in EXTENDS.findall(source(heir)):
            found.setdefault(name, []).append(heir)
    return found


_names: dict[str, tuple[set[str], set[str]]] = {}


def names_of(app: Flask, name: str) -> tuple[set[str], set[str]]:
    """What a template imports, and what it reads."""
    if name not in _names:
        tree = app.jinja_env.parse(source(name))
        imports = [item for statement in tree.find_all(nodes.FromImport) for item in statement.names]
        imported = {item[1] if isinstance(item, tuple) else item for item in imports}
        _names[name] = imported, {found.name for found in tree.find_all(nodes.Name) if found.ctx == "load"}
    return _names[name]


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_compiles(app: Flask, name: str) -> None:
    app.jinja_env.compile(source(name), name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_has_nothing_that_the_policy_forbids(name: str) -> None:
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(source(name))] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_imports_nothing_in_vain(app: Flask, name: str) -> None:
    """What a template imports is used by it, or by one that extends it."""
    imported, _ = names_of(app, name)
    used = {read for each in (name, *heirs().get(name, ())) for read in names_of(app, each)[1]}
    assert sorted(imported - used) == []

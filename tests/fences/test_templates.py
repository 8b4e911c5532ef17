"""Templates compile, carry nothing that the content security policy forbids, and escape everything."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from flask import Flask
from jinja2 import Environment, TemplateError, nodes

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


@cache
def tree(environment: Environment, name: str) -> nodes.Template:
    return environment.parse(source(name), name)


def imported(environment: Environment, name: str) -> set[str]:
    """What a template imports."""
    imports = [item for statement in tree(environment, name).find_all(nodes.FromImport) for item in statement.names]
    return {item[1] if isinstance(item, tuple) else item for item in imports}


@cache
def read(environment: Environment, name: str) -> set[str]:
    """What a template reads."""
    return {found.name for found in tree(environment, name).find_all(nodes.Name) if found.ctx == "load"}


# In one pass each: a test of its own for each of the templates costs as much as what it asks.


def test_they_compile(shared_app: Flask) -> None:
    environment, faults = shared_app.jinja_env, []
    for name in TEMPLATES:
        try:
            # Compiled once for all workers. What is kept from an earlier session may name a filter that has gone since.
            environment.get_template(name)
            for kind, known in ((nodes.Filter, environment.filters), (nodes.Test, environment.tests)):
                unknown = {found.name for found in tree(environment, name).find_all(kind)} - known.keys()
                faults += [f"{name}: {kind.__name__.lower()} {one} is not known" for one in sorted(unknown)]
        except TemplateError as error:
            faults.append(f"{name}: {error}")
    assert not faults, "\n".join(faults)


def test_they_have_nothing_that_the_policy_forbids() -> None:
    faults = [
        f"{name} {what}" for name in TEMPLATES for what, pattern in FORBIDDEN.items() if pattern.search(source(name))
    ]
    assert not faults, "\n".join(faults)


def test_they_import_nothing_in_vain(shared_app: Flask) -> None:
    """What a template imports is used by it, or by one that extends it."""
    environment, faults = shared_app.jinja_env, []
    for name in TEMPLATES:
        used = {each for heir in (name, *heirs().get(name, ())) for each in read(environment, heir)}
        faults += [f"{name} imports {unused}" for unused in sorted(imported(environment, name) - used)]
    assert not faults, "\n".join(faults)

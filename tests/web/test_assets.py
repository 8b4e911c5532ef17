"""What is taken from npm keeps neither government marks nor the name of a registry."""

from __future__ import annotations

import json

from portal.web.assets import ROOT, without_government_marks


def test_font_and_crest_of_gov_uk_are_removed() -> None:
    style = (
        '@charset "UTF-8";.a{top:1px}/*! (c) */@font-face{font-family:GDS Transport;src:url(/x.woff2)}'
        ".b{font-family:GDS Transport,arial}.c{background:url(/assets/images/govuk-crest.svg)}.d{top:0}"
    )
    assert without_government_marks(style) == (
        '@charset "UTF-8";.a{top:1px}.b{font-family:"Golos Text Variable",arial}.d{top:0}'
    )


def test_lock_file_names_no_registry() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert all("integrity" in entry for name, entry in packages.items() if name)

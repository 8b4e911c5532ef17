"""Names of files."""

from __future__ import annotations

import pytest

from portal.documents.kinds import CSV, JPEG, PDF, XLSX
from portal.documents.names import MAX_STEM, clean


@pytest.mark.parametrize(
    ("given", "content_type", "kept"),
    [
        ("Устав.pdf", PDF, "Устав.pdf"),
        ("../../etc/passwd", PDF, "passwd.pdf"),
        ("C:\\Users\\demo\\план работ.PDF", PDF, "план работ.pdf"),
        ("a\x00b\r\nc.pdf", PDF, "abc.pdf"),
        ("invoice\u202efdp.exe", PDF, "invoicefdp.exe.pdf"),
        ("zero\u200bwidth\ufeff.csv", CSV, "zerowidth.csv"),
        ("table.pdf", XLSX, "table.xlsx"),
        ("scan.jpeg", JPEG, "scan.jpeg"),
        ("scan", JPEG, "scan.jpg"),
        ("..", PDF, "file.pdf"),
        ("", PDF, "file.pdf"),
        (".pdf", PDF, "file.pdf"),
        (" . hidden .pdf", PDF, "hidden.pdf"),
        ('a<b>:"|?*%.pdf', PDF, "a_b_______.pdf"),
        ("non\u00a0breaking\u2003space.pdf", PDF, "non breaking space.pdf"),
        ("lone\ud800surrogate.pdf", PDF, "lonesurrogate.pdf"),
        ("й.pdf", PDF, "й.pdf"),
    ],
)
def test_names_are_made_harmless(given: str, content_type: str, kept: str) -> None:
    assert clean(given, content_type) == kept


def test_long_names_are_cut_and_keep_their_extension() -> None:
    assert clean("я" * 5000 + ".pdf", PDF) == "я" * MAX_STEM + ".pdf"

"""Uploads as attackers and accidents make them, from a seed: the same number gives the same case."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from portal.documents.service import MAX_SIZE
from tests.documents import samples

NAMES: Final = (
    "plan.pdf", "../../etc/passwd", "..\\..\\windows\\system32\\a.pdf", "invoice\u202efdp.exe", "a\r\nb: c.pdf",
    "я" * 5000 + ".pdf", "CON", "....", " ", ".pdf", "/", "\u200b.pdf", "<script>alert(1)</script>.pdf", "%00.pdf",
    'quo"te\\.pdf', "=cmd|' /C calc'!A0.pdf", "a.pdf/../b.pdf", "пла\u0301н.pdf", "\U0001f4c4.pdf", "nul:.pdf",
    "{{ 7*7 }}.pdf", "%s%n%x.pdf", "file:///etc/passwd", "C:\\a.pdf", "-rf.pdf", "\u2066x\u2069.pdf",
)  # fmt: skip
DATES: Final = ("yesterday", "31.12.2999", "32.13.2018", "9" * 5000, "31.02.2018", "0000-00-00", "1e9")
SIGNATURES: Final = (
    b"MZ\x90\x00", b"\x7fELF", b"GIF89a", b"Rar!\x1a\x07\x01\x00", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BM",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xca\xfe\xba\xbe", b"#!/bin/sh\n\x00", b"OggS", b"\x00asm",
    b"SQLite format 3\x00", b"{\\rtf1 \x00", b"II*\x00", b"\x00\x00\x00\x18ftypmp42",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is sent: content, name, the fields of the form, and, of an upload in parts, in what it lies."""

    kind: str
    data: bytes
    name: str
    issued_on: str = ""
    code: str = "DOC-02"
    lie: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def case(number: int) -> Case:
    """Case ``number``; each is refused by a door that works."""
    dice = random.Random(number)
    kind = dice.choice(list(KINDS))
    return KINDS[kind](dice, kind)


def _noise(dice: random.Random, most: int = 4000) -> bytes:
    return dice.randbytes(dice.randrange(1, most))


def _plain(make: Callable[[random.Random], bytes]) -> Callable[[random.Random, str], Case]:
    return lambda dice, kind: Case(kind, make(dice), dice.choice(NAMES))


def _truncated(dice: random.Random) -> bytes:
    whole = dice.choice((samples.PDF, docx(), samples.PNG, samples.JPEG, samples.xlsx([["a"]])))
    return whole[: dice.randrange(0, len(whole) - 8)]


def _wrong_type(dice: random.Random) -> bytes:
    return dice.choice(SIGNATURES) + _noise(dice)


def _other_document(dice: random.Random) -> bytes:
    return dice.choice((samples.PNG, samples.JPEG, samples.XML, samples.csv("a;b\r\n1;2"), samples.xlsx([["a"]])))


def _nested(dice: random.Random) -> bytes:
    inner = samples.archive(("a.txt", b"a")) if dice.random() < 0.5 else b"MZ" + _noise(dice)
    name = dice.choice(
        ("word/in.zip", "word/in.rar", "in.7z", "word/run.exe", "x.js", "word/a.lnk", "a/b.ps1", "in.jar")
    )
    return samples.docx((name, inner))


def _tricks_inside(dice: random.Random) -> bytes:
    name = dice.choice(("../../x.xml", "/etc/passwd", "C:/x.xml", "a\\..\\..\\x", "word/vbaProject.bin", "a" * 500))
    return samples.docx((name, b"x"))


def _bomb(dice: random.Random) -> bytes:
    way = dice.randrange(4)
    data = bytearray(docx())
    if way == 0:
        return bomb()
    if way == 1:
        end = data.rfind(b"PK\x05\x06")
        data[end + 8 : end + 12] = b"\xff\xff\xff\xff"
    elif way == 2:
        place = data.rfind(b"PK\x01\x02")
        data[place + 24 : place + 28] = struct.pack("<I", 0xF000_0000)
    else:
        place = data.rfind(b"PK\x01\x02")
        data[place + 8] |= 1
    return bytes(data)


def _flipped_archive(dice: random.Random) -> bytes:
    """The directory or the list of parts of an office file, spoiled."""
    data = bytearray(docx())
    end = data.rfind(b"PK\x05\x06")
    data[end : end + 4] = dice.randbytes(4)
    return bytes(data) if b"PK\x05\x06" not in data else b"PK\x03\x04" + _noise(dice)


def _not_office(dice: random.Random) -> bytes:
    return samples.archive(*((f"{n}.txt", _noise(dice, 50)) for n in range(dice.randrange(0, 5))))


def _locked(dice: random.Random) -> bytes:
    spaces = b" " * dice.randrange(0, 3)
    return samples.PDF.replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt" + spaces + b" 5 0 R")


def _polyglot(dice: random.Random) -> bytes:
    return dice.choice(
        (
            b"<html><script>alert(1)</script>" + samples.PDF,
            samples.PDF + samples.archive(("a.txt", b"a")),
            b"GIF89a/*" + samples.PDF,
            b"\xff\xd8\xff\xe0" + samples.PDF,
            samples.archive(("a.pdf", samples.PDF)),
            b"MZ" + b"\x00" * 58 + samples.PDF,
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            b"%PDF-1.7\n<html>" + _noise(dice).replace(b"%%EOF", b""),
        )
    )


def _noisy(dice: random.Random) -> bytes:
    return b"\x00\x98\xff" + _noise(dice)


def _bad_date(dice: random.Random, kind: str) -> Case:
    return Case(kind, samples.PDF, "plan.pdf", issued_on=dice.choice(DATES))


def _bad_code(dice: random.Random, kind: str) -> Case:
    code = dice.choice(
        ("", "DOC-01", "DOC-12", "DOC-99", "../DOC-02", "Q-99", "doc-02", "'; drop table", "DOC-02\u202e")
    )
    return Case(kind, samples.PDF, "plan.pdf", code=code)


def _huge(dice: random.Random, kind: str) -> Case:
    return Case(kind, b"%PDF-1.7\n", "plan.pdf", lie=str(dice.choice((MAX_SIZE + 1, 2**31, 2**40, 10**15, 10**40))))


def _lying(dice: random.Random, kind: str) -> Case:
    lie = dice.choice(
        ("hash", "offset", "longer", "shorter", "replay", "part hash", "size text", "hash text", "tiny part")
    )
    return Case(kind, _padded(samples.PDF, 150_000 + dice.randrange(1000)), dice.choice(NAMES), lie=lie)


def _padded(data: bytes, size: int) -> bytes:
    return data.replace(b"\n%%EOF", b"\n%" + b"x" * (size - len(data)) + b"\n%%EOF")


@cache
def docx() -> bytes:
    """A whole Word document."""
    return samples.docx()


@cache
def bomb() -> bytes:
    """Fifty megabytes of nothing, in fifty kilobytes."""
    return samples.docx(("word/media/image1.xml", b"\x00" * (50 * 1024 * 1024)))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


KINDS: Final[dict[str, Callable[[random.Random, str], Case]]] = {
    "empty": _plain(lambda dice: b""),
    "truncated": _plain(_truncated),
    "wrong type": _plain(_wrong_type),
    "another document": _plain(_other_document),
    "nested": _plain(_nested),
    "tricks inside": _plain(_tricks_inside),
    "bomb": _plain(_bomb),
    "spoiled archive": _plain(_flipped_archive),
    "no office file": _plain(_not_office),
    "locked": _plain(_locked),
    "polyglot": _plain(_polyglot),
    "noise": _plain(_noisy),
    "bad date": _bad_date,
    "bad code": _bad_code,
    "huge": _huge,
    "lying": _lying,
}

"""Pictures without their properties, pixel for pixel what they were.

JPEG (ITU-T T.81, annex B): of the application segments JFIF, the colour profile and Adobe's marker stay, and of Exif
the orientation, without which a photograph would lie on its side. PNG (ISO/IEC 15948): what is needed to draw it stays.
"""

from __future__ import annotations

import struct
from typing import Final

from portal.documents.stripper.common import CannotStrip

PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"
JPEG_HEAD: Final = b"\xff\xd8"
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"bKGD"}
)
_COMMENT, _APP0, _APP1, _APP2, _APP14, _APP15, _SCAN, _END = 0xFE, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xDA, 0xD9
_ORIENTATION: Final = 0x0112


def png(content: bytes) -> bytes:
    """A PNG of the chunks that draw it. Raises :class:`CannotStrip`."""
    kept, place = [PNG_HEAD], len(PNG_HEAD)
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        name, end = content[place + 4 : place + 8], place + 12 + length
        if end > len(content):
            break
        if name in _PNG_KEPT:
            kept.append(content[place:end])
        if name == b"IEND":
            return b"".join(kept)
        place = end
    raise CannotStrip("damaged")


def jpeg(content: bytes) -> bytes:
    """A JPEG without comments and segments that say who, where and with what. Raises :class:`CannotStrip`."""
    kept, place = [JPEG_HEAD], 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            break
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == _SCAN:
            end = content.rfind(b"\xff\xd9", place)
            if end < 0:
                break
            return b"".join([*kept, _scans(content, place)])
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        segment = content[place : place + 2 + length]
        kept.append(_kept(marker, segment))
        place += 2 + length
    raise CannotStrip("damaged")


def _scans(content: bytes, place: int) -> bytes:
    """From the first scan to the end of this picture: what follows (a preview, another picture) is left out."""
    start = place
    while place + 1 < len(content):
        found = content.find(b"\xff", place)
        if found < 0 or found + 1 >= len(content):
            break
        marker = content[found + 1]
        if marker == _END:
            return content[start : found + 2]
        if marker == _COMMENT or _APP0 <= marker <= _APP15:
            break  # between scans they are legal and nobody writes them
        place = found + 1 if marker == 0xFF else found + 2
    raise CannotStrip("damaged")


def _kept(marker: int, segment: bytes) -> bytes:
    body = segment[4:]
    if marker == _APP1:
        return _exif(_orientation(body))
    if marker == _COMMENT or (_APP0 < marker <= _APP15 and marker != _APP14):
        return segment if marker == _APP2 and body.startswith(b"ICC_PROFILE\0") else b""
    if marker == _APP0:
        return segment[:2] + struct.pack(">H", 16) + body[:12] + b"\0\0" if body.startswith(b"JFIF\0") else b""
    return segment


def _orientation(body: bytes) -> int:
    """The orientation that an Exif segment gives, 1 to 8; 1 where it gives none."""
    if not body.startswith(b"Exif\0\0"):
        return 1
    tiff = body[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return 1
    (first,) = struct.unpack(order + "I", tiff[4:8])
    if first + 2 > len(tiff):
        return 1
    (count,) = struct.unpack(order + "H", tiff[first : first + 2])
    for number in range(count):
        entry = tiff[first + 2 + 12 * number : first + 14 + 12 * number]
        if len(entry) == 12 and struct.unpack(order + "H", entry[:2])[0] == _ORIENTATION:
            value = int(struct.unpack(order + "H", entry[8:10])[0])
            return value if 1 <= value <= 8 else 1
    return 1


def _exif(orientation: int) -> bytes:
    """An Exif segment that gives nothing but the orientation; none for an upright picture."""
    if orientation == 1:
        return b""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body

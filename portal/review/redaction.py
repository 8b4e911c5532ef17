"""What a reviewer reads of an application where the rules hide who applies. Pure; the one place that redacts.

Organisations are "Participant 1", the initiator first; their identifiers, the cluster's name, mail and web addresses,
telephone numbers and the names of the portal's people are replaced wherever they stand in a text; files are called
by their document: "DOC-02 participant 1.pdf". Files themselves are the business of :mod:`portal.review.blind_copies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from portal.core.language import N_, Message, render

KEPT: Final = frozenset({"id", "okved2", "region", "sme", "headcount", "state_share", "large_share", "offshore_share"})
"""What of an organisation tells its size and trade, but not its name."""
PLAIN: Final = frozenset({"id", "file_id", "sha256", "code", "format", "track", "role"})
"""Keys whose values are codes of the portal's own."""
LEAST: Final = 4
"""Shorter words are no names that could be looked for."""

_HIDDEN: Final = N_("[hidden]")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS: Final = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:ru|com|org|net|su|рф|info|biz)\b(?:/\S*)?", re.IGNORECASE
)
_PHONE: Final = re.compile(r"(?<![\d.,])(?:\+7|8)[\s(-]*\d{3,5}[\s)-]*\d{1,3}(?:[\s-]*\d{2}){1,3}(?![\d.,]*\d)")
_FIGURE: Final = re.compile(r"[-+\d\s.,]*")
_CYRILLIC: Final = re.compile(r"([а-я]{3,}?[а-я])[аеиоуыьюяй]?(?![а-я])")
_STEM: Final = re.compile(r"[а-я]{4,}")
_QUOTED: Final = re.compile(r"[«\"“„]([^»\"”“]+)[»\"”]")
_FORMS: Final = re.compile(
    r"^(?:ООО|АО|ПАО|ЗАО|ОАО|НПО|НПП|АНО|ИП|ФГУП|LLC|JSC|PJSC|CJSC|OJSC|Ltd\.?|Inc\.?)\s+"
    r"|,?\s+(?:LLC|JSC|PJSC|CJSC|OJSC|Ltd\.?|Inc\.?)$"
)


class Redaction:
    """The redaction of one application, in the reader's language ('ru' or 'en').

    ``package`` is the frozen one; ``clusters`` more names of its cluster, ``people`` names and addresses of the
    participants' people, as far as the portal knows them.
    """

    def __init__(
        self, package: Mapping[str, Any], locale: str, *, clusters: Iterable[str] = (), people: Iterable[str] = ()
    ) -> None:
        self._package, self._locale = package, locale
        self._parts: Sequence[Mapping[str, Any]] = package.get("participants") or ()
        found: dict[str, str] = {}
        for place, part in enumerate(self._parts, start=1):
            for word in _names(part.get("organisation") or {}):
                found.setdefault(_folded(word), self.label(place))
        cluster = package.get("cluster") or {}
        for word in (str(cluster.get("name_ru") or ""), str(cluster.get("name_en") or ""), *clusters):
            if word:
                found.setdefault(_folded(word), self._say(N_("[cluster]")))
        for word in people:
            if len(word) >= LEAST:
                found.setdefault(_folded(word), self._say(_HIDDEN))
        self._found = frozenset(found)
        self._known = [
            (re.compile(_pattern(word), re.IGNORECASE), found[word]) for word in sorted(found, key=len, reverse=True)
        ]

    def label(self, place: int) -> str:
        """What the participant at a place (from 1) is called."""
        return self._say(N_("Participant %(number)s", number=place))

    @property
    def labels(self) -> list[str]:
        """All participants, the initiator first, as they are called."""
        return [self.label(place) for place in range(1, len(self._parts) + 1)]

    def text(self, text: str) -> str:
        """A text without what tells who wrote it."""
        for known, label in self._known:
            text = known.sub(label, text)
        hidden = self._say(_HIDDEN)
        for pattern in (_MAIL, _ADDRESS):
            text = pattern.sub(hidden, text)
        return _PHONE.sub(lambda match: hidden if _is_phone(match.group()) else match.group(), text)

    def named(self, text: str) -> list[str]:
        """What of a text tells who wrote it, each once, as it stands there: names, and addresses of mail."""
        found: list[str] = []
        for known, _label in self._known:  # the longest first: what it holds is not told again
            match = known.search(text)
            if match and not any(match.group() in word for word in found):
                found.append(match.group())
        return list(dict.fromkeys(found + _MAIL.findall(text)))

    def message(self, message: Message | None) -> Message | None:
        """A sentence in the reader's language without it; None stays."""
        return None if message is None else Message("%(text)s", {"text": self.text(render(message, self._locale))})

    def package(self) -> dict[str, Any]:
        """The whole package without it."""
        redacted: dict[str, Any] = self._walk({k: v for k, v in self._package.items() if k != "participants"})
        redacted["cluster"] = {"id": "", "name_ru": self._say(N_("[cluster]")), "name_en": self._say(N_("[cluster]"))}
        redacted["documents"] = self._files(self._package.get("documents"), None)
        redacted["participants"] = [self._part(part, place) for place, part in enumerate(self._parts, start=1)]
        return redacted

    def file_name(self, file_id: str, name: str) -> str:
        """What a frozen file is called for the reader: the document, the participant, the kind of file."""
        for place, held in enumerate((self._package, *self._parts)):
            given = held.get("documents")
            for number, item in enumerate(given or (), start=1):
                if str(item.get("file_id")) == file_id:
                    return self._file_name(item, place or None, number)
        return self._file_name({"name": name, "code": ""}, None, 1)

    def _part(self, part: Mapping[str, Any], place: int) -> dict[str, Any]:
        redacted: dict[str, Any] = self._walk({k: v for k, v in part.items() if k != "organisation"})
        held = part.get("organisation") or {}
        name = self.label(place)
        redacted["organisation"] = {
            **{key: value for key, value in held.items() if key in KEPT},
            **dict.fromkeys(("inn", "kpp", "ogrn"), "—"),
            "name_ru": name,
            "name_en": name,
        }
        redacted["documents"] = self._files(part.get("documents"), place)
        return redacted

    def _files(self, given: Any, place: int | None) -> list[dict[str, Any]]:
        return [
            {**item, "name": self._file_name(item, place, number)} for number, item in enumerate(given or (), start=1)
        ]

    def _file_name(self, item: Mapping[str, Any], place: int | None, number: int) -> str:
        suffix = PurePath(str(item.get("name") or "")).suffix.lower()
        suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
        whose = self._say(N_("participant %(number)s", number=place)) if place else self._say(N_("project"))
        return f"{item.get('code') or ''} {whose} {number}{suffix}".strip()

    def _walk(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: inner if key in PLAIN else self._walk(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(inner) for inner in value]
        if isinstance(value, str) and (_folded(value) in self._found or not _FIGURE.fullmatch(value)):
            return self.text(value)
        return value

    def _say(self, message: Message) -> str:
        return render(message, self._locale)


class Peers:
    """What reviewers write to one another, without names and addresses of mail of ``people``: they are numbers there.

    ``blind``: the redaction of the case where it is hidden who applies too.
    """

    def __init__(self, people: Iterable[str], locale: str, blind: Redaction | None = None) -> None:
        self._blind, self._hidden = blind, render(_HIDDEN, locale)
        words = sorted({word for word in people if len(word) >= LEAST}, key=len, reverse=True)
        self._known = [re.compile(each, re.IGNORECASE) for word in words for each in _person(word)]

    def text(self, text: str) -> str:
        """A text without them."""
        for known in self._known:
            text = known.sub(self._hidden, text)
        return self._blind.text(text) if self._blind else text


def _person(word: str) -> Iterator[str]:
    """A name in any case, and each of its long words beside initials: "Ivanov I. I.", "I. I. Ivanov"."""
    parts = _folded(word).split()
    yield r"\s+".join(f"{each[:-2]}[а-яё]{{0,5}}" if _STEM.fullmatch(each) else re.escape(each) for each in parts)
    initials = r"[^\W\d_]\.\s?(?:[^\W\d_]\.)?"
    for part in word.split() if "@" not in word else ():
        if len(part) >= LEAST and part.isalpha():
            name = _pattern(_folded(part))
            yield rf"\b(?:{name}\s{initials}|{initials}\s?{name})"


def _names(organisation: Mapping[str, Any]) -> Iterator[str]:
    """The names and identifiers of an organisation, whole, without the legal form, and what stands in quotes."""
    for key in ("inn", "kpp", "ogrn"):
        if organisation.get(key):
            yield str(organisation[key])
    for key in ("name_ru", "name_en"):
        name = str(organisation.get(key) or "").strip()
        yield from (word for word in (name, _FORMS.sub("", name), *_QUOTED.findall(name)) if len(word) >= LEAST)


def _is_phone(text: str) -> bool:
    """Eleven digits, as a Russian number has them: sums of money have fewer."""
    return sum(character.isdigit() for character in text) == 11


def _folded(word: str) -> str:
    return re.sub(r"\s+", " ", word.strip().lower().replace("ё", "е"))


def _pattern(word: str) -> str:
    """The word wherever it stands: with any blanks and Russian endings, ё as е; numbers not inside longer ones."""
    if word.isdigit():
        return rf"(?<!\d){word}(?!\d)"
    parts = (_CYRILLIC.sub(_any_ending, re.escape(part)) for part in word.split())
    return r"\s+".join(parts).replace("е", "[её]")


def _any_ending(match: re.Match[str]) -> str:
    return f"{match[1]}[а-яё]{{0,3}}"

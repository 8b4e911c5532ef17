"""The small words that all parts of a rule set are written with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the rule set in both languages."""

    ru: str
    en: str

    def __getitem__(self, locale: str) -> str:
        return self.ru if locale == "ru" else self.en

    def both(self) -> dict[str, str]:
        return {"ru": self.ru, "en": self.en}


class Giver(StrEnum):
    """Who gives a document or an answer: the initiator for the project, or each participant for itself."""

    PROJECT = "project"
    EACH = "each"

"""Blank forms of documents, filled in as far as the portal knows: to print, sign, scan and attach.

The texts follow the official list (DOC-07, 09, 13, 20) and article 78 of the Budget Code for the consent; the
register of costs (DOC-16) is a table to fill in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from portal.applications.following.dossier import Dossier
from portal.applications.models import Participant
from portal.core.language import N_, Message, render
from portal.documents.kinds import DOCX, XLSX
from portal.documents.sheets import as_xlsx
from portal.documents.word import Look, Paragraph, as_docx

LINE: Final = "________________________"


@dataclass(frozen=True, slots=True)
class Blank:
    """A form as a file."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes sentences in one language about one application and, where it is one's own, one participant."""

    dossier: Dossier
    part: Participant
    locale: str

    def say(self, message: Message, look: Look = Look.TEXT) -> Paragraph:
        return Paragraph(render(message, self.locale), look)

    def name(self, thing: object) -> str:
        other = "en" if self.locale == "ru" else "ru"
        return str(getattr(thing, f"name_{self.locale}") or getattr(thing, f"name_{other}"))

    @property
    def title(self) -> str:
        application = self.dossier.application
        texts = (application.title_ru, application.title_en)
        return (texts[0] or texts[1] if self.locale == "ru" else texts[1] or texts[0]) or LINE

    @property
    def who(self) -> str:
        return self.details(self.part)

    def details(self, part: Participant) -> str:
        row = part.organisation
        return render(
            N_(
                "%(name)s (INN %(inn)s, OGRN %(ogrn)s)", name=self.name(row), inn=row.inn or LINE, ogrn=row.ogrn or LINE
            ),
            self.locale,
        )

    def signature(self) -> Paragraph:
        return self.say(N_("Head: %(line)s / %(line)s /\nDate: %(line)s", line=LINE))


def _agreement(write: _Writer) -> Iterator[Paragraph]:
    initiator = write.dossier.initiator
    yield write.say(N_("Agreement of the participants of a joint project"), Look.TITLE)
    yield write.say(N_("Project: %(title)s.", title=write.title))
    yield write.say(N_("The participants of the project:"))
    for number, part in enumerate(write.dossier.accepted, start=1):
        yield Paragraph(f"{number}. {write.details(part)}")
    yield write.say(N_("have agreed as follows."))
    yield write.say(
        N_(
            "1. The participants carry out the project together, each its own part by the calendar plan and the"
            " estimate of the application, and answer each for its own part."
        )
    )
    yield write.say(
        N_(
            "2. %(name)s is the initiator: it files the application in the tender, corrects and withdraws it, and"
            " speaks for the participants with the fund.",
            name=write.name(initiator.organisation),
        )
    )
    yield write.say(N_("3. The agreement holds until the obligations of the project are fulfilled."))
    for part in write.dossier.accepted:
        yield Paragraph(f"{write.name(part.organisation)}:")
        yield write.signature()


def _letter_of_fit(write: _Writer) -> Iterator[Paragraph]:
    cluster = write.dossier.application.cluster
    yield write.say(N_("Letterhead of the specialised organisation of the cluster"), Look.RIGHT)
    yield write.say(N_("Letter of conformity"), Look.TITLE)
    yield write.say(
        N_(
            "We confirm that the joint project %(title)s corresponds to the development programme and to the functional"
            " map of the cluster %(cluster)s. Its participants, members of the cluster, are:",
            title=write.title,
            cluster=write.name(cluster),
        )
    )
    for number, part in enumerate(write.dossier.accepted, start=1):
        yield Paragraph(f"{number}. {write.details(part)}")
    yield write.signature()


def _certificate_of_head(write: _Writer) -> Iterator[Paragraph]:
    yield write.say(N_("Certificate of the head"), Look.TITLE)
    yield write.say(
        N_(
            "%(who)s states as a participant of the joint project %(title)s, as of the day of the application:",
            who=write.who,
            title=write.title,
        )
    )
    for number, declaration in enumerate(write.dossier.rules.declarations, start=1):
        yield Paragraph(f"{number}. {declaration.statement[write.locale]}")
    yield write.signature()


def _consent(write: _Writer) -> Iterator[Paragraph]:
    yield write.say(N_("Consent to publication and inspections"), Look.TITLE)
    yield write.say(
        N_(
            "%(who)s, a participant of the joint project %(title)s, agrees that its name, the title of the project"
            " and the amount of the support are published,",
            who=write.who,
            title=write.title,
        )
    )
    yield write.say(
        N_(
            "and that the Ministry, the fund and the bodies of state financial control inspect whether the conditions,"
            " the aims and the order of the subsidy are kept (article 78 of the Budget Code of the Russian Federation)."
        )
    )
    yield write.signature()


_LETTERS: Final[Mapping[str, Callable[[_Writer], Iterator[Paragraph]]]] = {
    "DOC-07": _agreement,
    "DOC-09": _letter_of_fit,
    "DOC-13": _certificate_of_head,
    "DOC-20": _consent,
}
_REGISTER: Final = "DOC-16"
_REGISTER_COLUMNS: Final = (
    N_("No."),
    N_("Cost category"),
    N_("Supplier"),
    N_("Supplier's INN"),
    N_("Contract: number and date"),
    N_("Invoice or act: number and date"),
    N_("Amount, roubles"),
    N_("Payment order: number and date"),
    N_("File"),
)


def has_blank(code: str) -> bool:
    """Whether the portal has a form for a document."""
    return code in _LETTERS or code == _REGISTER


def blank(dossier: Dossier, part: Participant, code: str, locale: str) -> Blank:
    """The form of a document for a participant; of the project's documents, whoever asks. Raises ``KeyError``."""
    if code == _REGISTER:
        header = [render(column, locale) for column in _REGISTER_COLUMNS]
        rows = [["", f"{item.code} {item.title[locale]}"] + [""] * 7 for item in dossier.rules.categories]
        return Blank(f"{code}.xlsx", XLSX, as_xlsx([header, *rows]))
    write = _LETTERS[code]
    return Blank(f"{code}.docx", DOCX, as_docx(write(_Writer(dossier, part, locale))))

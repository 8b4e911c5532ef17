"""Russian identifiers and classifier codes: shape, check digits, and what to do when they are wrong.

Every ``check_...`` takes what a person typed, drops spaces of all kinds and returns the code in the one form
in which it is kept; otherwise it raises :class:`IdentifierError`. Only ASCII digits and letters are taken.

Sources: INN by python-stdnum; account keys by the procedure of the Bank of Russia of 08.09.1997 No 515;
SNILS by the Pension Fund's rule; OKVED 2 is OK 029-2014, OKPD 2 is OK 034-2014.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from stdnum.ru import inn as _inn
from stdnum.ru import ogrn as _ogrn

from portal.core import okved, regions
from portal.core.language import N_, Message

# Longer than any identifier with its separators; looked at before any pattern is tried.
MAX_INPUT: Final = 64

_INN_LEGAL: Final = re.compile(r"[0-9]{10}")
_INN_PERSON: Final = re.compile(r"[0-9]{12}")
_KPP: Final = re.compile(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}", re.ASCII | re.IGNORECASE)
_OGRN: Final = re.compile(r"[1-9][0-9]{12}")
_OGRNIP: Final = re.compile(r"[34][0-9]{14}")
_SNILS: Final = re.compile(r"([0-9]{3})-?([0-9]{3})-?([0-9]{3})-?([0-9]{2})")
_BIK: Final = re.compile(r"0[0124][0-9]{4}(?:00[012]|0[5-9][0-9]|[1-9][0-9]{2})")
_ACCOUNT: Final = re.compile(r"[0-9]{20}")
_OKPO: Final = re.compile(r"[0-9]{8}(?:[0-9]{2})?")
_OKTMO: Final = re.compile(r"[0-9]{8}(?:[0-9]{3})?")
_OKVED2: Final = re.compile(r"[0-9]{2}(?:\.[0-9](?:[0-9](?:\.[0-9]{1,2})?)?)?")
_OKPD2: Final = re.compile(r"[0-9]{2}(?:\.[0-9](?:[0-9](?:\.[0-9](?:[0-9](?:\.[0-9]{3})?)?)?)?)?")
_TN_VED: Final = re.compile(r"(?:0[1-9]|[1-8][0-9]|9[0-7])[0-9]{2}(?:[0-9]{2}){0,3}")
_KBK: Final = re.compile(r"[0-9]{20}")
_DECLARATION: Final = re.compile(r"[0-9]{8}/([0-9]{2})([0-9]{2})([0-9]{2})/[0-9]{7}")

_ACCOUNT_WEIGHTS: Final = (7, 1, 3)
_LAST_SNILS_WITHOUT_CHECK: Final = 1_001_998
_HS_CHAPTER_RESERVED: Final = "77"


class IdentifierError(ValueError):
    """Not a valid identifier.

    ``code`` is ``empty``, ``format`` (length or characters), ``checksum`` (a mistyped digit) or ``unknown``
    (well formed, but such a region, class, chapter or date does not exist); ``message`` says what to do.
    """

    def __init__(self, code: str, message: Message) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


def check_inn(value: str) -> str:
    """INN of an organisation (10 digits) or of a person (12 digits)."""
    text = _compact(value)
    return check_inn_person(text) if len(text) == 12 else check_inn_legal(text)


def check_inn_legal(value: str) -> str:
    """INN of an organisation: 10 digits with a check digit; region 00 does not exist."""
    text = _matching(_INN_LEGAL, value, N_("Enter the 10 digits of the organisation's INN, as in its tax certificate."))
    return _checked_inn(text)


def check_inn_person(value: str) -> str:
    """INN of a person or individual entrepreneur: 12 digits, two of them check digits."""
    text = _matching(_INN_PERSON, value, N_("Enter the 12 digits of the person's INN, as in the tax certificate."))
    return _checked_inn(text)


def check_kpp(value: str) -> str:
    """KPP: four digits, two digits or Latin capitals, three digits; it has no check digit."""
    text = _matching(_KPP, value, N_("Enter the 9 characters of the KPP, as in the organisation's tax certificate."))
    return text.upper()


def check_ogrn(value: str) -> str:
    """OGRN of a legal entity: 13 digits with a check digit."""
    text = _matching(_OGRN, value, N_("Enter the 13 digits of the OGRN, as in the EGRUL extract."))
    if not _ogrn.is_valid(text):
        raise _mistyped(N_("This is not a valid OGRN. Check each digit against the EGRUL extract."))
    return text


def check_ogrnip(value: str) -> str:
    """OGRNIP of an individual entrepreneur: 15 digits with a check digit.

    By hand: python-stdnum 2.2 leaves out the last ``mod 10`` and refuses numbers whose remainder is 10 to 12.
    """
    text = _matching(
        _OGRNIP,
        value,
        N_("Enter the 15 digits of the OGRNIP, as in the EGRIP extract; the first is 3 or 4."),
    )
    if int(text[:14]) % 13 % 10 != int(text[14]):
        raise _mistyped(N_("This is not a valid OGRNIP. Check each digit against the EGRIP extract."))
    return text


def check_snils(value: str) -> str:
    """SNILS, kept as ``112-233-445 95``. Numbers up to 001-001-998 were given without a check."""
    text = _compact(value)
    shape = _SNILS.fullmatch(text)
    if shape is None or not int(shape[1] + shape[2] + shape[3]):
        raise IdentifierError("format", N_("Enter the 11 digits of the SNILS, for example 112-233-445 95."))
    number = shape[1] + shape[2] + shape[3]
    control = _weighted(number, range(9, 0, -1)) % 101 % 100
    if int(number) > _LAST_SNILS_WITHOUT_CHECK and control != int(shape[4]):
        raise _mistyped(N_("This is not a valid SNILS. Check each digit against the certificate."))
    return f"{shape[1]}-{shape[2]}-{shape[3]} {shape[4]}"


def check_bik(value: str) -> str:
    """BIK of a bank: nine digits, 04 (treasury bodies: 00 to 02) first, a bank's number last."""
    return _matching(
        _BIK, value, N_("Enter the 9 digits of the bank's BIK, as in the account details; it starts with 04.")
    )


def check_account(value: str, bik: str) -> str:
    """A bank account of 20 digits together with the BIK of its bank, which its key depends on.

    Covers accounts of bank clients, correspondent accounts (301...) and accounts in units of the Bank of
    Russia; the accounts that the Treasury keeps under its own BIK since 2021 follow other rules.
    """
    known_bik = check_bik(bik)
    text = _matching(_ACCOUNT, value, N_("Enter the 20 digits of the account, as in the bank's certificate."))
    if account_sum(text, known_bik):
        raise _mistyped(N_("The account does not belong to the bank with this BIK. Check the digits of both numbers."))
    return text


def account_sum(account: str, bik: str) -> int:
    """The control sum of a 20-digit account: 0 when its key (the ninth digit) is right."""
    of_central_bank = account.startswith("301") or bik[-3:] in ("000", "001", "002")
    digits = (f"0{bik[4:6]}" if of_central_bank else bik[-3:]) + account
    return sum(int(digit) * _ACCOUNT_WEIGHTS[i % 3] % 10 for i, digit in enumerate(digits)) % 10


def check_okpo(value: str) -> str:
    """OKPO of an organisation (8 digits) or an entrepreneur (10 digits), the last a check digit."""
    text = _matching(
        _OKPO, value, N_("Enter the 8 digits of the OKPO (10 for an entrepreneur), as in the Rosstat notice.")
    )
    if not int(text) or _okpo_key(text[:-1]) != int(text[-1]):
        raise _mistyped(N_("This is not a valid OKPO. Check each digit against the Rosstat notice."))
    return text


def check_oktmo(value: str) -> str:
    """OKTMO of a municipality (8 digits) or a settlement (11 digits) of an existing federal subject."""
    text = _matching(_OKTMO, value, N_("Enter the 8 or 11 digits of the OKTMO code of the municipality."))
    if regions.of_oktmo(text) is None:
        raise _unknown(N_("No region has an OKTMO code that starts like this. Check the first two digits."))
    return text


def check_okved2(value: str) -> str:
    """OKVED 2 activity code: ``28``, ``28.1``, ``28.14``, ``28.14.1`` or ``28.14.11``."""
    text = _matching(_OKVED2, value, N_("Enter the OKVED 2 code with its points, for example 28.14."))
    if okved.section(text) is None:
        raise _unknown(N_("OKVED 2 has no class that starts like this. Check the first two digits."))
    return text


def check_okpd2(value: str) -> str:
    """OKPD 2 product code, from the class (``28``) to the category (``28.14.13.131``)."""
    text = _matching(_OKPD2, value, N_("Enter the OKPD 2 code with its points, for example 28.14.13.131."))
    if okved.section(text) is None:
        raise _unknown(N_("OKPD 2 has no class that starts like this. Check the first two digits."))
    return text


def check_tn_ved(value: str) -> str:
    """TN VED code of the EAEU: 4, 6, 8 or 10 digits, kept without spaces; chapter 77 is reserved."""
    text = _matching(
        _TN_VED, value, N_("Enter the 4, 6, 8 or 10 digits of the TN VED code, for example 8481 80 819 0.")
    )
    if text[:2] == _HS_CHAPTER_RESERVED:
        raise _unknown(N_("TN VED has no chapter 77. Check the first two digits."))
    return text


def spaced_tn_ved(code: str) -> str:
    """A checked TN VED code as it is printed: ``8481 80 819 0``."""
    return " ".join(part for part in (code[:4], code[4:6], code[6:9], code[9:]) if part)


def check_kbk(value: str) -> str:
    """Budget classification code of an expenditure: 20 digits, the chief manager first and not 000."""
    text = _matching(_KBK, value, N_("Enter the 20 digits of the budget classification code (KBK)."))
    if text.startswith("000"):
        raise _unknown(N_("Enter the KBK with the code of the chief manager in its first three digits."))
    return text


def check_export_declaration(value: str) -> str:
    """Number of an export declaration: customs post, date ``ddmmyy`` and serial, set off by strokes."""
    text = _compact(value)
    shape = _DECLARATION.fullmatch(text)
    if shape is None:
        raise IdentifierError(
            "format", N_("Enter the number of the declaration in full, for example 10130200/010818/0012345.")
        )
    try:
        date(2000 + int(shape[3]), int(shape[2]), int(shape[1]))
    except ValueError:
        raise _unknown(
            N_("There is no such date: between the strokes enter day, month and year, for example 010818.")
        ) from None
    return text


def _compact(value: str) -> str:
    if len(value) > MAX_INPUT:
        raise IdentifierError("format", N_("This is too long. Enter the number alone, without words."))
    text = "".join(value.split())
    if not text:
        raise IdentifierError("empty", N_("Enter the number."))
    return text


def _matching(shape: re.Pattern[str], value: str, advice: Message) -> str:
    text = _compact(value)
    if shape.fullmatch(text) is None:
        raise IdentifierError("format", advice)
    return text


def _checked_inn(text: str) -> str:
    # An INN of zeros passes the sum.
    if text.startswith("00"):
        raise _unknown(N_("No INN starts with 00. Check the first two digits against the tax certificate."))
    if not _inn.is_valid(text):
        raise _mistyped(N_("This is not a valid INN. Check each digit against the tax certificate."))
    return text


def _okpo_key(digits: str) -> int:
    key = _weighted(digits, range(1, 10)) % 11
    if key == 10:
        key = _weighted(digits, range(3, 12)) % 11
    return key % 10


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _mistyped(message: Message) -> IdentifierError:
    return IdentifierError("checksum", message)


def _unknown(message: Message) -> IdentifierError:
    return IdentifierError("unknown", message)

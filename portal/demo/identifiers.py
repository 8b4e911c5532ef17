"""Identifiers of organisations that do not exist: their check digits hold, and nobody has them.

Real tax offices do not use the numbers 99 inside a region, and there is no bank with the BIK below.
``region`` is the two-digit code of :mod:`portal.core.regions`; ``serial`` tells organisations apart and runs
from 0 to 9999 (:class:`ValueError` outside).
"""

from __future__ import annotations

from typing import Final

from stdnum.ru import inn as _inn
from stdnum.ru import ogrn as _ogrn

from portal.core.identifiers import account_sum

DEMO_BIK: Final = "049900999"


def demo_inn(region: str, serial: int) -> str:
    """INN of a demo organisation: region, 99, 9 and the serial, check digit."""
    body = f"{region}99{_serial(serial, 90_000)}"
    return body + str(_inn.calc_company_check_digit(body))


def demo_ogrn(region: str, serial: int) -> str:
    """OGRN of a demo organisation, as if registered in 2016."""
    body = f"116{region}99{_serial(serial, 0):05}"
    return body + str(_ogrn.calc_check_digit(body + "0"))


def demo_kpp(region: str) -> str:
    """KPP of a demo organisation: tax office 99 of the region, at the place of its location."""
    return f"{region}9901001"


def demo_account(serial: int) -> str:
    """Rouble account of a demo organisation in the bank :data:`DEMO_BIK`."""
    tail = f"{_serial(serial, 90_000):011}"
    # The key has weight 3 in its place, and 3 * 7 leaves 1: three times the sum of the rest repairs it.
    key = account_sum(f"407028100{tail}", DEMO_BIK) * 3 % 10
    return f"40702810{key}{tail}"


def _serial(serial: int, base: int) -> int:
    if not 0 <= serial <= 9999:
        raise ValueError("serials of demo organisations run from 0 to 9999")
    return base + serial

"""The demonstration: a register, three tenders and the people of every role, made with the portal's own verbs.

``load`` fills an empty database once; what it writes went through the same checks, ledger, audit trail and
letters as the real thing, at instants in the past. Nobody in it is real.
"""

from __future__ import annotations

from portal.demo.sign_ins import SIGN_INS


def load() -> None:
    """Fill the empty database of the present application context; commits its own transactions."""
    from portal.demo.history import load as load_history

    load_history()


__all__ = ["SIGN_INS", "load"]

"""Sealing: any two keepers open, nobody alone; a changed bit opens nothing."""

from __future__ import annotations

import runpy
from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import sealing
from portal.core.sealing import CannotOpen

PRIVATE = {str(place): X25519PrivateKey.generate().private_bytes_raw() for place in (1, 2, 3)}
PUBLIC = {place: sealing.public_of(key) for place, key in PRIVATE.items()}
HERE = {"application": "1"}


def test_any_two_keepers_open_and_nobody_alone() -> None:
    key = sealing.new_key()
    wrapped = sealing.wrap(key, PUBLIC, HERE)
    assert sorted(wrapped) == ["1:2", "1:3", "2:3"]
    for pair in combinations(PRIVATE, 2):
        assert sealing.unwrap(wrapped, {place: PRIVATE[place] for place in pair}, HERE) == key
    for place, private in PRIVATE.items():
        with pytest.raises(CannotOpen):
            sealing.unwrap(wrapped, {place: private}, HERE)
    with pytest.raises(CannotOpen):
        sealing.unwrap(wrapped, {"1": PRIVATE["1"], "2": PRIVATE["1"]}, HERE)
    with pytest.raises(CannotOpen):
        sealing.unwrap(wrapped, {"1": PRIVATE["1"], "2": PRIVATE["2"]}, {"application": "2"})


@given(st.binary(max_size=400), st.data())
@settings(max_examples=60)
def test_a_changed_bit_opens_nothing(content: bytes, data: st.DataObject) -> None:
    key = sealing.new_key()
    sealed = sealing.encrypt(key, content, HERE)
    assert sealing.decrypt(key, sealed, HERE) == content
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(CannotOpen):
        sealing.decrypt(key, bytes(changed), HERE)
    with pytest.raises(CannotOpen):
        sealing.decrypt(key, sealed[: place // 8], HERE)
    with pytest.raises(CannotOpen):
        sealing.decrypt(key, sealed, {"application": "2"})


def test_a_wrapped_key_with_a_changed_bit_opens_nothing() -> None:
    wrapped = sealing.wrap(sealing.new_key(), {"1": PUBLIC["1"], "2": PUBLIC["2"]}, HERE)
    for place in range(0, len(wrapped["1:2"]), 7):
        changed = bytearray(wrapped["1:2"])
        changed[place] ^= 1
        with pytest.raises(CannotOpen):
            sealing.unwrap({"1:2": bytes(changed)}, PRIVATE, HERE)


def test_a_keeper_key_opens_with_its_passphrase_and_place_only() -> None:
    made = sealing.make_keeper_key("four words of a keeper", HERE)
    assert sealing.public_of(sealing.open_keeper_key("four words of a keeper", made.public, made.private, HERE)) == (
        made.public
    )
    with pytest.raises(CannotOpen):
        sealing.open_keeper_key("four words of a keepe", made.public, made.private, HERE)
    with pytest.raises(CannotOpen):
        sealing.open_keeper_key("four words of a keeper", PUBLIC["1"], made.private, HERE)


def test_what_is_packed_comes_back_and_anything_else_does_not() -> None:
    content = {"имя": "ё", "list": [1, None, True]}
    assert sealing.unpack(sealing.pack(content)) == content
    for other in (b"", b"x", sealing.pack({})[:-1]):
        with pytest.raises(CannotOpen):
            sealing.unpack(other)


def test_outside_the_tests_a_passphrase_is_stretched_as_long_as_rfc_9106_recommends() -> None:
    found = runpy.run_path(sealing.__file__)
    assert (found["PASSES"], found["LANES"], found["KIBIBYTES"]) == (3, 4, 64 * 1024)

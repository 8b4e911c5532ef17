"""Detached signature files: what is accepted, what is refused and why; GOST by the published examples."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import algos, cms, core, pem, x509
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.documents.signatures import gost, streebog
from portal.documents.signatures.cms import BadSignature, Proven, check, read_roots, verify_gost

CONTENT = b'{"format":"joint-projects-portal/manifest/1"}'
NOW = datetime.now(UTC)


# Streebog and GOST R 34.10-2012: RFC 6986, RFC 7091, and the certificates of the profile's own examples.

M1 = b"012345678901234567890123456789012345678901234567890123456789012"
M2 = bytes.fromhex(
    "d1e520e2e5f2f0e82c20d1f2f0e8e1eee6e820e2edf3f6e82c20e2e5fef2fa20f120eceef0ff20f1f2f0e5ebe0ece820ede020f5f0e0e1f0fb"
    "ff20efebfaeafb20c8e3eef0e5e2fb"
)


@pytest.mark.parametrize(
    ("message", "bits", "expected"),
    [
        (
            M1,
            512,
            "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa"
            "00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48",
        ),
        (M1, 256, "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500"),
        (
            M2,
            512,
            "1e88e62226bfca6f9994f1f2d51569e0daf8475a3b0fe61a5300eee46d961376"
            "035fe83549ada2b8620fcd7c496ce5b33f0cb9dddc2b6460143b03dabac9fb28",
        ),
        (M2, 256, "9dd2fe4e90409e5da87f53976d7405b0c0cac628fc669a741d50063c557e8f50"),
        (b"", 256, "3f539a213e97c802cc229d474c6aa32a825a360b2a933a949fd925208d9ce1bb"),
    ],
)
def test_streebog_by_rfc_6986(message: bytes, bits: int, expected: str) -> None:
    assert streebog.digest(message, bits).hex() == expected


RFC_7091 = gost.Curve(
    p=0x8000000000000000000000000000000000000000000000000000000000000431,
    a=7,
    b=0x5FBFF498AA938CE739B8E022FBAFEF40563F6E6A3472FC2A514C0CE9DAE23B7E,
    q=0x8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3,
    x=2,
    y=0x8E2A8A0E65147D4BD6316030E16D19C85C97F0A9CA267122B96ABBCEA7E8FC8,
)


def test_the_example_of_rfc_7091() -> None:
    key = (
        0x7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B,
        0x26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA,
    )
    e = 0x2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5
    r = 0x41AA28D2F1AB148280CD9ED56FEDA41974053554A42767B83AD043FD39DC0493
    s = 0x1456C64BA4642A1653C235A98A60249BCD6D3F746B631DF928014F6C5BF9C40
    public = b"".join(part.to_bytes(32, "little") for part in key)
    signature = s.to_bytes(32, "big") + r.to_bytes(32, "big")
    assert gost.verify(RFC_7091, public, e.to_bytes(32, "little"), signature)
    assert not gost.verify(RFC_7091, public, (e + 1).to_bytes(32, "little"), signature)
    assert not gost.verify(RFC_7091, public, e.to_bytes(32, "little"), signature[::-1])
    assert not gost.verify(RFC_7091, public, e.to_bytes(32, "little"), bytes(64))
    assert not gost.verify(RFC_7091, public[:-1], e.to_bytes(32, "little"), signature)


@pytest.mark.parametrize("oid", sorted(gost.CURVES))
def test_the_curves_are_curves(oid: str) -> None:
    curve = gost.CURVES[oid]
    assert curve.has(curve.x, curve.y)
    assert curve.times(curve.q, (curve.x, curve.y)) is None


# Published by TC 26 in the profile of certificates, with their private keys: an example, nobody's secret.
EXAMPLES = {
    256: (
        0xBFCF1D623E5CDD3032A7C6EABB4A923C46E43D640FFEAAF2C3ED39A8FA399924,
        "1.2.643.2.2.36.0",
        """MIICYjCCAg+gAwIBAgIBATAKBggqhQMHAQEDAjBWMSkwJwYJKoZIhvcNAQkBFhpHb3N0UjM0MTAtMjAxMkBleGFtcGxlLmNvbTEpMCcGA1UEAxMg
        R29zdFIzNDEwLTIwMTIgKDI1NiBiaXQpIGV4YW1wbGUwHhcNMTMxMTA1MTQwMjM3WhcNMzAxMTAxMTQwMjM3WjBWMSkwJwYJKoZIhvcNAQkBFhpH
        b3N0UjM0MTAtMjAxMkBleGFtcGxlLmNvbTEpMCcGA1UEAxMgR29zdFIzNDEwLTIwMTIgKDI1NiBiaXQpIGV4YW1wbGUwZjAfBggqhQMHAQEBATAT
        BgcqhQMCAiQABggqhQMHAQECAgNDAARAut/Qw1MUq9KPqkdHC2xAF3K7TugHfo9n525D2s5mFZdD5pwf90/i4vF0mFmr9nfRwMYP4o0Pg1mOn5Rl
        aXNYraOBwDCBvTAdBgNVHQ4EFgQU1fIeN1HaPbw+XWUzbkJ+kHJUT0AwCwYDVR0PBAQDAgHGMA8GA1UdEwQIMAYBAf8CAQEwfgYDVR0BBHcwdYAU
        1fIeN1HaPbw+XWUzbkJ+kHJUT0ChWqRYMFYxKTAnBgkqhkiG9w0BCQEWGkdvc3RSMzQxMC0yMDEyQGV4YW1wbGUuY29tMSkwJwYDVQQDEyBHb3N0
        UjM0MTAtMjAxMiAoMjU2IGJpdCkgZXhhbXBsZYIBATAKBggqhQMHAQEDAgNBAF5bm4BbARR6hJLEoWJkOsYV3Hd7kXQQjz3CdqQfmHrz6TI6Xojd
        h/t8ckODv/587NS5/6KsM77vc6Wh90NAT2s=""",
    ),
    512: (
        0x3FC01CDCD4EC5F972EB482774C41E66DB7F380528DFE9E67992BA05AEE462435757530E641077CE587B976C8EEB48C48FD33FD175F0C7DE6A44E014E6BCB074B,
        "1.2.643.7.1.2.1.2.2",
        """MIIC6DCCAlSgAwIBAgIBATAKBggqhQMHAQEDAzBWMSkwJwYJKoZIhvcNAQkBFhpHb3N0UjM0MTAtMjAxMkBleGFtcGxlLmNvbTEpMCcGA1UEAxMg
        R29zdFIzNDEwLTIwMTIgKDUxMiBiaXQpIGV4YW1wbGUwHhcNMTMxMDA0MDczNjA0WhcNMzAxMDAxMDczNjA0WjBWMSkwJwYJKoZIhvcNAQkBFhpH
        b3N0UjM0MTAtMjAxMkBleGFtcGxlLmNvbTEpMCcGA1UEAxMgR29zdFIzNDEwLTIwMTIgKDUxMiBiaXQpIGV4YW1wbGUwgaowIQYIKoUDBwEBAQIw
        FQYJKoUDBwECAQICBggqhQMHAQECAwOBhAAEgYATGQ9VCiM5FRGCQ8MEz2F1dANqhaEuywa8CbxOnTvaGJpFQVXQwkwvLFAKh7hk542vOEtxpKtT
        CXfGf84nRhMH/Q9bZeAc2eO/yhxrsQhTBufa1Fuou2oe/jUOaG6RAtUUvRzhNTppRGGl1+EIY2vzzUua9j9Ol/gAoy/LNKQIfqOBwDCBvTAdBgNV
        HQ4EFgQUPcbTRXJZnHtjj+eBP7b5lcTMekIwCwYDVR0PBAQDAgHGMA8GA1UdEwQIMAYBAf8CAQEwfgYDVR0BBHcwdYAUPcbTRXJZnHtjj+eBP7b5
        lcTMekKhWqRYMFYxKTAnBgkqhkiG9w0BCQEWGkdvc3RSMzQxMC0yMDEyQGV4YW1wbGUuY29tMSkwJwYDVQQDEyBHb3N0UjM0MTAtMjAxMiAoNTEy
        IGJpdCkgZXhhbXBsZYIBATAKBggqhQMHAQEDAwOBgQBObS7oppPTXzHyVR1DtPa8b57nudJzI4czhsfeX5HDntOq45t9B/qSs8dC6eGxbhHZ9zCO
        SFtxWYdmg0au8XI9Xb8vTC1qdwWID7FFjMWDNQZb6lYh/J+8F2xKylvB5nIlRZqOo3eUNFkNyHJwQCk2WoOlO16zwGk2tdKH4KmD5w==""",
    ),
}


def gost_certificate(bits: int) -> x509.Certificate:
    return x509.Certificate.load(base64.b64decode("".join(EXAMPLES[bits][2].split())))


def gost_file(bits: int, content: bytes, *, digest: bytes | None = None, spoil: int = 0) -> bytes:
    """A detached signature made in the test with the published example's key (RFC 7091, 6.1)."""
    private, oid, _ = EXAMPLES[bits]
    curve, certificate = gost.CURVES[oid], gost_certificate(bits)
    hash_oid = {256: "1.2.643.7.1.1.2.2", 512: "1.2.643.7.1.1.2.3"}[bits]
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["data"]},
            {"type": "message_digest", "values": [digest or streebog.digest(content, bits)]},
            {"type": "signing_time", "values": [cms.Time({"utc_time": NOW - timedelta(minutes=1)})]},
        ]
    )
    e = int.from_bytes(streebog.digest(attributes.dump(), bits), "little") % curve.q or 1
    k = 0x1234567890ABCDEF1234567890ABCDEF
    point = curve.times(k, (curve.x, curve.y))
    assert point is not None
    r = point[0] % curve.q
    s = (r * private + k * e + spoil) % curve.q
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {"issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}}
        ),
        "digest_algorithm": {"algorithm": hash_oid},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": {256: "1.2.643.7.1.1.1.1", 512: "1.2.643.7.1.1.1.2"}[bits]},
        "signature": s.to_bytes(bits // 8, "big") + r.to_bytes(bits // 8, "big"),
    }
    data = {
        "version": "v1",
        "digest_algorithms": [algos.DigestAlgorithm({"algorithm": hash_oid})],
        "encap_content_info": {"content_type": "data"},
        "certificates": [certificate],
        "signer_infos": [signer],
    }
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)}).dump()
    return der


@pytest.mark.parametrize("bits", [256, 512])
def test_the_example_certificates_signed_themselves(bits: int) -> None:
    certificate = gost_certificate(bits)
    spki = certificate["tbs_certificate"]["subject_public_key_info"].dump()
    signed, signature = certificate["tbs_certificate"].dump(), certificate["signature_value"].native
    assert verify_gost(spki, bits, signed, signature) == f"GOST R 34.10-2012, {bits}"
    with pytest.raises(BadSignature):
        verify_gost(spki, bits, signed + b" ", signature)


@pytest.mark.parametrize("bits", [256, 512])
def test_gost_signatures(bits: int) -> None:
    proven = check(CONTENT, gost_file(bits, CONTENT), NOW, [gost_certificate(bits)])
    assert proven.algorithm == f"GOST R 34.10-2012, {bits}"
    assert proven.subject == f"CN=GostR3410-2012 ({bits} bit) example"
    assert proven.chain == "trusted"
    assert refusal(CONTENT + b" ", gost_file(bits, CONTENT)) == "other_content"
    assert refusal(CONTENT, gost_file(bits, CONTENT, spoil=1)) == "wrong_key"
    assert refusal(CONTENT, gost_file(bits, CONTENT, digest=b"x" * 32)) == "other_content"


# RSA and ECDSA by openssl.


def run(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, and by kind a key with a certificate that the root issued; ``old`` is not valid any more."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "content").write_bytes(CONTENT)
    (folder / "roots").mkdir()
    run(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-keyout", "root.key", "-out", "roots/root.pem", "-subj", "/CN=Demo Root")  # fmt: skip
    (folder / "ext").write_text("subjectKeyIdentifier=hash\nkeyUsage=digitalSignature,nonRepudiation\n")
    kinds = {
        "rsa": ["rsa:2048"],
        "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "short": ["rsa:1024"],
        "other": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    }
    for name, how in kinds.items():
        run(folder, "req", "-newkey", *how, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN=Demo Signer {name}/O=Demo Works/INN=007701234567")  # fmt: skip
        run(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "roots/root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-days", "20", "-extfile", "ext", "-out", f"{name}.pem")  # fmt: skip
    return folder


def signed(folder: Path, kind: str, *more: str, form: str = "DER", cert: str = "") -> bytes:
    run(folder, "cms", "-sign", "-binary", "-in", "content", "-signer", f"{cert or kind}.pem", "-inkey", f"{kind}.key",
        "-outform", form, "-out", "out", *more)  # fmt: skip
    return (folder / "out").read_bytes()


def refusal(content: bytes, file: bytes, now: datetime = NOW) -> str:
    with pytest.raises(BadSignature) as refused:
        check(content, file, now)
    assert str(refused.value.message)
    return refused.value.code


@pytest.mark.parametrize(
    ("kind", "more", "form", "algorithm"),
    [
        ("rsa", (), "DER", "RSA PKCS #1, SHA256, 2048"),
        ("rsa", ("-md", "sha512"), "PEM", "RSA PKCS #1, SHA512, 2048"),
        ("rsa", ("-keyopt", "rsa_padding_mode:pss"), "DER", "RSA PSS, SHA256, 2048"),
        ("rsa", ("-noattr",), "DER", "RSA PKCS #1, SHA256, 2048"),
        ("rsa", ("-keyid",), "DER", "RSA PKCS #1, SHA256, 2048"),
        ("rsa", ("-nodetach",), "DER", "RSA PKCS #1, SHA256, 2048"),
        ("ec", (), "DER", "ECDSA secp256r1, SHA256"),
        ("ec", ("-md", "sha384"), "PEM", "ECDSA secp256r1, SHA384"),
    ],
)
def test_good_files(keys: Path, kind: str, more: tuple[str, ...], form: str, algorithm: str) -> None:
    file = signed(keys, kind, *more, form=form)
    proven = check(CONTENT, file, datetime.now(UTC), read_roots(keys / "roots"))
    assert (proven.algorithm, proven.chain, proven.root) == (algorithm, "trusted", "CN=Demo Root")
    assert proven.subject == f"CN=Demo Signer {kind}, O=Demo Works, INN=007701234567"
    assert proven.inn == "7701234567"
    assert (proven.signing_time is None) == ("-noattr" in more)
    assert check(CONTENT, file, datetime.now(UTC)).chain == "unchecked"
    assert check(CONTENT, file, datetime.now(UTC), []).chain == "unknown"
    assert isinstance(check(CONTENT, base64.b64encode(file) if form == "DER" else file, datetime.now(UTC)), Proven)


def test_refusals_say_what_is_wrong(keys: Path) -> None:
    good = signed(keys, "rsa")
    now = datetime.now(UTC)
    cases: dict[str, Callable[[], str]] = {
        "empty": lambda: refusal(CONTENT, b"  "),
        "too_large": lambda: refusal(CONTENT, b"x" * 200_000),
        "malformed": lambda: refusal(CONTENT, good[:-40]),
        "other_content": lambda: refusal(CONTENT + b"\n", good, now),
        "wrong_key": lambda: refusal(CONTENT, _spoilt(good), now),
        "expired": lambda: refusal(CONTENT, good, now + timedelta(days=25)),
        "future": lambda: refusal(CONTENT, good, now - timedelta(hours=1)),
        "no_certificate": lambda: refusal(CONTENT, signed(keys, "rsa", "-nocerts"), now),
        "weak_digest": lambda: refusal(CONTENT, signed(keys, "rsa", "-md", "sha1"), now),
        "weak_key": lambda: refusal(CONTENT, signed(keys, "short"), now),
        "not_signed_data": lambda: refusal(CONTENT, cms.ContentInfo({"content_type": "data", "content": b"x"}).dump()),
        "signers": lambda: refusal(CONTENT, signed(keys, "rsa", "-signer", "ec.pem", "-inkey", "ec.key"), now),
    }
    assert {name: case() for name, case in cases.items()} == {name: name for name in cases}
    assert refusal(CONTENT, b"%PDF-1.4 not a signature") == "malformed"
    assert refusal(CONTENT, b"-----BEGIN PKCS7-----\nnonsense\n-----END PKCS7-----") == "malformed"


def _spoilt(file: bytes) -> bytes:
    info = cms.ContentInfo.load(file)
    signer = info["content"]["signer_infos"][0]
    value = bytearray(signer["signature"].native)
    value[5] ^= 1
    signer["signature"] = core.OctetString(bytes(value))
    der: bytes = info.dump(force=True)
    return der


def test_a_certificate_of_another_key_does_not_fit(keys: Path) -> None:
    info = cms.ContentInfo.load(signed(keys, "ec"))
    other = x509.Certificate.load(pem.unarmor((keys / "other.pem").read_bytes())[2])
    signer = info["content"]["signer_infos"][0]
    signer["sid"] = cms.SignerIdentifier(
        {"issuer_and_serial_number": {"issuer": other.issuer, "serial_number": other.serial_number}}
    )
    info["content"]["certificates"] = [other]
    assert refusal(CONTENT, info.dump(force=True), datetime.now(UTC)) == "wrong_key"


def test_roots_are_read_or_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no certificate")
    assert read_roots(tmp_path) == []
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ValueError, match=r"bad\.pem"):
        read_roots(tmp_path)


@settings(max_examples=60)
@given(st.data())
def test_damaged_files_are_refused_and_never_fail(keys: Path, data: Any) -> None:
    good = bytearray(GOOD.setdefault("file", signed(keys, "ec")))
    if data.draw(st.booleans()):
        good = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        check(CONTENT, bytes(good), datetime.now(UTC))
    except BadSignature:
        return


GOOD: dict[str, bytes] = {}

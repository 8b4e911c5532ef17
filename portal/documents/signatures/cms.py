"""Checking a detached signature file (CMS SignedData, RFC 5652) over given content.

What a good check proves is said by :class:`Proven`: the signature fits the content and the certificate in the file,
and the certificate was valid at the signing time. Whose the certificate is, only its issuer vouches for; it is
followed to a root only where a folder of trusted roots is configured (``SIGNING_ROOTS``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from asn1crypto import algos, cms, core, pem, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from portal.core.language import N_, Message
from portal.documents.signatures import gost

MAX_SIZE: Final = 128 * 1024
_MAX_CHAIN: Final = 6
_MIN_RSA: Final = 2048
_SKEW: Final = timedelta(minutes=10)
_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_NAMES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.10": "O",
    "2.5.4.12": "T",
    "2.5.4.4": "SN",
    "2.5.4.42": "G",
    "2.5.4.6": "C",
    "1.2.643.3.131.1.1": "INN",
    "1.2.643.100.4": "INNLE",
    "1.2.643.100.1": "OGRN",
    "1.2.643.100.5": "OGRNIP",
}
"""Attributes of names that people know by a short name; the Russian ones are of the qualified certificates."""
_INN: Final = ("1.2.643.100.4", "1.2.643.3.131.1.1")


_roots: dict[str, list[x509.Certificate] | None] = {"trusted": None}


def configure(folder: str | None) -> None:
    """The folder of trusted roots, if any. Raises ValueError naming a file that is no certificate."""
    _roots["trusted"] = read_roots(Path(folder)) if folder else None


def configured_roots() -> list[x509.Certificate] | None:
    """The trusted roots; None where no folder is configured."""
    return _roots["trusted"]


class BadSignature(ValueError):
    """The file proves nothing; ``code`` is for machines, ``message`` says what to do."""

    def __init__(self, code: str, message: Message) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Proven:
    """What the file proves, ready for JSON; instants are ISO 8601 in UTC.

    ``signing_time`` is what the signer's computer said, or None. ``chain``: ``trusted`` (to the root ``root``),
    ``unknown`` (no trusted root issued it), or ``unchecked`` (no roots are configured). ``inn``: of the organisation,
    else of the person, where the certificate names one.
    """

    subject: str
    issuer: str
    serial: str
    algorithm: str
    not_before: str
    not_after: str
    signing_time: str | None
    chain: str
    root: str | None
    inn: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class _Algorithm(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]


class _PublicKey(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", _Algorithm), ("key", core.OctetBitString)]


class _GostParameters(core.Sequence):  # type: ignore[misc]
    _fields = [("curve", core.ObjectIdentifier), ("digest", core.ObjectIdentifier, {"optional": True})]


def check(content: bytes, file: bytes, now: datetime, roots: Iterable[x509.Certificate] | None = None) -> Proven:
    """Check ``file`` (DER, PEM or bare base64) over ``content``. Raises :class:`BadSignature`.

    ``now``: the moment at which the file is handed in. ``roots``: trusted certificates, None for "not configured".
    """
    if len(file) > MAX_SIZE:
        raise BadSignature("too_large", N_("A signature file has no more than 128 KB. Choose the file .p7s or .sig."))
    try:
        return _check(content, _signed_data(_der(file)), now, roots)
    except BadSignature:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, UnsupportedAlgorithm):
        raise BadSignature("malformed", DAMAGED) from None


def _der(file: bytes) -> bytes:
    text = file.strip()
    if not text:
        raise BadSignature("empty", N_("The signature file is empty."))
    if text.startswith(b"-----BEGIN"):
        return bytes(pem.unarmor(text)[2])
    if re.fullmatch(rb"[A-Za-z0-9+/=\s]+", text):
        try:
            return base64.b64decode(b"".join(text.split()), validate=True)
        except binascii.Error:
            pass
    return file


def _signed_data(der: bytes) -> cms.SignedData:
    info = cms.ContentInfo.load(der, strict=True)
    if info["content_type"].native != "signed_data":
        raise BadSignature(
            "not_signed_data", N_("This is no signature file. Choose the detached signature, .p7s or .sig.")
        )
    return info["content"]


def _check(content: bytes, data: cms.SignedData, now: datetime, roots: Iterable[x509.Certificate] | None) -> Proven:
    held = data["encap_content_info"]["content"]
    if held.native is not None and bytes(held) != content:
        raise BadSignature("other_content", OTHER_CONTENT)
    signers = list(data["signer_infos"])
    if len(signers) != 1:
        raise BadSignature("signers", N_("The file must hold the signature of exactly one person."))
    signer = signers[0]
    certificates = [item.chosen for item in data["certificates"] if item.name == "certificate"]
    certificate = _certificate_of(signer, certificates)
    signing_time = _signed_attributes(content, data, signer)
    signed = _to_be_checked(content, signer)
    algorithm = _verify(
        certificate,
        signer["signature_algorithm"],
        _dotted(signer["digest_algorithm"]),
        signed,
        signer["signature"].native,
    )
    _in_time(certificate, signing_time, now)
    chain, root = _chain(certificate, certificates, signing_time or now, roots)
    return Proven(
        subject=_name(certificate.subject),
        issuer=_name(certificate.issuer),
        serial=format(certificate.serial_number, "X"),
        algorithm=algorithm,
        not_before=_instant(certificate.not_valid_before),
        not_after=_instant(certificate.not_valid_after),
        signing_time=_instant(signing_time) if signing_time else None,
        chain=chain,
        root=root,
        inn=_inn(certificate.subject),
    )


OTHER_CONTENT: Final = N_(
    "The signature is over another file than the present manifest. Download the manifest anew, sign that very file,"
    " and do not open or save it in an editor before."
)
DAMAGED: Final = N_("The signature file is damaged or was cut off. Make it again and choose it anew.")
WEAK: Final = N_("The signature uses a hash that is not accepted. Use SHA-256 or Streebog.")
UNKNOWN: Final = N_("This kind of signature is not known here: use RSA, ECDSA or GOST R 34.10-2012.")
WRONG: Final = N_("The signature does not fit the certificate in the file: it was made with another key, or damaged.")


def _certificate_of(signer: cms.SignerInfo, certificates: list[x509.Certificate]) -> x509.Certificate:
    wanted = signer["sid"]
    for item in certificates:
        if wanted.name == "issuer_and_serial_number":
            same = item.serial_number == wanted.chosen["serial_number"].native
            if same and item.issuer.dump() == wanted.chosen["issuer"].dump():
                return item
        elif item.key_identifier == wanted.chosen.native:
            return item
    raise BadSignature(
        "no_certificate", N_("The file has no certificate of the signer. Sign again and include the certificate.")
    )


def _signed_attributes(content: bytes, data: cms.SignedData, signer: cms.SignerInfo) -> datetime | None:
    """The signing time, after checking type and digest of the content; None without signed attributes."""
    attributes: dict[str, Any] = {}
    for item in signer["signed_attrs"] or ():
        if item["type"].native in attributes or len(item["values"]) != 1:
            raise BadSignature("malformed", DAMAGED)
        attributes[item["type"].native] = item["values"][0]
    if not attributes:
        return None
    kind = data["encap_content_info"]["content_type"].native
    if "content_type" not in attributes or attributes["content_type"].native != kind:
        raise BadSignature("content_type", N_("The signature file contradicts itself about the kind of its content."))
    told = attributes.get("message_digest")
    if told is None or told.native != _hashed(_dotted(signer["digest_algorithm"]), content):
        raise BadSignature("other_content", OTHER_CONTENT)
    time = attributes.get("signing_time")
    return None if time is None else _aware(time.native)


def _to_be_checked(content: bytes, signer: cms.SignerInfo) -> bytes:
    """The attributes as a SET (RFC 5652, 5.4), or the content itself."""
    attributes = signer["signed_attrs"]
    if not attributes:
        return content
    der: bytes = attributes.dump()
    return b"\x31" + der[1:]


def _dotted(algorithm: Any) -> str:
    return str(algorithm["algorithm"].dotted)


def _hashed(oid: str, data: bytes) -> bytes:
    if oid in gost.HASHES:
        return gost.hashed(data, gost.HASHES[oid])
    name = algos.DigestAlgorithmId.map(oid)
    if name not in _HASHES:
        raise BadSignature("weak_digest", WEAK)
    return hashlib.new(name, data).digest()


def _verify(certificate: x509.Certificate, algorithm: Any, digest_oid: str, signed: bytes, signature: bytes) -> str:
    """The algorithm in words. Raises :class:`BadSignature` where the signature does not fit."""
    oid, spki = _dotted(algorithm), certificate["tbs_certificate"]["subject_public_key_info"].dump()
    if oid in gost.SIGNATURES or oid in gost.KEYS:
        return verify_gost(spki, gost.SIGNATURES.get(oid) or gost.KEYS[oid], signed, signature)
    key, hash_ = load_der_public_key(spki), _hash_of(algorithm, digest_oid)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if key.key_size < _MIN_RSA:
                raise BadSignature("weak_key", N_("The key of the certificate is too short: at least 2048 bits."))
            pss = algorithm.signature_algo == "rsassa_pss"
            how = _pss(algorithm["parameters"]) if pss else padding.PKCS1v15()
            key.verify(signature, signed, how, hash_)
            return f"RSA {'PSS' if pss else 'PKCS #1'}, {hash_.name.upper()}, {key.key_size}"
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hash_))
            return f"ECDSA {key.curve.name}, {hash_.name.upper()}"
    except InvalidSignature:
        raise BadSignature("wrong_key", WRONG) from None
    raise BadSignature("algorithm", UNKNOWN)


def _hash_of(algorithm: Any, digest_oid: str) -> hashes.HashAlgorithm:
    try:
        name = algorithm.hash_algo
    except ValueError:
        # Plain "rsaEncryption": the hash is that of the digest.
        name = algos.DigestAlgorithmId.map(digest_oid)
    if name not in _HASHES:
        raise BadSignature("weak_digest", WEAK)
    return _HASHES[name]()


def _pss(parameters: Any) -> padding.PSS:
    inner = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
    if inner not in _HASHES:
        raise BadSignature("weak_digest", WEAK)
    return padding.PSS(padding.MGF1(_HASHES[inner]()), int(parameters["salt_length"].native))


def verify_gost(spki: bytes, bits: int, signed: bytes, signature: bytes) -> str:
    """The algorithm in words, of a signature under a subject's public key info. Raises :class:`BadSignature`."""
    key = _PublicKey.load(spki)
    named = gost.KEYS.get(key["algorithm"]["algorithm"].dotted)
    parameters = _GostParameters.load(key["algorithm"]["parameters"].dump())
    curve = gost.CURVES.get(parameters["curve"].dotted)
    if named != bits or curve is None or curve.size * 8 != bits:
        raise BadSignature("algorithm", UNKNOWN)
    point = core.OctetString.load(bytes(key["key"])).native
    if not gost.verify(curve, point, gost.hashed(signed, bits), signature):
        raise BadSignature("wrong_key", WRONG)
    return f"GOST R 34.10-2012, {bits}"


def _in_time(certificate: x509.Certificate, signing_time: datetime | None, now: datetime) -> None:
    if signing_time is not None and signing_time > now + _SKEW:
        raise BadSignature("future", N_("The signature claims a time in the future: set the clock of the computer."))
    first, last = _aware(certificate.not_valid_before), _aware(certificate.not_valid_after)
    for moment in (signing_time or now, now):
        if not first <= moment <= last:
            raise BadSignature(
                "expired",
                N_(
                    "The certificate is valid from %(first)s to %(last)s: use one that is valid when you sign.",
                    first=first.date(),
                    last=last.date(),
                ),
            )
    usage = certificate.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & usage.native:
        raise BadSignature("usage", N_("The certificate is not meant for signing documents."))


def _chain(
    certificate: x509.Certificate,
    others: list[x509.Certificate],
    at: datetime,
    roots: Iterable[x509.Certificate] | None,
) -> tuple[str, str | None]:
    if roots is None:
        return "unchecked", None
    trusted, link = list(roots), certificate
    for _ in range(_MAX_CHAIN):
        for root in trusted:
            if root.dump() == link.dump() or _issued(root, link, at):
                return "trusted", _name(root.subject)
        above = next((item for item in others if item is not link and _issued(item, link, at)), None)
        if above is None:
            break
        link = above
    return "unknown", None


def _issued(issuer: x509.Certificate, subject: x509.Certificate, at: datetime) -> bool:
    """Whether the certificate authority ``issuer``, valid then, signed ``subject``."""
    if issuer.subject.dump() != subject.issuer.dump() or not issuer.ca:
        return False
    if not _aware(issuer.not_valid_before) <= at <= _aware(issuer.not_valid_after):
        return False
    try:
        _verify(
            issuer,
            subject["signature_algorithm"],
            "",
            subject["tbs_certificate"].dump(),
            subject["signature_value"].native,
        )
    except (BadSignature, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return False
    return True


def read_roots(folder: Path) -> list[x509.Certificate]:
    """The certificates of a folder, ``.pem``, ``.crt`` or ``.cer``. Raises ValueError naming a file that is none."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".pem", ".crt", ".cer", ".der"):
            continue
        content = path.read_bytes()
        try:
            der = pem.unarmor(content)[2] if pem.detect(content) else content
            found.append(x509.Certificate.load(der, strict=True))
        except ValueError as error:
            raise ValueError(f"{path} is no certificate") from error
    return found


def _name(name: x509.Name) -> str:
    """``CN=…, O=…``: the attributes in their order, those that nobody knows by name left out."""
    told = []
    for relative in name.chosen:
        for item in relative:
            short = _NAMES.get(item["type"].dotted)
            if short:
                told.append(f"{short}={_text(item['value'])}")
    return ", ".join(told)[:500]


def _inn(name: x509.Name) -> str | None:
    held = {item["type"].dotted: _text(item["value"]) for relative in name.chosen for item in relative}
    found = next((held[oid] for oid in _INN if oid in held), None)
    # Qualified certificates pad the organisation's ten digits with two zeros.
    return found[2:] if found and len(found) == 12 and found.startswith("00") else found


def _text(value: Any) -> str:
    """A string of whatever type of ASN.1."""
    held = value.native if not isinstance(value, core.Any) else value.parse().native
    return str(held).replace("\x00", "")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _instant(moment: datetime) -> str:
    return _aware(moment).astimezone(UTC).isoformat()

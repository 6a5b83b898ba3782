"""XML signatures on alerts: ours are enveloped and modern; others' are trusted by pinned certificates only.

The certificate inside a message proves nothing: whoever forged the message put it there. An alert whose signature
cannot be verified is not refused for that (CAP 3.3.4), it is said.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidCertificate, InvalidDigest, InvalidInput, InvalidSignature, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from services.gateway.cap.envelope import DSIG, local
from services.shared.errors import Refused
from services.shared.i18n import english, mark

State = Literal["verified", "unverifiable", "wrong", "unsigned"]

_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_TRANSFORMS = {SignatureConstructionMethod.enveloped.value} | {
    method.value
    for method in (
        CanonicalizationMethod.CANONICAL_XML_1_0,
        CanonicalizationMethod.CANONICAL_XML_1_0_WITH_COMMENTS,
        CanonicalizationMethod.CANONICAL_XML_1_1,
        CanonicalizationMethod.CANONICAL_XML_1_1_WITH_COMMENTS,
        CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS,
    )
}
_NS = {"ds": DSIG}
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Trust:
    """What the signature is worth: `by` names the pinned certificate that verified it, or the one it claims."""

    state: State
    by: str
    message: str


def sign(xml: bytes, key_pem: bytes, cert_pem: bytes) -> bytes:
    """The alert with an enveloped signature over the whole document, SHA-256, with our certificate in it.

    `xml` as `write` gives it; not one byte of the result may be changed on its way. RSA (2048 bits or more) and
    elliptic-curve keys; Refused for others, and where the key does not belong to the certificate.
    """
    key = serialization.load_pem_private_key(key_pem, password=None)
    cert = x509.load_pem_x509_certificate(cert_pem)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA_BITS:
        method = SignatureMethod.RSA_SHA256
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        method = SignatureMethod.ECDSA_SHA256
    else:
        raise Refused(
            "Alerts are signed with an RSA key of 2048 bits or more, or an elliptic-curve key; use one of these.",
            field="key",
            rule="cap.36.key_kind",
        )
    public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*public) != cert.public_key().public_bytes(*public):
        raise Refused(
            "The key does not belong to the certificate; use the pair that was made together.",
            field="key",
            rule="cap.36.key_pair",
        )
    root = _parse(xml)
    if root is None or local(root) != "alert":
        raise Refused("Only an alert is signed; write it first.", field="xml", rule="cap.1.not_cap")
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=method,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(root, key=key, cert=[cert])
    data: bytes = etree.tostring(signed, encoding="UTF-8", xml_declaration=True)
    return data


def verify(raw: bytes, pinned_certs: Iterable[bytes], *, at: datetime | None = None) -> Trust:
    """Whether the alert was signed, whole and as it stands, with the key of one of the pinned certificates (PEM).

    `raw` is `Alert.raw`; `at` the alert's `sent`: the certificate must have been valid then (without it: now). One
    signature, a child of the alert, with one reference to the whole document, plain transforms and no SHA-1;
    anything else is unverifiable. `wrong` means that the content is not what was signed.
    """
    root = _parse(raw)
    signatures = [] if root is None else root.findall(f".//{{{DSIG}}}Signature")
    if root is None or not signatures:
        return Trust("unsigned", "", mark("It carries no signature."))
    odd = _oddity(root, signatures)
    if odd:
        return _unverifiable(_claimed(root), odd)
    moment = at or datetime.now(UTC)
    pinned = [x509.load_pem_x509_certificate(pem) for pem in pinned_certs]
    for cert in pinned:
        outcome = _try(raw, cert, moment)
        if outcome in ("fits", "fits_unspaced"):
            note = outcome == "fits_unspaced"
            return Trust(
                "verified",
                _name(cert),
                mark("Signed by a key we know, after white space its publisher added was taken out.")
                if note
                else mark("Signed by a key we know."),
            )
        if outcome == "expired":
            return _unverifiable(_name(cert), mark("the certificate was not valid when it was sent"))
        if outcome == "altered":
            return _wrong(_name(cert))
    return _judge_stranger(raw, root, pinned, moment)


def _judge_stranger(raw: bytes, root: etree._Element, pinned: list[x509.Certificate], moment: datetime) -> Trust:
    """No pinned key fits: by the certificate it brought, tell a changed message from one by a key we do not know."""
    own = _own_certificate(root)
    if own is None:
        return _unverifiable("", mark("no key we know fits, and it brings no certificate"))
    if any(cert.fingerprint(hashes.SHA256()) == own.fingerprint(hashes.SHA256()) for cert in pinned):
        return _wrong(_name(own))
    if _try(raw, own, own.not_valid_before_utc + timedelta(seconds=1)) in ("altered", "other_key"):
        return _wrong(_name(own))
    return _unverifiable(_name(own), mark("it was signed by a key we do not know"))


def _unverifiable(by: str, why: str) -> Trust:
    return Trust("unverifiable", by, english("The signature cannot be verified: {why}.", why=why))


def _wrong(by: str) -> Trust:
    return Trust(
        "wrong",
        by,
        mark("The signature is wrong: the content is not what was signed."),
    )


def _parse(raw: bytes, *, unspaced: bool = False) -> etree._Element | None:
    """The document with its comments, which some canonical forms sign; refused where it declares a type."""
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_blank_text=unspaced
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root if root.getroottree().docinfo.internalDTD is None else None


def _oddity(root: etree._Element, signatures: list[etree._Element]) -> str | None:
    """What makes a signature one that proves nothing about this alert, whoever made it."""
    if len(signatures) > 1:
        return mark("there are several signatures")
    signature = signatures[0]
    if signature.getparent() is not root or local(root) != "alert" or len(root.findall(".//{*}alert")):
        return mark("the signature is not the alert's own")
    references = signature.findall("./ds:SignedInfo/ds:Reference", _NS)
    if len(references) != 1 or references[0].get("URI") != "":
        return mark("it does not cover the whole alert")
    algorithms = {
        element.get("Algorithm", "")
        for path in ("ds:Reference/ds:Transforms/ds:Transform", "ds:CanonicalizationMethod")
        for element in signature.findall(f"./ds:SignedInfo/{path}", _NS)
    }
    if not algorithms <= _TRANSFORMS or SignatureConstructionMethod.enveloped.value not in algorithms:
        return mark("it transforms the alert in a way we do not accept")
    method = signature.find("./ds:SignedInfo/ds:SignatureMethod", _NS)
    digest = references[0].find("ds:DigestMethod", _NS)
    if (
        method is None
        or digest is None
        or method.get("Algorithm") not in {m.value for m in _METHODS}
        or digest.get("Algorithm") not in {d.value for d in _DIGESTS}
    ):
        return mark("its algorithms are outdated or unknown")
    return None


def _try(raw: bytes, cert: x509.Certificate, moment: datetime) -> str:
    """fits, fits_unspaced (without white space between elements), altered, other_key, or expired."""
    said = "other_key"
    for unspaced in (False, True):
        root = _parse(raw, unspaced=unspaced)
        config = SignatureConfiguration(
            require_x509=True,
            location="./",
            expect_references=1,
            signature_methods=_METHODS,
            digest_algorithms=_DIGESTS,
            ignore_ambiguous_key_info=True,
            verification_time=moment,
        )
        try:
            XMLVerifier().verify(root, x509_cert=cert, expect_config=config)
        except InvalidDigest:
            said = "altered"
        except InvalidCertificate:
            return "expired"
        except (InvalidSignature, InvalidInput, SignXMLException, etree.LxmlError, ValueError):
            continue
        else:
            return "fits_unspaced" if unspaced else "fits"
    return said


def _own_certificate(root: etree._Element) -> x509.Certificate | None:
    text = root.findtext(f".//{{{DSIG}}}X509Certificate", default="")
    body = "".join(text.split())
    if not body:
        return None
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    try:
        with warnings.catch_warnings():
            # A stranger's certificate with a serial number of nought is the stranger's business.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return x509.load_pem_x509_certificate(pem.encode("ascii", "replace"))
    except ValueError:
        return None


def _claimed(root: etree._Element) -> str:
    own = _own_certificate(root)
    return _name(own) if own else ""


def _name(cert: x509.Certificate) -> str:
    """The subject, as people read it, and the beginning of the certificate's SHA-256 fingerprint."""
    try:
        subject = cert.subject.rfc4514_string()
    except ValueError:
        subject = "unreadable subject"
    return f"{subject} [{cert.fingerprint(hashes.SHA256()).hex()[:16]}]"

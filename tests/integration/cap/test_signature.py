"""Signatures: ours verify elsewhere, others' count by pinned certificates only, and no wrapping gets through."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from services.gateway.cap import read, sign, verify, write
from services.shared.errors import Refused
from tests.kit.cap_build import NS, alert, info
from tests.kit.cap_keys import pair

DS = "http://www.w3.org/2000/09/xmldsig#"
SENT = datetime(2026, 7, 9, 7, 0, tzinfo=UTC)
KEYS = {kind: pair(f"Qingshui {kind}", kind) for kind in ("ec", "rsa")}
KEY, CERT = KEYS["ec"]
LENIENT = SignatureConfiguration(ignore_ambiguous_key_info=True)
STRANGER_KEY, STRANGER_CERT = pair("Stranger")


def child(root: etree._Element, path: str) -> etree._Element:
    """The element at that path, which is there."""
    found = root.find(path)
    assert found is not None
    return found


def unsigned() -> bytes:
    return write(read(alert()).alerts[0])


def signed(key: bytes = KEY, cert: bytes = CERT) -> bytes:
    return sign(unsigned(), key, cert)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_what_we_sign_verifies_after_white_space_between_elements_is_dropped(kind, tmp_path):
    """Some receivers do so before they verify: by signxml, xmlsec1 and ourselves."""
    key, cert = KEYS[kind]
    more = info(language="zh-CN", event="山洪", description="一。\n\n二。")
    sent = sign(write(read(alert(info() + more)).alerts[0]), key, cert)
    stripped = etree.tostring(etree.fromstring(sent, etree.XMLParser(remove_blank_text=True)))
    (tmp_path / "cert.pem").write_bytes(cert)
    for document in (sent, stripped):
        assert "verified" == verify(document, [cert], at=SENT).state
        XMLVerifier().verify(document, x509_cert=cert.decode(), expect_config=LENIENT)
        (tmp_path / "a.xml").write_bytes(document)
        look = ["xmlsec1", "--verify", "--pubkey-cert-pem", "cert.pem", "a.xml"]
        done = subprocess.run(look, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
        assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_what_we_sign_verifies_and_reads_the_same(kind):
    """By the pinned certificate, named; the alert within is the one that was signed."""
    key, cert = KEYS[kind]
    data = signed(key, cert)
    reading = read(data, strict=True)
    assert ("accept", True) == (reading.verdict, reading.alerts[0].signed)
    trust = verify(reading.alerts[0].raw, [STRANGER_CERT, cert], at=SENT)
    assert "verified" == trust.state
    assert f"CN=Qingshui {kind}" in trust.by


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_reference_implementation_verifies_what_we_sign(kind, tmp_path):
    """xmlsec1 accepts it with our certificate, and refuses it with a word changed."""
    key, cert = KEYS[kind]
    (tmp_path / "cert.pem").write_bytes(cert)
    for name, data, good in (
        ("good.xml", signed(key, cert), True),
        ("bad.xml", signed(key, cert).replace(b"Nanling", b"Hedong!"), False),
    ):
        (tmp_path / name).write_bytes(data)
        run = subprocess.run(
            ["xmlsec1", "--verify", "--pubkey-cert-pem", str(tmp_path / "cert.pem"), str(tmp_path / name)],
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert good == (run.returncode == 0), run.stderr.decode()


def test_a_changed_word_is_wrong():
    """Signed by a key we know, but not this content."""
    assert "wrong" == verify(signed().replace(b"Walk uphill", b"Walk to sea"), [CERT], at=SENT).state


def test_a_forged_value_is_wrong():
    """The certificate is one of ours, the signature is not by its key."""
    root = etree.fromstring(signed())
    value = child(root, f".//{{{DS}}}SignatureValue")
    value.text = etree.fromstring(signed(STRANGER_KEY, STRANGER_CERT)).findtext(f".//{{{DS}}}SignatureValue")
    assert "wrong" == verify(etree.tostring(root), [CERT], at=SENT).state


def test_a_strangers_signature_is_said_and_not_refused():
    """The certificate inside a message proves nothing; the reading itself is not the worse for it."""
    data = signed(STRANGER_KEY, STRANGER_CERT)
    trust = verify(data, [CERT], at=SENT)
    assert "unverifiable" == trust.state
    assert "CN=Stranger" in trust.by
    assert "accept" == read(data, strict=True).verdict


def test_no_signature_is_said():
    """Neither good nor bad."""
    assert "unsigned" == verify(unsigned(), [CERT], at=SENT).state
    assert "unsigned" == verify(b"no xml", [CERT], at=SENT).state


def test_a_certificate_counts_at_the_time_of_sending():
    """Valid from 2026: it does not verify an alert of 2025, and verifies one of 2026 whenever that is looked at."""
    assert "unverifiable" == verify(signed(), [CERT], at=datetime(2025, 12, 31, tzinfo=UTC)).state
    assert "verified" == verify(signed(), [CERT], at=SENT).state


def test_white_space_added_by_a_publisher_is_seen_through():
    """Signed compact, published pretty-printed."""
    compact = etree.tostring(etree.fromstring(unsigned(), etree.XMLParser(remove_blank_text=True)))
    root = etree.fromstring(sign(compact, KEY, CERT))
    etree.indent(root, "    ")
    trust = verify(etree.tostring(root), [CERT], at=SENT)
    assert "verified" == trust.state
    assert "white space" in trust.message


def _wrapped_around() -> bytes:
    """The signed alert inside an object of the signature of another alert."""
    return alert(more=f'<Signature xmlns="{DS}"><Object>{bare_signed()}</Object></Signature>', identifier="EVIL")


def bare_signed() -> str:
    return signed().decode().split("?>\n", 1)[1]


def _moved() -> bytes:
    """The signature taken from the signed alert to a changed one, the original kept beside it."""
    root = etree.fromstring(signed())
    signature = child(root, f"{{{DS}}}Signature")
    original = etree.fromstring(signed())
    child(root, f"{{{NS}}}identifier").text = "EVIL"
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)
    return etree.tostring(root)


def _moved_bare() -> bytes:
    """The same with the original's own signature left out, so that only one remains."""
    root = etree.fromstring(signed())
    signature = child(root, f"{{{DS}}}Signature")
    original = etree.fromstring(etree.tostring(root))
    original.remove(child(original, f"{{{DS}}}Signature"))
    child(root, f"{{{NS}}}identifier").text = "EVIL"
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)
    return etree.tostring(root)


def _twice() -> bytes:
    root = etree.fromstring(signed())
    root.append(etree.fromstring(etree.tostring(child(root, f"{{{DS}}}Signature"))))
    return etree.tostring(root)


def _by_id() -> bytes:
    return signed().replace(b'URI=""', b'URI="#part"')


def _deep() -> bytes:
    root = etree.fromstring(signed())
    child(root, f"{{{NS}}}info").append(child(root, f"{{{DS}}}Signature"))
    return etree.tostring(root)


def _sha1() -> bytes:
    return signed().replace(b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1")


def _xpath() -> bytes:
    return signed().replace(
        b"http://www.w3.org/2000/09/xmldsig#enveloped-signature", b"http://www.w3.org/TR/1999/REC-xpath-19991116"
    )


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (_wrapped_around, "several signatures"),
        (_moved, "several signatures"),
        (_moved_bare, "not the alert's own"),
        (_twice, "several signatures"),
        (_by_id, "does not cover the whole alert"),
        (_deep, "not the alert's own"),
        (_sha1, "outdated"),
        (_xpath, "transforms"),
    ],
)
def test_no_wrapping_and_no_old_algorithm_is_verified(forge, why):
    """Whatever a good signature is wrapped into, moved to or weakened to: never `verified`, and it is said why."""
    trust = verify(forge(), [CERT], at=SENT)
    assert "unverifiable" == trust.state
    assert why in trust.message


def test_every_byte_of_the_content_counts():
    """No word of the alert can be changed under its signature."""
    data = signed()
    end = data.index(b"<ds:Signature")
    for place in range(data.index(b"<identifier>"), end, 37):
        if not data[place : place + 1].isalnum():
            continue
        other = b"x" if data[place : place + 1] != b"x" else b"y"
        changed = data[:place] + other + data[place + 1 :]
        assert "verified" != verify(changed, [CERT], at=SENT).state


@pytest.mark.parametrize(
    ("key", "cert", "rule"),
    [
        (KEYS["rsa"][0], CERT, "cap.36.key_pair"),
        (*pair("Short", "rsa", 1024), "cap.36.key_kind"),
    ],
)
def test_keys_that_will_not_do(key, cert, rule):
    """A key of another certificate, and one too short, are refused with a remedy."""
    with pytest.raises(Refused) as refused:
        sign(unsigned(), key, cert)
    assert rule == refused.value.rule


def test_only_an_alert_is_signed():
    """Not a page, not an alert with a document type declaration."""
    for data in (b"<html/>", b"<!DOCTYPE alert>" + alert().split(b"?>\n")[1]):
        with pytest.raises(Refused):
            sign(data, KEY, CERT)

"""A certificate chain for tests, made on the spot: a root, a signer as PKCS#12 and a time-stamping authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import keys, pem
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

PASSPHRASE = b"correct horse"


@dataclass(frozen=True)
class Chain:
    root: x509.Certificate
    root_pem: Path
    signer_p12: Path
    stamper: DummyTimeStamper


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _issue(subject: str, key: Key, issuer: str, issuer_key: Key, *, kind: str) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False
    )  # fmt: skip
    if kind == "root":
        usage |= {"key_cert_sign": True, "crl_sign": True}
    else:
        usage |= {"digital_signature": True, "content_commitment": kind == "signer"}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=kind == "root", path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if kind == "tsa":
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def make_chain(folder: Path) -> Chain:
    root_key, signer_key = _key(), _key()
    tsa_key = rsa.generate_private_key(65537, 2048)  # pyHanko's own time stamper takes no other
    root = _issue("Test root", root_key, "Test root", root_key, kind="root")
    signer = _issue("A. Examiner", signer_key, "Test root", root_key, kind="signer")
    tsa = _issue("Test clock", tsa_key, "Test root", root_key, kind="tsa")
    root_pem = folder / "root.pem"
    root_pem.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    p12 = folder / "signer.p12"
    p12.write_bytes(
        serialization.pkcs12.serialize_key_and_certificates(
            b"examiner", signer_key, signer, [root], serialization.BestAvailableEncryption(PASSPHRASE)
        )
    )
    raw = tsa_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stamper = DummyTimeStamper(_asn1(tsa), keys.PrivateKeyInfo.load(raw))
    return Chain(root, root_pem, p12, stamper)


def _asn1(certificate: x509.Certificate) -> Certificate:
    _, _, content = pem.unarmor(certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate.load(content)

"""A digital signature under a finished report, and what one says when it is checked.

Signatures are PAdES (ETSI EN 319 142-1) made with pyHanko: the bytes of the report stay as they are, the signature is
appended. The first signature certifies the document, so that nothing but further signatures may follow. An RFC 3161
time stamp is taken only where a time stamper is given; nothing here reaches for a network by itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.errors import SettingsError

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko.sign.timestamps import TimeStamper

PASSPHRASE_VARIABLE = "FRAMEWITNESS_P12_PASSPHRASE"  # nosec B105


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """One signature in a file. `intact`: the signed bytes are unchanged and the signature fits them; `whole`: nothing
    was added after it but what it allows; `trusted`: the signer's chain ends in a given root, None where none was
    given. `signed_at` is the signer's own clock, `stamped_at` that of a time stamp, each None where there is none."""

    field: str
    signer: str
    intact: bool
    whole: bool
    trusted: bool | None
    signed_at: datetime | None
    stamped_at: datetime | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the signature is intact, covers the whole file and is not known to be untrusted."""
        return self.intact and self.whole and self.trusted is not False


def load_signer(path: Path, passphrase: bytes | None) -> SimpleSigner:
    """The key and certificates of a PKCS#12 file. Raises SettingsError where it cannot be read, the passphrase does not
    open it, or it holds no key."""
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
    from pyhanko.sign.signers import SimpleSigner

    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The certificate file {path.name} cannot be read: {error.strerror}.") from error
    try:
        held = load_pkcs12(content, passphrase)
        missing = [what for what, found in (("private key", held.key), ("certificate", held.cert)) if found is None]
        if missing:
            raise SettingsError(
                f"{path.name} holds no {' and no '.join(missing)}, so nothing can be signed with it. Export the "
                "certificate together with its private key."
            )
        return SimpleSigner.load_pkcs12_data(content, other_certs=(), passphrase=passphrase)
    except ValueError as error:
        raise SettingsError(
            f"{path.name} does not open as a PKCS#12 file with this passphrase. Give the passphrase at the prompt or "
            f"in {PASSPHRASE_VARIABLE}."
        ) from error


def sign_pdf(pdf: bytes, signer: SimpleSigner, *, reason: str, stamper: TimeStamper | None = None) -> bytes:
    """`pdf` with one more signature appended. Raises SettingsError where no time stamp is to be had."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
    from pyhanko.sign.timestamps import TimestampRequestError

    earlier = len(PdfFileReader(io.BytesIO(pdf)).embedded_signatures)
    metadata = PdfSignatureMetadata(
        field_name=f"Signature{earlier + 1}",
        md_algorithm="sha256",
        reason=reason,
        subfilter=SigSeedSubFilter.PADES,
        certify=earlier == 0,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    try:
        PdfSigner(metadata, signer=signer, timestamper=stamper).sign_pdf(writer, output=out)
    except (TimestampRequestError, OSError) as error:
        raise SettingsError(f"The authority gave no time stamp, so nothing was signed: {error}") from error
    return out.getvalue()


def check_signatures(pdf: bytes, roots: Iterable[Certificate] = ()) -> tuple[SignatureFinding, ...]:
    """Every signature of a file, oldest first; empty where it has none. Chains are checked against `roots` alone:
    neither the system's certificates nor a network are asked. Raises SettingsError for what is no PDF."""
    from pyhanko.pdf_utils.misc import PdfReadError
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        found = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    except PdfReadError as error:
        raise SettingsError(f"The file is no readable PDF: {error}") from error
    known = tuple(roots)
    return tuple(_finding(signature, known) for signature in found)


def _finding(signature: Any, roots: tuple[Certificate, ...]) -> SignatureFinding:
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    def context() -> ValidationContext:
        return ValidationContext(trust_roots=list(roots), allow_fetching=False)

    certificate = signature.signer_cert
    signer = certificate.subject.human_friendly if certificate is not None else ""
    try:
        status = validate_pdf_signature(signature, context(), context())
    except Exception as error:  # what a forger wrote into a file may break its parser anywhere
        return SignatureFinding(signature.field_name, signer, False, False, None, None, None, f"{error}")
    stamp = status.timestamp_validity
    return SignatureFinding(
        field=signature.field_name,
        signer=signer,
        intact=status.intact and status.valid,
        whole=bool(status.docmdp_ok),
        trusted=status.trusted if roots else None,
        signed_at=status.signer_reported_dt,
        stamped_at=stamp.timestamp if stamp is not None and stamp.intact and stamp.valid else None,
    )

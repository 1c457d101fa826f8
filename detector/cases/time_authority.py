"""Time-stamping authorities (RFC 3161): asking one for a token, and checking what it gave.

A token is a CMS structure in which an authority signs a hash together with the time at which it saw it. Nothing but
that hash is sent, and nothing at all unless an authority is named.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate
    from pyhanko.sign.timestamps import TimeStamper

AUTHORITY_VARIABLE = "FRAMEWITNESS_TSA"
TRUST_VARIABLE = "FRAMEWITNESS_TSA_TRUST"
# For the whole exchange; who waits for it waits no longer.
TIMEOUT_S = 5.0
_MOST_TOKEN_BYTES = 64 << 10
# pyHanko also logs what it raises, with tracebacks; here every failure is told as a reason.
logging.getLogger("pyhanko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Token:
    """What a token that holds says. `at` is the authority's clock, with its zone; `authority` the subject of its
    certificate. `trusted`: that certificate led to a given root at that time, None where no root is given."""

    at: datetime
    authority: str
    trusted: bool | None


def time_stamper(url: str) -> TimeStamper:
    """A client of a time-stamping authority; nothing is sent before it is used. Raises SettingsError for what is no
    http or https address."""
    from pyhanko.sign.timestamps import HTTPTimeStamper

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"A time-stamping authority is named by its http or https address; found {url!r}.")
    return HTTPTimeStamper(url, timeout=TIMEOUT_S)


def read_roots(paths: Iterable[Path]) -> tuple[Certificate, ...]:
    """Certificates of PEM or DER files. Raises SettingsError where one cannot be read."""
    from pyhanko.keys import load_certs_from_pemder

    try:
        return tuple(load_certs_from_pemder(str(path) for path in paths))
    except (OSError, ValueError) as error:
        raise SettingsError(f"A trusted certificate cannot be read: {error}") from error


def trusted_roots() -> tuple[Certificate, ...]:
    """The root certificates of the files that FRAMEWITNESS_TSA_TRUST names (separated as in PATH); empty where it is
    not set. Raises StoreError where one cannot be read."""
    paths = [Path(part).expanduser() for part in os.environ.get(TRUST_VARIABLE, "").split(os.pathsep) if part]
    try:
        return read_roots(paths)
    except SettingsError as error:
        raise StoreError(
            f"{error} Mend {TRUST_VARIABLE}, or unset it: time stamps are then told as unchecked."
        ) from error


def request_token(url: str, sha256: bytes) -> bytes:
    """Ask for a token over a SHA-256 (32 bytes); returns it as DER, unchecked. Waits some seconds at most. Raises
    StoreError where the authority gives none, SettingsError for what is no address of one."""
    stamper = time_stamper(url)
    try:
        token = asyncio.run(stamper.async_timestamp(sha256, "sha256")).dump()
    except Exception as error:  # what an authority answers may break the parser of its answer anywhere
        reason = " ".join(f"{error} {error.__cause__ or ''}".split()) or type(error).__name__
        if "time_stamp_token" in reason:  # what asn1crypto makes of a refusal, which has none
            reason = "it refused to, in a proper answer"
        raise StoreError(
            f"The time-stamping authority {url} gave no time stamp ({reason:.300}). Look at {AUTHORITY_VARIABLE} and "
            "the network; the record is as it was, and it is asked again later."
        ) from error
    if len(token) > _MOST_TOKEN_BYTES:
        raise StoreError(f"The time-stamping authority {url} gave a token of {len(token):,} bytes; it was not kept.")
    return bytes(token)


def check_token(token: bytes, sha256: bytes, roots: Iterable[Certificate] = ()) -> Token:
    """What a token (DER) says, once it is found to be signed and made for `sha256`. Its certificate is checked as of
    the token's own time, and against `roots` alone: neither the system's certificates nor a network are asked. Raises
    StoreError where anything does not hold, with the reason."""
    from asn1crypto.cms import ContentInfo
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko.sign.validation.status import TimestampSignatureStatus
    from pyhanko_certvalidator import ValidationContext

    known = list(roots)
    try:
        signed = ContentInfo.load(token, strict=True)["content"]
        info = signed["encap_content_info"]["content"].parsed
        at, imprint = info["gen_time"].native, info["message_imprint"]
        made_for = (imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native)
        context = ValidationContext(trust_roots=known, allow_fetching=False, moment=at)
        status = TimestampSignatureStatus(
            **asyncio.run(validate_tst_signed_data(signed, context, lambda _: made_for[1]))
        )
        authority = status.signing_cert.subject.human_friendly
        held, trusted = status.intact and status.valid, status.trusted
    except Exception as error:  # what a forger wrote into a token may break its parser anywhere
        raise StoreError(
            f"it cannot be read ({type(error).__name__}: {str(error) or 'no reason given':.200})"
        ) from error
    if not held:
        raise StoreError("its signature does not hold")
    if made_for != ("sha256", sha256):
        raise StoreError("it was made for something else than what is filed with it")
    if known and not trusted:
        raise StoreError(f"the certificate of {authority} leads to none of the roots that {TRUST_VARIABLE} names")
    return Token(at, authority, True if known else None)

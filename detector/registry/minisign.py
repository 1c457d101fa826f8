"""Detached Ed25519 signatures in minisign's format, so that `minisign -V` checks them without this program.

https://jedisct1.github.io/minisign/: a file of two lines holds a key, one of four a signature. What is signed is the
data's BLAKE2b-512 ("ED"); the trusted comment is signed with the signature. Secret keys are read without a password, as
`minisign -G -W` writes them. Everything here raises ValueError with what is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_KEY, _HASHED, _NO_PASSWORD, _CHECKSUM = b"Ed", b"ED", b"\0\0", b"B2"
_ID, _SIGNATURE = 8, 64
_NO_SALT: Final = bytes(32 + 8 + 8)  # of a password: salt, operations and memory
_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "


class KeyPair(NamedTuple):
    """The contents of the two files that `minisign -G -W` writes."""

    secret: str
    public: str


def generate() -> KeyPair:
    """A new pair with a random id, from the system's source of randomness."""
    private, key_id = Ed25519PrivateKey.generate(), secrets.token_bytes(_ID)
    public = private.public_key().public_bytes_raw()
    key = private.private_bytes_raw() + public
    checksum = hashlib.blake2b(_KEY + key_id + key, digest_size=32).digest()
    secret = _KEY + _NO_PASSWORD + _CHECKSUM + _NO_SALT + key_id + key + checksum
    name = key_id[::-1].hex().upper()  # minisign prints the id as a little-endian number
    return KeyPair(
        f"{_UNTRUSTED}minisign unencrypted secret key {name}\n{_text(secret)}\n",
        f"{_UNTRUSTED}minisign public key {name}\n{_text(_KEY + key_id + public)}\n",
    )


def sign(data: bytes, secret_key: str, trusted_comment: str) -> str:
    """The content of a `.minisig` file for `data`; the comment, one line, is signed too."""
    if not trusted_comment.isprintable():
        raise ValueError("a trusted comment is one line of printable text")
    key_id, private = _private(secret_key)
    signature = private.sign(hashlib.blake2b(data).digest())
    over_all = private.sign(signature + trusted_comment.encode())
    return (
        f"{_UNTRUSTED}signature from minisign secret key\n{_text(_HASHED + key_id + signature)}\n"
        f"{_TRUSTED}{trusted_comment}\n{_text(over_all)}\n"
    )


def verify(data: bytes, signature: str, public_key: str) -> str:
    """The trusted comment, once `data` and it were found to be signed by the key: the content of a key file, or its
    second line alone."""
    key = _bytes(public_key.strip().splitlines()[-1:], len(_KEY) + _ID + 32, "public key")
    lines = signature.splitlines()
    if len(lines) != 4 or not lines[0].startswith(_UNTRUSTED) or not lines[2].startswith(_TRUSTED):
        raise ValueError("it is no minisign signature: four lines with an untrusted and a trusted comment are expected")
    signed = _bytes(lines[1:2], len(_HASHED) + _ID + _SIGNATURE, "signature")
    over_all = _bytes(lines[3:], _SIGNATURE, "signature of the comment")
    comment = lines[2].removeprefix(_TRUSTED)
    if key[:2] != _KEY or signed[:2] != _HASHED:
        raise ValueError("only Ed25519 over BLAKE2b-512 is read")
    if signed[2:10] != key[2:10]:
        raise ValueError("another key signed it")
    public = Ed25519PublicKey.from_public_bytes(key[10:])
    try:
        public.verify(signed[10:], hashlib.blake2b(data).digest())
        public.verify(over_all, signed[10:] + comment.encode())
    except InvalidSignature:
        raise ValueError("what was signed has been changed since") from None
    return comment


def _private(text: str) -> tuple[bytes, Ed25519PrivateKey]:
    """A secret key's id and the key."""
    packed = _bytes(text.strip().splitlines()[-1:], 6 + len(_NO_SALT) + _ID + 64 + 32, "secret key")
    if packed[:2] != _KEY or packed[4:6] != _CHECKSUM:
        raise ValueError("it is no Ed25519 secret key of minisign")
    if packed[2:4] != _NO_PASSWORD:
        raise ValueError("the secret key has a password; make a key without one by `minisign -G -W`")
    own = packed[6 + len(_NO_SALT) :]
    if hashlib.blake2b(_KEY + own[:-32], digest_size=32).digest() != own[-32:]:
        raise ValueError("the secret key is damaged: its checksum differs")
    return own[:_ID], Ed25519PrivateKey.from_private_bytes(own[_ID : _ID + 32])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(lines: list[str], size: int, what: str) -> bytes:
    try:
        found = base64.b64decode("".join(lines).strip(), validate=True)
    except ValueError as error:
        raise ValueError(f"the {what} is not base64") from error
    if len(found) != size:
        raise ValueError(f"the {what} has {len(found)} bytes, expected {size}")
    return found

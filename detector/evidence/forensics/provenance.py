"""Content credentials in a file (C2PA Technical Specification 2.x), read with c2pa-python and nothing but the file.

Nothing is fetched: neither manifests kept elsewhere nor revocation lists. Whether a signer is trusted depends on the
list of certificate authorities that the examiner's laboratory trusts; without one, no credential can be "valid".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from detector.evidence.forensics.types import Provenance, ProvenanceState, Validation
from detector.evidence.text import shown

TRUST_VARIABLE = "FRAMEWITNESS_C2PA_TRUST"
MAX_TRUST_BYTES = 4 << 20
MAX_S = 60.0
_MAX_LINES, _MAX_VALIDATIONS, _MAX_MANIFESTS = 40, 40, 50
_ABSENT = (
    "The file holds no content credentials. Most cameras, phones and programs write none, and copying or uploading "
    "removes them, so their absence says nothing about the file."
)
_STATEMENTS: dict[ProvenanceState, str] = {
    "valid": "The content credentials are intact, the file is unchanged since they were signed, and the signer is in "
    "the trust list. They prove who signed which statements, not that the statements are true.",
    "untrusted": "The content credentials are intact and the file is unchanged since they were signed, but {why}. "
    "Anyone can make such a signature, so the name in it identifies nobody.",
    "invalid": "The content credentials do not match the file: {why}. The file or the credentials changed after "
    "signing; ordinary re-saving does that as well as tampering.",
    "absent": _ABSENT,
    "unreadable": "Whether the file holds sound content credentials could not be found out.",
}


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificate authorities whose signatures count as trusted: PEM text, and how the record names the list."""

    pem: str
    name: str


def trust_list() -> TrustList | None:
    """The list that the environment variable FRAMEWITNESS_C2PA_TRUST names (a PEM file); None where it is not set.

    Raises ValueError for a list that cannot be used.
    """
    place = os.environ.get(TRUST_VARIABLE)
    if not place:
        return None
    path = Path(place)
    try:
        if path.stat().st_size > MAX_TRUST_BYTES:
            raise ValueError(f"the trust list is larger than {MAX_TRUST_BYTES} bytes")
        content = path.read_bytes()
        pem = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the trust list cannot be read ({type(error).__name__})") from error
    certificates = pem.count("-----BEGIN CERTIFICATE-----")
    if not certificates:
        raise ValueError("the trust list holds no PEM certificate")
    digest = hashlib.sha256(content).hexdigest()
    return TrustList(pem, f"{shown(path.name, 80)}, {certificates} certificate(s), SHA-256 {digest}")


def read_provenance(path: Path) -> Provenance:
    """The content credentials of a file. Never raises on what is in it: a failure is "unreadable" with a reason."""
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError) as error:
        return _unreadable(f"The c2pa library cannot be loaded ({type(error).__name__}).")
    problem, trusted = None, None
    try:
        trusted = trust_list()
    except ValueError as error:
        problem = f"No signer can count as trusted: {error}."
    try:
        with path.open("rb") as stream:
            found = _read(c2pa, _Bounded(stream), trusted)
    except OSError as error:
        return _unreadable(f"The file cannot be read ({type(error).__name__}).", trusted)
    except Exception as error:  # the library maps hostile content to many kinds, ctypes' own among them
        return _unreadable(_reason_of(c2pa, error), trusted)
    return replace(found, reason=found.reason or problem)


class _Bounded:
    """A file that stops answering once time is up; the library then gives up."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._end_s = time.monotonic() + MAX_S

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._end_s:
            raise OSError(f"not finished within {MAX_S:.0f} s")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def write(self, data: bytes) -> int:
        raise OSError("evidence is never written to")

    def flush(self) -> None:
        """Nothing is ever written."""


def _read(c2pa: Any, stream: _Bounded, trusted: TrustList | None) -> Provenance:
    options: dict[str, Any] = {
        "verify": {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False},
    }
    if trusted is not None:
        options["trust"] = {"trust_anchors": trusted.pem}
    context = c2pa.Context(c2pa.Settings.from_dict(options))
    reader = c2pa.Reader.try_create(None, stream, None, context)
    if reader is None:
        return Provenance("absent", _ABSENT, trust_list=None if trusted is None else trusted.name)
    with reader:
        return _described(json.loads(reader.json()), trusted)


def _described(store: dict[str, Any], trusted: TrustList | None) -> Provenance:
    manifests = _mapping(store.get("manifests"))
    active = _mapping(manifests.get(str(store.get("active_manifest"))))
    signature = _mapping(active.get("signature_info"))
    results = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    failures = _validations(results.get("failure"))
    state = {"Trusted": "valid", "Valid": "untrusted"}.get(str(store.get("validation_state")), "invalid")
    broken = [one.explanation or one.code for one in failures if one.code != "signingCredential.untrusted"]
    why = "; ".join(broken[:3]) or "the library names no reason"
    if state == "untrusted":
        why = (
            "the signer is not in the trust list" if trusted else "no trust list was given to check the signer against"
        )
    sound: ProvenanceState = state  # type: ignore[assignment]
    return Provenance(
        state=sound,
        statement=_STATEMENTS[sound].format(why=why),
        claim_generator=_generator(active),
        signer=", ".join(shown(signature[name], 120) for name in ("common_name", "issuer") if signature.get(name))
        or None,
        signed_at=shown(signature["time"], 40) if signature.get("time") else None,
        actions=_cut(_actions(active)),
        ingredients=_cut(_ingredients(active)),
        ai_generated=tuple(
            dict.fromkeys(
                kind for one in list(manifests.values())[:_MAX_MANIFESTS] for kind in _ai_sources(_mapping(one))
            )
        ),
        validation=(failures + _validations(results.get("success")) + _validations(results.get("informational")))[
            :_MAX_VALIDATIONS
        ],
        trust_list=None if trusted is None else trusted.name,
    )


def _generator(manifest: dict[str, Any]) -> str | None:
    for info in _sequence(manifest.get("claim_generator_info")):
        if name := _mapping(info).get("name"):
            return shown(f"{name} {_mapping(info).get('version') or ''}".strip(), 200)
    stated = manifest.get("claim_generator")
    return shown(stated, 200) if stated else None


def _action_entries(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in _sequence(manifest.get("assertions")):
        if str(_mapping(assertion).get("label", "")).startswith("c2pa.actions"):
            for action in _sequence(_mapping(_mapping(assertion).get("data")).get("actions")):
                yield _mapping(action)


def _actions(manifest: dict[str, Any]) -> Iterator[str]:
    for action in _action_entries(manifest):
        parts = [shown(action.get("action", "unnamed action"), 80)]
        if agent := action.get("softwareAgent"):
            parts.append(f"by {shown(_mapping(agent).get('name') or agent, 80)}")
        if source := action.get("digitalSourceType"):
            parts.append(f"source: {_last_part(source)}")
        if when := action.get("when"):
            parts.append(f"at {shown(when, 40)}")
        yield ", ".join(parts)


def _ingredients(manifest: dict[str, Any]) -> Iterator[str]:
    for item in _sequence(manifest.get("ingredients")):
        one = _mapping(item)
        relation = f" ({shown(one['relationship'], 40)})" if one.get("relationship") else ""
        yield f"{shown(one.get('title') or 'untitled', 120)}{relation}"


def _ai_sources(manifest: dict[str, Any]) -> Iterator[str]:
    """IPTC digital source types that say that a trained model made or altered the content."""
    for action in _action_entries(manifest):
        kind = _last_part(action.get("digitalSourceType") or "")
        if "trainedalgorithmic" in kind.lower():
            yield kind


def _last_part(address: object) -> str:
    return shown(str(address).rstrip("/").rsplit("/", 1)[-1], 80)


def _validations(items: object) -> tuple[Validation, ...]:
    return tuple(
        Validation(
            shown(_mapping(item).get("code") or "unnamed", 80), shown(_mapping(item).get("explanation") or "", 240)
        )
        for item in _sequence(items)[:_MAX_VALIDATIONS]
    )


def _cut(lines: Iterator[str]) -> tuple[str, ...]:
    found = [line for line, _ in zip(lines, range(_MAX_LINES + 1), strict=False)]
    return tuple([*found[:_MAX_LINES], "more were not read"] if len(found) > _MAX_LINES else found)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _reason_of(c2pa: Any, error: Exception) -> str:
    if isinstance(error, c2pa.C2paError.RemoteManifest) or "must fetch remote" in str(error):
        named = re.search(r"https?://\S+", str(error))
        where = f" ({shown(named[0], 160)})" if named else ""
        return f"The file points to credentials kept elsewhere{where}; nothing is fetched, so they were not examined."
    if isinstance(error, c2pa.C2paError.NotSupported) or "type is unsupported" in str(error):
        return "The c2pa library reads no content credentials from this kind of file."
    return f"The c2pa library failed: {shown(error, 200)}."


def _unreadable(reason: str, trusted: TrustList | None = None) -> Provenance:
    return Provenance(
        "unreadable", _STATEMENTS["unreadable"], reason=reason, trust_list=None if trusted is None else trusted.name
    )

"""Writing a replay bundle: one zip with everything that a second run of one analysis needs, or the names of it.

    replay.json      input, settings, models with their weights' SHA-256 and cards, environments, tool
    analysis.json    the results: the analysis exactly as it was saved
    input/<sha256>   the original, on request, uncompressed
    verify_case.py   checks all of this without this program (see `detector.cases.verify_case`)
    manifest.json    SHA-256 and size of every other member

Members carry a fixed time, so that the bytes depend on the record, this program and its environment alone.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from detector.analysis import tool
from detector.analysis.environment import environment
from detector.analysis.identity import card_facts
from detector.cases.codec import file_sha256
from detector.cases.export import VERIFIER, add_member
from detector.errors import ModelError, StoreError

if TYPE_CHECKING:
    from detector.cases import CaseStore

BUNDLE_KIND = "framewitness-replay"
BUNDLE_VERSION = "1.0"
RESULTS_MEMBER = "analysis.json"


def write_replay_bundle(store: CaseStore, record_id: str, path: Path, *, include_input: bool = False) -> str:
    """Write the bundle of one saved analysis to `path`, whole or not at all; returns the zip's SHA-256.

    Raises StoreError for an unknown record, where the saved analysis or the original is missing or was changed, and
    where the file cannot be written.
    """
    record = store.record(record_id)
    exhibit = store.exhibit(record.exhibit_id)
    store.analysis(record_id)  # refuses what was changed since it was saved
    results = next(kept for kept in record.artefacts if kept.kind == "analysis").path.read_bytes()
    saved = json.loads(results)
    original = exhibit.evidence.file.path if include_input else None
    if original is not None:
        _require_original(original, exhibit.sha256)
    described = {
        "kind": BUNDLE_KIND,
        "bundle_version": BUNDLE_VERSION,
        "tool": asdict(tool()),
        "made_from": {
            "case_id": record.case_id,
            "case_reference": store.case(record.case_id).reference,
            "exhibit_id": record.exhibit_id,
            "record_id": record_id,
            "analysis_id": record.analysis_id,
        },
        "input": {
            **{name: saved["evidence"][name] for name in ("file_name", "sha256", "md5", "size_bytes")},
            "included": include_input,
        },
        "settings": saved["settings"],
        "models": [_model(model, saved.get("identity")) for model in saved["models"]],
        "environment": {"analysis": saved.get("environment"), "bundle": environment()},
    }
    try:
        _write(path, described, results, original, exhibit.sha256)
        return file_sha256(path)
    except OSError as error:
        raise StoreError(f"The replay bundle could not be written to {path}: {error}. Nothing was written.") from error


def _model(model: dict[str, Any], identity: dict[str, Any] | None) -> dict[str, Any]:
    """The name and weights that a second run must find, and the card, which says how faces are cropped and scores
    read: as it was on record, else as it is here unless it describes other weights."""
    told = {name: model[name] for name in ("model_id", "weights_sha256")}
    for recorded in identity["models"] if identity else ():
        if told.items() <= recorded.items():
            return {**told, "card": recorded["card"]}
    from detector.registry import find_card  # imports torch

    try:
        card = find_card(told["model_id"])
    except ModelError:
        return {**told, "card": None}
    return {**told, "card": card_facts(card) if card.weights_sha256 == told["weights_sha256"] else None}


def _require_original(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise StoreError("The original is no longer in the store, so it cannot be put into the bundle.")
    found = file_sha256(path)
    if found != sha256:
        raise StoreError(f"The stored original was changed (SHA-256 {found}, recorded {sha256}). Verify the case.")


def _write(path: Path, described: dict[str, Any], results: bytes, original: Path | None, sha256: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".bundling-", suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w") as bundle:
            manifest = [
                add_member(bundle, "replay.json", _json(described)),
                add_member(bundle, RESULTS_MEMBER, io.BytesIO(results)),
            ]
            with VERIFIER.open("rb") as script:
                manifest.append(add_member(bundle, VERIFIER.name, script))
            if original is not None:
                with original.open("rb") as content:
                    # Uncompressed: video does not shrink, and nobody has to fear what it might grow to.
                    manifest.append(add_member(bundle, f"input/{sha256}", content, compressed=False))
            add_member(bundle, "manifest.json", _json({"members": manifest}))
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _json(value: Any) -> BinaryIO:
    return io.BytesIO((json.dumps(value, indent=2, ensure_ascii=True) + "\n").encode())

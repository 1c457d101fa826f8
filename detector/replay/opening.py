"""Reading a replay bundle. It comes from outside and is trusted with nothing.

No member's name is ever a path: there are five names a bundle may hold, and the original is written where the caller
says. Every member must be in the manifest with its SHA-256 and size, JSON is bounded before it is read, the original
must lie uncompressed (so that it cannot grow), and what the parts say of each other must agree. This shows that a
bundle is whole, not who made it.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from detector.cases.verify_case import SCRIPT
from detector.errors import BundleError, SettingsError
from detector.replay.bundle import BUNDLE_KIND, BUNDLE_VERSION, RESULTS_MEMBER
from detector.settings import AnalysisSettings

_SHA256 = re.compile(r"[0-9a-f]{64}")
_INPUT = re.compile(r"input/([0-9a-f]{64})")
_JSON_MEMBERS = {"manifest.json": 1 << 16, "replay.json": 4 << 20, RESULTS_MEMBER: 256 << 20}
_CHUNK_BYTES = 1 << 20
_HOW = "It was not replayed. Ask for the bundle again."


@dataclass(frozen=True, slots=True)
class ReplayBundle:
    """A bundle that is whole. `results` is the recorded analysis by the JSON contract; `models` are (model id, weights'
    SHA-256, the card's facts or None) in the order of the analysis; `input_member` is None where the original is not
    in it."""

    path: Path
    described: dict[str, Any]
    results: dict[str, Any]
    settings: AnalysisSettings
    models: tuple[tuple[str, str, dict[str, Any] | None], ...]
    file_name: str
    sha256: str
    size_bytes: int
    input_member: str | None

    @property
    def environment(self) -> dict[str, str]:
        """The environment that the analysis ran in; empty where that was never recorded."""
        found = self.results.get("environment")
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def open_bundle(path: Path) -> ReplayBundle:
    """Read and check a bundle. Raises BundleError for anything that is not a whole, self-consistent bundle."""
    with _refusing(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for entry in archive.infolist():
            _check_entry(entry)
        if len(set(names)) != len(names) or len(names) > len(_JSON_MEMBERS) + 2:
            raise BundleError(f"The bundle {path.name!r} holds a member twice, or too many. {_HOW}")
        if missing := sorted(set(_JSON_MEMBERS) - set(names)):
            raise BundleError(f"The bundle {path.name!r} lacks {', '.join(missing)}. {_HOW}")
        listed = _parsed(_content(archive, "manifest.json", None), "manifest.json")["members"]
        manifest = {str(one["name"]): (str(one["sha256"]), int(one["size_bytes"])) for one in listed}
        if set(manifest) != set(names) - {"manifest.json"} or len(listed) != len(manifest):
            raise BundleError(f"The members of the bundle {path.name!r} are not those its manifest lists. {_HOW}")
        described = _parsed(_content(archive, "replay.json", manifest), "replay.json")
        if (described["kind"], described["bundle_version"]) != (BUNDLE_KIND, BUNDLE_VERSION):
            raise BundleError(
                f"{path.name!r} is a bundle of kind {described['kind']!r:.60} and version "
                f"{described['bundle_version']!r:.20}; this program replays {BUNDLE_KIND} {BUNDLE_VERSION}. (A case "
                "bundle is taken in with `python -m detector cases import`.)"
            )
        results = _parsed(_content(archive, RESULTS_MEMBER, manifest), RESULTS_MEMBER)
        return _checked(path, described, results, names, manifest)


def extract_input(bundle: ReplayBundle, target: Path) -> None:
    """Write the original of the bundle to `target`, checking it on the way; nothing is left of one that differs.

    Raises BundleError where it is not what the manifest and the bundle say.
    """
    assert bundle.input_member is not None
    with _refusing(bundle.path), zipfile.ZipFile(bundle.path) as archive, target.open("xb") as stream:
        total, seen = hashlib.sha256(), 0
        try:
            for chunk in _chunks(archive, bundle.input_member, bundle.size_bytes):
                total.update(chunk)
                seen += len(chunk)
                stream.write(chunk)
            if (seen, total.hexdigest()) != (bundle.size_bytes, bundle.sha256):
                raise BundleError(f"The original in the bundle is not the file it says ({bundle.sha256}). {_HOW}")
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 1:
        raise BundleError(f"The bundle is encrypted; a replay bundle never is. {_HOW}")
    if _INPUT.fullmatch(entry.filename):
        if entry.compress_type != zipfile.ZIP_STORED:
            raise BundleError(f"The original in the bundle is compressed; a replay bundle keeps it as it is. {_HOW}")
    elif entry.filename not in (*_JSON_MEMBERS, SCRIPT):
        raise BundleError(f"The bundle has a member that none should have ({entry.filename!r:.200}). {_HOW}")


def _checked(
    path: Path,
    described: dict[str, Any],
    results: dict[str, Any],
    names: list[str],
    manifest: dict[str, tuple[str, int]],
) -> ReplayBundle:
    """The bundle, once its parts agree with each other."""
    told, recorded = described["input"], results["evidence"]
    sha256, size_bytes = told["sha256"], told["size_bytes"]
    member = next((name for name in names if _INPUT.fullmatch(name)), None)
    expected = (f"input/{sha256}", (sha256, size_bytes))
    models = tuple((model["model_id"], model["weights_sha256"], model["card"]) for model in described["models"])
    settings = AnalysisSettings.from_dict(described["settings"])
    whole = {
        "the input's hash": bool(_SHA256.fullmatch(sha256)) and recorded["sha256"] == sha256,
        "the input's size": isinstance(size_bytes, int) and recorded["size_bytes"] == size_bytes,
        "whether the input is there": told["included"] is (member is not None),
        "which file the input is": member is None or (member, manifest[member]) == expected,
        "the settings": results["settings"] == described["settings"]
        and described["settings"].get("sha256") == settings.sha256,
        "the models": [(name, weights) for name, weights, _ in models]
        == [(model["model_id"], model["weights_sha256"]) for model in results["models"]]
        and bool(models),
    }
    if wrong := [name for name, agrees in whole.items() if not agrees]:
        raise BundleError(f"The parts of the bundle {path.name!r} contradict each other on {', '.join(wrong)}. {_HOW}")
    file_name = str(recorded["file_name"])
    return ReplayBundle(path, described, results, settings, models, file_name, sha256, size_bytes, member)


def _content(archive: zipfile.ZipFile, name: str, manifest: dict[str, tuple[str, int]] | None) -> bytes:
    content = b"".join(_chunks(archive, name, _JSON_MEMBERS[name]))
    if manifest is not None and manifest[name] != (hashlib.sha256(content).hexdigest(), len(content)):
        raise BundleError(f"The member {name} was changed: it is not what the manifest says. {_HOW}")
    return content


def _chunks(archive: zipfile.ZipFile, name: str, most_bytes: int) -> Iterator[bytes]:
    seen = 0
    with archive.open(name) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            seen += len(chunk)
            if seen > most_bytes:
                raise BundleError(f"The member {name:.80} is larger than {most_bytes:,} bytes. {_HOW}")
            yield chunk


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise BundleError(f"The member {name} holds {constant}, which is no JSON number. {_HOW}")

    found = json.loads(content, parse_constant=refuse)
    if not isinstance(found, dict):
        raise BundleError(f"The member {name} must hold one JSON object. {_HOW}")
    return found


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Whatever a damaged or made-up file provokes becomes one clear error."""
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise BundleError(f"{path.name!r} is no readable replay bundle ({error!s:.200}). {_HOW}") from error
    except OSError as error:
        raise BundleError(f"The bundle {path} cannot be read: {error}.") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, SettingsError) as error:
        raise BundleError(f"{path.name!r} is not as a replay bundle should be ({error!r:.300}). {_HOW}") from error

"""Bundles that should never be trusted: each gives one clear error, and nothing is written anywhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.cases import verify_case
from detector.cases.export import VERIFIER
from detector.cli import main
from detector.errors import BundleError
from detector.replay import open_bundle
from detector.replay.opening import extract_input
from tests.replay.conftest import Bundled
from tests.replay.forge import edited, members, write

Forge = Callable[[Bundled, Path], Path]


def renamed(name: str) -> Forge:
    def forge(bundled: Bundled, target: Path) -> Path:
        content = members(bundled.with_input)
        content[name] = content.pop(next(one for one in content if one.startswith("input/")))
        return write(target, content)

    return forge


def without(name: str) -> Forge:
    def forge(bundled: Bundled, target: Path) -> Path:
        return write(target, {one: data for one, data in members(bundled.bundle).items() if one != name}, relist=False)

    return forge


def changed(member: str, change: Callable[[Any], None]) -> Forge:
    return lambda bundled, target: edited(bundled.with_input, target, member, change)


def replaced(member: str, content: bytes, *, relist: bool = True) -> Forge:
    return lambda bundled, target: write(target, {**members(bundled.bundle), member: content}, relist=relist)


def cut_short(bundled: Bundled, target: Path) -> Path:
    target.write_bytes(bundled.with_input.read_bytes()[:-400])
    return target


def encrypted(bundled: Bundled, target: Path) -> Path:
    data = bytearray(bundled.bundle.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    target.write_bytes(data)
    return target


def twice(bundled: Bundled, target: Path) -> Path:
    target.write_bytes(bundled.bundle.read_bytes())
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("replay.json", "{}")
    return target


def bad_checksum(bundled: Bundled, target: Path) -> Path:
    data = bytearray(bundled.with_input.read_bytes())
    data[data.index(b"moov")] ^= 1
    target.write_bytes(data)
    return target


def no_zip(bundled: Bundled, target: Path) -> Path:
    target.write_text("Dear Sir or Madam, this is not a bundle.")
    return target


def compressed_input(bundled: Bundled, target: Path) -> Path:
    return write(target, members(bundled.with_input), stored=False)


CASES: dict[str, tuple[Forge, str]] = {
    "a path upwards": (renamed("../../etc/cron.d/own"), "none should have"),
    "an absolute path": (renamed("/tmp/own"), "none should have"),
    "a path behind the input's name": (renamed("input/" + "a" * 64 + "/../../own"), "none should have"),
    "an input under another hash": (renamed("input/" + "a" * 64), "which file the input is"),
    "no settings": (without("replay.json"), "lacks replay.json"),
    "no results": (without("analysis.json"), "lacks analysis.json"),
    "no manifest": (without("manifest.json"), "lacks manifest.json"),
    "cut short": (cut_short, "no readable replay bundle"),
    "no zip": (no_zip, "no readable replay bundle"),
    "encrypted": (encrypted, "encrypted"),
    "a member twice": (twice, "twice"),
    "a compressed input": (compressed_input, "is compressed"),
    "results that the manifest does not know": (replaced("analysis.json", b"{}", relist=False), "was changed"),
    "a member that grows without end": (replaced("replay.json", b" " * (5 << 20)), "larger than"),
    "a manifest that grows without end": (replaced("manifest.json", b" " * (1 << 20), relist=False), "larger than"),
    "nested without end": (replaced("replay.json", b"[" * 200_000), "no readable replay bundle"),
    "no JSON": (replaced("replay.json", b"\xff\xfe\x00"), "not as a replay bundle should be"),
    "a list": (replaced("replay.json", b"[]"), "one JSON object"),
    "another kind of zip": (changed("replay.json", lambda value: value.update(kind="case")), "of kind 'case'"),
    "another version": (changed("replay.json", lambda value: value.update(bundle_version="9.0")), "version '9.0'"),
    "no kind": (changed("replay.json", lambda value: value.pop("kind")), "not as a replay bundle should be"),
    "a hash that is a path": (
        changed("replay.json", lambda value: value["input"].update(sha256="../" * 21 + "x")),
        "contradict",
    ),
    "another input in the results": (
        changed("analysis.json", lambda value: value["evidence"].update(sha256="a" * 64)),
        "contradict each other on the input's hash",
    ),
    "an input said to be absent": (
        changed("replay.json", lambda value: value["input"].update(included=False)),
        "whether the input is there",
    ),
    "settings that the results deny": (
        changed("replay.json", lambda value: value["settings"].update(max_frames=7)),
        "contradict each other on the settings",
    ),
    "settings of another type": (
        changed("replay.json", lambda value: value["settings"].update(max_frames={"a": []})),
        "not as a replay bundle should be",
    ),
    "models that the results deny": (
        changed("replay.json", lambda value: value["models"].reverse() or value["models"].pop()),
        "contradict each other on the models",
    ),
    "no number": (
        lambda bundled, target: write(
            target, {**members(bundled.bundle), "analysis.json": b'{"evidence": {"size_bytes": NaN}}'}
        ),
        "holds NaN",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_a_reason(
    name: str, bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge, reason = CASES[name]
    path = forge(bundled, tmp_path / "forged.zip")
    with pytest.raises(BundleError, match=reason):
        open_bundle(path)
    assert main(["replay", str(path), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: bundle_refused: ")
    assert len(err) < 2_000


def test_the_verifier_that_stands_alone_finds_what_was_changed_and_nothing_else(
    bundled: Bundled, tmp_path: Path
) -> None:
    def differing(path: Path) -> list[str]:
        return [found.check for found in verify_case.verify(str(path)) if found.ok is False]

    assert members(bundled.bundle)[VERIFIER.name] == VERIFIER.read_bytes()
    assert differing(bundled.bundle) == differing(bundled.with_input) == []
    for name in (
        "an input said to be absent",
        "another input in the results",
        "settings that the results deny",
        "models that the results deny",
    ):
        assert differing(CASES[name][0](bundled, tmp_path / "forged.zip")) == ["replay"], name
    assert (
        differing(CASES["results that the manifest does not know"][0](bundled, tmp_path / "forged.zip"))[0] == "members"
    )


def test_a_damaged_original_is_found_while_it_is_taken_out(bundled: Bundled, tmp_path: Path) -> None:
    path = bad_checksum(bundled, tmp_path / "forged.zip")
    with pytest.raises(BundleError):
        extract_input(open_bundle(path), tmp_path / "original")
    assert not (tmp_path / "original").exists()
    assert main(["replay", str(path), "--quiet"]) == 2


def test_an_exchanged_original_is_found(bundled: Bundled, tmp_path: Path) -> None:
    content = members(bundled.with_input)
    name = next(one for one in content if one.startswith("input/"))
    content[name] = content[name][:-1] + b"!"
    manifest = json.loads(content["manifest.json"])
    path = write(tmp_path / "forged.zip", content, relist=False)
    assert {entry["name"] for entry in manifest["members"]} == set(content) - {"manifest.json"}
    with pytest.raises(BundleError, match="not the file it says"):
        extract_input(open_bundle(path), tmp_path / "original")


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "nothing.zip")]) == 2
    assert "cannot be read" in capsys.readouterr().err

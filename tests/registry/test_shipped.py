"""The signed list of what is shipped: what fits it, what does not, and how it is signed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detector.cli import main
from detector.errors import ModelError, SettingsError
from detector.registry import (
    ModelCard,
    check_shipped_files,
    find_card,
    minisign,
    shipped,
    signed_list,
    signing,
    standing,
)
from detector.registry.catalogue import SHIPPED
from tests.registry.shipping import ship

SMALL = "kinematics-mesh"  # a model of a few kilobytes
FILES = [f"{SMALL}.{end}" for end in ("card.json", "safetensors", "held-out.json")]
# Of the reference implementation's own documentation: the data are b"test".
REFERENCE_KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
REFERENCE_SIGNATURE = """untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one shipped model and one of one's own."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    ship(tmp_path, "mine", "frame", {"kind": "frame", "trunk": "test_resnet", "width": 16}, {})
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose list is signed with a key made for the test, and the key beside it."""
    key = tmp_path / "keys" / "test.key"
    monkeypatch.setattr(shipped, "PUBLIC_KEY", signing.make_key(key))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.card.json").write_text("{}")
    assert signing.sign_folder(tmp_path / "weights", key, shipped.PUBLIC_KEY) == 1
    return tmp_path / "weights"


def test_the_list_is_signed_and_is_of_exactly_what_is_shipped() -> None:
    """Where this fails after a card, weights or held-out scores were made anew: `make sign` (CONTRIBUTING.md)."""
    check_shipped_files()
    present = {path.name for path in SHIPPED.iterdir()} - {shipped.LIST_NAME, shipped.SIGNATURE_NAME}
    assert set(signed_list()) == present


def test_a_model_is_shipped_or_own_wherever_it_lies(folder: Path) -> None:
    assert standing(find_card(SMALL)) == "shipped"
    assert standing(find_card("mine")) == "own"


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_name_with_another_file_is_changed(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert standing(find_card(SMALL)) == "changed"


def test_lowered_thresholds_are_a_changed_card_and_fail_verification(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / FILES[0]
    values = json.loads(path.read_text(encoding="utf-8"))
    values["decision"]["likely_manipulated_logit"] -= 0.5
    path.write_text(json.dumps(values), encoding="utf-8")
    assert main(["models", "verify"]) == 4
    said = capsys.readouterr()
    assert "mine\tverified\town" in said.out
    assert f"{FILES[0]} is not what was shipped" in said.err
    assert f"{SMALL} is changed" in said.err
    assert SMALL not in said.out


def test_list_and_verify_say_where_a_model_comes_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert [line.split("\t")[-1] for line in capsys.readouterr().out.splitlines()] == ["shipped", "own"]
    assert main(["models", "list", "--format", "json"]) == 0
    assert [json.loads(line)["standing"] for line in capsys.readouterr().out.splitlines()] == ["shipped", "own"]
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{SMALL}\tverified\tshipped", "mine\tverified\town"]


def test_a_changed_list_a_foreign_signature_and_a_missing_one_are_refused(
    signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(signed_list(signed)) == ["a.card.json"]
    sums = signed / shipped.LIST_NAME
    sums.write_text(sums.read_text().replace("a.card", "b.card"))
    with pytest.raises(ModelError, match="changed since"):
        signed_list(signed)
    signing.sign_folder(signed, signed.parent / "keys" / "test.key", shipped.PUBLIC_KEY)
    monkeypatch.setattr(shipped, "PUBLIC_KEY", REFERENCE_KEY)
    with pytest.raises(ModelError, match="another key"):
        signed_list(signed)
    (signed / shipped.SIGNATURE_NAME).unlink()
    with pytest.raises(ModelError, match="cannot be trusted"):
        signed_list(signed)


def test_without_a_signed_list_nothing_is_called_shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "PUBLIC_KEY", REFERENCE_KEY)
    assert standing(find_card(SMALL)) == standing(find_card("mine")) == "unsigned"
    assert main(["models", "verify", "mine"]) == 4


def test_a_file_that_is_listed_and_changed_is_named(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", signed)
    monkeypatch.setattr(shipped.signed_list, "__defaults__", (signed,))
    check_shipped_files()
    (signed / "a.card.json").write_text("{ }")
    with pytest.raises(ModelError, match=r"a\.card\.json"):
        check_shipped_files()


def test_signing_needs_the_key_that_the_program_knows(signed: Path) -> None:
    before = (signed / shipped.SIGNATURE_NAME).read_bytes()
    with pytest.raises(SettingsError, match="another key"):
        signing.sign_folder(signed, signed.parent / "keys" / "test.key", REFERENCE_KEY)
    with pytest.raises(SettingsError, match="nowhere"):
        signing.sign_folder(signed, signed / "nowhere.key")
    assert (signed / shipped.SIGNATURE_NAME).read_bytes() == before


def test_a_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    key = tmp_path / "own.key"
    public = signing.make_key(key)
    assert key.stat().st_mode & 0o077 == 0
    assert key.with_suffix(".pub").read_text().splitlines()[1] == public
    with pytest.raises(SettingsError, match="never written over"):
        signing.make_key(key)


def test_make_sign_without_a_key_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(signing.KEY_VARIABLE, raising=False)
    done = subprocess.run(
        [sys.executable, "-m", "detector.registry.signing"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, signing.KEY_VARIABLE in done.stderr) == (2, True)


def test_a_signature_of_the_reference_implementation_is_verified() -> None:
    assert minisign.verify(b"test", REFERENCE_SIGNATURE, REFERENCE_KEY) == "timestamp:1556193335\tfile:test"
    with pytest.raises(ValueError, match="changed since"):
        minisign.verify(b"Test", REFERENCE_SIGNATURE, REFERENCE_KEY)


def test_signatures_cover_data_and_trusted_comment() -> None:
    pair = minisign.generate()
    signature = minisign.sign(b"data", pair.secret, "of today")
    assert minisign.verify(b"data", signature, pair.public) == "of today"
    for wrong in (signature.replace("of today", "of later"), signature.replace("RU", "RV", 1), "", "\n".join("abcd")):
        with pytest.raises(ValueError, match=r"changed since|another|only|no minisign"):
            minisign.verify(b"data", wrong, pair.public)


def test_a_damaged_secret_key_or_one_with_a_password_is_refused() -> None:
    import base64

    pair = minisign.generate()
    comment, packed = pair.secret.splitlines()
    key = bytearray(base64.b64decode(packed))
    key[70] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        minisign.sign(b"data", f"{comment}\n{base64.b64encode(key).decode()}\n", "")
    key[2:4] = b"Sc"
    with pytest.raises(ValueError, match="minisign -G -W"):
        minisign.sign(b"data", f"{comment}\n{base64.b64encode(key).decode()}\n", "")
    with pytest.raises(ValueError, match="expected 158"):
        minisign.sign(b"data", pair.public, "")


def test_cards_of_earlier_versions_are_read() -> None:
    fixtures = Path(__file__).parents[1] / "fixtures"
    assert len([ModelCard.read(path) for path in fixtures.rglob("*.card.json")]) >= 4

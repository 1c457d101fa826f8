"""Content credentials: five states, each from a real file, and never a look at the network."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from detector.evidence.forensics.provenance import TRUST_VARIABLE, read_provenance
from tests.evidence.forensics.signing import authority, sign
from tests.evidence.media import make_still, make_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("plain") / "clip.mp4", frames=12)


@pytest.fixture(scope="module")
def signed(plain: Path) -> Path:
    return sign(plain, plain.with_name("signed.mp4"), signer=authority(), generated=True)


@pytest.fixture(autouse=True)
def no_trust_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)


def trust(monkeypatch: pytest.MonkeyPatch, folder: Path, pem: bytes) -> None:
    (folder / "authorities.pem").write_bytes(pem)
    monkeypatch.setenv(TRUST_VARIABLE, str(folder / "authorities.pem"))


def test_a_file_without_credentials_is_absent_which_says_nothing(plain: Path) -> None:
    found = read_provenance(plain)
    assert (found.state, found.reason, found.signer, found.validation) == ("absent", None, None, ())
    assert "says nothing about the file" in found.statement


def test_sound_credentials_without_a_trust_list_are_untrusted(signed: Path) -> None:
    found = read_provenance(signed)
    assert found.state == "untrusted"
    assert "no trust list was given" in found.statement
    assert found.trust_list is None
    assert found.signer == "Test Signer, Test House"
    assert found.claim_generator == "Test Maker 1.2"
    assert found.signed_at is None  # nobody stamped the time
    assert found.actions == ("c2pa.created, source: trainedAlgorithmicMedia",)
    assert found.ai_generated == ("trainedAlgorithmicMedia",)
    assert "signingCredential.untrusted" in [one.code for one in found.validation]
    assert "assertion.bmffHash.match" in [one.code for one in found.validation]


def test_the_signers_authority_in_the_trust_list_makes_it_valid(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path, authority().root_pem)
    found = read_provenance(signed)
    assert found.state == "valid"
    assert found.trust_list is not None
    assert found.trust_list.startswith("authorities.pem, 1 certificate(s), SHA-256 ")
    assert str(tmp_path) not in found.trust_list


def test_another_authority_in_the_trust_list_leaves_it_untrusted(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path, authority("Another Authority").root_pem)
    found = read_provenance(signed)
    assert found.state == "untrusted"
    assert "not in the trust list" in found.statement


def test_a_changed_picture_is_invalid_even_with_a_trusted_signer(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path, authority().root_pem)
    content = bytearray(signed.read_bytes())
    content[content.rfind(b"mdat") + 300] ^= 0xFF
    (tmp_path / "changed.mp4").write_bytes(content)
    found = read_provenance(tmp_path / "changed.mp4")
    assert found.state == "invalid"
    assert "mismatch" in found.statement
    assert "assertion.bmffHash.mismatch" in [one.code for one in found.validation]


def test_a_changed_claim_is_invalid(signed: Path, tmp_path: Path) -> None:
    content = signed.read_bytes()
    assert content.count(b"Test Maker") == 1
    (tmp_path / "changed.mp4").write_bytes(content.replace(b"Test Maker", b"Best Maker"))
    found = read_provenance(tmp_path / "changed.mp4")
    assert found.state == "invalid"
    assert found.claim_generator == "Best Maker 1.2"


def test_a_still_carries_credentials_too(tmp_path: Path) -> None:
    picture = make_still(tmp_path / "a.jpg", quality=90)
    target = sign(picture, tmp_path / "signed.jpg", signer=authority())
    found = read_provenance(target)
    assert (found.state, found.ai_generated) == ("untrusted", ())


def test_credentials_kept_elsewhere_are_not_fetched(tmp_path: Path) -> None:
    """A server that would answer is never asked, though the file names it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        picture = make_still(tmp_path / "a.jpg", quality=90)
        target = sign(picture, tmp_path / "away.jpg", signer=authority(), remote=address)
        assert address.encode() in target.read_bytes()
        found = read_provenance(target)
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.state == "unreadable"
    assert found.reason is not None
    assert "nothing is fetched" in found.reason
    assert address in found.reason


def test_a_kind_of_file_without_a_reader_is_unreadable_not_absent(tmp_path: Path) -> None:
    found = read_provenance(make_video(tmp_path / "clip.mkv", frames=5))
    assert found.state == "unreadable"
    assert "this kind of file" in (found.reason or "")


def test_without_the_library_it_is_unreadable_and_says_so(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    found = read_provenance(signed)
    assert found.state == "unreadable"
    assert found.reason == "The c2pa library cannot be loaded (ModuleNotFoundError)."


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), (b"no certificate", "no PEM certificate")])
def test_an_unusable_trust_list_is_named_and_trusts_nobody(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    monkeypatch.setenv(TRUST_VARIABLE, str(tmp_path / "authorities.pem"))
    if content is not None:
        (tmp_path / "authorities.pem").write_bytes(content)
    found = read_provenance(signed)
    assert found.state == "untrusted"
    assert reason in (found.reason or "")


def test_the_file_is_only_read(signed: Path) -> None:
    before = signed.read_bytes()
    signed.chmod(0o444)
    read_provenance(signed)
    assert signed.read_bytes() == before

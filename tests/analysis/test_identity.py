"""The commit of a checkout is read without running git; an id covers what can change a number or a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from detector import __version__
from detector.analysis import Analysis, analyze
from detector.analysis.identity import (
    analysis_id,
    code_sha256,
    commit_of,
    differences,
    identity_of,
    model_digest,
    recorded_digests,
    runtime_reasons,
    runtimes,
    tool,
)
from detector.analysis.record import analysis_from_dict, analysis_to_dict
from detector.registry import Thresholds
from detector.runtime import Runtime, torch_runtime
from tests.analysis.fakes import (
    SETTINGS,
    SPEC,
    FakeCard,
    FakeModel,
    FakeReader,
    FakeSequence,
    fake_components,
    make_evidence,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_branch(tmp_path: Path) -> None:
    assert (
        commit_of(checkout(tmp_path, {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": COMMIT})) == COMMIT
    )


def test_packed_branch(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled\n{'f' * 40} refs/heads/domain\n{COMMIT} refs/heads/main\n"
    assert commit_of(checkout(tmp_path, {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": packed})) == COMMIT


def test_detached_head(tmp_path: Path) -> None:
    assert commit_of(checkout(tmp_path, {".git/HEAD": COMMIT + "\n"})) == COMMIT


def test_worktree(tmp_path: Path) -> None:
    files = {
        "tree/.git": "gitdir: ../main/.git/worktrees/tree\n",
        "main/.git/worktrees/tree/HEAD": "ref: refs/heads/topic\n",
        "main/.git/worktrees/tree/commondir": "../..\n",
        "main/.git/refs/heads/topic": COMMIT,
    }
    assert commit_of(checkout(tmp_path, files) / "tree") == COMMIT


def test_no_checkout(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    assert commit_of(checkout(tmp_path, {".git": "not a pointer"})) is None


def test_the_tool_states_its_version() -> None:
    assert (tool().name, tool().version) == ("framewitness", __version__)


def analysed(*models: FakeModel, **settings: float) -> Analysis:
    chosen = replace(SETTINGS, **settings)
    return analyze(make_evidence(), models or [FakeModel()], chosen, components=fake_components(FakeReader(6)))


def on(device: str) -> FakeModel:
    model = FakeModel()
    model.device = torch.device(device)  # type: ignore[misc]
    return model


def reading(trunk: FakeCard) -> FakeModel:
    model = FakeModel()
    model.trunk = FakeModel(card=trunk)  # type: ignore[assignment]
    return model


OTHERS = {
    "thresholds changed: fake": FakeModel(card=FakeCard(thresholds=Thresholds(1.5, -1.0, "set by hand"))),
    "crop changed: fake": FakeModel(card=FakeCard(crop=replace(SPEC, margin=0.25))),
    "inputs (fusion, margins) changed: fake": FakeModel(card=FakeCard(inputs={"interval_margin_logit": 2.0})),
    "architecture changed: fake": FakeModel(card=FakeCard(architecture={"width": 8})),
    "weights changed: fake": FakeModel(card=FakeCard(weights_sha256="22" * 32)),
    "device changed: cpu → meta": on("meta"),
}


@pytest.mark.parametrize("reason", OTHERS)
def test_a_change_of_a_model_is_another_id_and_is_named(reason: str) -> None:
    before = analysed()
    identity = identity_of(SETTINGS, [OTHERS[reason]])
    assert analysis_id(before.evidence.file.sha256, identity) != before.analysis_id
    models = tuple(replace(one, weights_sha256=identity.models[0].weights_sha256) for one in before.models)
    assert differences(before, replace(before, identity=identity, models=models)) == (reason,)


def test_levels_within_a_track_are_part_of_the_identity_and_their_lack_is_as_in_older_cards() -> None:
    cards = [FakeCard(thresholds=Thresholds(1.0, -1.0, "set by hand", run_logit=run)) for run in (None, 2.0)]
    without, with_run = (identity_of(SETTINGS, [FakeModel(card=card)]) for card in cards)
    assert without.models[0].card["decision"] == {
        "likely_manipulated_logit": 1.0, "no_manipulation_logit": -1.0, "basis": "set by hand",
    }  # fmt: skip
    assert analysis_id("a" * 64, without) != analysis_id("a" * 64, with_run)


def test_a_change_of_a_trunk_is_another_id_and_is_named() -> None:
    before, after = (identity_of(SETTINGS, [reading(FakeCard("trunk", weights * 32))]) for weights in ("33", "44"))
    assert analysis_id("a" * 64, before) != analysis_id("a" * 64, after)
    one = analysed()
    named = differences(replace(one, identity=before), replace(one, identity=after))
    assert named == ("weights changed: trunk, which another model reads",)


def test_what_made_a_models_scores_follows_from_the_record_alone() -> None:
    trunk = FakeModel(card=FakeCard(thresholds=Thresholds(1.5, -1.0, "not of the numbers")))
    sequence = FakeSequence(trunk)
    recorded = recorded_digests(identity_of(SETTINGS, [trunk, sequence]))
    assert recorded == {"fake": model_digest(FakeModel()), "tm": model_digest(sequence)}  # type: ignore[arg-type]
    others = identity_of(SETTINGS, [FakeSequence(FakeModel(card=FakeCard(weights_sha256="55" * 32)))])
    assert recorded_digests(others)["tm"] != recorded["tm"]


def test_changed_code_is_another_id_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = analysed()
    monkeypatch.setattr("detector.analysis.identity.code_sha256", lambda: "0" * 64)
    after = analysed()
    assert after.analysis_id != before.analysis_id
    (named,) = differences(before, after)
    assert named.startswith("code revision changed: ")
    assert named.endswith("→ code 0000000000")


def test_another_library_is_another_id_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = analysed()
    assert before.identity is not None
    monkeypatch.setattr(
        "detector.analysis.identity.library_versions", lambda: {**before.identity.libraries, "torch": "99"}
    )
    after = analysed()
    assert after.analysis_id != before.analysis_id
    assert differences(before, after) == (f"library version changed: torch {before.identity.libraries['torch']} → 99",)


def test_another_runtime_is_another_id_and_is_named_and_older_records_are_torchs() -> None:
    def by(runtime: Runtime) -> FakeModel:
        model = FakeModel()
        model.runtime = runtime  # type: ignore[misc]
        return model

    plain, fast = analysed(), analysed(by(Runtime("onnxruntime", "1.32.0", "onnxruntime")))
    refused = analysed(by(torch_runtime("onnxruntime", "fake was run by torch.")))
    assert plain.identity is not None
    assert fast.identity is not None
    assert refused.identity is not None
    assert len({plain.analysis_id, fast.analysis_id, refused.analysis_id}) == 3
    assert differences(plain, fast) == ("runtime changed: fake torch → onnxruntime 1.32.0",)
    assert runtimes(fast.identity) == ("onnxruntime 1.32.0",)
    assert runtimes(plain.identity) == (f"torch {plain.identity.libraries['torch']}",)
    assert runtime_reasons(refused.identity) == ("fake was run by torch.",)
    data = analysis_to_dict(refused)
    assert analysis_from_dict(data, stored_path=Path("gone")).identity == refused.identity
    (listed,) = data["identity"]["models"]
    del listed["runtime"], listed["runtime_reason"]  # as before schema 1.6
    assert analysis_from_dict(data, stored_path=Path("gone")).identity == plain.identity


def test_another_trust_list_is_another_id_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = analysed()
    (tmp_path / "lab.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setenv("FRAMEWITNESS_C2PA_TRUST", str(tmp_path / "lab.pem"))
    after = analysed()
    assert after.analysis_id != before.analysis_id
    (named,) = differences(before, after)
    assert named.startswith("trust list changed: none → lab.pem, 1 certificate(s), SHA-256 ")


def test_settings_and_models_that_differ_are_named() -> None:
    before = analysed()
    after = analysed(FakeModel(), FakeModel(card=FakeCard("other")), max_frames=3)
    assert differences(before, after) == (
        f"settings changed: max frames {SETTINGS.max_frames} → 3",
        "models added: other",
    )
    assert differences(after, before)[1] == "models left out: other"


def test_equal_work_differs_in_nothing_whatever_the_order_of_its_models() -> None:
    pair = FakeModel(), FakeModel(card=FakeCard("other"))
    one, other = analysed(*pair), analysed(*reversed(pair))
    assert one.analysis_id == other.analysis_id
    assert differences(one, other) == ()


def test_what_an_earlier_version_did_not_record_is_said() -> None:
    now = analysed()
    before = replace(now, identity=None, tool=replace(now.tool, version="0.0.1"))
    first, second = differences(before, now)
    assert first.startswith("code revision changed: 0.0.1 ")
    assert second.endswith("not recorded")


def test_the_code_is_hashed_whole_and_quickly() -> None:
    code_sha256.cache_clear()
    found = code_sha256()
    assert len(found) == 64
    assert found == code_sha256()

"""A case with one real analysis of a short clip by a small untrained network, and the bundle of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.analysis import analyze
from detector.cases import CaseStore
from detector.evidence import examine, ingest
from detector.registry import load_set
from detector.replay import write_replay_bundle
from detector.settings import AnalysisSettings
from tests.pages.seed import write_clip, write_model

NAME = "=cmd|' /C calc'!A0 <b>\u202egpj.mp4"


@dataclass(frozen=True)
class Bundled:
    folder: Path
    clip: Path
    bundle: Path
    with_input: Path
    home: Path
    record_id: str


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    folder = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder / "weights"))
        write_model(folder / "weights")
        clip = write_clip(folder / "clip.mp4", seconds=1.5)
        with CaseStore.open(folder / "home", actor="tester") as store:
            case = store.create_case("Replayed", reference="R/1")
            evidence = examine(ingest(clip, store.evidence_dir, file_name=NAME))
            exhibit = store.add_exhibit(case.case_id, evidence)
            settings = AnalysisSettings(frames_per_second=4.0, min_frames=2)
            analysis = analyze(evidence, load_set(["tiny"]), settings)
            assert analysis.models[0].score is not None
            record = store.save_analysis(exhibit.exhibit_id, analysis)
            write_replay_bundle(store, record.record_id, folder / "bare.zip")
            write_replay_bundle(store, record.record_id, folder / "whole.zip", include_input=True)
    return Bundled(folder, clip, folder / "bare.zip", folder / "whole.zip", folder / "home", record.record_id)


@pytest.fixture
def bundled(_made: Bundled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundled:
    """A bundled analysis, with weights of the test's own, which it may change."""
    shutil.copytree(_made.folder / "weights", tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(_made.home))
    return _made

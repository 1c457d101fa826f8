"""What every trial starts from: two clips, a tiny model, a home with one examined case, its bundle and its backup."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from detector.cases import CaseStore, JobRequest
from detector.evidence import examine
from tests.pages.seed import fill, write_clip, write_model

MODEL = "tiny"
SEEDED = "Seeded case"
WEIGHTS_VARIABLE = "FRAMEWITNESS_WEIGHTS"


@dataclass(frozen=True, slots=True)
class Scene:
    """The files below `root`; nothing here is changed by a trial."""

    root: Path

    @property
    def clip(self) -> Path:
        """The clip that acts bring in; the home of `template` has another."""
        return self.root / "second.mp4"

    @property
    def template(self) -> Path:
        return self.root / "template"

    @property
    def bundle(self) -> Path:
        return self.root / "seeded.zip"

    @property
    def backup(self) -> Path:
        return self.root / "backup"

    def home(self, folder: Path, *, empty: bool, queued: bool = False) -> Path:
        """A home for one trial: none yet where it is to be `empty`, else a copy; `queued` puts a job into its queue."""
        home = folder / "home"
        if not empty:
            shutil.copytree(self.template, home)
        if queued:
            with CaseStore.open(home) as store, store.intake.take_in(self.clip) as stored:
                exhibit = store.add_exhibit(store.create_case("Queued case").case_id, examine(stored))
                store.jobs.add(JobRequest(exhibit.exhibit_id, (MODEL,)))
        return home


def build(root: Path) -> Scene:
    """Make the scene, and name its weights to this process and all that it starts."""
    scene = Scene(root)
    os.environ[WEIGHTS_VARIABLE] = str(root / "weights")
    card = write_model(root / "weights", MODEL)
    first = write_clip(root / "first.mp4", seconds=2.0)
    write_clip(scene.clip, seconds=1.0)
    with CaseStore.open(scene.template) as store:
        seeded = fill(store, first, card)
        store.add_note(seeded.case.case_id, "The mouth's edge is soft.")
        store.export_case(seeded.case.case_id, scene.bundle, include_evidence=True)
        store.back_up(scene.backup)
    return scene

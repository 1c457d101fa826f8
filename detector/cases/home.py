"""The places of the record on disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from detector.calibration.in_force import CALIBRATION_FOLDER
from detector.errors import StoreError
from detector.settings import HOME_VARIABLE

ANCHOR_VARIABLE = "FRAMEWITNESS_ANCHOR"
BACKUP_NAME = "[0-9]*T[0-9]*Z-*"
BACKUP_MANIFEST = "backup.json"
# A database that is still being made beside the one that it will be.
UNFINISHED_DATABASE = ".*.duckdb*"


def backup_number(manifest: Path) -> int:
    """The place of an automatic backup among those of its store, from 1; 0 where its manifest does not say."""
    try:
        return int(json.loads(manifest.read_text(encoding="utf-8"))["number"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one home: `evidence` originals, `artefacts` content-named results, `spool` results that wait to
    be imported, `exports` files made to be taken away, `logs` of the workers, `backups` those made by themselves,
    `calibration` sets and what was made of them."""

    home: Path

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.home / "cases.duckdb"

    @property
    def anchor(self) -> Path:
        """The anchor file (see `anchor`): beside the database, or in the folder that FRAMEWITNESS_ANCHOR names, under
        a name of this home's own."""
        if chosen := os.environ.get(ANCHOR_VARIABLE):
            own = hashlib.sha256(str(self.home).encode("utf-8", "surrogateescape")).hexdigest()[:16]
            return Path(chosen).expanduser() / f"{own}.anchor"
        return self.home / "cases.anchor"

    @property
    def timestamps(self) -> Path:
        """The file of time stamps (see `timestamps`), beside the anchor."""
        return self.anchor.with_suffix(".timestamps")

    @property
    def evidence(self) -> Path:
        """The folder of originals, by SHA-256."""
        return self.home / "evidence"

    @property
    def artefacts(self) -> Path:
        """The folder of landmarks and other arrays of analyses."""
        return self.home / "artefacts"

    @property
    def backups(self) -> Path:
        """The folder of automatic backups (see `backup`), each named by its time in UTC."""
        return self.home / "backups"

    def backups_kept(self) -> tuple[Path, ...]:
        """The finished automatic backups, in the order in which they were made, whatever the clock said."""
        found = self.backups.glob(f"{BACKUP_NAME}/{BACKUP_MANIFEST}")
        return tuple(path.parent for path in sorted(found, key=lambda path: (backup_number(path), path)))

    @property
    def unfinished_restore(self) -> Path:
        """The database that is being made from a backup, or was when its process ended."""
        return self.home / ".restoring.duckdb"

    @property
    def unfinished_backup(self) -> Path:
        """The folder of a backup that is being made, or was when its process ended."""
        return self.backups / ".unfinished"

    @property
    def spool(self) -> Path:
        """The folder of work in progress."""
        return self.home / "spool"

    @property
    def exports(self) -> Path:
        """The folder of exports: a folder each, by id, with the one file in it."""
        return self.home / "exports"

    @property
    def calibration(self) -> Path:
        """The folder of calibration sets and of the choice that is in force (see `detector.calibration.in_force`)."""
        return self.home / CALIBRATION_FOLDER

    @property
    def logs(self) -> Path:
        """The folder of the worker's logs."""
        return self.home / "logs"

    @property
    def _written(self) -> tuple[Path, ...]:
        return (self.home, self.evidence, self.artefacts, self.calibration, self.spool, self.exports, self.logs)

    def make(self) -> None:
        """Create what is missing. Raises StoreError where the folder cannot be written."""
        try:
            for folder in (*self._written, self.anchor.parent):
                # Case material is nobody else's business on a shared machine.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for place in (*self._written, self.database):
                if place.exists() and not os.access(place, os.W_OK):
                    raise PermissionError(errno.EACCES, "it is read-only", str(place))
        except OSError as error:
            raise StoreError(
                f"The case store needs a folder it can write, but {self.home} could not be prepared ({error}). "
                f"Set {HOME_VARIABLE} to a folder you can write."
            ) from error

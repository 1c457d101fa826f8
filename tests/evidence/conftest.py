from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detector.evidence import Evidence, examine, ingest


@pytest.fixture
def admit(tmp_path: Path) -> Callable[..., Evidence]:
    """Ingest a file into a store of the test's own, then examine it."""

    def admitted(path: Path, *, file_name: str | None = None) -> Evidence:
        return examine(ingest(path, tmp_path / "store", file_name=file_name))

    return admitted

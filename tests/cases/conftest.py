from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.cases import CaseStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path / "home", actor="tester") as opened:
        yield opened

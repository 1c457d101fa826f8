"""Who made a result, and the name of a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector import __version__
from detector.analysis.types import SCHEMA_VERSION, Tool
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel


@cache
def tool() -> Tool:
    """This program: version, and the commit where it runs from a checkout."""
    return Tool("framewitness", __version__, commit_of(Path(__file__).resolve().parents[2]))


def commit_of(checkout: Path) -> str | None:
    """The commit that `checkout` is at (40 hex digits), read from its .git folder or file; None where there is none."""
    git = checkout / ".git"
    try:
        if git.is_file():  # a worktree: "gitdir: PATH"
            git = (checkout / git.read_text().split(":", 1)[1].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head or None
        name = head.removeprefix("ref: ")
        shared = git / "commondir"
        common = (git / shared.read_text().strip()).resolve() if shared.is_file() else git
        for folder in (git, common):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {name}"):
                return line.split(" ", 1)[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    return None


def analysis_id(evidence_sha256: str, settings: AnalysisSettings, models: Sequence[LoadedModel]) -> str:
    """32 hex digits that equal work shares: file, settings, models with their weights, tool and schema versions."""
    parts = {
        "evidence": evidence_sha256,
        "settings": settings.sha256,
        "models": sorted(_names(model) for model in models),
        "tool": __version__,
        "schema": SCHEMA_VERSION,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _names(model: LoadedModel) -> list[str]:
    """Id and weights of a model, and of the trunk it reads."""
    own = [model.card.model_id, model.card.weights_sha256]
    return own if model.trunk is None else [*own, *_names(model.trunk)]

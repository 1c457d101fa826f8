"""Which files of models were shipped with the program: SHA256SUMS beside them, signed.

The list is `sha256sum`'s, its signature minisign's; `sha256sum -c SHA256SUMS` and `minisign -V` check both without
this program. CONTRIBUTING.md says how it is signed again after a card, weights or held-out scores were made anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from detector.errors import ModelError
from detector.registry import minisign
from detector.registry.card import ModelCard
from detector.registry.catalogue import SHIPPED, file_sha256, weights_dir

LIST_NAME: Final = "SHA256SUMS"
SIGNATURE_NAME: Final = f"{LIST_NAME}.minisig"
PUBLIC_KEY: Final = "RWQGojOzOlc1hgzd5U6Qqq0jj5+V9EcCeT6GPJkB+4GnbCDS01ZMqJH+"
"""The key that the list is signed with, as `minisign -P` takes it."""

Standing = Literal["shipped", "changed", "own", "unsigned"]
"""shipped: card, weights and held-out scores are those of the signed list. changed: it has a shipped model's name, and
one of these files is another. own: the list has no such model. unsigned: the list itself is missing, damaged or not
signed by `PUBLIC_KEY`, so nothing can be said."""

_MAY_BE_MISSING: Final = (".held-out.json", ".calibration.json")
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)")


def standing(card: ModelCard) -> Standing:
    """How an installed model stands to those that were shipped, whichever folder it is in."""
    try:
        listed = signed_list()
    except ModelError:
        return "unsigned"
    if f"{card.model_id}.card.json" not in listed:
        return "own"
    return "changed" if changed_files(card, listed) else "shipped"


def changed_files(card: ModelCard, listed: Mapping[str, str]) -> tuple[str, ...]:
    """Names of a listed model's files that are not those of the list; see `_MAY_BE_MISSING`."""
    names = {f"{card.model_id}.card.json", card.weights_file, *(f"{card.model_id}{end}" for end in _MAY_BE_MISSING)}
    names |= {name for name in listed if name.startswith(f"{card.model_id}.") and not name.endswith(_MAY_BE_MISSING)}
    return tuple(name for name in sorted(names) if not _is(weights_dir() / name, listed.get(name)))


def check_shipped_files() -> None:
    """Check the whole list. Raises ModelError where it is not signed, or a file is not what it says, naming each."""
    wrong = [name for name, sha256 in signed_list().items() if not _has(SHIPPED / name, sha256)]
    if wrong:
        raise ModelError(
            f"Missing, or not what the signed {LIST_NAME} says: {', '.join(wrong)}. Restore what was shipped with the "
            "program; a model of your own needs a name of its own."
        )


def signed_list(folder: Path = SHIPPED) -> dict[str, str]:
    """SHA-256 by file name, from a folder's list. Raises ModelError where it is missing, malformed or not signed."""
    try:
        data = (folder / LIST_NAME).read_bytes()
        minisign.verify(data, (folder / SIGNATURE_NAME).read_text(encoding="utf-8"), PUBLIC_KEY)
        lines = [_LINE.fullmatch(line) for line in data.decode("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The signed list of the models shipped with the program, {LIST_NAME}, cannot be trusted: {error}. Restore "
            f"it and {SIGNATURE_NAME}."
        ) from error
    found = {match[2]: match[1] for match in lines if match is not None}
    if len(found) != len(lines):
        raise ModelError(f"{LIST_NAME} holds a line that is no SHA-256 with a file's name, or one twice. Restore it.")
    return found


def _is(path: Path, sha256: str | None) -> bool:
    """Whether a file is the listed one; of those that may be missing, also whether it is not there."""
    if not path.is_file():
        return path.name.endswith(_MAY_BE_MISSING)
    return sha256 is not None and _has(path, sha256)


def _has(path: Path, sha256: str) -> bool:
    try:
        return file_sha256(path) == sha256
    except OSError:
        return False

"""Every error the engine raises on purpose, in one tree.

    FramewitnessError
    |- SettingsError            a setting out of range or unknown
    |- EvidenceError            the file cannot be examined
    |  |- EmptyFileError
    |  |- NotMediaError         not a video or a still (text, archive, unknown bytes)
    |  |- TruncatedFileError
    |  |- NoVideoStreamError    audio only
    |  |- EncryptedFileError
    |  |- NoFramesError         a video stream from which no frame decodes
    |  |- OversizedError        dimensions or duration beyond the limits
    |  '- EvidenceAlteredError  a stored copy is not what it is filed as
    |- ModelError               a model cannot be used
    |  |- ModelNotFoundError
    |  '- WeightsRefusedError   hash, format or keys do not match the card
    |- BundleError              a replay bundle that cannot be trusted or read
    |- StoreError               the case store cannot be opened or does not hold the record
    |  '- StoreDamagedError     its database file cannot be read
    '- CancelledError           the user stopped the analysis

Each message says what was expected, what was found, and what to do; `code` is stable for programs and
`exit_status` is what the command line returns (3 evidence, 4 model, 2 usage).
"""

from __future__ import annotations

import copyreg
import traceback
from pathlib import PurePath
from typing import Any

_FAULT_CHARS = 300


class FramewitnessError(Exception):
    """Base of every deliberate error."""

    code = "error"
    exit_status = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made of the parts, since `args` lacks what a class takes by keyword only."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


def describe_fault(error: BaseException) -> str:
    """An error that nobody foresaw, in one line: what it is, where it arose, and what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {PurePath(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    said = " ".join(str(error).split())[:_FAULT_CHARS]
    if isinstance(error, MemoryError):
        return f"Memory ran out{place}. Close other programs, or examine a smaller copy; nothing of the file was kept."
    return (
        f"A fault in the program stopped the work on this file ({type(error).__name__}: {said}{place}). "
        "Nothing of it was recorded; report these words together with the file's SHA-256."
    )


class SettingsError(FramewitnessError):
    """A setting, option or config that cannot be used as given."""

    code = "settings_invalid"
    exit_status = 2


class EvidenceError(FramewitnessError):
    """A file that cannot be read or examined."""

    code = "evidence_unreadable"
    exit_status = 3


class EmptyFileError(EvidenceError):
    """A file of no bytes."""

    code = "evidence_empty"


class NotMediaError(EvidenceError):
    """A file that is neither video nor still image."""

    code = "evidence_not_media"


class TruncatedFileError(EvidenceError):
    """A file whose end is missing, so that nothing of it decodes."""

    code = "evidence_truncated"


class NoVideoStreamError(EvidenceError):
    """A file with sound and no picture."""

    code = "evidence_audio_only"


class EncryptedFileError(EvidenceError):
    """A file whose content is encrypted."""

    code = "evidence_encrypted"


class NoFramesError(EvidenceError):
    """A video stream of which no frame decodes."""

    code = "evidence_no_frames"


class OversizedError(EvidenceError):
    """A file beyond the limits on size, side or length."""

    code = "evidence_oversized"


class EvidenceAlteredError(EvidenceError):
    """A stored copy that no longer has the SHA-256 under which it is filed. `found_sha256` (hex) is what it has."""

    code = "evidence_altered"

    def __init__(self, message: str, *, found_sha256: str) -> None:
        super().__init__(message)
        self.found_sha256 = found_sha256


class ModelError(FramewitnessError):
    """A model that cannot be used."""

    code = "model_unavailable"
    exit_status = 4


class ModelNotFoundError(ModelError):
    """There is no model of that name."""

    code = "model_not_found"


class WeightsRefusedError(ModelError):
    """Weights that are not those their card names, or whose keys do not fit."""

    code = "weights_refused"


class StoreError(FramewitnessError):
    """The case store cannot be opened, or does not hold what was asked for."""

    code = "store_error"


class StoreDamagedError(StoreError):
    """The case store's database file cannot be read: cut off, overwritten, or bytes of it changed."""

    code = "store_damaged"


class BundleError(FramewitnessError):
    """A bundle that cannot be trusted."""

    code = "bundle_refused"
    exit_status = 2


class CalibrationError(FramewitnessError):
    """A calibration set or a calibration that cannot be read, made or used."""

    code = "calibration_invalid"
    exit_status = 2


class CancelledError(FramewitnessError):
    """The work was cancelled; nothing of it is kept."""

    code = "cancelled"

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
    |  '- OversizedError        dimensions or duration beyond the limits
    |- ModelError               a model cannot be used
    |  |- ModelNotFoundError
    |  '- WeightsRefusedError   hash, format or keys do not match the card
    |- BundleError              a replay bundle that cannot be trusted or read
    |- StoreError               the case store cannot be opened or does not hold the record
    '- CancelledError           the user stopped the analysis

Each message says what was expected, what was found, and what to do; `code` is stable for programs and
`exit_status` is what the command line returns (3 evidence, 4 model, 2 usage).
"""

from __future__ import annotations


class FramewitnessError(Exception):
    """Base of every deliberate error."""

    code = "error"
    exit_status = 1


class SettingsError(FramewitnessError):
    code = "settings_invalid"
    exit_status = 2


class EvidenceError(FramewitnessError):
    code = "evidence_unreadable"
    exit_status = 3


class EmptyFileError(EvidenceError):
    code = "evidence_empty"


class NotMediaError(EvidenceError):
    code = "evidence_not_media"


class TruncatedFileError(EvidenceError):
    code = "evidence_truncated"


class NoVideoStreamError(EvidenceError):
    code = "evidence_audio_only"


class EncryptedFileError(EvidenceError):
    code = "evidence_encrypted"


class NoFramesError(EvidenceError):
    code = "evidence_no_frames"


class OversizedError(EvidenceError):
    code = "evidence_oversized"


class ModelError(FramewitnessError):
    code = "model_unavailable"
    exit_status = 4


class ModelNotFoundError(ModelError):
    code = "model_not_found"


class WeightsRefusedError(ModelError):
    code = "weights_refused"


class StoreError(FramewitnessError):
    code = "store_error"


class BundleError(FramewitnessError):
    code = "bundle_refused"
    exit_status = 2


class CancelledError(FramewitnessError):
    code = "cancelled"

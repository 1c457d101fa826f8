"""The results of the forensics of a file: stated observations and the facts that they rest on.

Nothing here is a score, and nothing here changes a conclusion: each observation says what was found, what that can mean
and what it cannot. A fact that could not be had is None, with the reason beside it or in `FileForensics.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Group = Literal["container", "streams", "frames", "timing", "metadata"]
Weight = Literal["note", "attention"]
ProvenanceState = Literal["absent", "valid", "untrusted", "invalid", "unreadable"]
GROUPS: tuple[Group, ...] = ("container", "streams", "frames", "timing", "metadata")


@dataclass(frozen=True, slots=True)
class Observation:
    """`code` is stable; `finding` is what is in this file; `weight` says whether to look closer, never what it means:
    "attention" marks what an examiner should be able to explain, "note" what only describes the file."""

    code: str
    group: Group
    title: str
    finding: str
    can_mean: tuple[str, ...]
    cannot_mean: tuple[str, ...]
    weight: Weight = "note"


@dataclass(frozen=True, slots=True)
class Validation:
    """One line of a C2PA validation log: the specification's status code, and what it says."""

    code: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Content credentials (C2PA). "valid": intact and signed by someone in the trust list; "untrusted": intact, signer
    in no list that was given; "invalid": content or signature does not match; "absent": none in the file, which says
    nothing about it; "unreadable": could not be examined, with `reason`. `ai_generated` quotes the digital source
    types in the manifest that state generation or alteration by a trained algorithm."""

    state: ProvenanceState
    statement: str
    reason: str | None = None
    claim_generator: str | None = None
    signer: str | None = None
    signed_at: str | None = None
    actions: tuple[str, ...] = ()
    ingredients: tuple[str, ...] = ()
    ai_generated: tuple[str, ...] = ()
    validation: tuple[Validation, ...] = ()
    trust_list: str | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One box of ISO base media: `offset` of its header and `size_bytes` as declared; `depth` 0 at the top."""

    type: str
    offset: int
    size_bytes: int
    depth: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time that the container states. `where` e.g. "mvhd" or "track 1 tkhd"; `value` ISO 8601 in UTC, None where
    the field holds no usable time; `raw` the number as stored (None where the container stores text)."""

    where: str
    name: Literal["created", "modified"]
    value: str | None
    raw: int | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of an edit list (ISO/IEC 14496-12, 8.6.6): `media_time_s` None is an empty edit, a delay."""

    track: int
    duration_s: float | None
    media_time_s: float | None


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """`boxes` the first boxes in file order, `boxes_total` how many were walked; `boxes_reason` why there are none.
    `index_first` is whether the index lies before the media data ("fast start"); `trailing_bytes` those behind the last
    whole box. `encoder` is the writing program as stated; `tools` every program named anywhere in the file."""

    format: str
    boxes: tuple[Box, ...] = ()
    boxes_total: int = 0
    boxes_reason: str | None = None
    brands: tuple[str, ...] = ()
    encoder: str | None = None
    encoder_settings: str | None = None
    tools: tuple[str, ...] = ()
    timestamps: tuple[Timestamp, ...] = ()
    edits: tuple[Edit, ...] = ()
    index_first: bool | None = None
    fragments: int = 0
    trailing_bytes: int = 0
    unknown_boxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of the file. Times in seconds, None where the file does not state them."""

    index: int
    kind: str
    codec: str
    profile: str | None
    start_s: float | None
    duration_s: float | None
    bit_rate: int | None
    frames: int | None
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gop:
    """Distances of keyframes in pictures (decoding order). `regular` is whether nine of ten, the last left out, are the
    same; None with fewer than three. Keyframes a distance apart that no rule of the encoder explains are counted in
    `short` (shorter than the usual distance of a regular file)."""

    count: int
    shortest: int
    median: float
    longest: int
    regular: bool | None
    short: int = 0


@dataclass(frozen=True, slots=True)
class FrameTypes:
    """Pictures by type; `unknown` where the codec's headers are not read. `basis` says how the types were found."""

    I: int  # noqa: E741 - the standards' own letters
    P: int
    B: int
    unknown: int
    basis: str


@dataclass(frozen=True, slots=True)
class Series:
    """Packets for a chart: columns of equal length. Where `packets_per_point` > 1 each point is the largest of that
    many packets in a row. `types` holds one letter a point (I, P, B, ?)."""

    pts_s: tuple[float, ...]
    size_bytes: tuple[int, ...]
    types: str
    packets_per_point: int


@dataclass(frozen=True, slots=True)
class Packets:
    """Sizes of the video packets in bytes; `per_type` is (type, count, mean size). `capped_at` is the number of packets
    read where the rest was left unread."""

    count: int
    total_bytes: int
    smallest_bytes: int
    median_bytes: float
    largest_bytes: int
    per_type: tuple[tuple[str, int, float], ...]
    series: Series
    capped_at: int | None = None


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Quantiser of decoded sample pictures: the codec's own scale (H.264 0..51, MPEG-4 1..31); mean over blocks. `rows`
    is (type, pictures, mean, smallest, largest)."""

    pictures: int
    mean: float
    rows: tuple[tuple[str, int, float, float, float], ...]
    scale: str


@dataclass(frozen=True, slots=True)
class Repeats:
    """Neighbouring pictures compared pixel by pixel in `stretches` places: `equal` of `compared` pairs are identical.
    `at_s` the first few times. `longest_run` counts equal pairs in a row."""

    compared: int
    equal: int
    longest_run: int
    stretches: int
    at_s: tuple[float, ...] = ()
    period: int | None = None


@dataclass(frozen=True, slots=True)
class Gaps:
    """Distances between presentation times well above the usual one; `missing_frames` what would have filled them."""

    usual_s: float
    count: int
    missing_frames: int
    longest_s: float
    at_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierGop:
    """A period in the sizes of predicted pictures that the file's own keyframes do not explain. `hits` of `expected`
    places at `period_frames` hold a peak, `chance` is the probability of that among peaks placed at random, corrected
    for the periods tried. `searched` is false, with `reason`, where the pattern could not be looked for."""

    searched: bool
    reason: str | None = None
    period_frames: int | None = None
    hits: int = 0
    expected: int = 0
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """The coded pictures of a video. `pattern` is the types of the first pictures in decoding order."""

    gop: Gop | None
    types: FrameTypes
    pattern: str
    packets: Packets
    quantiser: Quantiser | None
    quantiser_reason: str | None
    repeats: Repeats | None
    repeats_reason: str | None
    gaps: Gaps | None
    earlier_gop: EarlierGop


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """`tables` are the quantisation tables (64 numbers each, zigzag undone); `quality` the IJG setting that gives
    exactly the luma table, else None. `double` is (mode, earlier step, period strength) where histograms of DCT
    coefficients show a second quantisation; `double_reason` why it was not looked for."""

    tables: tuple[tuple[int, ...], ...]
    quality: int | None
    subsampling: str | None
    progressive: bool
    double: tuple[tuple[str, float], ...] = ()
    double_reason: str | None = None


@dataclass(frozen=True, slots=True)
class MetadataFacts:
    """Statements of the file about itself, unverified. `sections` names the kinds present (EXIF, XMP, IPTC, …);
    `fields` is (section, name, value) with texts cut to length; `gps` whether a position is stated (None: not looked
    for)."""

    sections: tuple[str, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()
    history: tuple[str, ...] = ()
    software: tuple[str, ...] = ()
    gps: bool | None = None
    thumbnail: str | None = None
    jpeg: JpegFacts | None = None


@dataclass(frozen=True, slots=True)
class FileForensics:
    """All that was found. `limits` are plain sentences on what was not examined, or only in part."""

    provenance: Provenance
    observations: tuple[Observation, ...]
    container: ContainerFacts
    streams: tuple[StreamFacts, ...] = ()
    frames: FrameFacts | None = None
    metadata: MetadataFacts = field(default_factory=MetadataFacts)
    limits: tuple[str, ...] = ()

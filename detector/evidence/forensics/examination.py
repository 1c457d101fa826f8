"""The examination of one file, part by part: what fails in one part is said there and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from detector.errors import FramewitnessError
from detector.evidence.forensics.container_facts import Opened, container_facts, read_streams
from detector.evidence.forensics.container_tree import BoxTree, read_tree
from detector.evidence.forensics.earlier_gop import look_for_earlier_gop
from detector.evidence.forensics.observe_container import observe_container
from detector.evidence.forensics.observe_frames import PATTERN_LENGTH, gop_of, observe_frames, types_of
from detector.evidence.forensics.observe_metadata import observe_credentials, observe_video_metadata, video_metadata
from detector.evidence.forensics.observe_stills import observe_still
from detector.evidence.forensics.observe_streams import find_gaps, observe_streams, observe_times
from detector.evidence.forensics.packets import PacketTable, read_packets, summary
from detector.evidence.forensics.provenance import read_provenance
from detector.evidence.forensics.sampled_pictures import SampledPictures, sample_pictures
from detector.evidence.forensics.still_metadata import StillMetadata, read_still_metadata
from detector.evidence.forensics.trailing_data import end_of_content
from detector.evidence.forensics.types import (
    GROUPS,
    ContainerFacts,
    EarlierGop,
    FileForensics,
    FrameFacts,
    MetadataFacts,
    Observation,
)
from detector.evidence.forensics.xmp import Xmp, read_xmp
from detector.evidence.signature import HEAD_BYTES, identify
from detector.evidence.text import shown
from detector.evidence.timeline import timeline_of
from detector.evidence.types import Evidence

T = TypeVar("T")
_BOXED = frozenset({"mp4", "heic", "avif"})


def examine(path: Path, evidence: Evidence) -> FileForensics:
    """See `detector.evidence.forensics.examine_file`."""
    examination = _Examination(path, evidence)
    return examination.examine_still() if evidence.kind == "still" else examination.examine_video()


@dataclass
class _Examination:
    path: Path
    evidence: Evidence
    observations: list[Observation] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    def examine_video(self) -> FileForensics:
        opened = self.part("The streams", lambda: read_streams(self.path)) or Opened()
        table = self.part("The packets", lambda: read_packets(self.path))
        tree, container = self._container(opened, table.signatures if table else ())
        frames = None
        if table is not None and len(table):
            frames = self._frames(table, container)
        self.note(lambda: observe_streams(self.evidence, opened.streams))
        xmp = self._embedded_xmp(tree)
        metadata = video_metadata(opened.tags, xmp)
        self.note(lambda: observe_video_metadata(metadata, xmp))
        if tree is None:
            self.limits.append("The container has no box tree; its structure below the streams was not examined.")
        return self._finished(container, opened=opened, frames=frames, metadata=metadata)

    def examine_still(self) -> FileForensics:
        _, container = self._container(Opened(), ())
        found = self.part("The metadata", lambda: read_still_metadata(self.path))
        metadata = MetadataFacts()
        if found is not None:
            metadata = _still_facts(found)
            self.note(lambda: observe_still(self.evidence, found))
            if found.jpeg is not None and found.jpeg.double_reason:
                self.limits.append(f"An earlier JPEG compression was not looked for. {found.jpeg.double_reason}")
        return self._finished(container, metadata=metadata)

    def _finished(
        self,
        container: ContainerFacts,
        *,
        opened: Opened | None = None,
        frames: FrameFacts | None = None,
        metadata: MetadataFacts,
    ) -> FileForensics:
        provenance = read_provenance(self.path)
        self.note(lambda: observe_credentials(provenance))
        unique = dict.fromkeys(self.observations)
        return FileForensics(
            provenance=provenance,
            observations=tuple(sorted(unique, key=lambda one: (GROUPS.index(one.group), one.weight == "note"))),
            container=container,
            streams=opened.streams if opened else (),
            frames=frames,
            metadata=metadata,
            limits=tuple(self.limits),
        )

    def _container(self, opened: Opened, signatures: tuple[str, ...]) -> tuple[BoxTree | None, ContainerFacts]:
        tree = self.part("The box tree", self._walk)
        end = None if tree else self.part("The end of the structure", lambda: end_of_content(self.path))
        facts = container_facts(self.evidence, tree, opened, signatures, end)
        self.note(lambda: observe_container(self.path, self.evidence, facts, tree, opened.tags))
        return tree, facts

    def _walk(self) -> BoxTree | None:
        with self.path.open("rb") as stream:
            boxed = identify(stream.read(HEAD_BYTES)).extensions & _BOXED
        return read_tree(self.path) if boxed else None

    def _frames(self, table: PacketTable, container: ContainerFacts) -> FrameFacts:
        video = self.evidence.video
        pixels = video.coded_width * video.coded_height
        sampled = self.part(
            "The sample pictures", lambda: sample_pictures(self.path, table, pixels)
        ) or SampledPictures(None, None, "No picture could be decoded for it.")
        timeline = self.part("The times", lambda: timeline_of(self.evidence.file))
        gaps = self.part("The gaps", lambda: find_gaps(timeline)) if timeline else None
        facts = FrameFacts(
            gop=gop_of(table),
            types=types_of(table),
            pattern=table.types[:PATTERN_LENGTH],
            packets=summary(table),
            quantiser=sampled.quantiser,
            quantiser_reason=sampled.quantiser_reason,
            repeats=sampled.repeats,
            repeats_reason=None if sampled.repeats else "No two neighbouring pictures could be decoded.",
            gaps=gaps,
            earlier_gop=self.part("The earlier coding", lambda: look_for_earlier_gop(table))
            or EarlierGop(False, "It could not be looked for."),
        )
        if table.capped:
            self.limits.append(
                f"Only the first {len(table):,} packets were read; the rest of the pictures was not examined."
            )
        if sampled.repeats and sampled.repeats.compared < len(table) - 1:
            self.limits.append(
                f"Identical pictures were looked for in {sampled.repeats.compared:,} of {len(table) - 1:,} pairs only."
            )
        if not facts.earlier_gop.searched:
            self.limits.append(f"A trace of an earlier coding was not looked for. {facts.earlier_gop.reason}")
        self.note(lambda: observe_frames(table, facts, container.encoder_settings))
        if timeline is not None:
            self.note(lambda: observe_times(self.evidence, timeline, gaps))
        return facts

    def _embedded_xmp(self, tree: BoxTree | None) -> Xmp | None:
        packet = tree.xmp if tree is not None else None
        return None if packet is None else read_xmp(packet)

    def part(self, name: str, work: Callable[[], T]) -> T | None:
        """One part of the examination; its failure is a stated limit, never the end of the others."""
        try:
            return work()
        except FramewitnessError as error:
            self.limits.append(f"{name} could not be examined: {error}")
        except Exception as error:  # hostile files find ways that no list of exceptions foresees
            # A record names no place on this machine, and the messages of file errors do.
            told = (
                "" if isinstance(error, OSError) else f": {shown(str(error).replace(str(self.path), 'the file'), 120)}"
            )
            self.limits.append(f"{name} could not be examined ({type(error).__name__}{told}).")
        return None

    def note(self, observe: Callable[[], Iterator[Observation]]) -> None:
        self.observations += self.part("Some observations", lambda: list(observe())) or []


def _still_facts(found: StillMetadata) -> MetadataFacts:
    return MetadataFacts(
        sections=found.sections,
        fields=tuple(found.fields),
        history=tuple(found.xmp.history) if found.xmp else (),
        software=tuple(
            dict.fromkeys(
                value
                for _, name, value in found.fields
                if name in ("Software", "xmp:CreatorTool", "OriginatingProgram")
            )
        ),
        gps=found.gps,
        thumbnail=found.thumbnail,
        jpeg=found.jpeg,
    )

"""What observations of containers and streams can mean and what they cannot; `state` makes every observation."""

from __future__ import annotations

from detector.evidence.forensics.meaning_form import EDITABLE, NOT_ALTERED, NOT_GENUINE, Meaning
from detector.evidence.forensics.picture_meaning import PICTURE_MEANINGS
from detector.evidence.forensics.types import Observation, Weight


def state(code: str, finding: str, *, weight: Weight | None = None) -> Observation:
    """The observation `code` with what was found in this file. Raises KeyError for a code without a meaning."""
    meaning = MEANINGS[code]
    return Observation(
        code, meaning.group, meaning.title, finding, meaning.can_mean, meaning.cannot_mean, weight or meaning.weight
    )


_CONTAINER = {
    "box_order": Meaning(
        "container",
        "Order of index and media data",
        (
            "An index in front is usual for files prepared for the web, and for files from platforms.",
            "An index behind the media data is usual for recordings as a camera or FFmpeg writes them.",
        ),
        (NOT_ALTERED, "The order is not proof of either origin: one command changes it without touching a picture."),
    ),
    "program_named": Meaning(
        "container",
        "Programs named in the file",
        ("The file, or a part of it, passed through these programs; the last writer usually signs the container.",),
        (
            NOT_ALTERED,
            "Conversion, messaging and uploading leave the same marks as editing and generation.",
            EDITABLE,
        ),
    ),
    "no_program_named": Meaning(
        "container",
        "No program named",
        ("The writer signs nothing, as many cameras and phones do, or the statement was removed.",),
        (NOT_GENUINE, NOT_ALTERED),
    ),
    "earlier_program": Meaning(
        "container",
        "Marks of an earlier program",
        (
            "The file was written again by another program than the one that first made these tracks: it is a copy, a "
            "conversion or an edit, not the first recording.",
        ),
        (NOT_ALTERED, "Whether it was cut, cropped or changed at that occasion cannot be told from this."),
        "attention",
    ),
    "recorder_and_software": Meaning(
        "container",
        "A recording device is named, but software wrote the file",
        ("The recording was exported, converted or edited after the device made it, and the device's name was kept.",),
        (NOT_ALTERED, "Whether it was cut, cropped or changed at that occasion cannot be told from this.", EDITABLE),
        "attention",
    ),
    "times_unset": Meaning(
        "container",
        "No creation time in the container",
        ("Software such as FFmpeg leaves the times at zero; platforms often remove them.",),
        ("It does not show that someone removed a time on purpose.", NOT_ALTERED),
    ),
    "times_stated": Meaning(
        "container",
        "Times stated in the container",
        ("When the writing program's clock said that the file was made or last changed.",),
        ("It need not be when the pictures were taken: a copy or a conversion states its own time.", EDITABLE),
    ),
    "times_differ": Meaning(
        "container",
        "Times that disagree",
        ("Tracks were made at different times and put together later.", "A program rewrote some of the times only."),
        (NOT_ALTERED, "Some programs write inconsistent times into every file."),
        "attention",
    ),
    "modified_later": Meaning(
        "container",
        "Changed after it was made",
        ("The container was written again later than it was first made, by longer than the recording lasts.",),
        (NOT_ALTERED, "Trimming, renaming in an app and adding a title change this time too."),
        "attention",
    ),
    "time_implausible": Meaning(
        "container",
        "A time that cannot be right",
        ("The clock was not set, or the writer counted from another epoch.", "The time was written by hand."),
        (NOT_ALTERED,),
        "attention",
    ),
    "edit_hides": Meaning(
        "container",
        "An edit list hides part of a track",
        (
            "The file was trimmed without coding it again: pictures before the shown part are still in the file.",
            "A player's or editor's cut, or a recorder that keeps a little before the button was pressed.",
        ),
        ("It does not show that something was hidden on purpose.",),
        "attention",
    ),
    "edit_segments": Meaning(
        "container",
        "An edit list joins several segments",
        ("The track shows parts of its media in an order that the list sets: a cut made without coding again.",),
        ("It does not show that anything was left out to mislead.",),
        "attention",
    ),
    "fragmented": Meaning(
        "container",
        "A fragmented file",
        ("Written for streaming, by a recorder that must survive a power cut, or joined from streamed segments.",),
        (NOT_ALTERED,),
    ),
    "unknown_boxes": Meaning(
        "container",
        "Boxes of unknown kind",
        ("Makers of cameras, phones and programs add boxes of their own; the kind can help to name the maker.",),
        (NOT_ALTERED, "Unknown here means only that this program's list does not hold them."),
    ),
    "broken_boxes": Meaning(
        "container",
        "The box structure is not sound",
        ("The file was damaged, cut off in transfer, or written by a faulty or hostile program.",),
        ("It does not show who or what damaged it.",),
        "attention",
    ),
    "second_start": Meaning(
        "container",
        "The structure begins again",
        (
            "Another file was appended, such as a motion photo's video or a second recording; players show the first.",
            "Segments of a stream were written one behind the other.",
        ),
        ("It does not show that the visible video was altered.",),
        "attention",
    ),
    "trailing_data": Meaning(
        "container",
        "Data behind the end of the structure",
        (
            "Something was appended: another file, a maker's private data, a motion photo's video, further pictures, "
            "or the rest of an interrupted write.",
            "A file inside a file can be hidden this way.",
        ),
        ("It does not show that the visible video was altered; players ignore this data.",),
        "attention",
    ),
    "trailing_zeros": Meaning(
        "container",
        "Zeros behind the end of the structure",
        ("A recorder or file system padded the file, or room that was reserved stayed unused.",),
        (NOT_ALTERED,),
    ),
    "name_mismatch": Meaning(
        "container",
        "Name and content disagree",
        ("The file was renamed, or a program gave it an ending that does not fit.",),
        (NOT_ALTERED,),
        "attention",
    ),
}

_STREAMS = {
    "streams": Meaning(
        "streams",
        "Streams in the file",
        ("How the tracks are coded and how long each states to be.",),
        (NOT_GENUINE, NOT_ALTERED),
    ),
    "no_sound": Meaning(
        "streams",
        "No sound track",
        ("It was recorded without sound, or the sound was left out in a conversion.",),
        ("It does not show that sound was removed on purpose.",),
    ),
    "extra_streams": Meaning(
        "streams",
        "Further tracks",
        ("Cover pictures, timed data of a device, subtitles or a second camera: worth looking at for its own sake.",),
        (NOT_ALTERED,),
    ),
    "length_mismatch": Meaning(
        "streams",
        "Sound and pictures differ in length",
        ("One track was cut, replaced or lengthened.", "The recording stopped the tracks at different moments."),
        ("It does not show which track is the older one.", NOT_ALTERED),
        "attention",
    ),
    "start_mismatch": Meaning(
        "streams",
        "Sound and pictures start apart",
        ("A track was shifted, replaced or cut at its start.", "A recorder opened the microphone late."),
        ("It does not show that sound and pictures do not belong together.",),
        "attention",
    ),
    "rotation": Meaning(
        "streams",
        "A display rotation is stated",
        ("Usual for phones held upright; conversion often applies the turn and drops the statement.",),
        (NOT_GENUINE,),
    ),
}

MEANINGS: dict[str, Meaning] = {**_CONTAINER, **_STREAMS, **PICTURE_MEANINGS}

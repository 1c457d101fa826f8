"""The meanings of observations, what they can show and what they cannot; `state` makes every observation."""

from __future__ import annotations

from typing import NamedTuple

from detector.evidence.forensics.types import Group, Observation, Weight

NOT_ALTERED = "It does not show that the pictures or the sound were altered."
NOT_GENUINE = "It does not show that the file is genuine or unaltered."
EDITABLE = "Anyone can write such statements into a file, or remove them."


class Meaning(NamedTuple):
    """`weight` is the usual one; a finding can have another."""

    group: Group
    title: str
    can_mean: tuple[str, ...]
    cannot_mean: tuple[str, ...]
    weight: Weight = "note"


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

_FRAMES = {
    "picture_types": Meaning(
        "frames",
        "Picture types and keyframes",
        ("Which encoder and which settings may have been used; it can be compared with a known device's recordings.",),
        (NOT_GENUINE, NOT_ALTERED),
    ),
    "keyframe_off_beat": Meaning(
        "frames",
        "Keyframes out of an otherwise regular beat",
        (
            "Two recordings were joined, or a part was taken out, at a keyframe without coding again.",
            "The encoder set a keyframe at a change of scene, or was told to.",
        ),
        ("It does not show that anything is missing; compare the pictures before and after each place.",),
        "attention",
    ),
    "encoder_restart": Meaning(
        "frames",
        "The encoder signs again in the middle",
        (
            "Separately coded parts were joined.",
            "A platform coded the video in segments on several machines.",
        ),
        ("It does not show that the parts come from different recordings.", NOT_ALTERED),
        "attention",
    ),
    "settings_disagree": Meaning(
        "frames",
        "Encoder settings and stream disagree",
        ("Parts coded with other settings were joined to it, or the settings were copied from another file.",),
        (NOT_ALTERED, "Encoders of some makers imitate these settings without keeping to them."),
        "attention",
    ),
    "repeats": Meaning(
        "frames",
        "Identical pictures in a row",
        (
            "A change of frame rate, a screen recording, a still scene, a frozen encoder or camera.",
            "Pictures that were inserted to fill a gap or to lengthen a moment.",
        ),
        ("Identical pictures do not show an intent; a still scene without noise gives them too.",),
    ),
    "quantiser": Meaning(
        "frames",
        "How coarsely the pictures are quantised",
        ("How much detail compression took; coarse pictures hide traces of manipulation and give false ones.",),
        (NOT_ALTERED,),
    ),
    "earlier_gop": Meaning(
        "frames",
        "A trace of an earlier coding",
        (
            "The pictures were coded before with another keyframe distance, then decoded and coded again: a "
            "conversion, an upload or an edit.",
            "A program that makes pictures in blocks of equal length, as some generators do, made them.",
        ),
        (NOT_ALTERED, "Periodic events in the scene, such as a blinking light, can give such a pattern."),
        "attention",
    ),
    "jpeg_tables": Meaning(
        "frames",
        "JPEG quantisation",
        ("Programs and cameras have tables of their own, which can be compared with a known device's pictures.",),
        (NOT_GENUINE, NOT_ALTERED),
    ),
    "jpeg_twice": Meaning(
        "frames",
        "A trace of an earlier JPEG compression",
        ("The picture was saved as JPEG before with coarser or other steps, then opened and saved again unscaled.",),
        (
            NOT_ALTERED,
            "Rotating, captioning and sending it through a messenger save it again as well.",
        ),
        "attention",
    ),
}

_TIMING = {
    "gaps": Meaning(
        "timing",
        "Gaps between pictures",
        ("The recorder dropped pictures, or pictures were taken out without filling the time.",),
        ("It does not show who or what left them out; devices under load drop pictures.",),
        "attention",
    ),
    "variable_rate": Meaning(
        "timing",
        "The frame rate varies",
        ("Usual for phones, screen recorders and video calls; a conversion usually makes it constant.",),
        (NOT_GENUINE, NOT_ALTERED),
    ),
    "no_times": Meaning(
        "timing",
        "No usable presentation times",
        ("The container keeps none, or they are damaged; gaps cannot be told.",),
        ("It does not show that none are missing.",),
    ),
}

_METADATA = {
    "credentials_broken": Meaning(
        "metadata",
        "Content credentials that do not match",
        ("The file or the credentials changed after signing: an edit, a conversion, damage.",),
        ("It does not show what changed, and ordinary re-saving does it as well as tampering.",),
        "attention",
    ),
    "generator_stated": Meaning(
        "metadata",
        "The file states that a trained model made or altered it",
        ("A generator or an editing program with such functions wrote the statement.",),
        (EDITABLE, "Without a valid signature the statement proves nothing about the pictures."),
        "attention",
    ),
    "device_stated": Meaning(
        "metadata",
        "A device is stated",
        ("The device named may have made the recording; compare it with recordings of such a device.",),
        (EDITABLE, NOT_GENUINE),
    ),
    "software_stated": Meaning(
        "metadata",
        "Software is stated",
        ("The named program wrote the file or a version before it; phones state their system here as well.",),
        (NOT_ALTERED, EDITABLE),
    ),
    "edit_history": Meaning(
        "metadata",
        "An editing history is stated",
        ("An editing program recorded these steps.",),
        ("Steps of another program are not in it, and it does not say what was changed in the picture.", EDITABLE),
        "attention",
    ),
    "capture_changed": Meaning(
        "metadata",
        "Changed after capture, by its own times",
        ("The file was saved again after the picture was taken.",),
        (NOT_ALTERED, "Turning or captioning a picture in a viewer changes this time too."),
        "attention",
    ),
    "size_changed": Meaning(
        "metadata",
        "The stated size is not the picture's",
        ("The picture was cropped or scaled by a program that left the statement as it was.",),
        ("It does not show what the missing part held.",),
        "attention",
    ),
    "thumbnail_differs": Meaning(
        "metadata",
        "The embedded thumbnail shows another picture",
        ("The picture was changed or cropped after the thumbnail was made.",),
        ("It does not show what was changed; strong edits of tone alone can do it.",),
        "attention",
    ),
    "thumbnail": Meaning(
        "metadata",
        "An embedded thumbnail",
        ("Usual for cameras and phones; many editing programs make it anew, some leave the old one.",),
        (NOT_GENUINE,),
    ),
    "position": Meaning(
        "metadata",
        "A position is stated",
        ("Where the device believed to be. It is personal data: handle it accordingly.",),
        (EDITABLE,),
    ),
    "no_metadata": Meaning(
        "metadata",
        "No metadata of a camera",
        ("Messengers, platforms, screenshots and many generators leave none; it may have been removed.",),
        (NOT_ALTERED, "It does not show that someone removed it on purpose."),
    ),
    "unreadable_metadata": Meaning(
        "metadata",
        "Metadata that cannot be read",
        ("It is damaged, or written by a faulty or hostile program.",),
        (NOT_ALTERED,),
        "attention",
    ),
}

MEANINGS: dict[str, Meaning] = {**_CONTAINER, **_STREAMS, **_FRAMES, **_TIMING, **_METADATA}

"""What observations of pictures, times and metadata can mean and what they cannot."""

from __future__ import annotations

from detector.evidence.forensics.meaning_form import EDITABLE, NOT_ALTERED, NOT_GENUINE, Meaning

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

PICTURE_MEANINGS: dict[str, Meaning] = {**_FRAMES, **_TIMING, **_METADATA}

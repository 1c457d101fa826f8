"""I, P or B from the first bits of each coded picture, so that a whole file is typed without decoding it.

H.264: ITU-T H.264, 7.3.3 (slice_type). HEVC: ITU-T H.265, 7.3.6.1. MPEG-4: ISO/IEC 14496-2, 6.2.5 (vop_coding_type).
MPEG-1/2: ISO/IEC 13818-2, 6.2.3 (picture_coding_type). VP8: RFC 6386, 9.1. Other codecs tell keyframes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_HEAD_BYTES = 4096
_MAX_UNITS = 64
_SLICE_BYTES = 24
_INTRA_ONLY = frozenset({"mjpeg", "prores", "dnxhd", "dvvideo", "png", "rawvideo", "ffv1", "huffyuv", "jpeg2000"})
_H264 = {0: "P", 1: "B", 2: "I", 3: "P", 4: "I"}
_HEVC = {0: "B", 1: "P", 2: "I"}
_MPEG4 = "IPBP"
_MPEG2 = {1: "I", 2: "P", 3: "B", 4: "I"}
_ORDER = "?IPB"


class PictureTypes:
    """Types the pictures of one stream: `of(packet, keyframe)` gives "I", "P", "B", or "?" where it cannot be told.

    `basis` is one sentence for the record. A picture of several slices has the type that predicts most.
    """

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._codec = codec
        self._length_bytes = _length_bytes(codec, extradata)
        self._hevc_extra_bits = 0
        readers: dict[str, Callable[[memoryview], str]] = {
            "h264": self._h264,
            "hevc": self._hevc,
            "mpeg4": lambda data: _after_code(data, 0xB6, lambda head: _MPEG4[head[0] >> 6]),
            "mpeg1video": _mpeg_picture,
            "mpeg2video": _mpeg_picture,
            "vp8": lambda data: "P" if data[0] & 1 else "I",
        }
        self._reader = readers.get(codec)
        if self._reader is not None:
            self.basis = f"Read from the {codec} picture headers of every packet; nothing was decoded for this."
        elif codec in _INTRA_ONLY:
            self.basis = f"Every picture of {codec} is coded on its own."
        else:
            self.basis = (
                f"The container's keyframe marks; the picture headers of {codec} are not read, so P and B are not told "
                "apart."
            )
        if codec == "hevc" and self._length_bytes:
            self._read_parameter_sets(extradata)

    def of(self, packet: memoryview, keyframe: bool) -> str:
        """The type of the picture in one packet. Never raises on what is in it."""
        if self._codec in _INTRA_ONLY:
            return "I"
        if self._reader is None:
            return "I" if keyframe else "?"
        try:
            return self._reader(packet)
        except (IndexError, ValueError):
            return "?"

    def _units(self, data: memoryview) -> Iterator[memoryview]:
        """NAL units: with a length before each (MP4, Matroska) or behind start codes (MPEG-TS, AVI)."""
        if not self._length_bytes:
            yield from _units_behind_codes(data)
            return
        at = 0
        for _ in range(_MAX_UNITS):
            size = int.from_bytes(data[at : at + self._length_bytes], "big")
            at += self._length_bytes
            if size == 0 or at + size > len(data):
                return
            yield data[at : at + size]
            at += size

    def _h264(self, data: memoryview) -> str:
        found = "?"
        for unit in self._units(data):
            if unit[0] & 0x1F in (1, 2, 5):
                bits = _Bits(unit[1 : 1 + _SLICE_BYTES])
                bits.exp_golomb()
                found = max(found, _H264.get(bits.exp_golomb() % 5, "?"), key=_ORDER.index)
        return found

    def _hevc(self, data: memoryview) -> str:
        for unit in self._units(data):
            kind = unit[0] >> 1 & 0x3F
            if kind == 34:
                self._read_picture_set(unit)
            if kind <= 9 or 16 <= kind <= 21:
                bits = _Bits(unit[2 : 2 + _SLICE_BYTES])
                if not bits.take(1):
                    continue
                if kind >= 16:
                    bits.take(1)
                bits.exp_golomb()
                bits.take(self._hevc_extra_bits)
                return _HEVC.get(bits.exp_golomb(), "?")
        return "?"

    def _read_picture_set(self, unit: memoryview) -> None:
        bits = _Bits(unit[2 : 2 + _SLICE_BYTES])
        bits.exp_golomb()
        bits.exp_golomb()
        bits.take(2)
        self._hevc_extra_bits = bits.take(3)

    def _read_parameter_sets(self, extradata: bytes) -> None:
        """The picture parameter sets of an hvcC record (ISO/IEC 14496-15, 8.3.3)."""
        at, arrays = 23, extradata[22] if len(extradata) > 22 else 0
        for _ in range(arrays):
            kind, units = (
                extradata[at] & 0x3F if at < len(extradata) else 0,
                int.from_bytes(extradata[at + 1 : at + 3], "big"),
            )
            at += 3
            for _ in range(min(units, _MAX_UNITS)):
                size = int.from_bytes(extradata[at : at + 2], "big")
                if kind == 34 and size:
                    try:
                        self._read_picture_set(memoryview(extradata)[at + 2 : at + 2 + size])
                    except (IndexError, ValueError):
                        return
                at += 2 + size


def _length_bytes(codec: str, extradata: bytes) -> int:
    """The number of bytes that state a NAL unit's length; 0 for start codes."""
    if codec == "h264" and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 21 and (extradata[0] or extradata[1]) and extradata[:3] != b"\0\0\1":
        return (extradata[21] & 3) + 1 if extradata[:4] != b"\0\0\0\1" else 0
    return 0


def _units_behind_codes(data: memoryview) -> Iterator[memoryview]:
    """Only what begins in the head of the packet: enough for a picture's first slice."""
    head = bytes(data[:_HEAD_BYTES])
    at = head.find(b"\0\0\1")
    for _ in range(_MAX_UNITS):
        if at < 0 or at + 3 >= len(head):
            return
        yield memoryview(head)[at + 3 : at + 3 + 2 * _SLICE_BYTES]
        at = head.find(b"\0\0\1", at + 3)


def _after_code(data: memoryview, code: int, read: Callable[[bytes], str]) -> str:
    head = bytes(data[:_HEAD_BYTES])
    at = head.find(bytes((0, 0, 1, code)))
    return read(head[at + 4 : at + 8]) if at >= 0 else "?"


def _mpeg_picture(data: memoryview) -> str:
    return _after_code(data, 0x00, lambda head: _MPEG2.get(head[1] >> 3 & 7, "?"))


class _Bits:
    """The bits of a NAL unit's payload, without the emulation prevention bytes (ITU-T H.264, 7.4.1)."""

    def __init__(self, payload: memoryview) -> None:
        raw = bytes(payload).replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(raw, "big"), 8 * len(raw)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the header ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("no such number")
        return (1 << zeros) - 1 + self.take(zeros)

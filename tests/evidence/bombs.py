"""Makes files that are small on disk and huge once decoded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

_CLEAR, _END, _FIRST_FREE, _LAST = 256, 257, 258, 4095
_BLOCK_BYTES = 1 << 20


def black_png(path: Path, *, side_px: int, bit_depth: int = 16) -> Path:
    """A grey PNG of `side_px` squared, all zeros: a thousandth of its pixels' size on disk."""
    total = side_px * (1 + side_px * bit_depth // 8)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(bytes(_BLOCK_BYTES))
    packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush equal blocks are equal bytes: one does for all. Adler-32 of n zeros is (n mod 65521, 1).
    block = packer.compress(bytes(_BLOCK_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(total, _BLOCK_BYTES)
    checksum = struct.pack(">HH", total % 65_521, 1)
    pixels = b"\x78\xda" + block * blocks + packer.compress(bytes(rest)) + packer.flush() + checksum
    header = struct.pack(">IIBBBBB", side_px, side_px, bit_depth, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks))
    return path


def black_gif(path: Path, *, side_px: int, frames: int = 8) -> Path:
    """A GIF of `frames` pictures of `side_px` squared, all of one colour (GIF89a, LZW of one long run)."""
    screen = struct.pack("<HHBBB", side_px, side_px, 0xF7, 0, 0)
    data = _lzw_of_zeros(side_px * side_px)
    blocks = b"".join(bytes([len(part)]) + part for part in (data[at : at + 255] for at in range(0, len(data), 255)))
    control = b"\x21\xf9\x04\x00\x0a\x00\x00\x00"
    picture = control + b"\x2c" + struct.pack("<HHHHB", 0, 0, side_px, side_px, 0) + b"\x08" + blocks + b"\0"
    path.write_bytes(b"GIF89a" + screen + bytes(768) + picture * frames + b"\x3b")
    return path


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _lzw_of_zeros(count: int) -> bytes:
    """Each code stands for a run one longer than the code before it, until the table is full and is cleared."""
    written, bits, filled = bytearray(), 0, 0

    def put(code: int, width: int) -> None:
        nonlocal bits, filled
        bits |= code << filled
        filled += width
        while filled >= 8:
            written.append(bits & 0xFF)
            bits, filled = bits >> 8, filled - 8

    left = count
    width = 9
    while left:
        put(_CLEAR, width)
        width, known = 9, _FIRST_FREE
        run = 1
        while left and known <= _LAST:
            if run > left:
                run = left
            put(0 if run == 1 else _FIRST_FREE + run - 2, width)
            left -= run
            known += 1
            run += 1
            # The reader learns an entry with every code but the first after a clear.
            if known - 1 >= 1 << width and width < 12:
                width += 1
    put(_END, width)
    put(0, 8)
    return bytes(written)

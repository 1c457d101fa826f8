"""Short ids whose order is the order of creation."""

from __future__ import annotations

import threading
import time
from typing import Literal

Kind = Literal["c", "x", "r", "n", "j", "k", "p", "t", "s", "e"]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 9  # 45 bits of milliseconds: enough until the year 3084
_lock = threading.Lock()
_last_ms = 0


def new_id(kind: Kind) -> str:
    """`kind` and nine digits of Crockford's base 32 (no i, l, o, u: ids are read aloud and typed from paper).

    The digits are the time in milliseconds, pushed on by one where two ids fall into the same millisecond, so ids of
    one process never repeat and sort as they were made.
    """
    global _last_ms
    with _lock:
        _last_ms = max(_last_ms + 1, time.time_ns() // 1_000_000)
        value = _last_ms
    digits = ""
    for _ in range(_LENGTH):
        value, digit = divmod(value, 32)
        digits = _DIGITS[digit] + digits
    return kind + digits

"""Names of the program's parts, and terms of those who make models: readers of pages and reports know none of them."""

from __future__ import annotations

import re
from typing import Final

JARGON: Final = re.compile(
    r"(?i)noisy.or|\blogits?\b|\bPTS ×|× 1/\d|trunk\.|encoder\.|blocks\.\d|\bcue (?:BG|CM|RR|LL|TM|AV)\b|\bP\("
    r"|\b(?:analysis|note|bookmark|case|exhibit|report)_[a-z_]+\b"
)

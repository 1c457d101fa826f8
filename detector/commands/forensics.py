"""`python -m detector forensics`: a file beside its faces, without any model."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import FileByFile, plain

if TYPE_CHECKING:
    from detector.evidence.forensics import FileForensics


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser(
        "forensics",
        help="examine files beside their faces: content credentials, container, coding, metadata",
        description="State what a file shows about its own making: content credentials (C2PA), container, streams, "
        "coded pictures, metadata. Each observation says what it can and cannot mean; none is a score. A PEM file of "
        "trusted certificate authorities, named by FRAMEWITNESS_C2PA_TRUST, makes the credentials' state “valid” "
        "possible. Nothing is fetched.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--format", choices=("json", "text"), default="json")
    parser.set_defaults(run_command=_forensics)


def _forensics(args: argparse.Namespace) -> int:
    from detector.analysis.forensics_record import forensics_to_dict, provenance_to_dict
    from detector.evidence import examine, ingest
    from detector.evidence.forensics import examine_file

    each = FileByFile()
    with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
        for path in args.files:
            with each.of(path):
                evidence = examine(ingest(path, Path(folder)))
                found = examine_file(evidence.file.path, evidence)
                if args.format == "json":
                    shown = {
                        "file_name": evidence.file.file_name,
                        "sha256": evidence.file.sha256,
                        "size_bytes": evidence.file.size_bytes,
                        "provenance": provenance_to_dict(found.provenance),
                        "forensics": forensics_to_dict(found),
                    }
                    print(json.dumps(shown, ensure_ascii=False, allow_nan=False), flush=True)
                else:
                    print(plain(evidence.file.file_name))
                    print(f"  SHA-256 {evidence.file.sha256}")
                    print("\n".join(lines_of(found, meanings=True)), flush=True)
                evidence.file.path.unlink(missing_ok=True)
    return each.status


def lines_of(found: FileForensics, *, meanings: bool) -> Iterator[str]:
    """The findings as indented lines of text; with `meanings`, what each can and cannot mean below it. An exclamation
    mark stands before what an examiner should be able to explain."""
    yield f"  Content credentials: {found.provenance.state}. {plain(found.provenance.statement)}"
    if found.provenance.reason:
        yield f"    {plain(found.provenance.reason)}"
    for one in found.observations:
        yield f"  {'!' if one.weight == 'attention' else '-'} [{one.group}] {one.title}: {plain(one.finding)}"
        if meanings:
            yield f"      can mean: {' '.join(one.can_mean)}"
            yield f"      cannot mean: {' '.join(one.cannot_mean)}"
    for limit in found.limits:
        yield f"  Not examined: {plain(limit)}"

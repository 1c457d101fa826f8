"""`python -m detector cases note | opinion | truth | sign | archive | seen`: what people add to a case."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain
from detector.commands.find_case import require_case
from detector.errors import StoreError

if TYPE_CHECKING:
    from detector.cases import Case, CaseStore, Exhibit, Match

# As in detector.cases, which takes too long to load for a help text.
_VERDICTS = ("manipulated", "genuine", "undetermined")
_TRUTHS = ("manipulated", "genuine", "unknown")
_ROLES = ("examiner", "second_examiner")


def add_actions(actions: Any) -> None:
    """Add these actions to the parser of `framewitness cases`."""
    note = actions.add_parser("note", help="add a note to a case, an exhibit, a track or a frame")
    note.add_argument("text")
    note.add_argument("--track", type=int, help="face track of the exhibit")
    note.add_argument("--pts", type=int, help="frame, by its time stamp in the stream's time base")
    note.add_argument("--end-pts", type=int, help="end of an interval of time that begins at --pts")
    note.add_argument(
        "--box",
        type=float,
        nargs=4,
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="box on the frame at --pts, in pixels from its upper left corner",
    )
    note.add_argument("--bookmark", action="store_true", help="set a bookmark with this text (needs --exhibit)")
    opinion = actions.add_parser("opinion", help="record an opinion, and who had been shown scores by then")
    opinion.add_argument("verdict", choices=_VERDICTS)
    opinion.add_argument("--text", default="", help="the reasons")
    truth = actions.add_parser("truth", help="record what an exhibit turned out to be")
    truth.add_argument("truth", choices=_TRUTHS)
    truth.add_argument("--source", required=True, help="how this is known")
    truth.add_argument("--method", default="", help="how it was made, where known")
    sign = actions.add_parser("sign", help="stand for a case as it is; it must verify")
    sign.add_argument("statement")
    sign.add_argument("--role", choices=_ROLES, default="examiner")
    archive = actions.add_parser("archive", help="take a case out of the lists; nothing of it is deleted")
    archive.add_argument("--reason", required=True, help="kept in the log")
    archive.add_argument("--reopen", action="store_true", help="bring an archived or closed case back instead")
    refile = actions.add_parser(
        "refile", help="file an exhibit that was put into the wrong case in another one, by an event in both logs"
    )
    refile.add_argument("--to", required=True, metavar="CASE", help="case id, reference or title")
    refile.add_argument("--reason", required=True, help="kept in both logs")
    seen = actions.add_parser(
        "seen", help="other exhibits that are the same file, show alike pictures, or bear the same encoder fingerprint"
    )
    for action, run in (
        (note, _note),
        (opinion, _opinion),
        (truth, _truth),
        (sign, _sign),
        (archive, _archive),
        (refile, _refile),
        (seen, _seen),
    ):
        action.add_argument("--case", required=True, help="case id, reference or title")
        if action not in (sign, archive):
            action.add_argument("--exhibit", metavar="ID", help="exhibit id, reference (E1) or SHA-256 beginning")
        if action is not seen:
            action.add_argument("--author", default="", help="who states it (default: the user of this system)")
        action.add_argument("--format", choices=("json", "text"), default="text")
        add_home(action)
        action.set_defaults(run_command=run)


def _note(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        case = require_case(store, args.case)
        exhibit = _exhibit(store, case, args.exhibit) if args.exhibit or args.bookmark else None
        place = {"track_id": args.track, "pts": args.pts, "author": args.author}
        if args.bookmark and exhibit is not None:
            mark = store.metadata.add_bookmark(exhibit.exhibit_id, text=args.text, **place)
            return _tell(args, mark, mark.bookmark_id)
        where = exhibit.exhibit_id if exhibit else None
        note = store.add_note(
            case.case_id, args.text, exhibit_id=where, end_pts=args.end_pts, box_xyxy_px=args.box, **place
        )
        return _tell(args, note, note.note_id)


def _opinion(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        exhibit = _exhibit(store, require_case(store, args.case), args.exhibit)
        given = store.statements.give_opinion(exhibit.exhibit_id, args.verdict, args.text, author=args.author)
    how = "blind" if given.blind else f"after scores were shown to {', '.join(given.scores_opened_by)}"
    return _tell(args, given, f"{given.opinion_id}\t{plain(how)}", blind=given.blind)


def _truth(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        exhibit = _exhibit(store, require_case(store, args.case), args.exhibit)
        recorded = store.statements.record_truth(
            exhibit.exhibit_id, args.truth, args.source, method=args.method, author=args.author
        )
    return _tell(args, recorded, recorded.truth_id)


def _sign(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        signed = store.statements.sign(
            require_case(store, args.case).case_id, args.role, args.statement, author=args.author
        )
    return _tell(args, signed, f"{signed.signature_id}\tevent {signed.head_sequence}\t{signed.head_hash}")


def _archive(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        case_id = require_case(store, args.case).case_id
        change = store.metadata.reopen if args.reopen else store.metadata.archive
        case = change(case_id, args.reason, author=args.author)
    return _tell(args, case, f"{case.case_id}\t{case.status}")


def _refile(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        exhibit = _exhibit(store, require_case(store, args.case), args.exhibit)
        to = require_case(store, args.to)
        filed = store.refile(exhibit.exhibit_id, to.case_id, args.reason, author=args.author)
    told = {"exhibit_id": filed.exhibit_id, "case_id": filed.case_id, "reference": filed.reference}
    line = f"{filed.exhibit_id}\t{plain(to.reference)}\t{plain(filed.reference)}"
    print(json.dumps(told, ensure_ascii=False) if args.format == "json" else line)
    return 0


def _seen(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        found = store.similarity.seen_before(_exhibit(store, require_case(store, args.case), args.exhibit).exhibit_id)
    if args.format == "json":
        return _tell(args, found, "")
    for kind, matches in (
        ("same file", found.same_file),
        ("alike pictures", found.alike_pictures),
        ("same encoder", found.same_encoder),
    ):
        for match in matches:
            print(f"{kind}\t{_match_text(match)}")
    print(f"encoder fingerprint\t{found.fingerprint_count} of {found.exhibits_in_store} exhibits in this store")
    if found.problem or found.not_compared:
        told = plain(found.problem) or f"{found.not_compared} exhibits of this store have no frame hashes yet"
        print(f"not compared\t{told}")
    return 0


def _match_text(match: Match) -> str:
    alike = f"\t{match.frames_alike} of {match.frames_compared} frames" if match.frames_compared else ""
    return f"{match.exhibit_id}\t{plain(match.case_reference)}\t{plain(match.file_name)}{alike}"


def _exhibit(store: CaseStore, case: Case, name: str | None) -> Exhibit:
    """The exhibit of the case with this id, reference or beginning of a SHA-256; without a name, its only one."""
    exhibits = store.exhibits(case.case_id)
    if name is None and len(exhibits) == 1:
        return exhibits[0]
    found = [
        exhibit
        for exhibit in exhibits
        if name in (exhibit.exhibit_id, exhibit.reference) or (name and exhibit.sha256.startswith(name.lower()))
    ]
    if len(found) != 1:
        known = ", ".join(f"{exhibit.reference} ({exhibit.exhibit_id})" for exhibit in exhibits) or "none"
        raise StoreError(f"Name one exhibit of the case with --exhibit; {name!r} is not one. It has: {known}.")
    return found[0]


def _tell(args: argparse.Namespace, record: Any, line: str, **more: Any) -> int:
    told = {**asdict(record), **more}
    print(json.dumps(told, indent=2, ensure_ascii=False, default=str) if args.format == "json" else line)
    return 0

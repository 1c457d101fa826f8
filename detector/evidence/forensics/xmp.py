"""XMP packets (ISO 16684-1) read as a stream of events: no entities, no document types, no deep trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from detector.evidence.text import shown

MAX_BYTES = 1 << 20
_MAX_PROPERTIES, _MAX_HISTORY, _MAX_DEPTH = 120, 40, 40
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_PREFIXES = {
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#": "stRef",
    _EVENT: "stEvt",
    _RDF: "rdf",
}
_SKIPPED = {"xmlns", "xml", "rdf"}


@dataclass(slots=True)
class Xmp:
    """`properties` (name with its usual prefix, value) in file order; `history` one line an editing event; `problem`
    why the packet was not read to its end."""

    properties: list[tuple[str, str]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    problem: str | None = None

    def value(self, name: str) -> str | None:
        """The first value of the property of that name; None where there is none."""
        return next((value for key, value in self.properties if key == name), None)


class _RefusedError(Exception):
    """The packet asks for something that no XMP needs."""


def read_xmp(packet: bytes | str) -> Xmp:
    """The properties of an XMP packet. Never raises; a document type, which entities need, is refused unread."""
    content = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    found = Xmp()
    if len(content) > MAX_BYTES:
        found.problem = f"The XMP packet is larger than {MAX_BYTES} bytes and was not read."
        return found
    reader = _Reader(found)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(content.strip(b"\0 \r\n\t"), True)
    except _RefusedError as error:
        found.problem = f"The XMP packet {error} and was not read on."
    except (expat.ExpatError, ValueError) as error:
        found.problem = f"The XMP packet is not well-formed ({shown(error, 80)})."
    return found


class _Reader:
    def __init__(self, found: Xmp) -> None:
        self._found = found
        self._path: list[str] = []
        self._text: list[str] = []
        self._event: dict[str, str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _MAX_DEPTH:
            raise _RefusedError("is nested too deeply")
        self._path.append(_named(name))
        self._text = []
        if self._path[-1] == "rdf:li" and "xmpMM:History" in self._path:
            self._event = {}
        for key, value in attributes.items():
            self._keep(_named(key), value)

    def end(self, _: str) -> None:
        name = self._path.pop()
        text = "".join(self._text).strip()
        self._text = []
        # The items of a list carry the list's name: <dc:creator><rdf:Seq><rdf:li>.
        if text:
            owner = (
                name if not name.startswith("rdf:") else next((p for p in reversed(self._path) if p[:4] != "rdf:"), "")
            )
            self._keep(owner, text)
        if name == "rdf:li" and self._event is not None and self._path[-1:] == ["rdf:Seq"]:
            if self._event and len(self._found.history) < _MAX_HISTORY:
                self._found.history.append(_event_line(self._event))
            self._event = None

    def text(self, data: str) -> None:
        if sum(map(len, self._text)) < 4_000:
            self._text.append(data)

    def refuse(self, *_: object) -> None:
        raise _RefusedError("declares a document type or entities, which XMP never needs")

    def _keep(self, name: str, value: str) -> None:
        prefix, _, local = name.partition(":")
        if prefix == "stEvt" and self._event is not None:
            self._event[local] = shown(value, 120)
        elif prefix not in _SKIPPED and local and len(self._found.properties) < _MAX_PROPERTIES:
            self._found.properties.append((shown(name, 80), shown(value)))


def _named(name: str) -> str:
    space, _, local = name.rpartition(" ")
    if space in _PREFIXES:
        return f"{_PREFIXES[space]}:{local}"
    return f"{shown(space.rstrip('/#').rsplit('/', 1)[-1], 24) or 'x'}:{local}" if space else f"xmlns:{local}"


def _event_line(event: dict[str, str]) -> str:
    parts = [event.get("action", "unnamed action")]
    if "softwareAgent" in event:
        parts.append(f"by {event['softwareAgent']}")
    if "when" in event:
        parts.append(f"at {event['when']}")
    if "changed" in event:
        parts.append(f"changing {event['changed']}")
    return " ".join(parts)

"""The pieces of a CASE/UCO graph: nodes with ids of their own, and literals of the types that the ontology asks for.

Ids are UUIDs of version 5 (RFC 9562) over the case and the node's own name in it, so that equal records give equal
bytes; no text from outside is ever part of one. What UCO has no words for stands in facets of the namespace `fw`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

# "invalid" is reserved by RFC 2606: these are names and lead nowhere.
FW: Final = "https://framewitness.invalid/ontology/1/"
CONTEXT: Final = {
    "kb": "https://framewitness.invalid/kb/",
    "fw": FW,
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-analysis": "https://ontology.unifiedcyberontology.org/uco/analysis/",
    "uco-configuration": "https://ontology.unifiedcyberontology.org/uco/configuration/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

Node = dict[str, Any]


class Graph:
    """Nodes by id, in the order they were added; adding one again returns the first."""

    def __init__(self, case_id: str) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"{CONTEXT['kb']}{case_id}")
        self.nodes: dict[str, Node] = {}

    def add(self, kind: str | list[str], name: str, /, **properties: Any) -> str:
        """Add a node of a UCO class and return its id. `name` tells it apart within the case; properties that are None
        or empty are left out, double underscores in their names stand for the colon."""
        classes = kind if isinstance(kind, list) else [kind]
        stem = classes[0].split(":")[1].lower()
        node_id = f"kb:{stem}-{uuid.uuid5(self._space, text(f'{stem} {name}'))}"
        node: Node = {"@id": node_id, "@type": classes if len(classes) > 1 else classes[0]}
        for key, value in properties.items():
            if value is None or value == [] or value == "":
                continue
            prefix, _, local = key.partition("__")
            node[f"{prefix.replace('_', '-')}:{local}"] = value
        self.nodes.setdefault(node_id, node)
        return node_id

    def facet(self, kind: str, name: str, /, **values: Any) -> dict[str, str]:
        """A facet of this program's own: `values` become properties of `fw`, each typed by its Python type."""
        own = {f"fw__{key}": literal(value) for key, value in values.items() if value is not None and value != ()}
        return ref(self.add([f"fw:{kind}", "uco-core:Facet"], name, **own))


def ref(node_id: str) -> dict[str, str]:
    """A reference to a node."""
    return {"@id": node_id}


def refs(ids: Iterable[str]) -> list[dict[str, str]]:
    """References, each once."""
    return [ref(node_id) for node_id in dict.fromkeys(ids)]


def literal(value: Any) -> Any:
    """A value with its XML Schema type; a list of values for a tuple."""
    if isinstance(value, tuple | list):
        return [literal(item) for item in value]
    if isinstance(value, bool):
        return {"@type": "xsd:boolean", "@value": "true" if value else "false"}
    if isinstance(value, int):
        return {"@type": "xsd:integer", "@value": str(value)}
    if isinstance(value, float):
        return {"@type": "xsd:double", "@value": repr(value)}
    if isinstance(value, datetime):
        return {"@type": "xsd:dateTime", "@value": value.astimezone(UTC).isoformat(timespec="microseconds")}
    return text(value)


def person(graph: Graph, name: str) -> str:
    """Whoever goes by this name in the case."""
    return graph.add("uco-identity:Person", name, uco_core__name=text(name))


def content_facet(graph: Graph, name: str, sha256: str, size_bytes: int, md5: str = "") -> dict[str, str]:
    """A file's content by its hashes."""
    hashes = [hash_of(graph, "SHA256", sha256), *([hash_of(graph, "MD5", md5)] if md5 else [])]
    content = graph.add(
        "uco-observable:ContentDataFacet",
        name,
        uco_observable__sizeInBytes=literal(size_bytes),
        uco_observable__hash=hashes,
    )
    return ref(content)


def hash_of(graph: Graph, method: str, hex_digits: str) -> dict[str, str]:
    """A types:Hash node: `method` as UCO's vocabulary spells it (SHA256, MD5)."""
    return ref(
        graph.add(
            "uco-types:Hash",
            f"{method} {hex_digits}",
            uco_types__hashMethod=method,  # the vocabulary's own type is deprecated since UCO 1.4
            uco_types__hashValue={"@type": "xsd:hexBinary", "@value": hex_digits},
        )
    )


def text(value: Any) -> str:
    """Text that every reader of RDF accepts: bytes that are no text stay visible as escapes, and so do the control
    characters that XML (and with it xsd:string) does not allow."""
    clean = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if _allowed(char) else f"\\x{ord(char):02x}" for char in clean)


def _allowed(char: str) -> bool:
    """XML 1.0, production 2."""
    code = ord(char)
    return char in "\t\n\r" or (code >= 0x20 and code not in (0xFFFE, 0xFFFF))

"""The identity of an analysis: who made it, everything that can change one of its numbers or reasons, and its id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import detector
from detector import __version__
from detector.analysis.environment import library_versions
from detector.analysis.types import SCHEMA_VERSION, Analysis, AnalysisIdentity, ModelIdentity, Tool
from detector.evidence.forensics.provenance import trust_list
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel, ModelCard

# The facts of a card that change a model's numbers; the others change what is concluded from them.
_NUMBERS = ("architecture", "crop", "inputs")
_TORCH = "torch"
_CARD_WORDS = {"decision": "thresholds", "inputs": "inputs (fusion, margins)"}


@cache
def tool() -> Tool:
    """This program: version, and the commit where it runs from a checkout."""
    return Tool("framewitness", __version__, commit_of(Path(__file__).resolve().parents[2]))


def commit_of(checkout: Path) -> str | None:
    """The commit that `checkout` is at (40 hex digits), read from its .git folder or file; None where there is none."""
    git = checkout / ".git"
    try:
        if git.is_file():  # a worktree: "gitdir: PATH"
            git = (checkout / git.read_text().split(":", 1)[1].strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head or None
        name = head.removeprefix("ref: ")
        shared = git / "commondir"
        common = (git / shared.read_text().strip()).resolve() if shared.is_file() else git
        for folder in (git, common):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {name}"):
                return line.split(" ", 1)[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    return None


@cache
def code_sha256() -> str:
    """SHA-256 over the name and content of every module of the program: also right for a changed checkout, and for an
    installation without one."""
    root = Path(detector.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def identity_of(settings: AnalysisSettings, models: Sequence[LoadedModel]) -> AnalysisIdentity:
    """The identity of an analysis by `models`, the trunks they read included, whatever their order."""
    used = {(one.card.model_id, one.card.weights_sha256): one for model in models for one in _with_trunk(model)}
    return AnalysisIdentity(
        schema_version=SCHEMA_VERSION,
        code_sha256=code_sha256(),
        settings_sha256=settings.sha256,
        devices=tuple(sorted({model.device.type for model in used.values()})),
        libraries=library_versions(),
        models=tuple(
            ModelIdentity(*key, _facts(used[key]), _runtime_name(used[key]), used[key].runtime.reason)
            for key in sorted(used)
        ),
        trust_list=_trust_list_name(),
    )


def analysis_id(evidence_sha256: str, identity: AnalysisIdentity) -> str:
    """32 hex digits that equal work shares: a digest of the file's hash and the identity."""
    parts = {"evidence": evidence_sha256, **asdict(identity)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def card_facts(card: ModelCard) -> dict[str, Any]:
    """The parts of a model's card that change numbers or reasons, as JSON values, by their names in a card file."""
    facts = {
        "architecture": card.architecture,
        "crop": asdict(card.crop),
        "decision": card.thresholds.as_json(),
        "inputs": card.inputs,
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def _facts(model: LoadedModel) -> dict[str, Any]:
    calibration = {} if model.calibration is None else {"calibration": model.calibration.sha256}
    return {**card_facts(model.card), **calibration}


def _runtime_name(model: LoadedModel) -> str:
    """As in `ModelIdentity`: the version of torch stands among the libraries."""
    return _TORCH if model.runtime.name == _TORCH else model.runtime.words


def runtimes(identity: AnalysisIdentity) -> tuple[str, ...]:
    """The runtimes that computed the networks of an analysis, each with its version."""
    names = sorted({model.runtime for model in identity.models})
    return tuple(f"{name} {identity.libraries.get(name, '')}".strip() if name == _TORCH else name for name in names)


def runtime_reasons(identity: AnalysisIdentity) -> tuple[str, ...]:
    """Why torch computed networks that another runtime was to, a sentence each."""
    return tuple(model.runtime_reason for model in identity.models if model.runtime_reason is not None)


def model_digest(model: LoadedModel) -> str:
    """16 hex digits of all that changes a model's numbers: its weights and those of the trunk it reads, and of their
    cards the architecture, the crop and the inputs."""
    return card_digest(model.card, None if model.trunk is None else model.trunk.card)


def card_digest(card: ModelCard, trunk: ModelCard | None) -> str:
    """`model_digest` of the model with that card, which reads the model with the card `trunk`."""
    used = (one for one in (card, trunk) if one is not None)
    return _digest(ModelIdentity(one.model_id, one.weights_sha256, card_facts(one)) for one in used)


def recorded_digests(identity: AnalysisIdentity) -> dict[str, str]:
    """The `model_digest` of each model that an analysis used, by its id."""
    used = {one.model_id: one for one in identity.models}
    trunks = {name: used.get(one.card.get("inputs", {}).get("trunk")) for name, one in used.items()}
    return {name: _digest(model for model in (one, trunks[name]) if model is not None) for name, one in used.items()}


def _digest(models: Iterable[ModelIdentity]) -> str:
    parts = [
        [one.model_id, one.weights_sha256, {name: fact for name, fact in one.card.items() if name in _NUMBERS}]
        for one in models
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def differences(earlier: Analysis, later: Analysis) -> tuple[str, ...]:
    """The reasons why two analyses of one file need not agree, one short phrase each; none where they are equal work.

    Of an analysis that has no identity on record, only what the record itself holds is compared, and that is said."""
    return tuple(_differences(earlier, later))


def _differences(earlier: Analysis, later: Analysis) -> Iterator[str]:
    before, after = asdict(earlier.settings), asdict(later.settings)
    for name, value in after.items():
        if value != before[name]:
            yield f"settings changed: {name.replace('_', ' ')} {before[name]} → {value}"
    then, now = _weights(earlier), _weights(later)
    if added := sorted(set(now) - set(then)):
        yield f"models added: {', '.join(added)}"
    if removed := sorted(set(then) - set(now)):
        yield f"models left out: {', '.join(removed)}"
    for model_id in sorted(set(then) & set(now)):
        if then[model_id] != now[model_id]:
            yield f"weights changed: {model_id}"
    if earlier.identity is None or later.identity is None:
        if (was := _revision(earlier)) != (is_now := _revision(later)):
            yield f"code revision changed: {was} → {is_now}"
        yield "code, thresholds, device and libraries of one of them: not recorded"
    else:
        yield from _identity_differences(earlier, later, earlier.identity, later.identity)


def _identity_differences(
    earlier: Analysis, later: Analysis, then: AnalysisIdentity, now: AnalysisIdentity
) -> Iterator[str]:
    if then.code_sha256 != now.code_sha256:
        was, is_now = _revision(earlier), _revision(later)
        if was == is_now:  # the same commit with changes in the working tree
            was, is_now = f"{was}, code {then.code_sha256[:10]}", f"code {now.code_sha256[:10]}"
        yield f"code revision changed: {was} → {is_now}"
    yield from _card_differences(then, now, said={model.model_id for model in later.models})
    if then.devices != now.devices:
        yield f"device changed: {', '.join(then.devices)} → {', '.join(now.devices)}"
    if then.trust_list != now.trust_list:
        yield f"trust list changed: {then.trust_list or 'none'} → {now.trust_list or 'none'}"
    for name in dict.fromkeys([*then.libraries, *now.libraries]):
        if (was := then.libraries.get(name, "none")) != (is_now := now.libraries.get(name, "none")):
            yield f"library version changed: {name} {was} → {is_now}"


def _card_differences(then: AnalysisIdentity, now: AnalysisIdentity, *, said: set[str]) -> Iterator[str]:
    """The changes of cards of models that both used; the weights of those in `said` were compared before."""
    cards = {model.model_id: model for model in then.models}
    for old, model in ((cards[one.model_id], one) for one in now.models if one.model_id in cards):
        if old.weights_sha256 != model.weights_sha256 and model.model_id not in said:
            yield f"weights changed: {model.model_id}, which another model reads"
        if old.runtime != model.runtime:
            yield f"runtime changed: {model.model_id} {old.runtime} → {model.runtime}"
        for name in dict.fromkeys([*old.card, *model.card]):
            if old.card.get(name) != model.card.get(name):
                yield f"{_CARD_WORDS.get(name, name)} changed: {model.model_id}"


def _trust_list_name() -> str | None:
    try:
        found = trust_list()
    except ValueError as error:
        return str(error)
    return None if found is None else found.name


def _with_trunk(model: LoadedModel) -> Iterator[LoadedModel]:
    yield model
    if model.trunk is not None:
        yield from _with_trunk(model.trunk)


def _weights(analysis: Analysis) -> dict[str, str]:
    return {model.model_id: model.weights_sha256 for model in analysis.models}


def _revision(analysis: Analysis) -> str:
    return f"{analysis.tool.version} ({(analysis.tool.commit or 'no commit')[:10]})"

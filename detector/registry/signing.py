"""`python -m detector.registry.signing`: list the files of assets/weights by SHA-256 and sign the list (`make sign`).

FRAMEWITNESS_SIGNING_KEY names the secret key. With `--new-key` a pair is written there instead; its public half goes
into `detector.registry.shipped`.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from detector.errors import FramewitnessError, SettingsError
from detector.registry import minisign
from detector.registry.catalogue import SHIPPED, file_sha256
from detector.registry.shipped import LIST_NAME, PUBLIC_KEY, SIGNATURE_NAME

KEY_VARIABLE: Final = "FRAMEWITNESS_SIGNING_KEY"


def sign_folder(folder: Path, key: Path, public_key: str = PUBLIC_KEY) -> int:
    """Write the list of every file in `folder` and its signature; returns how many files it lists. Raises
    SettingsError, leaving the old list, where the key cannot be read or is not the one that `public_key` checks."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in (LIST_NAME, SIGNATURE_NAME))
    data = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in names).encode()
    comment = f"timestamp:{int(datetime.now(UTC).timestamp())} file:{LIST_NAME} hashed"
    try:
        signature = minisign.sign(data, key.read_text(encoding="ascii"), comment)
        minisign.verify(data, signature, public_key)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{LIST_NAME} was not signed with {key}: {error}.") from error
    (folder / LIST_NAME).write_bytes(data)
    (folder / SIGNATURE_NAME).write_text(signature, encoding="utf-8")
    return len(names)


def make_key(key: Path) -> str:
    """Write a new secret key, readable by its owner alone, and `<name>.pub` beside it; returns the public key's line.
    Raises SettingsError where either is there already or cannot be written."""
    pair = minisign.generate()
    try:
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text, mode in ((key, pair.secret, 0o600), (key.with_suffix(".pub"), pair.public, 0o644)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise SettingsError(f"No key was made at {key}: {error}. An old key is never written over.") from error
    return pair.public.splitlines()[1]


def _main(arguments: list[str]) -> int:
    key = os.environ.get(KEY_VARIABLE)
    try:
        if not key:
            raise SettingsError(f"Set {KEY_VARIABLE} to the path of the secret key that signs {LIST_NAME}.")
        if arguments == ["--new-key"]:
            print(f"Public key: {make_key(Path(key))}")
        else:
            print(f"{sign_folder(SHIPPED, Path(key))} files listed and signed in {SHIPPED / LIST_NAME}")
    except FramewitnessError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

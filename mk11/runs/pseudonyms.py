"""Names that may leave the machine, of patients and images: the same every time, telling nothing of them.

A name is a keyed hash (HMAC-SHA256) of the real one. Without the key nobody can go through likely names and
compare; whoever has the key, and the real names, can. So the key is drawn once and stays in the user's own
config folder; pseudonyms made with it agree over runs, pages and servers.
"""

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mk11.errors import UserError

VARIABLE = "MK11_PSEUDONYM_KEY"
SHORTEST_KEY = 16  # characters
PATIENT_DIGITS = 8  # hex; 1,000 patients: two of one name in 1 of 9,000 data sets
IMAGE_DIGITS = 16  # hex; images are many, and a name must mean one of them


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms under one key."""

    key: bytes = field(repr=False)

    @classmethod
    def load(cls) -> "Pseudonyms":
        """With the key in `MK11_PSEUDONYM_KEY`, else the user's own, which is drawn on first use.

        Raises:
            UserError: The variable is too short to be a secret, or the user's config folder cannot be used.
        """
        given = os.environ.get(VARIABLE)
        if given is None:
            return cls(_own_key(key_file()))
        if len(given) < SHORTEST_KEY:
            raise UserError(f"{VARIABLE} must have at least {SHORTEST_KEY} characters, but has {len(given)}")
        return cls(given.encode())

    def patient(self, group: str) -> str:
        """`group-1a2b3c4d`; an unknown patient, "", stays unknown."""
        return f"group-{self._digest('patient', group)[:PATIENT_DIGITS]}" if group else ""

    def image(self, name: str) -> str:
        """`image-` and sixteen hex digits."""
        return f"image-{self._digest('image', name)[:IMAGE_DIGITS]}"

    def _digest(self, kind: str, name: str) -> str:
        return hmac.new(self.key, f"{kind}\0{name}".encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def key_file() -> Path:
    """`mk11/pseudonym.key` in the user's config folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "mk11" / "pseudonym.key"


def _own_key(path: Path) -> bytes:
    """The key in `path`; drawn and written, readable by its owner alone, where there is none."""
    try:
        if not path.exists():
            _draw(path)
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} must hold the key of the pseudonyms, but cannot be used ({error}); {VARIABLE} gives one"
        ) from error
    if len(key) < SHORTEST_KEY:
        raise UserError(f"{path} must hold a key of at least {SHORTEST_KEY} characters, but holds {len(key)}")
    return key.encode()


def _draw(path: Path) -> None:
    """Write a new key; of processes that do so at once, the first wins and the others use its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()

"""The command line of a trial, as a W&B agent would write it."""

import os
import re
import sys
from collections.abc import Mapping, Sequence

from mk11.errors import UserError
from mk11.search.file import SearchFile

ENVIRONMENT = re.compile(r"\$\{envvar:([A-Za-z0-9_]*)\}")
KEYED = re.compile(r"[+~]{0,2}([A-Za-z_][\w./@]*)=.*", re.DOTALL)


def trial_command(search: SearchFile, values: Mapping[str, str], overrides: Sequence[str]) -> list[str]:
    """The file's command with a trial's values; overrides take the place of what it says of their keys.

    There need be no server to mirror to: unless an override chooses a logger, it is the default one.

    Raises:
        UserError: The command has a macro that only W&B's own agent knows.
    """
    words = [word for part in search.command for word in _expanded(part, search, values)]
    added = _with_defaults(search, words, overrides)
    replaced = dict(word.split("=", 1) for word in added)
    kept = [word for word in words if _key(word) not in replaced]
    return [word for word in kept if not _of_another_logger(word, replaced.get("logger"))] + added


def _of_another_logger(word: str, logger: str | None) -> bool:
    """Whether a word sets a key that the chosen logger does not have."""
    key = _key(word) or ""
    return logger is not None and key.startswith("logger.") and not key.startswith(f"logger.{logger}.")


def _with_defaults(search: SearchFile, words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The user's overrides; the default logger; the mark that tables show, where something is chosen."""
    given = {_key(word) for word in overrides}
    added = [] if "logger" in given else ["logger=default"]
    known = given | {_key(word) for word in words}
    if search.metric is not None and "analysis.tuned" not in known:
        added.append(f"analysis.tuned={search.name}")
    return [*added, *overrides]


def _key(word: str) -> str | None:
    """The key of `key=value`; None of any other word."""
    found = KEYED.fullmatch(word)
    return found[1] if found else None


def _expanded(part: str, search: SearchFile, values: Mapping[str, str]) -> list[str]:
    arguments = [f"{key}={value}" for key, value in values.items()]
    macros = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": [sys.executable],
        "${program}": [search.program],
        "${args_no_hyphens}": arguments,
        "${args_append_hydra}": [f"+{argument}" for argument in arguments],
        "${args_override_hydra}": [f"++{argument}" for argument in arguments],
    }
    if part in macros:
        return macros[part]
    filled = ENVIRONMENT.sub(lambda found: os.environ.get(found[1], found[1]), part)
    if filled.startswith("${") and filled.endswith("}"):
        raise UserError(f"command must be made of words and of {', '.join(macros)}, but has {filled}")
    return [filled]

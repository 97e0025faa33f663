"""Mistakes in the words of this command: what it calls otherwise than the scripts do."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mk11.errors import UserError

OF_RUN = {"model.weights": "RUN"}
OF_ENCODER = {
    "image_size": "--image-size",
    "model.architecture": "--encoder",
    "model.weights": "--weights",
}
OF_COMPUTING = {"trainer.precision": "--precision"}
OF_FOLDS = {"fold": "--fold"}


@contextmanager
def told_as(names: Mapping[str, str]) -> Iterator[None]:
    """Tell a mistake by this command's names of keys; also a decorator."""
    try:
        yield
    except UserError as error:
        raise UserError(renamed(str(error), names)) from error


def renamed(told: str, names: Mapping[str, str]) -> str:
    """A sentence with other names for the keys that it says something `must` be, or gives as `key=value`."""
    for key, name in names.items():
        told = re.sub(rf"(?<![\w.-]){re.escape(key)}(?= must)", name, told)
        told = re.sub(rf"(?<![\w.-]){re.escape(key)}=", f"{name} ", told)
    return told

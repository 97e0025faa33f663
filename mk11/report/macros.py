"""Names of LaTeX macros: letters only, and none that means two figures."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

PREFIX = "mkNum"
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def camel(text: str) -> str:
    """Words in letters alone: `mk11/convnext` as MkOneOneConvnext; other alphabets by their code points."""
    spelt = "".join(_letters(character) for character in unicodedata.normalize("NFKD", text))
    return "".join(word[:1].upper() + word[1:] for word in re.findall("[A-Za-z]+", spelt))


def names_of(labels: Sequence[str], keys: Sequence[str]) -> list[str]:
    """A name for each label; where several would share one, each with the letters of its key behind it.

    So a name never comes to mean another figure: one that is no longer alone is gone, and a document that
    uses it no longer compiles.
    """
    plain = [camel(label) or "Row" for label in labels]
    often = Counter(plain)
    return [
        name if often[name] == 1 else name + _hexadecimal(key) for name, key in zip(plain, keys, strict=True)
    ]


def _letters(character: str) -> str:
    if character.isascii():
        digit = character.isdigit()
        return f" {DIGITS[int(character)]} " if digit else character if character.isalpha() else " "
    return "" if unicodedata.combining(character) else f" U{_hexadecimal(f'{ord(character):x}')} "


def _hexadecimal(key: str) -> str:
    """Hexadecimal digits as the letters A to P."""
    return "".join(chr(ord("A") + int(digit, 16)) for digit in key if digit in "0123456789abcdef")

"""What fields and patients are called on the page: pseudonyms, unless their real names are asked for."""

import re
from collections.abc import Iterable

from mk11.runs.pseudonyms import Pseudonyms

SHORT_NUMBER = 3  # digits; such a name is told from a count or a fold only by what stands before it
NAMES_ONE = ("group ", "patient ", "slide ", "field ", "'", '"', "/", "=")


class Names:
    """Names of the fields and groups of one selection."""

    def __init__(self, *, identify: bool, fields: Iterable[str], groups: Iterable[str]) -> None:
        self.identify = identify
        self._pseudonyms = None if identify else Pseudonyms.load()
        self._fields = _longest_first(fields)
        self._groups = _longest_first(groups)
        self._told: dict[str, str] = {}

    def field(self, name: str) -> str:
        """Of a field."""
        return name if self._pseudonyms is None else self._pseudonyms.image(name)

    def group(self, name: str) -> str:
        """Of a patient or other group; "" (unknown) stays."""
        return name if self._pseudonyms is None else self._pseudonyms.patient(name)

    def sentence(self, text: str) -> str:
        """Free text, such as a reason or a mark, without real names of this selection's fields and groups."""
        if self.identify:
            return text
        if text not in self._told:
            told = _replaced(text, {name: self.field(name) for name in self._fields if name in text})
            self._told[text] = _replaced(
                told, {name: self.group(name) for name in self._groups if name in told}
            )
        return self._told[text]


def _replaced(text: str, names: dict[str, str]) -> str:
    """One pass over the text, so that no pseudonym is replaced in turn."""
    if not names:
        return text
    return re.sub("|".join(map(_pattern, names)), lambda found: names[found[0]], text)


def _pattern(name: str) -> str:
    """The name where it is no part of a longer word or number."""
    bounded = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
    if not name.isdecimal() or len(name) > SHORT_NUMBER:
        return bounded
    before = "|".join(f"(?<={re.escape(words)})" for words in NAMES_ONE)
    return f"(?:{before}){bounded}"


def _longest_first(names: Iterable[str]) -> list[str]:
    """A name may be part of another."""
    return sorted(set(names) - {""}, key=lambda name: (-len(name), name))

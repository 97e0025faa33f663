"""Names of patients, images and places in a report: pseudonyms and short paths, unless asked for."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mk11.runs.ledger import Run
from mk11.runs.pseudonyms import Pseudonyms

# A path or name of a picture within a sentence: up to its quotes, or else up to white space.
SUFFIX = r"\.(?:png|jpe?g|tiff?|bmp|gif|webp)"
PICTURE = re.compile(
    rf"(?<=')[^'\n]+{SUFFIX}(?=')|(?<=\")[^\"\n]+{SUFFIX}(?=\")|[^\s'\"(),;:<>|=]+{SUFFIX}\b", re.IGNORECASE
)
# Two images in a line of their own, as the data tell leaks and conflicts: `id (train) and id (test)`.
PAIR = re.compile(r"^(\s+)(\S.*) (\([^()]*\)) and (\S.*) (\([^()]*\))$", re.MULTILINE)
# A path that tells of the machine: absolute, of a home folder, or relative to the folder of the start.
START = r"(?:file://)?/|~[\w.-]*/|\.\.?/"
PLACE = re.compile(
    rf"(?<=')(?:{START})[^'\n]+(?=')|(?<=\")(?:{START})[^\"\n]+(?=\")"
    r"|(?<![\w./~])(?:(?:file://)?(?=/[^\s/]+/)|~[\w.-]*|\.\.?)(?:/[^\s'\"(),;:<>|=\[\]{}/]+)+/?"
)
SHORT_NUMBER = 3  # digits; such a group is told from a fold or an epoch only by what stands before it
NAMES_A_GROUP = ("group ", "patient ", "slide ", "field ", "'", '"', "/", "=")


class Names:
    """What patients, images and folders are called; `identify` shows the names that they have."""

    def __init__(self, *, identify: bool, runs: Sequence[Run]) -> None:
        self.identify = identify
        self._runs = runs
        self._told: dict[str, str] = {}
        pseudonyms = None if identify else Pseudonyms.load()
        self._image: Callable[[str], str] = str if pseudonyms is None else pseudonyms.image
        self._patient: Callable[[str], str] = str if pseudonyms is None else pseudonyms.patient

    def image(self, name: str) -> str:
        """Of an image."""
        return self._image(name)

    def patient(self, group: str) -> str:
        """Of a patient or other group; "" (unknown) stays."""
        return self._patient(group) if group else ""

    def path(self, path: str | Path) -> str:
        """Of a file or folder: a run's from the folder of all runs on, of others the last part alone."""
        found = Path(path)
        if self.identify:
            return str(path)
        for folder in (found, *found.parents):
            if folder in self._folders:
                return str(self._folders[folder] / found.relative_to(folder))
        return f".../{found.name}"

    def value(self, text: str) -> str:
        """A setting: one that is a path as a whole is told as a path, whatever is in it."""
        bare = text.strip("'\"")
        return self._groups(self.path(bare)) if re.match(START, bare) else self.sentence(text)

    def override(self, text: str) -> str:
        """`key=value` of the command line."""
        key, sign, value = text.partition("=")
        return text if self.identify else f"{key}{sign}{self.value(value)}"

    def sentence(self, text: str) -> str:
        """Free text, such as an error, without real names of images and groups and without long paths."""
        if self.identify:
            return text
        if text not in self._told:
            self._told[text] = self._groups(PLACE.sub(lambda found: self.path(found[0]), self._images(text)))
        return self._told[text]

    @cached_property
    def _folders(self) -> dict[Path, Path]:
        """Each run's folder, and its place under the folder of all runs."""
        return {run.folder.path: _place(run) for run in self._runs}

    @cached_property
    def _known(self) -> tuple[list[str], list[str]]:
        """Images and groups of the runs' predictions, the longest first: a name may be part of another."""
        columns = list(_columns(self._runs))
        images = {name for ids, _ in columns for name in ids}
        groups = {name for _, told in columns for name in told}
        return _longest_first(images), _longest_first(groups)

    def _images(self, text: str) -> str:
        text = PAIR.sub(
            lambda found: (
                f"{found[1]}{self.image(found[2])} {found[3]} and {self.image(found[4])} {found[5]}"
            ),
            text,
        )
        there = [_bounded(name) for name in self._known[0] if name in text]
        if there:
            text = re.sub("|".join(there), lambda found: self.image(found[0]), text)
        return PICTURE.sub(lambda found: self.image(found[0]), text)

    def _groups(self, text: str) -> str:
        if self.identify:
            return text
        there = [_as_group(name) for name in self._known[1] if name in text]
        return re.sub("|".join(there), lambda found: self.patient(found[0]), text) if there else text


def _place(run: Run) -> Path:
    """`<stage>/<experiment>/<model>/<run>` where the run lies so; it may have been copied elsewhere."""
    path, place = run.folder.path, Path(run.record["stage"], run.name, run.model)
    lies_so = path.parent.parts[-len(place.parts) :] == place.parts
    return place / path.name if lies_so else Path(path.name)


def _longest_first(names: set[str]) -> list[str]:
    return sorted(names - {""}, key=lambda name: (-len(name), name))


def _bounded(name: str) -> str:
    """The name where it is no part of a longer word or number."""
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def _as_group(name: str) -> str:
    if not name.isdecimal() or len(name) > SHORT_NUMBER:
        return _bounded(name)
    before = "|".join(f"(?<={re.escape(words)})" for words in NAMES_A_GROUP)
    return f"(?:{before}){_bounded(name)}"


def _columns(runs: Sequence[Run]) -> Iterator[tuple[list[str], list[str]]]:
    """Images and groups, of one run for each fold of each state of the data."""
    parts = {(str(run.record["data"].get("fingerprint")), run.fold): run for run in runs if run.metrics}
    for run in parts.values():
        try:
            table = pq.read_table(run.folder.predictions, columns=["id", "group"])
        except (OSError, pa.ArrowException):
            continue  # told where the predictions are needed
        yield tuple(table[name].unique().cast(pa.string()).to_pylist() for name in ("id", "group"))

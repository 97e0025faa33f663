r"""Check a paper: every number that claims a result must be in the ledger, every `\mkNum` macro too."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mk11.errors import UserError
from mk11.report.literals import Literal, blanked, literals
from mk11.report.macros import PREFIX
from mk11.report.numbers import COUNT, PER_CENT, POINTS, Number

CONSTANTS = (
    0.05,
    0.01,
    0.001,
    0.8,
)  # levels of p-values, and the power of the smallest detectable difference
INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]+)\}")
MACRO = re.compile(rf"\\({PREFIX}[A-Za-z]*)")


@dataclass
class Checked:
    """What a check found."""

    problems: list[str] = field(default_factory=list)  # `file:line: what is wrong`
    numbers: int = 0
    macros: int = 0
    files: list[Path] = field(default_factory=list)


class Index:
    """The ledger by value, to look up what a printed number can stand for."""

    def __init__(self, numbers: Sequence[Number]) -> None:
        numbers = [number for number in numbers if number.unit != COUNT]
        self.printed = sorted(
            [
                *((value, number) for number in numbers for value in _as_printed(number)),
                *((c, None) for c in CONSTANTS),
            ],
            key=lambda pair: pair[0],
        )
        self.values = [value for value, _ in self.printed]
        self.pairs = [number for number in numbers if number.sd is not None]

    def has(self, literal: Literal) -> bool:
        """Whether the ledger has a number that is printed like this."""
        if literal.sd is not None:
            return any(_is_pair(literal, number) for number in self.pairs)
        half = _half(literal.mean)
        sides = (-1,) if literal.negative else (1, -1)  # words such as "falls by" may carry the sign
        return any(self._within(side * float(literal.mean), half) for side in sides)

    def nearest(self, literal: Literal) -> Number | None:
        """The number that was perhaps meant."""
        wanted = -float(literal.mean) if literal.negative else float(literal.mean)
        found = [(abs(value - wanted), place) for place, (value, number) in enumerate(self.printed) if number]
        return self.printed[min(found)[1]][1] if found else None

    def _within(self, value: float, half: float) -> bool:
        place = bisect_left(self.values, value - half)
        return place < len(self.values) and self.values[place] <= value + half


def check_paper(path: Path, numbers: Sequence[Number], checked: Checked) -> None:
    """Check a LaTeX file and what it inputs, adding to `checked`.

    Raises:
        UserError: `path` cannot be read.
    """
    _check_file(path, path.parent, Index(numbers), {number.macro for number in numbers}, checked)


def _check_file(path: Path, root: Path, index: Index, known: set[str], checked: Checked) -> None:
    if path in checked.files:
        return
    checked.files.append(path)
    source = _read(path)
    for literal in literals(source):
        checked.numbers += 1
        if not index.has(literal):
            checked.problems.append(f"{path}:{literal.line}: {_unknown(literal, index)}")
    text = blanked(source)
    for line, name in _found(MACRO, text):
        checked.macros += 1
        if name not in known:
            checked.problems.append(f"{path}:{line}: \\{name} is no macro of the ledger")
    for line, name in _found(INPUT, re.sub(r"(?<!\\)%.*", "", source)):
        inner = _resolve(root, name.strip())
        if inner is None:
            checked.problems.append(f"{path}:{line}: {name} cannot be found, so its numbers are not checked")
        else:
            _check_file(inner, root, index, known, checked)


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1]


def _resolve(root: Path, name: str) -> Path | None:
    """As TeX looks for files: from the main file's folder, with .tex or without."""
    return next((path for path in (root / f"{name}.tex", root / name) if path.is_file()), None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--check must name LaTeX files in UTF-8, but {path} cannot be read: {error}"
        ) from error


def _unknown(literal: Literal, index: Index) -> str:
    nearest = index.nearest(literal)
    told = "" if nearest is None else f" (nearest: {nearest.text}, \\{nearest.macro})"
    sign = "-" if literal.negative else ""
    return f"{sign}{literal.text} is not in the ledger{told}"


def _as_printed(number: Number) -> list[float]:
    """A fraction may be printed as such or in per cent."""
    return [number.value, 100 * number.value] if number.unit in (PER_CENT, POINTS) else [number.value]


def _is_pair(literal: Literal, number: Number) -> bool:
    """Whether mean and spread belong together, both in per cent or both as fractions."""
    assert literal.sd is not None
    assert number.sd is not None
    scales = (1, 100) if number.unit in (PER_CENT, POINTS) else (1,)
    return any(
        abs(abs(scale * number.value) - float(literal.mean)) <= _half(literal.mean)
        and abs(scale * number.sd - float(literal.sd)) <= _half(literal.sd)
        for scale in scales
    )


def _half(text: str) -> float:
    """Half of the last digit printed, with room for binary rounding."""
    decimals = len(text.partition(".")[2])
    return 0.5 * 10.0**-decimals * (1 + 1e-9) + 1e-12

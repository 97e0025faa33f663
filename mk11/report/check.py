r"""Check a paper: every `\mkNum` macro and every number that claims a result must be in the ledger.

A number that is no macro says in a comment on its line which figure it is, or which row it is of:
`79.2\% % mk11: mkNumMkOneOneConvnextAccuracy` or `% mk11: 1a2b3c4d`.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mk11.errors import UserError
from mk11.report.literals import Literal, blanked, literals
from mk11.report.macros import PREFIX
from mk11.report.numbers import COUNT, PER_CENT, POINTS, Number

LEVELS = ("0.05", "0.01", "0.001")  # of p-values, and what smaller ones are printed as
INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]+)\}")
MACRO = re.compile(rf"\\({PREFIX}[A-Za-z]*)")


@dataclass
class Checked:
    """What a check found."""

    problems: list[str] = field(default_factory=list)  # `file:line: what is wrong`
    numbers: int = 0
    bare: int = 0  # of them without a name
    macros: int = 0
    files: list[Path] = field(default_factory=list)


class Index:
    """The ledger by value, to look up what a printed number can stand for."""

    def __init__(self, numbers: Sequence[Number]) -> None:
        self.numbers = [number for number in numbers if number.unit != COUNT]
        self.known = {name for number in numbers for name in (number.macro, number.key)}
        self._values = {
            per_cent: sorted(value for one in self.numbers for value in _as_printed(one, per_cent=per_cent))
            for per_cent in (False, True)
        }

    def named(self, names: Collection[str]) -> "Index":
        """Only the numbers of these macros and keys."""
        return Index([one for one in self.numbers if one.macro in names or one.key in names])

    def has(self, literal: Literal) -> bool:
        """Whether the ledger has a number that is printed like this."""
        if literal.sd is not None:
            return any(_is_pair(literal, number) for number in self.numbers)
        sides = (-1,) if literal.negative else (1, -1)  # words such as "falls by" may carry the sign
        values, half = self._values[literal.per_cent], _half(literal.mean)
        return any(_within(values, side * float(literal.mean), half) for side in sides)

    def nearest(self, literal: Literal) -> Number | None:
        """The number that was perhaps meant."""
        wanted = -float(literal.mean) if literal.negative else float(literal.mean)

        def distance(number: Number) -> float:
            return min(abs(value - wanted) for value in _as_printed(number, per_cent=False))

        return min(self.numbers, key=distance, default=None)

    def chance(self, decimals: int) -> float:
        """Share of all numbers from 0 to 100 with so many decimals that would pass."""
        steps = 100 * 10**decimals
        made_up = [f"{step / 10**decimals:.{decimals}f}" for step in range(steps + 1)]
        return sum(self.has(_bare(text)) for text in made_up) / len(made_up)


@dataclass
class Check:
    r"""A check of papers against one ledger.

    A literal number must name what it is: near some figure of many there is nearly always one. `by_value`
    lets literals without a name pass if they are near any figure at all.
    """

    numbers: Sequence[Number]
    by_value: bool
    found: Checked = field(default_factory=Checked)

    def __post_init__(self) -> None:
        self.index, self.macros = Index(self.numbers), {number.macro for number in self.numbers}

    def paper(self, path: Path) -> None:
        """Check a LaTeX file and what it inputs.

        Raises:
            UserError: `path` cannot be read.
        """
        self._file(path, path.parent)

    def _file(self, path: Path, root: Path) -> None:
        if path in self.found.files:
            return
        self.found.files.append(path)
        source = _read(path)
        problems = [*self._literals(source), *self._macros(source)]
        self.found.problems += [f"{path}:{line}: {told}" for line, told in problems]
        for line, name in _found(INPUT, re.sub(r"(?<!\\)%.*", "", source)):
            inner = _resolve(root, name.strip())
            if inner is None:
                self.found.problems.append(
                    f"{path}:{line}: {name} cannot be found, so its numbers are not checked"
                )
            else:
                self._file(inner, root)

    def _literals(self, source: str) -> Iterator[tuple[int, str]]:
        for literal in literals(source):
            self.found.numbers += 1
            self.found.bare += not literal.names and literal.text not in LEVELS
            if (told := self._fault(literal)) is not None:
                yield literal.line, told

    def _fault(self, literal: Literal) -> str | None:
        if literal.text in LEVELS and not literal.negative:
            return None
        unknown = [name for name in literal.names if name not in self.index.known]
        if unknown:
            return f"{literal.text} is said to be of {unknown[0]}, which is no macro or key of the ledger"
        index = self.index.named(literal.names) if literal.names else self.index
        if not index.has(literal):
            return _unknown(literal, index)
        if literal.names or self.by_value:
            return None
        nearest = index.nearest(literal)
        perhaps = "" if nearest is None else f", perhaps \\{nearest.macro}"
        return (
            f"{literal.text} does not say what it is: use a macro{perhaps}, or name a macro or key in a "
            "comment on its line: % mk11: NAME"
        )

    def _macros(self, source: str) -> Iterator[tuple[int, str]]:
        for line, name in _found(MACRO, blanked(source)):
            self.found.macros += 1
            if name not in self.macros:
                yield line, f"\\{name} is no macro of the ledger"


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
    sign, of = "-" if literal.negative else "", f" among those of {', '.join(literal.names)}"
    return f"{sign}{literal.text} is not in the ledger{of if literal.names else ''}{told}"


def _as_printed(number: Number, *, per_cent: bool) -> list[float]:
    """A fraction may be printed in per cent and, where nothing says that it is, as such."""
    if number.unit not in (PER_CENT, POINTS):
        return [] if per_cent else [number.value]
    return [100 * number.value] if per_cent else [number.value, 100 * number.value]


def _within(values: Sequence[float], value: float, half: float) -> bool:
    place = bisect_left(values, value - half)
    return place < len(values) and values[place] <= value + half


def _bare(text: str) -> Literal:
    return Literal(1, text, text, None, negative=False, per_cent=False, names=())


def _is_pair(literal: Literal, number: Number) -> bool:
    """Whether mean and spread belong together, both in per cent or both as fractions."""
    if literal.sd is None or number.sd is None:
        return False
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

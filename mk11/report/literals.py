"""Numbers in a LaTeX source that claim a result: decimals, `mean ± sd`, and whole numbers in per cent."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IGNORE = re.compile(r"%\s*mk11:\s*ignore\b")
NAMES = re.compile(r"(?<!\\)%\s*mk11:\s*([^%]*)|\\newcommand\s*\{(\\mkNum[A-Za-z]+)\}")
COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
SILENT = re.compile(
    r"\\begin\{(verbatim\*?|lstlisting|minted|comment|tikzpicture|thebibliography)\}.*?\\end\{\1\}", re.DOTALL
)
# Commands whose first arguments are no prose, by how many of them.
ONE = (
    r"[a-zA-Z]*ref|[a-zA-Z]*cite[a-zA-Z]*|label|url|includegraphics|input|include|bibliography|bibliographystyle"
    r"|usepackage|RequirePackage|documentclass|[vh]space|raisebox|scalebox|color|textcolor|hypersetup|geometry"
    r"|linespread|bibitem"
)
TWO = r"setlength|addtolength|rule|resizebox|fontsize|renewcommand\s*\{\\arraystretch\}"
OPTIONS, ARGUMENT = r"\*?(?:\s*\[[^\]]*\])*", r"\s*\{[^{}]*\}"
ARGUMENTS = re.compile(
    rf"\\(?:(?:{ONE}){OPTIONS}{ARGUMENT}|(?:{TWO}){OPTIONS}(?:{ARGUMENT}){{1,2}}|definecolor(?:{ARGUMENT}){{3}})"
)
UNITS = r"cm|mm|pt|em|ex|bp|pc|dd|cc|sp|mu|\\[a-zA-Z]*(?:width|height|sep|skip|size|stretch)"
DECIMAL = r"(?:\d+\.\d+|(?<!\d)\.\d+)"
SIGN = r"(?:(?<![\w\d)\]}.-])(?:\$-\$|\$-|-|−|\\ensuremath\{-\}|\+))?"  # noqa: RUF001  the minus sign
GAP = r"[\s${}~,;:!()%_^\\]*"  # between a mean, the sign and its spread: spaces, braces, \%, _{...}
BETWEEN = rf"{GAP}?(?:\\ensuremath\{{)?\s*(?:\\pm|±|\+/?-|\\textpm)(?![a-zA-Z]){GAP}"
START, END = r"(?<![\w.])", r"(?![A-Za-z0-9])(?!\.\d)"
PAIR = re.compile(rf"{START}(?P<mean>{DECIMAL}|\d+){END}{BETWEEN}(?P<sd>{DECIMAL}|\d+){END}")
PER_CENT = r"(?:\\,|[\s~$}])*(?:\\%|per[\s~]?cent\b)"
SINGLE = re.compile(
    rf"(?P<sign>{SIGN})(?<![A-Za-z0-9_.])(?P<mean>{DECIMAL}|\d+(?={PER_CENT})){END}(?=(?P<after>.{{0,48}}))",
    re.DOTALL,
)
IN_PER_CENT = re.compile(PER_CENT)
NO_RESULT_AFTER = re.compile(
    rf"\s*(?:\\,|~)?(?:{UNITS})(?![a-zA-Z])|(?:\\,)?in(?![a-zA-Z])|\s*\$?\\(?:times|cdot)\s*10"
    rf"|{PER_CENT}[\s~$}}-]*(?:[a-z]+[\s~-]+)?(?:interval|confidence|CIs?\b)"  # the level of an interval
)
NO_RESULT_BEFORE = re.compile(
    r"(?:arXiv[:\s~]*|doi[:\s~]*|\b(?:Sec|Section|Fig|Figure|Tab|Table|Eq|Chapter|version|v)\.?[\s~]*"
    r"|\bpower[\s~]+(?:of[\s~]+)?\$?)$",
    re.IGNORECASE,
)
DOI = re.compile(r"10\.\d{4,}/")


@dataclass(frozen=True)
class Literal:
    """A number as it stands in a source."""

    line: int
    text: str
    mean: str
    sd: str | None
    negative: bool
    per_cent: bool  # it says so, as 79.2\% does
    names: tuple[str, ...]  # macros or keys that its line says it is of


def literals(source: str) -> Iterator[Literal]:
    r"""Every number of a source that claims a result, in order.

    Counted are decimals, pairs `mean ± sd` and whole numbers in per cent. Not counted: other whole numbers
    (counts, years, folds), levels of intervals, lengths, arguments of references, comments, program listings,
    versions, `1e-4` and `3 \times 10^{-4}`, and lines with the comment `% mk11: ignore`.
    """
    text = blanked(source)
    named = [_names(line) for line in source.split("\n")]
    found = [(match, _pair(text, match, named)) for match in PAIR.finditer(text)]
    for match, _ in found:
        text = _blank(text, match.start(), match.end())
    singles = [
        (match, _single(text, match, named)) for match in SINGLE.finditer(text) if _is_result(text, match)
    ]
    for _, literal in sorted([*found, *singles], key=lambda one: one[0].start()):
        yield literal


def blanked(source: str) -> str:
    """The source with spaces for what is no prose; every line keeps its number."""
    lines = ["" if IGNORE.search(line) else COMMENT.sub(r"\1", line) for line in source.split("\n")]
    text = "\n".join(lines)
    for pattern in (SILENT, ARGUMENTS):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    return text


def _names(line: str) -> tuple[str, ...]:
    told = [name for match in NAMES.finditer(line) for name in (match[1] or match[2]).split(",")]
    return tuple(name.strip().removeprefix("\\") for name in told if name.strip())


def _pair(text: str, match: re.Match[str], named: Sequence[tuple[str, ...]]) -> Literal:
    told = re.sub(r"\s+", " ", match.group())
    line = _line(text, match.start())
    return Literal(
        line, told, match["mean"], match["sd"], negative=False, per_cent=False, names=named[line - 1]
    )


def _single(text: str, match: re.Match[str], named: Sequence[tuple[str, ...]]) -> Literal:
    sign, mean, line = match["sign"], match["mean"], _line(text, match.start("mean"))
    negative = "-" in sign or "−" in sign  # noqa: RUF001
    per_cent = IN_PER_CENT.match(match["after"]) is not None
    return Literal(line, mean, mean, None, negative=negative, per_cent=per_cent, names=named[line - 1])


def _is_result(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start("mean") - 16) : match.start("mean")]
    if NO_RESULT_AFTER.match(match["after"]) or NO_RESULT_BEFORE.search(before):
        return False
    return not DOI.match(match["mean"] + match["after"])


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]

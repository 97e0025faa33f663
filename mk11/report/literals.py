"""Numbers in a LaTeX source that claim a result: decimals, and `mean ± sd`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

IGNORE = re.compile(r"%\s*mk11:\s*ignore\b")
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
UNITS = r"cm|mm|pt|em|ex|in|bp|pc|dd|cc|sp|mu|\\[a-zA-Z]*(?:width|height|sep|skip|size|stretch)"
DECIMAL = r"(?:\d+\.\d+|(?<!\d)\.\d+)"
SIGN = r"(?:(?<![\w\d)\]}.-])(?:\$-\$|\$-|-|−|\\ensuremath\{-\}|\+))?"  # noqa: RUF001  the minus sign
GAP = r"[\s${}~,;:!()%_^\\]*"  # between a mean, the sign and its spread: spaces, braces, \%, _{...}
BETWEEN = rf"{GAP}?(?:\\ensuremath\{{)?\s*(?:\\pm|±|\+/?-|\\textpm)(?![a-zA-Z]){GAP}"
START, END = r"(?<![\w.])", r"(?![A-Za-z0-9])(?!\.\d)"
PAIR = re.compile(rf"{START}(?P<mean>{DECIMAL}|\d+){END}{BETWEEN}(?P<sd>{DECIMAL}|\d+){END}")
SINGLE = re.compile(
    rf"(?P<sign>{SIGN})(?<![A-Za-z0-9_.])(?P<mean>{DECIMAL}){END}(?=(?P<after>.{{0,24}}))", re.DOTALL
)
NO_RESULT_AFTER = re.compile(rf"\s*(?:\\,|~)?(?:{UNITS})(?![a-zA-Z])|\s*\$?\\(?:times|cdot)\s*10")
NO_RESULT_BEFORE = re.compile(
    r"(?:arXiv[:\s~]*|doi[:\s~]*|\b(?:Sec|Section|Fig|Figure|Tab|Table|Eq|Chapter|version|v)\.?[\s~]*)$",
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


def literals(source: str) -> Iterator[Literal]:
    r"""Every number of a source that claims a result, in order.

    Counted are decimals and pairs `mean ± sd`. Not counted: whole numbers (counts, years, folds), lengths,
    arguments of references, comments, program listings, versions, `1e-4` and `3 \times 10^{-4}`, and lines
    with the comment `% mk11: ignore`.
    """
    text = blanked(source)
    found = [(match, _pair(text, match)) for match in PAIR.finditer(text)]
    for match, _ in found:
        text = _blank(text, match.start(), match.end())
    singles = [(match, _single(text, match)) for match in SINGLE.finditer(text) if _is_result(text, match)]
    for _, literal in sorted([*found, *singles], key=lambda one: one[0].start()):
        yield literal


def blanked(source: str) -> str:
    """The source with spaces for what is no prose; every line keeps its number."""
    lines = ["" if IGNORE.search(line) else COMMENT.sub(r"\1", line) for line in source.split("\n")]
    text = "\n".join(lines)
    for pattern in (SILENT, ARGUMENTS):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    return text


def _pair(text: str, match: re.Match[str]) -> Literal:
    told = re.sub(r"\s+", " ", match.group())
    return Literal(_line(text, match.start()), told, match["mean"], match["sd"], negative=False)


def _single(text: str, match: re.Match[str]) -> Literal:
    sign = match["sign"]
    negative = "-" in sign or "−" in sign  # noqa: RUF001
    return Literal(_line(text, match.start("mean")), match["mean"], match["mean"], None, negative)


def _is_result(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start("mean") - 16) : match.start("mean")]
    if NO_RESULT_AFTER.match(match["after"]) or NO_RESULT_BEFORE.search(before):
        return False
    return not DOI.match(match["mean"] + match["after"])


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]

"""Text from files as text: nothing in a class name or a path may act as Markdown, LaTeX or a formula."""

import re
import unicodedata

LATEX = {
    "\0": "{}",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "±": r"\ensuremath{\pm}",
    "−": r"\ensuremath{-}",  # noqa: RUF001  the minus sign
    "×": r"\ensuremath{\times}",  # noqa: RUF001
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "→": r"\ensuremath{\rightarrow}",
    "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^{\circ}}",
    "·": r"\ensuremath{\cdot}",
    "–": "--",  # noqa: RUF001
    "—": "---",
    "…": r"\ldots{}",
    "€": "EUR",
}
ACCENTS = (
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"  # of LaTeX's oldest fonts
)
LETTERS = "ßæÆøØœŒłŁ"
GREEK = set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi "  # noqa: SIM905
    "chi psi omega".split()
)
CAPITALS = {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
MARKDOWN = re.compile(r"([\\`*_\[\]#|~$])")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the start of a formula


def one_line(text: str) -> str:
    """Composed Unicode with runs of white space as one space and no control characters."""
    composed = unicodedata.normalize("NFC", text)
    told = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in composed)
    return re.sub(r"\s+", " ", told).strip()


def latex(text: str) -> str:
    """Text for LaTeX with any engine; a character that pdfLaTeX's fonts lack is written as its number."""
    plain = re.sub("-(?=-)", "-\0", one_line(text))  # two hyphens are no dash
    return "".join(_latex(character) for character in plain)


def markdown(text: str) -> str:
    """Text for a cell of a Markdown table."""
    told = MARKDOWN.sub(r"\\\1", one_line(text))
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spreadsheet(text: str) -> str:
    """Text that no spreadsheet runs as a formula: what looks like one gets an apostrophe before it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _latex(character: str) -> str:
    if character in LATEX:
        return LATEX[character]
    if character.isascii() or _is_western_letter(character):
        return character
    return _greek(character) or f"[U+{ord(character):04X}]"


def _is_western_letter(character: str) -> bool:
    """A letter that LaTeX knows without a package, accents included."""
    parts = unicodedata.normalize("NFD", character)
    return character in LETTERS or (parts[0].isascii() and all(accent in ACCENTS for accent in parts[1:]))


def _greek(character: str) -> str | None:
    words = unicodedata.name(character, "").replace("LAMDA", "LAMBDA").split()
    if len(words) != 4 or words[0] != "GREEK" or words[3].lower() not in GREEK:
        return None
    name = words[3].lower() if words[1] == "SMALL" else words[3].capitalize()
    return rf"\ensuremath{{\{name}}}" if words[1] == "SMALL" or name in CAPITALS else None

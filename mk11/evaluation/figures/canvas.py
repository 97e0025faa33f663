"""What all figures share: size of type, colours, names as plain text, and how a figure becomes a file."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mk11.files import replacing

# Okabe and Ito's palette: told apart with any of the common colour deficiencies.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
INK, GREY, PALE = "#222222", "#6B6B6B", "#EDEDED"

STYLE = {
    "svg.hashsalt": "mk11",  # identifiers from content alone: equal numbers give equal bytes
    "svg.fonttype": "none",  # text stays text: searchable, selectable, small
    "pdf.fonttype": 42,  # outlines are embedded as TrueType: journals refuse matplotlib's default, Type 3
    "text.parse_math": False,  # a class may be called "$x$"
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],  # the second, whatever the viewer has
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@contextmanager
def page(path: Path, *, width: float, height: float, title: str, pdf: bool = False) -> Iterator[Figure]:
    """An empty figure of `width` x `height` inches that is saved as SVG when the block ends.

    With `pdf`, a PDF is written beside it, under the same name. Nobody's matplotlibrc takes part. `title` is
    what screen readers and browser tabs show.
    """
    with warnings.catch_warnings(), matplotlib.style.context(["default", STYLE]):
        # The viewer's fonts draw the text; only its width is guessed with a font that lacks some scripts.
        warnings.filterwarnings("ignore", message=r"(?s)Glyph \d+ .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Title": title, "Date": None})
        if pdf:
            figure.set_layout_engine("none")  # where the SVG has put everything
            with replacing(path.with_suffix(".pdf")) as temporary:
                figure.savefig(temporary, format="pdf", metadata={"Title": title, "CreationDate": None})


def plain(name: str, *, limit: int) -> str:
    """`name` on one line, with what XML cannot hold replaced, at most `limit` characters: the middle goes."""
    name = " ".join(NOT_IN_XML.sub("\ufffd", name).split())
    if len(name) <= limit:
        return name
    head = (limit - 1) // 2
    return f"{name[:head].rstrip()}\u2026{name[len(name) - (limit - 1 - head) :].lstrip()}"


def thinned(curve: Float[np.ndarray, "points 2"], *, tolerance: float) -> Float[np.ndarray, "kept 2"]:
    """The points of a curve that matter: the rest is within `tolerance` of their line (Douglas-Peucker)."""
    kept = np.zeros(len(curve), dtype=bool)
    kept[[0, -1]] = True
    spans = [(0, len(curve) - 1)]
    while spans:
        start, end = spans.pop()
        distances = _distances(curve[start : end + 1])
        furthest = start + int(distances.argmax())
        if distances.max() > tolerance:
            kept[furthest] = True
            spans += [(start, furthest), (furthest, end)]
    return curve[kept]


def _distances(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
    """Distance of each point from the segment between the first and the last."""
    chord, offsets = points[-1] - points[0], points - points[0]
    share = np.clip(offsets @ chord / max(chord @ chord, np.finfo(float).tiny), 0, 1)
    return np.hypot(*(offsets - share[:, None] * chord).T)

"""A selection small enough to draw in milliseconds, and the page in a real browser."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from page_browser import console, started

from mk11.runs.pseudonyms import VARIABLE
from mk11.selection.gallery import GalleryContent, GalleryLimits, write_gallery
from mk11.selection.gallery.content import BOX
from mk11.selection.scoring.scores import Matched

PURPLE, PALE = (96, 40, 140), (238, 226, 236)
WIDTH, HEIGHT = 160, 120
LIMITS = GalleryLimits(
    seed=0, fields=6, dropped_a_field=3, crops_a_strip=3, map_points=500, map_thumbnails=8,
    field_px=160, crop_px=32, quality=80,
)  # fmt: skip
# What became of the regions of each field, left to right: a selected, k kept, d dropped.
FIELDS = {
    "P1/a.png": "ad",
    "P1/b.png": "aakd",
    "P2/c.png": "kk",
    "P2/d.png": "dddddd",
    "P3/e.png": "",
    "P3/f.png": "",
}


def region(field, place, letter):
    """A box of 20 px: the place-th of its field, from left to right."""
    x0, y0 = 4 + 24 * place, 30 + 5 * place
    reason = "smaller than 7 um" if letter == "d" else ""
    box = {"x0": x0, "y0": y0, "x1": x0 + 20, "y1": y0 + 20}
    return {"field": field, "group": field[:2], **box, "area": 300 + place, "fill": 0.75, "reason": reason}


def candidates_of(regions, letters):
    """Two prototypes; selected within 15, the others beyond."""
    kept = regions[regions["reason"] == ""].reset_index(drop=True).drop(columns=["area", "fill"])
    admitted = np.array([letter == "a" for letter in letters if letter != "d"], dtype=bool)
    number = np.arange(len(kept))
    return kept.assign(
        crop_hash=[f"{97 * k % 101:08x}" for k in number],
        um_per_pixel=0.5,
        prototype=number % 2,
        distance=np.where(admitted, 12.0, 16.0) + number / 10,
        threshold=15.0,
        rank=np.where(admitted, admitted.cumsum() - 1, -1),
        admitted=admitted,
        reason=np.where(admitted, "", "beyond the threshold"),
        kind="",
    )


def make_content(fields=FIELDS, **changes):
    """A selection from fields of purple squares on a pale ground."""
    rows = [region(field, *one) for field, letters in fields.items() for one in enumerate(letters)]
    regions = pd.DataFrame(rows)
    candidates = candidates_of(regions, "".join(fields.values()))

    def picture(field):
        pixels = np.full((HEIGHT, WIDTH, 3), PALE, np.uint8)
        for one in regions[regions["field"] == field].itertuples():
            pixels[one.y0 : one.y1, one.x0 : one.x1] = PURPLE
        return pixels

    def crop(row):
        one = candidates.loc[row]
        return picture(one["field"])[one["y0"] : one["y1"], one["x0"] : one["x1"]]

    prototypes = pd.DataFrame(
        {
            "prototype": [0, 1, 2],
            "subtype": ["blast", "naked", "rare"],
            "purity": [0.9, 0.5, np.nan],
            "size": [50, 9, 1],
            "threshold": [15.0, 15.0, 19.0],
            "candidates": [3, 3, 0],
            "admitted": [2, 1, 0],
        }
    )
    content = GalleryContent(
        title="Selection",
        facts=[("Strategy", "activessf")],
        steps=[
            ("fields", len(fields)),
            ("regions", len(regions)),
            ("selected", int(candidates["admitted"].sum())),
        ],
        marks=["transductive: unknown"],
        fields=pd.DataFrame(
            {"id": list(fields), "group": [name[:2] for name in fields], "um_per_pixel": 0.5}
        ),
        regions=regions,
        candidates=candidates,
        prototypes=prototypes,
        truth=None,
        positions=np.stack([np.arange(len(candidates)), np.arange(len(candidates)) ** 2], axis=1).astype(
            float
        ),
        crop=crop,
        field=picture,
        limits=LIMITS,
        identify=False,
    )
    return replace(content, **changes)


def with_truth(content):
    """Every kept region is a marked MMK but the last, which is none.

    Two marked blasts are missed: one holds the dropped region of P1/b.png, one in P3/e.png is alone.
    """
    found = content.candidates.iloc[:-1]
    missed = pd.DataFrame(
        [("P1/b.png", 70, 40, 100, 70), ("P3/e.png", 10, 10, 40, 60)], columns=["field", *BOX]
    )
    cells = pd.concat([found[["field", *BOX]], missed], ignore_index=True)
    cells["kind"] = ["MMK"] * len(found) + ["blast"] * 2
    cells["found"] = cells["kind"] == "MMK"
    rows = np.arange(len(content.candidates))
    regions = content.candidates[["field", *BOX]].assign(row=rows, true=rows < len(found))
    kinds = ["MMK"] * len(found) + [""]
    return replace(
        content,
        candidates=content.candidates.assign(kind=kinds),
        truth=Matched(
            cells.assign(overlap=np.where(cells["found"], 1.0, np.nan)), regions.assign(kind=kinds)
        ),
    )


@pytest.fixture(autouse=True)
def _own_key(monkeypatch):
    monkeypatch.setenv(VARIABLE, "a key of the tests alone")


@pytest.fixture
def make():
    """A selection: `make(identify=True)`."""
    return make_content


@pytest.fixture
def marked(make):
    """A selection where cells are marked: five found, two missed, one region false."""

    def content(**changes):
        return with_truth(make(**changes))

    return content


@pytest.fixture
def written(tmp_path):
    """Write a page; its text."""

    def text(content):
        write_gallery(tmp_path / "gallery.html", content)
        return (tmp_path / "gallery.html").read_text()

    return text


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One browser for all tests, on a desktop's window."""
    driven = started(tmp_path_factory.mktemp("profile"))
    yield driven
    driven.quit()


@pytest.fixture
def show(browser, tmp_path):
    """Write a page and open it, with scripts or without; its console must stay empty."""

    def shown(content, *, width=1280, scripts=True):
        path = tmp_path / "gallery.html"
        write_gallery(path, content)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(path.as_uri())
        assert console(browser) == []
        return path

    yield shown
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

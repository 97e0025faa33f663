"""The page as text: whole, escaped, without a network, and silent about patients."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

VOID = {"meta", "link", "img", "input", "br", "hr"}
SCRIPT = "<script>window.pwned=1</script>"


class Read(HTMLParser):
    """Tags with their attributes, text, and elements that are closed in the wrong order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open, self.wrong = [], "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.text += data


def attributes(read, tag, name):
    return [attrs[name] for found, attrs in read.tags if found == tag and name in attrs]


def test_elements_are_closed_in_order_and_no_id_is_used_twice(make, written):
    read = Read(written(make()))
    assert read.wrong == []
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_link_leads_to_a_place_on_the_page_and_every_picture_is_inside(make, written):
    read = Read(written(make()))
    ids = {attrs.get("id") for _, attrs in read.tags}
    links = attributes(read, "a", "href")
    assert {link[1:] for link in links} <= ids
    assert len(links) > 20
    sources = attributes(read, "img", "src")
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert len(sources) == 6 + 6 + 6  # fields, crops in strips, crops on the map
    assert "url(" not in "".join(re.findall(r"<style>(.*?)</style>", written(make()), flags=re.DOTALL))


def test_where_cells_are_marked_the_mistakes_are_shown_and_counted(make, marked, written):
    read = Read(written(marked()))
    assert "Missed cells and false regions" in read.text
    assert "Of 7 cells marked in 4 fields the filter missed 2." in read.text
    for told in ("dropped: smaller than 7 um", "no region here", "all 2", "Recall", "blast"):
        assert told in read.text
    assert len(attributes(read, "img", "src")) == 6 + 6 + 6 + 3
    assert read.wrong == []
    assert "Missed cells" not in Read(written(make())).text


def test_steps_facts_and_marks_are_told(make, written):
    text = Read(written(make(marks=["transductive: unknown"]))).text
    for told in (
        "Selection",
        "activessf",
        "transductive: unknown",
        "Nearest",
        "Just outside",
        "smaller than 7 um",
    ):
        assert told in text


def test_the_same_selection_gives_the_same_bytes(make, written):
    assert written(make()) == written(make())


@pytest.mark.parametrize("identify", [False, True])
def test_names_of_fields_and_patients_are_pseudonyms_unless_asked_for(marked, written, identify):
    marks = ["group P2 lies in two folds, see P2/c.png"]
    text = Read(written(marked(identify=identify, marks=marks))).text
    for real in ("P1/a.png", "P2/c.png", "group P2"):
        assert (real in text) == identify
    assert ("do not pass this page on" in text) == identify
    assert ("image-" in text) == (not identify)


def test_markup_in_names_kinds_and_reasons_stays_text(marked, written):
    content = marked(fields={f"{SCRIPT}.png": "aakd", "b.png": "ak", "P1/b.png": "d", "P3/e.png": ""})
    cells = content.truth.cells.assign(kind=SCRIPT)
    hostile = replace(
        content,
        title=SCRIPT,
        facts=[(SCRIPT, SCRIPT)],
        steps=[(SCRIPT, 3)],
        marks=[SCRIPT],
        candidates=content.candidates.assign(
            kind=SCRIPT, reason=np.where(content.candidates["admitted"], "", SCRIPT)
        ),
        regions=content.regions.assign(reason=content.regions["reason"].replace("smaller than 7 um", SCRIPT)),
        prototypes=content.prototypes.assign(subtype=SCRIPT),
        truth=content.truth._replace(cells=cells),
        identify=True,
    )
    read = Read(written(hostile))
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert read.text.count(SCRIPT) > 20


def test_a_rival_without_prototypes_distances_or_places_has_a_page_too(make, written):
    content = make()
    candidates = content.candidates.assign(
        prototype=-1, distance=np.nan, threshold=np.nan, reason="beyond the budget of 3"
    )
    rival = make(candidates=candidates, prototypes=content.prototypes.iloc[:0], positions=None)
    text = Read(written(rival)).text
    assert "First selected" in text
    assert "all: beyond the budget of 3" in text
    for absent in ("Prototypes", "Map", "distance", "threshold"):
        assert absent not in text


def test_a_selection_of_nothing_has_a_page_too(make, written):
    content = make({"a.png": "dd", "b.png": ""})
    text = Read(written(replace(content, positions=content.positions[:0]))).text
    assert "No candidate is nearest to it." in text
    assert "2 dropped by the filter" in text


def test_pictures_stay_within_their_limits(make, written):
    content = make({f"f{k}.png": "aakkdd" for k in range(30)})
    limits = replace(content.limits, fields=4, crops_a_strip=2, map_thumbnails=5)
    pictures = attributes(Read(written(replace(content, limits=limits))), "img", "src")
    assert len(pictures) <= 4 + 5 + 2 * 4 * 2  # fields, map, and four strips of two prototypes

"""Templates filled with text that nobody has checked."""

import re
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from mk11.page import make_environment, write_page
from mk11.page.html import printable

HOSTILE = "</title><script>alert(1)</script><!-- & \"quoted\" 'too'"


class Read(HTMLParser):
    """Tags with their attributes, and text, as a browser would find them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(tmp_path):
    """Write a page from the body of a template and read it."""

    def made(main, **content):
        (tmp_path / "own.html").write_text(
            '{% extends "base.html" %}{% from "macros.html" import table, facts, notices %}'
            "{% block title %}{{ heading }}{% endblock %}{% block main %}" + main + "{% endblock %}"
        )
        path = tmp_path / "page.html"
        write_page(path, "own.html", make_environment(tmp_path), **{"heading": "Page", **content})
        return path.read_text()

    return made


def test_text_is_escaped_in_content_in_attributes_and_in_the_title(page):
    text = page(
        '<p title="{{ word }}">{{ word }}</p>{{ facts([(word, word)]) }}', word=HOSTILE, heading=HOSTILE
    )
    read = Read(text)
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert ("p", {"title": HOSTILE}) in read.tags
    assert read.text.count(HOSTILE) >= 4


def test_the_policy_allows_nothing_but_what_is_inside(page):
    policy = next(attrs["content"] for tag, attrs in Read(page("")).tags if "http-equiv" in attrs)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", rules["script-src"])


def test_nothing_on_the_page_points_elsewhere(page):
    for tag, attrs in Read(page("")).tags:
        for name in ("src", "href", "action", "data"):
            if tag != "script":
                assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs)
    assert "url(" not in (page("").split("<style>")[1].split("</style>")[0])


def test_a_name_that_a_template_does_not_get_is_an_error(page):
    with pytest.raises(UndefinedError, match="missing"):
        page("{{ missing }}")


def test_a_page_that_fails_leaves_the_old_one(page, tmp_path):
    page("first")
    with pytest.raises(UndefinedError):
        page("{{ missing }}")
    assert "first" in (tmp_path / "page.html").read_text()
    assert not list(tmp_path.glob(".*"))


def test_what_no_page_can_hold_is_replaced(page):
    broken = "a\x00b\x1b[0m\ud800c\ufffe"
    assert printable(broken) == "a\ufffdb\ufffd[0m\ufffdc\ufffd"
    assert "a\ufffdb" in page("{{ word }}", word=broken)
    assert printable("tab\tand\nline, Zäpfchen \N{GREEK SMALL LETTER BETA} \N{MICROSCOPE}") == (
        "tab\tand\nline, Zäpfchen \N{GREEK SMALL LETTER BETA} \N{MICROSCOPE}"
    )

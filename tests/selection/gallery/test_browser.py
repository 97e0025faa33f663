"""The page in Chromium: hover, keyboard, a phone's width, and without scripts."""

from dataclasses import replace

import numpy as np
import pytest
from page_browser import console, fetched
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def one(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def everything(browser, selector):
    return browser.find_elements(By.CSS_SELECTOR, selector)


def hover(browser, element):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    ActionChains(browser).move_to_element(element).perform()


def test_it_fetches_nothing_and_every_picture_can_be_seen(browser, show, make):
    path = show(make())
    assert {url for url in fetched(browser) if not url.startswith("data:")} == {path.as_uri()}
    images = "return [...document.images].map(i => [i.complete, i.naturalWidth, i.alt.length > 3])"
    seen = browser.execute_script(images)
    assert len(seen) == 18
    assert all(complete and width > 0 and told for complete, width, told in seen)


def test_an_outline_tells_its_reason_on_hover(browser, show, make):
    show(make())
    outline = one(browser, ".outline.unselected")
    tip = outline.find_element(By.CLASS_NAME, "tip")
    assert not tip.is_displayed()
    hover(browser, outline)
    assert tip.is_displayed()
    assert tip.text.startswith("not selected: beyond the threshold, prototype")


def test_the_keyboard_reaches_an_outline_and_its_line_in_the_list(browser, show, make):
    show(make())
    outline = one(browser, ".outline.dropped")
    line = one(browser, outline.get_attribute("href").partition(".html")[2])
    assert not line.is_displayed()
    browser.execute_script("arguments[0].previousElementSibling.focus()", outline)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element == outline
    assert outline.find_element(By.CLASS_NAME, "tip").is_displayed()
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert line.is_displayed()
    assert "dropped: smaller than 7 um" in line.text


def test_states_differ_in_line_style_as_well_as_in_colour(browser, show, marked):
    show(marked())
    states = ("selected", "unselected", "dropped", "missed")
    for kind in ("outline", "swatch"):
        found = [one(browser, f".{kind}.{state}") for state in states]
        for style in ("border-top-style", "border-top-color"):
            assert len({element.value_of_css_property(style) for element in found}) == 4


def test_an_outline_covers_the_cell_that_it_is_of(browser, show, make):
    content = make()
    show(content)
    picture, outline = one(browser, ".picture img").rect, one(browser, "#outline-1-1").rect
    zoom = picture["width"] / 160
    assert outline["x"] - picture["x"] == pytest.approx(4 * zoom, abs=1)
    assert outline["y"] - picture["y"] == pytest.approx(30 * zoom, abs=1)
    assert outline["width"] == pytest.approx(20 * zoom, abs=1)
    assert outline["height"] == pytest.approx(20 * zoom, abs=1)


def test_a_point_of_the_map_shows_its_crop_on_hover_and_arrow_keys_go_on(browser, show, make):
    show(make())
    first, second = everything(browser, ".spot")[:2]
    pictures = [spot.find_element(By.TAG_NAME, "img") for spot in (first, second)]
    hover(browser, first.find_element(By.TAG_NAME, "input"))
    assert [picture.is_displayed() for picture in pictures] == [True, False]
    hover(browser, one(browser, "footer"))
    browser.execute_script("arguments[0].focus()", first.find_element(By.TAG_NAME, "input"))
    ActionChains(browser).send_keys(Keys.SPACE).send_keys(Keys.ARROW_RIGHT).perform()
    assert [picture.is_displayed() for picture in pictures] == [False, True]


def test_an_outline_of_a_missed_cell_covers_it_in_its_view(browser, show, marked):
    show(marked())
    sights = everything(browser, "#section-mistakes .sights li")
    assert [len(sight.find_elements(By.CLASS_NAME, "box")) > 0 for sight in sights] == [True] * 3
    # From (10, 10) to (40, 60) of the 100 px in the corner of its field.
    shot, box = (sights[1].find_element(By.CLASS_NAME, name).rect for name in ("shot", "missed"))
    assert box["x"] - shot["x"] == pytest.approx(0.1 * shot["width"], abs=1)
    assert box["height"] == pytest.approx(0.5 * shot["height"], abs=1)


def test_the_number_of_a_dropped_region_waits_until_it_is_asked_for(browser, show, make):
    show(make())
    outline = one(browser, ".outline.dropped")
    number = outline.find_element(By.TAG_NAME, "b")
    assert not number.is_displayed()
    hover(browser, outline)
    assert number.is_displayed()


def test_outlines_pass_below_the_navigation(browser, show, make):
    show(make())
    outline = one(browser, ".outline.selected")
    browser.execute_script("arguments[0].scrollIntoView({block: 'start', behavior: 'instant'})", outline)
    place = outline.rect["y"] - browser.execute_script("return scrollY")
    browser.execute_script("window.scrollBy({top: arguments[0] - 10, behavior: 'instant'})", place)
    seen = "return document.elementFromPoint(arguments[0], 15).closest('nav') !== null"
    assert browser.execute_script(seen, outline.rect["x"] + 8)


def test_tables_sort_and_a_prototype_s_name_leads_to_its_crops(browser, show, make):
    show(make())
    assert one(browser, "#prototypes th[aria-sort], #prototypes th.dt-orderable-asc")
    assert one(browser, "#prototypes tbody a").get_attribute("href").endswith("#prototype-0")
    assert "Nearest" in one(browser, "#prototype-0").text


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_no_wider_than_its_window(browser, show, marked, width):
    show(marked(), width=width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    table, room = (one(browser, f".mistakes {kind}").rect["width"] for kind in ("#kinds", ".table"))
    assert table <= room
    for kind, least in ((".strip .tile", 60), (".histogram", 250), (".picture", 300), (".map", 300)):
        found = everything(browser, kind)
        assert min(element.rect["width"] for element in found) >= least


@pytest.mark.parametrize("width", [390, 1280])
def test_what_outlines_and_points_tell_fits_into_the_window(browser, show, make, width):
    show(make(), width=width)
    browser.execute_script("document.querySelectorAll('.tip').forEach(t => { t.style.display = 'block' })")
    places = "return [...document.querySelectorAll('.tip')].map(t => t.getBoundingClientRect())"
    found = browser.execute_script(places)
    assert len(found) == 11 + 6  # outlines and points of the map
    assert min(place["left"] for place in found) >= 0
    assert max(place["right"] for place in found) <= width


def test_without_scripts_all_is_there(browser, show, make):
    show(make(), scripts=False)
    assert everything(browser, ".dt-container") == []
    assert len(everything(browser, "#prototypes tbody tr")) == 3
    hover(browser, one(browser, ".outline.selected"))
    assert one(browser, ".outline.selected .tip").is_displayed()
    assert "beyond the threshold" in one(browser, "#reasons").text


def test_text_from_files_stays_text(browser, show, make):
    markup = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"
    content = make({f"{markup}.png": "aakd", "b.png": "ak"}, identify=True)
    reasons = np.where(content.candidates["admitted"], "", markup)
    candidates = content.candidates.assign(kind=markup, reason=reasons)
    show(replace(content, candidates=candidates, title=markup, marks=[markup]))
    assert browser.execute_script("return window.pwned") is None
    assert browser.title == markup
    assert browser.execute_script("return document.images.length") == browser.execute_script(
        "return document.querySelectorAll('img[src^=\"data:image/webp\"]').length"
    )
    assert markup in one(browser, ".marks").text
    assert console(browser) == []

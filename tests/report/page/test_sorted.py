"""The page's tables in a browser: they sort, filter, fit a phone and paper, and hold hundreds of runs."""

import time

from page_browser import column, few, filter_box, header, shows
from page_findings import compared, configuration, findings
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from mk11.report.rows import row_of


def test_a_click_on_a_header_sorts_by_number_and_a_second_one_turns_it_round(browser, show, tmp_path):
    show(findings(few(tmp_path)))
    header(browser, "results", "Configuration").click()
    shows(browser, "results", 0, [f"mk11/model{number}" for number in range(5)])
    header(browser, "results", "Accuracy").click()
    down = ["mk11/model2", "mk11/model4", "mk11/model3", "mk11/model0", "mk11/model1"]
    shows(browser, "results", 0, down)
    header(browser, "results", "Accuracy").click()
    shows(browser, "results", 0, down[::-1])
    assert header(browser, "results", "Accuracy").get_attribute("aria-sort") == "ascending"


def test_the_keyboard_sorts_too(browser, show, tmp_path):
    show(findings(few(tmp_path)))
    button = header(browser, "results", "Configuration").find_element(By.CSS_SELECTOR, "[role=button]")
    button.send_keys(Keys.ENTER)
    shows(browser, "results", 0, [f"mk11/model{number}" for number in range(5)])


def test_typing_into_the_filter_leaves_the_rows_that_match(browser, show, tmp_path):
    show(findings(few(tmp_path)))
    filter_box(browser, "results").send_keys("model3")
    shows(browser, "results", 0, ["mk11/model3"])
    filter_box(browser, "results").send_keys("x")
    shows(browser, "results", 0, ["no row matches"])


def test_the_best_of_complete_rows_is_bold(browser, show, tmp_path):
    complete = few(tmp_path)
    best = configuration(tmp_path, 9, level=0.9, failed={3})
    show(findings([*complete, best]))
    bold = browser.find_elements(By.CSS_SELECTOR, "#results tr:has(td.number strong) th")
    assert [cell.text for cell in bold] == ["mk11/model2"]


def test_rows_agree_with_those_of_the_tables(browser, show, tmp_path):
    found = few(tmp_path)
    show(findings(found))
    shown = dict(zip(column(browser, "results", 0), column(browser, "results", 2), strict=True))
    for one in found:
        summary = row_of(one).summaries["f1_macro"]
        assert shown[one.label] == f"{100 * summary.mean:.2f} ± {100 * summary.sd:.2f}"


def test_a_phone_scrolls_the_tables_not_the_page(browser, show, tmp_path):
    show(findings(few(tmp_path)), width=390)
    wide, window = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide == window == 390
    table = "const t = document.querySelector('#results').parentElement; return t.scrollWidth > t.clientWidth"
    assert browser.execute_script(table)


def test_paper_has_all_rows_and_nothing_to_click(browser, show, tmp_path):
    show(findings([configuration(tmp_path, number, label=f"m{number}") for number in range(21)]))
    assert len(column(browser, "runs", 0)) == 50
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert len(column(browser, "runs", 0)) == 105
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(column(browser, "runs", 0)) == 50
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not filter_box(browser, "results").is_displayed()
        assert browser.find_element(By.ID, "results").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_five_hundred_runs_open_within_seconds(browser, show, tmp_path):
    many = [configuration(tmp_path, number, level=0.3 + number / 200) for number in range(100)]
    begun = time.monotonic()
    path = show(findings(many, compared=[compared(many[0], many[k]) for k in range(1, 20)]))
    assert time.monotonic() - begun < 60  # under three where the machine has nothing else to do
    assert path.stat().st_size < 15e6
    assert column(browser, "results", 0) == [f"mk11/model{number}" for number in range(99, 49, -1)]
    assert len(column(browser, "runs", 0)) == 50
    browser.execute_script("arguments[0].click()", header(browser, "runs", "Minutes"))
    shows(browser, "runs", 2, ["4"] * 50)
    filter_box(browser, "runs").send_keys("model77")
    shows(browser, "runs", 1, ["mk11/model77"] * 5)
    assert len(browser.find_elements(By.CSS_SELECTOR, "details.run")) == 500

"""The report's page in a real browser: Chromium, headless, from disk."""

import json
import os
import shutil
import time

import pytest
from page_findings import compared, configuration, findings
from run_folders import Cells, write_run, write_runs
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from mk11.files import write_json
from mk11.report.page import write_page
from mk11.report.rows import row_of
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs
from mk11.runs.pseudonyms import VARIABLE

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
SCRIPT = "<script>window.pwned=1;alert(1)</script>"
IMAGE = "<img src=x onerror=window.pwned=1>&amp;</script><!--<script>"
HOSTILE = (SCRIPT, IMAGE, '" onmouseover="window.pwned=1', "Zäpfchen µm β {{ 7 * 7 }}")
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60" onload="parent.pwned=1">'
    "<script>parent.pwned=1</script><rect width='90' height='60'/></svg>"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests here, on a desktop's window."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        assert not os.environ.get("CI"), "chromium and chromedriver must be installed where CI is set"
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driven = webdriver.Chrome(service=Service(driver), options=options)
    driven.set_page_load_timeout(120)
    yield driven
    driven.quit()


@pytest.fixture(autouse=True)
def _own_key(monkeypatch):
    monkeypatch.setenv(VARIABLE, "a key of the tests alone")


@pytest.fixture
def show(browser, tmp_path):
    """Write a page and open it; its console must stay empty and nothing may be fetched."""

    def shown(found, *, width=1280, figures=None, identify=False):
        path = tmp_path / "index.html"
        write_page(path, found, figures=figures or {}, identify=identify, heading="Report")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(path.as_uri())
        assert console(browser) == []
        return path

    return shown


def console(browser):
    return [entry["message"] for entry in browser.get_log("browser")]


def fetched(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def column(browser, table, number):
    """Texts of a column as it stands; 0 is the row's name."""
    cells = f"#{table} tbody tr > :nth-child({number + 1})"
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(c => c.innerText)", cells
    )


def shows(browser, table, number, expected):
    """Assert what a column becomes: sorting and filtering take effect a moment after the event."""
    end = time.monotonic() + 10
    while column(browser, table, number) != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert column(browser, table, number) == expected


def header(browser, table, title):
    titles = browser.find_elements(By.CSS_SELECTOR, f"#{table} thead th")
    return next(th for th in titles if th.text.split("\n")[0] == title)


def filter_box(browser, table):
    return browser.find_element(By.CSS_SELECTOR, f"#{table}_wrapper input[type=search]")


def few(tmp_path, count=5):
    """Configurations whose levels are neither in order of name nor, as text, in order of size."""
    levels = [0.42, 0.093, 0.71, 0.55, 0.68, *(0.3 + k / 1000 for k in range(count))]
    return [configuration(tmp_path, number, level=levels[number]) for number in range(count)]


def hostile(tmp_path):
    """Real run folders in which every text that a file can hold is markup."""
    cells = Cells(classes=HOSTILE, images=(30, 25, 20, 15), patients=10)
    common = {
        "cells": cells,
        "name": "<img src=x onerror=alert(2)>",
        "hardest": True,
        "marks": {"warnings": [SCRIPT]},
        "config": {"optim.note": f"{SCRIPT}{IMAGE}"},
        "record": {"overrides": [f"note={SCRIPT}", f"x={IMAGE}"], "device": IMAGE, "commit": "<b>1</b>"},
    }
    write_runs(tmp_path / "runs", models={"<i>a": 2.0, "b'\"&": 1.0}, folds=range(2), **common)
    failed = write_run(tmp_path / "runs", model="<i>a", fold=2, status="failed", **common)
    (failed / "error.txt").write_text(f"ValueError: {IMAGE}{SCRIPT}\n\x00\x1b[31m")
    broken = tmp_path / "runs" / "<u>broken"
    broken.mkdir()
    write_json(broken / "run.json", {"status": SCRIPT})
    runs, problems = find_runs([tmp_path / "runs"])
    configurations = group_runs(runs)
    return findings(
        [c for c in configurations if c.finished],
        runs=runs,
        problems=[*problems, SCRIPT],
        warnings=[IMAGE],
        refused=[IMAGE],
    )


def test_it_loads_from_disk_with_an_empty_console_and_fetches_nothing(browser, show, tmp_path):
    path = show(findings(few(tmp_path)))
    assert set(fetched(browser)) <= {path.as_uri(), "data:,"}
    assert browser.title == "Report"
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


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


@pytest.mark.parametrize("identify", [False, True])
def test_text_from_files_stays_text(browser, show, tmp_path, identify):
    found = hostile(tmp_path)
    figure = tmp_path / "<b>.svg"
    figure.write_text(SVG)
    show(found, figures={f"{SCRIPT}": figure}, identify=identify)
    for box in browser.find_elements(By.CSS_SELECTOR, "input[type=search]"):
        box.send_keys(SCRIPT + IMAGE)
        box.clear()
        box.send_keys(" ")
    for title in browser.find_elements(By.CSS_SELECTOR, "#results thead th, #classes-f1-0 thead th"):
        browser.execute_script("arguments[0].click()", title)
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    time.sleep(0.3)  # a picture that fails to load tells so later
    assert console(browser) == []
    assert browser.execute_script("return window.pwned") is None
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert.dismiss()
    elements = "return document.querySelectorAll(arguments[0]).length"
    assert browser.execute_script(elements, "script") == 1
    assert (
        browser.execute_script(elements, "img:not([src^='data:image/']), i, u, main b b, [onmouseover]") == 0
    )
    titles = browser.execute_script(
        "return [...document.querySelectorAll('#classes-f1-0 thead .dt-column-title')]"
        ".map(t => t.textContent)"
    )
    assert titles == ["Configuration", *HOSTILE]
    body = browser.execute_script("return document.body.textContent")
    for text in (
        SCRIPT,
        IMAGE,
        "<i>a",
        "b'\"&",
        "<img src=x onerror=alert(2)>",
        f"note={SCRIPT}",
        "<b>1</b>",
    ):
        assert text in body


def test_no_script_but_the_page_s_own_can_run(browser, show, tmp_path):
    show(findings(few(tmp_path)))
    added = (
        "const s = document.createElement('script'); s.textContent = 'window.pwned = 1';"
        "document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned = 1\">');"
    )
    browser.execute_script(added)
    time.sleep(0.3)
    assert browser.execute_script("return window.pwned") is None
    assert "Content Security Policy" in " ".join(console(browser))


def test_pictures_are_shown(browser, show, tmp_path):
    figure = tmp_path / "overview.svg"
    figure.write_text(SVG)
    show(hostile(tmp_path), figures={"overview": figure})
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    time.sleep(0.3)
    widths = browser.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert len(widths) > 20
    assert min(widths) > 0
    assert browser.execute_script("return [...document.images].every(i => i.alt.length > 3)")


def test_a_run_s_name_leads_to_all_that_is_known_of_it(browser, show, tmp_path):
    show(findings(few(tmp_path)))
    browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    link = browser.find_element(By.CSS_SELECTOR, "#runs tbody a")
    details = browser.find_element(
        By.CSS_SELECTOR, link.get_attribute("href")[link.get_attribute("href").index("#") :]
    )
    assert not details.is_displayed()
    browser.execute_script("arguments[0].click()", link)
    assert details.is_displayed()
    assert "model=convnext" in details.text
    assert "weights: imagenet" in details.text


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


def test_a_run_that_no_table_counts_is_listed_all_the_same(browser, show, tmp_path):
    counted, older = few(tmp_path, 2)
    show(findings([counted], runs=[*counted.runs, older.runs[0]]))
    assert column(browser, "runs", 1).count("not counted") == 1


def test_names_of_patients_and_images_are_pseudonyms_unless_asked_for(tmp_path):
    write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2), hardest=True)
    failed = write_run(tmp_path / "runs", model="vit", fold=2, status="failed")
    (failed / "error.txt").write_text("OSError: cannot read 'blast/0007.png' of the data")
    (found,) = group_runs(find_runs([tmp_path / "runs"])[0])
    page = tmp_path / "index.html"
    told = {}
    for identify in (False, True):
        content = findings([found], warnings=["unreadable: blast/0007.png"])
        write_page(page, content, figures={}, identify=identify, heading="Report")
        told[identify] = page.read_text()
    assert "blast/0007.png" in told[True]
    assert ">P0" in told[True]
    assert str(tmp_path) in told[True]
    for real in (".png", ">P0", str(tmp_path)):
        assert real not in told[False]
    assert "patient-" in told[False]
    assert "image-" in told[False]


def test_a_page_without_a_single_result_says_so(browser, show, tmp_path):
    failed = configuration(tmp_path, 1, failed=range(5))
    show(findings([], runs=list(failed.runs), unfinished=[failed]))
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "No run has finished yet." in text
    assert "mk11/model1 lacks fold 0 seed 0 (failed)" in text


def test_rows_agree_with_those_of_the_tables(browser, show, tmp_path):
    found = few(tmp_path)
    show(findings(found))
    shown = dict(zip(column(browser, "results", 0), column(browser, "results", 2), strict=True))
    for one in found:
        summary = row_of(one).summaries["f1_macro"]
        assert shown[one.label] == f"{100 * summary.mean:.2f} ± {100 * summary.sd:.2f}"

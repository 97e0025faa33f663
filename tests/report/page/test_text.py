"""Text from files stays text in a browser, pictures are shown, and nothing is fetched."""

import time

import pytest
from page_browser import column, console, fetched, few
from page_findings import configuration, findings
from run_folders import Cells, write_run, write_runs
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By

from mk11.files import write_json
from mk11.report.published import published_sources
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

SCRIPT = "<script>window.pwned=1;alert(1)</script>"
IMAGE = "<img src=x onerror=window.pwned=1>&amp;</script><!--<script>"
HOSTILE = (SCRIPT, IMAGE, '" onmouseover="window.pwned=1', "Zäpfchen µm β {{ 7 * 7 }}")
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60" onload="parent.pwned=1">'
    "<script>parent.pwned=1</script><rect width='90' height='60'/></svg>"
)


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


def test_a_run_that_no_table_counts_is_listed_all_the_same(browser, show, tmp_path):
    counted, older = few(tmp_path, 2)
    show(findings([counted], runs=[*counted.runs, older.runs[0]]))
    assert column(browser, "runs", 1).count("not counted") == 1


def test_published_figures_are_shown_as_other_people_s(browser, show, tmp_path):
    show(findings(few(tmp_path, 2)), published=published_sources())
    assert "MixMIM + ActiveSSF" in " ".join(column(browser, "published", 0))
    assert "Other people's data" in browser.find_element(By.ID, "published-caption").text
    assert browser.find_elements(By.CSS_SELECTOR, "#published strong") == []
    assert "ActiveSSF" not in " ".join(column(browser, "results", 0))


def test_a_page_without_a_single_result_says_so(browser, show, tmp_path):
    failed = configuration(tmp_path, 1, failed=range(5))
    show(findings([], runs=list(failed.runs), unfinished=[failed]))
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "No run has finished yet." in text
    assert "mk11/model1 lacks fold 0 seed 0 (failed)" in text

"""What tests of the page do in a browser: read tables, sort and filter them, hear the console."""

import json
import os
import shutil
import time

import pytest
from page_findings import configuration
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


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


def started(profile):
    """Chromium without a window; tests are skipped where there is none, but not in CI."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        assert not os.environ.get("CI"), "chromium and chromedriver must be installed where CI is set"
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driven = webdriver.Chrome(service=Service(driver), options=options)
    driven.set_page_load_timeout(120)
    return driven

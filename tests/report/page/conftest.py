"""The report's page in a real browser: Chromium, headless, from disk."""

import os
import shutil

import pytest
from page_browser import console
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from mk11.report.page import write_page
from mk11.runs.pseudonyms import VARIABLE

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One browser for all tests, on a desktop's window."""
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

    def shown(found, *, width=1280, figures=None, published=(), identify=False):
        path = tmp_path / "index.html"
        write_page(
            path, found, figures=figures or {}, published=published, identify=identify, heading="Report"
        )
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(path.as_uri())
        assert console(browser) == []
        return path

    return shown

"""The report's page in a real browser: Chromium, headless, from disk."""

import pytest
from page_browser import console, started

from mk11.report.page import write_page
from mk11.runs.pseudonyms import VARIABLE


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One browser for all tests, on a desktop's window."""
    driven = started(tmp_path_factory.mktemp("profile"))
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

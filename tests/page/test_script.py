"""The one script of a page."""

import base64
import hashlib

import pytest

from mk11.errors import UserError
from mk11.page import script
from mk11.page.script import enclosed, script_source, source_hash


def test_the_script_holds_datatables_under_the_name_that_our_lines_use():
    source = script_source()
    assert "DataTables 2." in source
    assert source.index("const DataTable =") > source.index("as default")
    assert source.rstrip().endswith("}")


def test_nothing_in_the_script_can_end_its_element():
    source = script_source().lower()
    assert "</script" not in source
    assert "<!--" not in source


@pytest.mark.parametrize("end", ["</script>", "</SCRIPT >", "</ScRiPt", "<!--<script>"])
def test_what_would_end_the_element_is_written_otherwise_with_the_same_meaning(end):
    written = enclosed(f'const text = "{end}";\r\n')
    assert "</script" not in written.lower()
    assert "<!--" not in written
    assert "\r" not in written  # browsers turn it into a line feed, and the hash would not fit
    assert written.replace("\\", "") == f'const text = "{end}";\n'


def test_the_hash_is_that_of_the_bytes():
    digest = hashlib.sha256("alert('ä')".encode()).digest()
    assert source_hash("alert('ä')") == f"sha256-{base64.b64encode(digest).decode()}"


def test_an_itables_without_the_bundle_is_told(tmp_path, monkeypatch):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "dt_bundle.js").write_text("export{a as ITable};")
    monkeypatch.setattr(script, "files", lambda package: tmp_path)
    script_source.cache_clear()
    try:
        with pytest.raises(UserError, match="itables"):
            script_source()
    finally:
        script_source.cache_clear()

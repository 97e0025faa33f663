"""Parts on disk: whole or absent, found by name, refused where they are not what they say."""

import numpy as np
import pytest

from mk11.errors import UserError
from mk11.selection.feature_files import FeatureFiles

ABOUT = {"weights": "abc", "resize": {"image_size": 32}}


def vectors(*values):
    return np.array([[value, -value] for value in values], np.float32)


@pytest.fixture
def files(tmp_path):
    made = FeatureFiles(tmp_path / "key", ABOUT)
    made.add(["a", "b"], vectors(1, 2))
    made.add(["c"], vectors(3))
    return made


def test_what_was_added_is_found_by_name_in_any_part(files):
    again = FeatureFiles(files.folder, ABOUT)
    assert again.known(["c", "x", "b"]) == {"c", "b"}
    found = again.read(["c", "b", "c"])
    assert found.tolist() == [[3, -3], [2, -2], [3, -3]]
    assert found.dtype == np.float32


def test_a_part_that_was_not_finished_is_not_there_and_is_cleared(files):
    left = files.folder / ".part-000002.npz.123.tmp"
    left.write_bytes(b"half")
    assert files.known(["a", "b", "c", "d"]) == {"a", "b", "c"}
    files.add(["d"], vectors(4))
    assert not left.exists()
    assert files.read(["d"]).tolist() == [[4, -4]]


def test_a_new_part_never_replaces_one_that_is_there(files):
    (files.folder / "part-000000.npz").unlink()
    files.add(["d"], vectors(4))
    assert files.read(["c", "d"]).tolist() == [[3, -3], [4, -4]]


def test_a_damaged_part_is_named(files):
    part = files.folder / "part-000001.npz"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 255
    part.write_bytes(content)
    with pytest.raises(UserError, match=r"part-000001\.npz must be as this program wrote it"):
        files.read(["c"])


def test_a_folder_of_other_features_is_refused(files):
    with pytest.raises(UserError, match="must hold features of"):
        FeatureFiles(files.folder, ABOUT | {"weights": "def"})

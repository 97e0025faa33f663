"""What every part's tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of real cells beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared with real cells beside the repository")
    return SHARED

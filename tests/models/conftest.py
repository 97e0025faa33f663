import pytest
import torch


@pytest.fixture
def saved(tmp_path):
    """Write what torch.save takes to a file and return its path."""

    def save(contents):
        torch.save(contents, tmp_path / "official.pth")
        return tmp_path / "official.pth"

    return save

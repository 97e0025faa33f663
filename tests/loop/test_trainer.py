"""Checkpoints to go on from."""

import argparse

import pytest
import torch

from mk11.errors import UserError
from mk11.loop.trainer import OF_A_CHECKPOINT, check_readable

WHOLE = dict.fromkeys(OF_A_CHECKPOINT, 1)


def test_a_whole_checkpoint_is_readable(tmp_path):
    torch.save({**WHOLE, "more": 2}, tmp_path / "last.ckpt")
    check_readable(tmp_path / "last.ckpt")


@pytest.mark.parametrize("key", OF_A_CHECKPOINT)
def test_a_checkpoint_that_cannot_be_gone_on_from_says_what_it_lacks(tmp_path, key):
    torch.save({name: 1 for name in OF_A_CHECKPOINT if name != key}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=rf"must be a whole checkpoint .*it lacks {key}.*rerun=true"):
        check_readable(tmp_path / "last.ckpt")


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x02.", b"x" * 1000])
def test_a_damaged_checkpoint_is_told(tmp_path, content):
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt must be a whole checkpoint of this program"):
        check_readable(tmp_path / "last.ckpt")


def test_half_a_checkpoint_is_told(tmp_path):
    torch.save({**WHOLE, "state_dict": torch.ones(1000)}, tmp_path / "last.ckpt")
    content = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="must be a whole checkpoint"):
        check_readable(tmp_path / "last.ckpt")


def test_a_checkpoint_of_other_objects_is_refused(tmp_path):
    torch.save({**WHOLE, "args": argparse.Namespace()}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="must be a whole checkpoint"):
        check_readable(tmp_path / "last.ckpt")

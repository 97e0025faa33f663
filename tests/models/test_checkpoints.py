import io
import pickle

import pytest
import torch
from safetensors.torch import save_file

from mk11.errors import UserError
from mk11.models.checkpoints import read_state_dict


class Innocent:
    def __reduce__(self):
        return (print, ("code in a pickle ran",))


def half_of(contents):
    return contents[: len(contents) // 2]


def bad_files(folder):
    state = {"layer.weight": torch.ones(100)}
    save_file(state, folder / "whole.safetensors")
    buffer, legacy = io.BytesIO(), io.BytesIO()
    torch.save(state, buffer)
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    contents = {
        "unsafe.pth": pickle.dumps({"state_dict": state, "args": Innocent()}),
        "half.pth": half_of(buffer.getvalue()),
        "half_legacy.pth": half_of(legacy.getvalue()),
        "half.safetensors": half_of((folder / "whole.safetensors").read_bytes()),
        "empty.pth": b"",
        "text.pth": b"version https://example.invalid/spec\noid 1234\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    torch.save({"state_dict": state, "args": Innocent()}, folder / "unsafe.ckpt")
    torch.save({"epoch": 3}, folder / "no_tensors.pth")
    torch.save([1, 2], folder / "list.pth")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("unsafe.ckpt", "could run code"),
        ("half.pth", "half-written"),
        ("half_legacy.pth", "half-written"),
        ("half.safetensors", "half-written"),
        ("empty.pth", "half-written"),
        ("text.pth", "of another kind"),
        ("no_tensors.pth", "holds none"),
        ("list.pth", "holds none"),
        ("absent.pth", "there is no file"),
        (".", "there is no file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(name, sentence, tmp_path, capsys):
    bad_files(tmp_path)
    with pytest.raises(UserError, match=rf"model\.weights must .*{sentence}") as caught:
        read_state_dict(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "code in a pickle ran" not in capsys.readouterr().out


def test_what_lies_beside_the_network_is_left_out(tmp_path):
    state = {"network.head.weight": torch.ones(2), "criterion.weight": torch.ones(5)}
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "last.ckpt")
    assert list(read_state_dict(tmp_path / "last.ckpt")) == ["head.weight"]

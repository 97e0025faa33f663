import argparse
import io
import os
import pickle

import numpy as np
import pytest
import torch
from official_files import as_moco, as_training_script
from safetensors.torch import save_file
from torch import _weights_only_unpickler

from mk11.errors import UserError
from mk11.models.checkpoints import HARMLESS, read_checkpoint, read_provenance
from mk11.models.official import plain_names


class Innocent:
    def __reduce__(self):
        return (print, ("code in a pickle ran",))


class Calls:
    """A pickle of it calls a function on loading."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


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
        read_checkpoint(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "code in a pickle ran" not in capsys.readouterr().out


def test_what_lies_beside_the_network_is_left_out(tmp_path):
    state = {"network.head.weight": torch.ones(2), "criterion.weight": torch.ones(5)}
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "last.ckpt")
    assert list(plain_names(read_checkpoint(tmp_path / "last.ckpt").state)) == ["head.weight"]


STATE = {"layer.weight": torch.ones(3)}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_training_scripts_checkpoint_loads_with_its_arguments_inside(legacy, tmp_path):
    path = tmp_path / "checkpoint-799.pth"
    torch.save(as_training_script(STATE), path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(pickle.UnpicklingError):  # what torch makes of it by itself
        torch.load(path, weights_only=True)
    file = read_checkpoint(path)
    assert list(file.state) == ["layer.weight"]
    assert torch.equal(file.state["layer.weight"], STATE["layer.weight"])
    assert file.beside == ("optimizer", "scaler", "args")
    assert file.provenance == {}


@pytest.mark.parametrize("legacy", [False, True])
def test_numbers_of_numpy_beside_the_tensors_do_no_harm(legacy, tmp_path):
    numbers = {
        "best": np.float64(0.5),
        "epoch": np.int64(3),
        "half": np.float16(1.5),
        "done": np.bool_(True),
        "kind": np.dtype("float32"),
    }
    path = tmp_path / "checkpoint.pth"
    torch.save(as_training_script(STATE) | numbers, path, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(read_checkpoint(path).state["layer.weight"], STATE["layer.weight"])


def test_a_number_as_numpy_1_pickled_it_does_no_harm(tmp_path):
    """Its module had another name before NumPy 2."""
    contents = pickle.dumps({"model": {}, "best": np.float64(0.5)}, protocol=2)
    old = contents.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != contents
    with torch.serialization.safe_globals(HARMLESS):
        assert _weights_only_unpickler.Unpickler(io.BytesIO(old)).load()["best"] == 0.5


def test_allowing_arguments_allows_them_here_alone(tmp_path):
    torch.save(as_training_script(STATE), tmp_path / "checkpoint.pth")
    read_checkpoint(tmp_path / "checkpoint.pth")
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["tensors", "arguments", "instead of arguments", "class of the arguments"])
@pytest.mark.parametrize("function", [os.mkdir, eval, print])
def test_a_malicious_pickle_is_refused_and_its_code_does_not_run(function, place, legacy, tmp_path, capsys):
    mark = tmp_path / "ran"
    told = f"__import__('os').mkdir({str(mark)!r})" if function is eval else str(mark)
    bad, contents = Calls(function, told), as_training_script(dict(STATE))
    if place == "tensors":
        contents["model"]["layer.bias"] = bad
    elif place == "arguments":
        contents["args"].device = bad
    else:
        contents["args"] = bad if place == "instead of arguments" else Calls(type(bad), function, told)
    path = tmp_path / "malicious.pth"
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    named = r"[\w.]+" if place == "class of the arguments" else rf"(\w+\.)?{function.__name__}"
    with pytest.raises(UserError, match=rf"must hold tensors only, but .*\({named}\), which could run code"):
        read_checkpoint(path)
    with pytest.raises(UserError, match="could run code on loading"):
        read_provenance(path)
    assert not mark.exists()
    assert str(mark) not in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrapped",
    [
        STATE,
        {"model": STATE},
        {"state_dict": STATE},
        {"teacher": {f"backbone.{name}": tensor for name, tensor in STATE.items()}},
        as_moco(STATE),
        as_training_script(STATE),
        {"state_dict": {f"network.{name}": tensor for name, tensor in STATE.items()}},
        {"state_dict": {f"method.encoder.{name}": tensor for name, tensor in STATE.items()}},
        {"model": {f"_orig_mod.{name}": tensor for name, tensor in STATE.items()}},
    ],
)
def test_tensors_are_found_in_every_container(wrapped, tmp_path):
    torch.save(wrapped, tmp_path / "weights.pth")
    (name,) = plain_names(read_checkpoint(tmp_path / "weights.pth").state)
    assert name.removeprefix("backbone.").removeprefix("encoder.") == "layer.weight"


def test_a_checkpoint_of_ours_says_what_it_is(tmp_path):
    told = {"classes": ["a", "b"], "trained_on": ["00"]}
    torch.save({"state_dict": STATE, "mk11": told, "loops": {}, "epoch": 3}, tmp_path / "best.ckpt")
    assert read_provenance(tmp_path / "best.ckpt") == told
    assert read_checkpoint(tmp_path / "best.ckpt").provenance == told
    assert read_checkpoint(tmp_path / "best.ckpt").beside == ("loops",)
    save_file(STATE, tmp_path / "of_others.safetensors")
    assert read_provenance(tmp_path / "of_others.safetensors") == {}

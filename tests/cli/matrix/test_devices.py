"""GPUs are claimed between processes; a script stands in for nvidia-smi."""

import os
import threading
import time

import pytest

from mk11.cli.matrix import devices
from mk11.cli.matrix.devices import claimed, gpu_ids


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with the given GPUs, and with a temporary folder of its own."""

    def with_gpus(*names):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n" + "".join(f"echo {name}\n" for name in names))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(devices, "POLL", 0.05)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return with_gpus


def test_without_nvidia_smi_there_are_no_gpus(tmp_path):
    assert gpu_ids({"PATH": str(tmp_path)}) == []


def test_visible_devices_narrow_the_choice_by_number_or_name(machine):
    machine("GPU-a", "GPU-b", "GPU-c")
    assert gpu_ids({**os.environ, "CUDA_VISIBLE_DEVICES": "2,0"}) == ["GPU-c", "GPU-a"]
    assert gpu_ids({**os.environ, "CUDA_VISIBLE_DEVICES": "GPU-b"}) == ["GPU-b"]
    assert gpu_ids({**os.environ, "CUDA_VISIBLE_DEVICES": ""}) == []


def test_two_cells_at_one_time_get_a_gpu_each(machine):
    machine("GPU-a", "GPU-b")
    with (
        claimed(1, per_gpu=1, wait=pytest.fail, stopped=bool) as first,
        claimed(1, per_gpu=1, wait=pytest.fail, stopped=bool) as second,
    ):
        assert {first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]} == {"GPU-a", "GPU-b"}


def test_cells_share_a_gpu_only_as_far_as_allowed_and_fill_empty_ones_first(machine):
    machine("GPU-a", "GPU-b")
    with (
        claimed(1, per_gpu=2, wait=pytest.fail, stopped=bool) as first,
        claimed(1, per_gpu=2, wait=pytest.fail, stopped=bool) as second,
        claimed(1, per_gpu=2, wait=pytest.fail, stopped=bool) as third,
    ):
        assert first != second
        assert third == first


def test_a_cell_waits_for_a_gpu_says_so_once_and_then_gets_it(machine):
    machine("GPU-a")
    waits, got = [], []

    def second():
        with claimed(1, per_gpu=1, wait=lambda: waits.append(time.time()), stopped=bool) as mine:
            got.append(mine["CUDA_VISIBLE_DEVICES"])

    with claimed(1, per_gpu=1, wait=pytest.fail, stopped=bool):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.4)
        assert len(waits) == 1
        assert got == []
    thread.join(timeout=10)
    assert got == ["GPU-a"]


def test_a_run_over_two_gpus_gets_two_different_ones(machine):
    machine("GPU-a", "GPU-b")
    with claimed(2, per_gpu=2, wait=pytest.fail, stopped=bool) as mine:
        assert mine["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"


@pytest.mark.parametrize("count", [0, 2])
def test_nothing_is_claimed_for_a_cpu_run_or_for_more_than_there_is(machine, count):
    machine("GPU-a")
    with claimed(count, per_gpu=1, wait=pytest.fail, stopped=bool) as mine:
        assert mine == {}


def test_waiting_for_a_gpu_can_be_given_up(machine):
    machine("GPU-a")
    with claimed(1, per_gpu=1, wait=pytest.fail, stopped=bool):
        second = claimed(1, per_gpu=1, wait=lambda: None, stopped=lambda: True)
        with pytest.raises(KeyboardInterrupt), second:
            pytest.fail("there was no GPU to give")

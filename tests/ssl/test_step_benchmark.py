"""benchmarks/ssl_step.py runs, and its plain way of writing a step has the method's own loss."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "ssl_step.py"


@pytest.fixture(scope="module")
def benchmark():
    """The script as a module."""
    sys.path.insert(0, str(SCRIPT.parent))  # as Python does for a script
    spec = importlib.util.spec_from_file_location("ssl_step", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.pop(0)
    return module


@pytest.mark.parametrize("name", ["mae", "convmae", "mixmim", "mocov3"])
def test_the_plain_way_has_the_loss_of_the_method(name, benchmark):
    method, image_size = benchmark.make(name, "tiny")
    image, noise = benchmark.inputs(method, image_size, 4)
    sides = benchmark.sides_of(name, method, compiled=False)
    benchmark.check_equal(sides, image, noise)
    with torch.no_grad():
        for parameter in sides["plain"][0].parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    with pytest.raises(AssertionError):
        benchmark.check_equal(sides, image, noise)


def test_a_row_tells_each_sides_time_and_its_spread(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["ssl_step.py", "--sizes=tiny", "--methods=mae", "--batch=2", "--rounds=2"]
    )
    benchmark.main()
    _, row = capsys.readouterr().out.strip().splitlines()
    assert row.startswith("mae      tiny ")
    assert row.count(" ± ") == row.count(" ms") == 2
    assert row.endswith("x")


def test_the_spread_is_half_the_distance_between_quartiles(benchmark):
    assert benchmark._summary([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, 1.0)
    assert benchmark._summary([2.0]) == (2.0, 0.0)


def test_tiny_networks_are_timed_often(benchmark):
    assert benchmark.ROUNDS["tiny"] >= 20


def test_the_compiled_side_is_compiled_as_pre_training_does_it(benchmark, monkeypatch):
    compiled = []
    monkeypatch.setattr(benchmark, "compile_method", compiled.append)
    method, _ = benchmark.make("mocov3", "tiny")
    sides = benchmark.sides_of("mocov3", method, compiled=True)
    assert compiled == [sides["compiled"][0]]

import subprocess
import sys

import numpy as np
import pytest
import torch

from mk11.metrics.final import OVERALL, classification_metrics
from mk11.metrics.online import SplitMetrics


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 2], [1]])
def test_batches_give_the_same_as_the_final_metrics_on_all_at_once(labels):
    generator = np.random.default_rng(len(labels))
    logits = torch.from_numpy(generator.normal(size=(50, 3))).float()
    target = torch.from_numpy(generator.choice(labels, 50))
    metrics = SplitMetrics(num_classes=3)
    for batch in torch.arange(50).split(16):
        metrics.update(logits[batch], target[batch])
    final = classification_metrics(logits.softmax(dim=1).numpy(), target.numpy(), ("0", "1", "2"))
    expected = {name: float("nan") if final[name] is None else final[name] for name in OVERALL}
    assert metrics.compute() == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_an_epoch_forgets_the_one_before():
    metrics = SplitMetrics(num_classes=2)
    metrics.update(torch.tensor([[3.0, 0.0]]), torch.tensor([1]))
    metrics.reset()
    metrics.update(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    assert metrics.compute()["accuracy"] == 1.0


def test_half_precision_logits_become_float32_probabilities():
    metrics = SplitMetrics(num_classes=2)
    metrics.update(torch.tensor([[0.1, 0.2]], dtype=torch.bfloat16), torch.tensor([0]))
    assert metrics.probabilities[0].dtype == torch.float32


def test_a_diverged_network_has_no_metrics():
    metrics = SplitMetrics(num_classes=2)
    metrics.update(torch.tensor([[0.1, 0.2], [float("nan")] * 2]), torch.tensor([0, 1]))
    assert metrics.compute() == pytest.approx(dict.fromkeys(OVERALL, float("nan")), nan_ok=True)


PROCESS = """
import sys
import torch
from torch import distributed
from mk11.metrics.online import SplitMetrics

rank, store = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
generator = torch.Generator().manual_seed(0)
logits, labels = torch.randn(31, 4, generator=generator), torch.randint(4, (31,), generator=generator)
for first in (31, 17):  # rank 1 has no image at all, then fewer than rank 0
    mine = slice(0, first) if rank == 0 else slice(first, 31)
    metrics = SplitMetrics(num_classes=4)
    for batch in torch.arange(31)[mine].split(7):
        metrics.update(logits[batch], labels[batch])
    print(sorted(metrics.compute().items()))
"""


def test_two_processes_find_what_one_does_even_if_one_of_them_has_no_image(tmp_path):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(31, 4, generator=generator), torch.randint(4, (31,), generator=generator)
    alone = SplitMetrics(num_classes=4)
    alone.update(logits, labels)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert said == [[str(sorted(alone.compute().items()))] * 2] * 2

"""A training step of MoCo v3 shared by two processes; importable by the processes themselves."""

import torch
import torch.distributed as dist
from golden.mocov3_models import KINDS, method, step, two_views
from torch.nn.parallel import DistributedDataParallel

from mk11.ssl.batchnorm import synchronised


def half_of_the_batch(rank, folder):
    """One of two processes: save loss, averaged gradients and buffers of every flavour's step."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    images = two_views()[4 * rank : 4 * rank + 4]
    found = {
        kind: one_step(DistributedDataParallel(synchronised(method(kind), on_gpu=False)), images)
        for kind in KINDS
    }
    torch.save(found, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


def one_step(made, images):
    """Loss, chance level, gradients and buffers of one step."""
    outcome = step(made, images)
    outcome.loss.backward()
    bare = getattr(made, "module", made)
    return {
        "loss": outcome.loss.detach(),
        "chance": outcome.logged["chance"],
        "gradients": {name: p.grad for name, p in bare.named_parameters() if p.grad is not None},
        "state": bare.state_dict(),
    }

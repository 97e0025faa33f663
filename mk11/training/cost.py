"""What a training step costs, measured on a few images rather than guessed."""

import time
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

IMAGES = 4  # enough for a rate, few enough for seconds on a CPU
BUDGET_SECONDS = 6.0


@dataclass(frozen=True)
class Cost:
    """Cost of training a network on `device`, for one image where the name does not say otherwise."""

    parameters: int
    state_bytes: int  # weights, gradients and AdamW's two moments, float32
    activation_bytes: float  # kept for the backward pass, an image
    seconds_per_image: float  # forward and backward pass
    device: str


def measure_cost(network: nn.Module, *, image_size: int, accelerator: str, channels_last: bool) -> Cost:
    """Time forward and backward passes of a copy of `network` within a few seconds."""
    device = "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    probe = deepcopy(network).to(device=device, memory_format=layout).train()  # type: ignore[call-overload]
    image = torch.randn(IMAGES, 3, image_size, image_size, device=device).contiguous(memory_format=layout)
    saved = _saved_bytes(probe, image)
    parameters = sum(parameter.numel() for parameter in probe.parameters())
    return Cost(
        parameters=parameters,
        state_bytes=16 * parameters,
        activation_bytes=saved / IMAGES,
        seconds_per_image=_seconds(probe, image) / IMAGES,
        device=device,
    )


def _saved_bytes(network: nn.Module, image: Tensor) -> int:
    """Bytes that a forward pass keeps for the backward pass: no weights, each storage once."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(image).sum().backward()
    return sum(kept.values())


def _seconds(network: nn.Module, image: Tensor) -> float:
    """Fastest pass within the budget."""
    fastest, end = float("inf"), time.perf_counter() + BUDGET_SECONDS
    while fastest == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        network(image).sum().backward()
        if image.is_cuda:
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest

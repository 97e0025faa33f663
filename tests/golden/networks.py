"""What the tests of several methods ask of a network: what passes through it, tensors, layers' rates."""

import pytest
import torch
from golden.recipe import names_of, our_name

from mk11.optim.groups import parameter_groups


def watched(**places):
    """A record of what enters or leaves modules from now on: watched(name=(module, "in" or "out"))."""
    seen = {}

    def note(name, side):
        return lambda _, taken, given: seen.__setitem__(name, taken[0] if side == "in" else given)

    for name, (module, side) in places.items():
        module.register_forward_hook(note(name, side))
    return seen


def features(network, image):
    """The pooled features of a fine-tuning network."""
    return network.forward_head(network.forward_features(image), pre_logits=True)


def gradient_arrays(golden, method):
    """The stored norms and gradients, of a method after its backward pass."""
    gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
    stored = [gradients[our_name(name, golden.method)] for name in golden.meta["grad_names"]]
    yield "grad_norms", torch.stack([gradient.double().norm() for gradient in stored])
    for array in golden.arrays:
        if array.startswith("grad."):
            yield array, gradients[our_name(array.removeprefix("grad."), golden.method)]


def restoring(mask, noise):
    """The published inverse of the shuffle: each patch's place when the visible come first, in our order.

    The removed follow in the order of their noise.
    """
    removed = noise.masked_fill(~mask.removed, torch.inf).argsort(dim=1)
    return torch.cat([mask.kept, removed[:, : noise.shape[1] - mask.kept.shape[1]]], dim=1).argsort(dim=1)


def named(patterns):
    """All names of a list of patterns."""
    return {name for pattern in patterns for name in names_of(pattern)}


def shapes_of(module):
    """{name: shape} of a state dict."""
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def parameters_of(module, *, trainable=False):
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def assert_published_rates(network, table):
    """Layer-wise learning rates and weight decay in reference mode are those of the manifest's table."""
    groups = parameter_groups(
        network, lr=1.0, weight_decay=table["weight_decay"], layer_decay=table["layer_decay"], reference=True
    )
    told = {id(parameter): group for group in groups for parameter in group["params"]}
    assert (len(groups), len(told)) == (table["n_groups"], table["n_params"])
    for name, parameter in network.named_parameters():
        if name in table["frozen"]:
            assert id(parameter) not in told
            continue
        prefix = max((p for p in table["prefix"] if name.startswith(p)), key=len)
        decayed = parameter.ndim > 1 and name not in table["no_decay_extra"]
        assert told[id(parameter)]["lr"] == pytest.approx(table["prefix"][prefix]["lr_scale"], rel=1e-12)
        assert told[id(parameter)]["weight_decay"] == (table["weight_decay"] if decayed else 0.0)

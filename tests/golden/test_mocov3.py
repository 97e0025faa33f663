"""MoCo v3 against the reference implementation's numbers: a step, its gradients, LARS, schedules, sizes."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from golden.mocov3_models import GOLDEN, KINDS, method, renamed, step, two_views, vit
from golden.recipe import generator, low_variance, names_of, our_name

import mk11.models.encoders.mocov3  # noqa: F401  (registers the encoders)
from mk11.models.positions import sincos_table
from mk11.optim.lars import Lars
from mk11.optim.optimiser import adamw
from mk11.optim.schedule import warmup_cosine
from mk11.ssl.mocov3 import MoCoV3
from mk11.ssl.momentum import cosine_momentum

PUBLISHED = ("vit_small", "vit_base", "vit_conv_small", "vit_conv_base", "resnet50")


@pytest.fixture(scope="module")
def computed():
    """Every stored quantity as this package computes it, by name."""
    found = vit_step() | classifier() | tables() | schedules() | lars()
    for kind in ("resnet", "convstem"):
        outcome, seen = traced_step(method(kind))
        found |= {f"{kind}_loss": outcome.loss} | {f"{kind}_{name}": seen[name] for name in QUERIES_AND_KEYS}
    return found


QUERIES_AND_KEYS = ("q1", "q2", "k1", "k2")


def traced_step(made):
    """One step's outcome, and projections z, queries q and keys k of the two views as they came by."""
    seen = {"z": [], "q": [], "k": []}
    for name, module in (("z", made.projector), ("q", made.predictor), ("k", made.momentum_projector)):
        module.register_forward_hook(lambda _, __, output, name=name: seen[name].append(output))
    outcome = step(made, two_views())
    return outcome, {f"{name}{view + 1}": seen[name][view] for name in seen for view in (0, 1)}


def vit_step():
    """A training step of the ViT: forward, EMA, backward, AdamW."""
    made = method("vit")
    outcome, seen = traced_step(made)
    outcome.loss.backward()
    found = seen | {"loss": outcome.loss} | losses(made, seen) | gradients(made) | batch_norms(made)
    slow = {name: our_name(f"momentum_encoder.{name}", "mocov3") for name in GOLDEN.meta["ema_names"]}
    found |= {f"ema.{name}": made.get_parameter(ours) for name, ours in slow.items()}
    return found | adamw_changes(made)


def losses(made, seen):
    """Both directions, their similarities, and the losses of two processes with half of the queries each."""
    found = {}
    for query, key in (("q1", "k2"), ("q2", "k1")):
        similarity = F.normalize(seen[query], dim=1) @ F.normalize(seen[key], dim=1).T
        found[f"logits_{query}{key}"] = similarity / made.temperature
        found[f"loss_{query}{key}"] = made.one_way(seen[query], seen[key], 0)
    for rank, half in enumerate((slice(0, 4), slice(4, 8))):
        ways = [made.one_way(seen[q][half], seen[k], half.start) for q, k in (("q1", "k2"), ("q2", "k1"))]
        found[f"loss_rank{rank}_of_2"] = ways[0] + ways[1]
    return found


def gradients(made):
    """Norms of all gradients, and some gradients whole."""
    official = {name: made.get_parameter(our_name(name, "mocov3")) for name in GOLDEN.meta["grad_names"]}
    stored = [name for name in GOLDEN.arrays if name.startswith("grad.")]
    norms = torch.stack([parameter.grad.norm() for parameter in official.values()])
    return {"grad_norms": norms} | {name: official[name.removeprefix("grad.")].grad for name in stored}


def batch_norms(made):
    """Running statistics of both encoders' projectors."""
    found = {}
    for branch, heads in (("base", made.projector), ("momentum", made.momentum_projector)):
        found[f"bn.{branch}.num_batches"] = heads[1].num_batches_tracked
        for place in (1, 7):
            for name in ("running_mean", "running_var"):
                found[f"bn.{branch}.head.{place}.{name}"] = getattr(heads[place], name)
    return found


def adamw_changes(made):
    """What one AdamW step does, with decay on everything."""
    config, prefix = GOLDEN.config["adamw"], "adamw1_delta."
    before = {name: parameter.detach().clone() for name, parameter in made.named_parameters()}
    trained = [parameter for parameter in made.parameters() if parameter.requires_grad]
    adamw([{"params": trained, **config}], betas=(0.9, 0.999)).step()
    moved = {name: (parameter - before[name]).detach() for name, parameter in made.named_parameters()}
    stored = [name.removeprefix(prefix) for name in GOLDEN.arrays if name.startswith(prefix + "base")]
    found = {prefix + name: moved[our_name(name, "mocov3")] for name in [*stored, "predictor.0.weight"]}
    query, _, value = moved["encoder.blocks.0.attn.qkv.bias"].chunk(3)  # the keys' gradient is rounding alone
    found[prefix + "qkv_bias_q_and_v"] = torch.cat([query, value])[::3]
    embed = [moved[f"encoder.patch_embed.proj.{name}"].abs().max() for name in ("weight", "bias")]
    return found | {"adamw1_patch_embed_moved": torch.stack(embed).max()}


def classifier():
    """Features and logits of the encoder as classifier, with the weights as drawn and with small ones."""
    head = {"head.weight": GOLDEN.entry("head.weight", (5, 96)), "head.bias": GOLDEN.entry("head.bias", (5,))}
    found = {}
    for name, weights in (("ft", backbone()), ("lowvar", low_variance(backbone()))):
        network = vit(num_classes=5).eval()
        network.load_state_dict(weights | head)
        feature = network.forward_head(network.forward_features(GOLDEN.images("x1")), pre_logits=True)
        found |= {f"{name}_feat": feature, f"{name}_logits": network(GOLDEN.images("x1"))}
    return found


def backbone():
    """The online encoder's weights without the projector, as its official extraction names them."""
    prefix = "encoder."
    state = renamed(GOLDEN.state("vit"))
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def tables():
    """Position tables."""
    wide = sincos_table(384, (14, 14), row_first=True, class_token=True)
    return {"pos_embed": vit().pos_embed, "sincos_384_14": wide}


def schedules():
    """Learning rate and momentum over the epochs."""
    config, epochs = GOLDEN.config["sched"], GOLDEN.values["sched_epoch"]
    per_epoch = 800  # steps an epoch; all sampled epochs are a whole number of steps
    steps = (epochs * per_epoch).round().astype(int).tolist()
    assert np.allclose(steps, epochs * per_epoch)
    warm_up, total = config["warmup_epochs"] * per_epoch, config["epochs"] * per_epoch
    factors = [warmup_cosine(s, warmup_steps=warm_up, total_steps=total, min_ratio=0.0) for s in steps]
    momenta = [cosine_momentum(s / total, start=config["moco_m"]) for s in steps]
    lr = np.array(factors) * config["lr"]
    return {"sched_lr": lr, "sched_m": np.array(momenta)}


def lars():
    """A matrix, a bias and a matrix of zeros after three steps."""
    config, shapes = GOLDEN.config["lars"], {"W": (6, 5), "b": (6,), "Z": (4, 4)}
    start = {name: normal(f"lars.{name}", shape) for name, shape in shapes.items()} | {"Z": torch.zeros(4, 4)}
    parameters = {name: torch.nn.Parameter(value) for name, value in start.items()}
    group = {"params": [*parameters.values()], "lr": config["lr"], "weight_decay": config["weight_decay"]}
    optimiser = Lars([group], momentum=config["momentum"], trust=config["trust"])
    slopes = {name: normal(f"lars.g{name}", (config["steps"], *shapes[name])) for name in shapes}
    for number in range(config["steps"]):
        for name, parameter in parameters.items():
            parameter.grad = slopes[name][number]
        optimiser.step()
    return {f"lars_{name}_after3": parameter for name, parameter in parameters.items()}


def normal(name, shape):
    return torch.tensor(generator(name).standard_normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("array", [name for name in GOLDEN.arrays if name != "sched_epoch"])  # an input
def test_every_quantity_equals_the_reference(computed, array):
    assert GOLDEN.check(array, computed[array]) <= 1


def test_both_views_in_one_batch_equal_one_after_the_other():
    together, apart = method("vit"), method("vit")
    apart.one_batch = False
    assert together.one_batch
    losses = [step(made, two_views()).loss for made in (together, apart)]
    assert torch.allclose(*losses, atol=1e-6)
    for name, buffer in together.named_buffers():
        assert torch.allclose(buffer, apart.get_buffer(name), atol=1e-6), name


@pytest.mark.parametrize("kind", ["resnet", "convstem"])
def test_an_encoder_with_batch_norm_must_not_take_both_views_at_once(kind):
    """The statistics of a batch are one view's: together they give another loss than the reference's."""
    made = method(kind)
    assert not made.one_batch
    made.one_batch = True
    assert GOLDEN.difference(f"{kind}_loss", step(made, two_views()).loss).ratio > 10


def test_frozen_parts_and_the_momentum_branch_get_no_gradient():
    made = method("vit")
    step(made, two_views()).loss.backward()
    told = {our_name(name, "mocov3") for pattern in GOLDEN.meta["no_grad"] for name in names_of(pattern)}
    assert {name for name, parameter in made.named_parameters() if parameter.grad is None} == told


def test_gradients_that_are_zero_in_exact_arithmetic_are_rounding():
    """A bias of the keys moves all of a query's logits alike; the final norm's bias meets batch norm."""
    made = method("vit")
    step(made, two_views()).loss.backward()
    keys_bias = made.encoder.blocks[0].attn.qkv.bias.grad.chunk(3)[1]
    assert keys_bias.abs().max() < 1e-5
    assert made.encoder.norm.bias.grad.abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_official_names_are_ours_after_the_remap(kind):
    official = {our_name(name, "mocov3"): shape for name, shape in GOLDEN.keys(kind).items()}
    assert official == shapes(method(kind))


def published(name):
    """MoCo v3 of a published size, without memory."""
    architecture = name if name.startswith("resnet") else f"mocov3_{name}"
    with torch.device("meta"):
        return MoCoV3(
            encoder=timm.create_model(architecture, num_classes=0),
            projector_dim=4096,
            output_dim=256,
            temperature=1.0,
            momentum=0.99,
            momentum_schedule="cosine",
            stop_grad_patch_embed=True,
        )


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_published_names_shapes_and_counts(name):
    made, told = published(name), GOLDEN.counts(name)
    assert shapes(made) == {our_name(key, "mocov3"): shape for key, shape in GOLDEN.size(name).items()}
    trained = sum(parameter.numel() for parameter in made.parameters() if parameter.requires_grad)
    assert (count(made), trained, len(shapes(made))) == (told["total"], told["trainable"], told["n_keys"])
    assert sum(buffer.numel() for buffer in made.buffers()) == told["buffers"]
    head = told["base_encoder.fc" if name.startswith("resnet") else "base_encoder.head"]
    assert (count(made.projector), count(made.predictor)) == (head, told["predictor"])
    assert count(made.encoder) + head == told["base_encoder"] == told["momentum_encoder"]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("vit")])
def test_published_classifiers_have_the_published_names_and_shapes(name):
    with torch.device("meta"):
        network = timm.create_model(f"mocov3_{name}")
    assert shapes(network) == GOLDEN.size(f"backbone_{name}_1000")
    assert count(network) == GOLDEN.counts(f"backbone_{name}_1000")["total"]


def test_every_published_size_is_tested():
    backbones = {f"backbone_{name}_1000" for name in PUBLISHED if name.startswith("vit")}
    assert set(GOLDEN.manifest["sizes"]) == {*PUBLISHED, *backbones}

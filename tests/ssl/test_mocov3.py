"""MoCo v3's promises beside the reference's numbers (those: tests/golden/test_mocov3.py)."""

import math

import pytest
import timm
import torch
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from mk11.errors import UserError
from mk11.models.encoders.mocov3 import ConvStem, MoCoViT
from mk11.optim.optimiser import adamw
from mk11.ssl.mocov3 import MoCoV3, gathered

TINY_VIT = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 0}
ENCODERS = {
    "vit": lambda: MoCoViT(**TINY_VIT),
    "convstem": lambda: MoCoViT(**TINY_VIT, embed_layer=ConvStem),
    "resnet": lambda: ResNet(BasicBlock, [1] * 4, channels=(8, 8, 16, 16), num_classes=0),
    "timm_vit": lambda: VisionTransformer(**TINY_VIT),
}
SETTINGS = {
    "projector_dim": 24,
    "output_dim": 8,
    "temperature": 0.2,
    "momentum": 0.9,
    "momentum_schedule": "cosine",
    "stop_grad_patch_embed": True,
}


def moco(kind="vit", **changed):
    torch.manual_seed(0)
    return MoCoV3(encoder=ENCODERS[kind](), **SETTINGS | changed)


def views(batch=6, seed=1):
    return torch.randn(batch, 2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def outcome(method, images=None, progress=0.0):
    images = views() if images is None else images
    return method(images, noise=method.draw(len(images), images.device), progress=progress)


def slow_loss(queries, keys, temperature):
    """InfoNCE one query at a time, from the definition."""
    total = 0.0
    for place, query in enumerate(queries.detach()):
        cosines = [(query @ key / query.norm() / key.norm() / temperature).item() for key in keys]
        total += -math.log(math.exp(cosines[place]) / sum(math.exp(value) for value in cosines))
    return 2 * temperature * total / len(queries)


@pytest.mark.parametrize("kind", ENCODERS)
def test_the_loss_is_that_of_both_directions_taken_query_by_query(kind):
    method = moco(kind, momentum=1.0)  # the momentum encoder stays, so that keys can be computed once more
    images = views()
    one, two = method.queries(images)
    keys = method.keys(images)
    expected = slow_loss(one, keys[1], 0.2) + slow_loss(two, keys[0], 0.2)
    assert outcome(method, images).loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ENCODERS)
def test_everything_trainable_and_nothing_else_gets_a_gradient(kind):
    method = moco(kind)
    outcome(method).loss.backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    assert not any(parameter.requires_grad for parameter in method.momentum_encoder.parameters())
    assert not any(parameter.requires_grad for parameter in method.momentum_projector.parameters())


def frozen(method):
    return {name for name, parameter in method.encoder.named_parameters() if not parameter.requires_grad}


EMBEDDING = {"patch_embed.proj.weight", "patch_embed.proj.bias"}


def test_the_fixed_table_is_frozen_and_the_patch_embedding_where_asked_for():
    assert frozen(moco("vit")) == {"pos_embed", *EMBEDDING}
    assert frozen(moco("vit", stop_grad_patch_embed=False)) == {"pos_embed"}
    assert frozen(moco("convstem")) == {"pos_embed"}
    assert frozen(moco("resnet")) == set()


def test_a_vit_of_timm_learns_its_own_position_table():
    assert frozen(moco("timm_vit")) == EMBEDDING


def parameters(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def drift(method):
    """Put the trained branch away from the momentum branch, as an optimiser's step does."""
    with torch.no_grad():
        for parameter in (*method.encoder.parameters(), *method.projector.parameters()):
            parameter.add_(1.0)


def test_the_momentum_branch_follows_before_it_makes_the_keys():
    method, after = moco(), moco()
    drift(method)
    for name in ("encoder", "projector"):
        fast, slow = getattr(method, name), getattr(after, f"momentum_{name}")
        for ours, theirs in zip(slow.parameters(), fast.parameters(), strict=True):
            ours.lerp_(theirs.detach(), 0.1)
    expected = after.keys(views())
    seen = []
    method.momentum_projector.register_forward_hook(lambda _, __, output: seen.append(output))
    outcome(method)
    assert torch.allclose(torch.stack(seen), torch.stack(expected), atol=1e-5)


def test_it_follows_once_a_step_however_many_batches_are_accumulated():
    method = moco()
    drift(method)
    outcome(method)
    once = parameters(method.momentum_encoder)
    method.first_of_step = False
    outcome(method, views(seed=2))
    assert torch.equal(parameters(method.momentum_encoder), once)
    method.first_of_step = True
    outcome(method, views(seed=3))
    assert not torch.equal(parameters(method.momentum_encoder), once)


def test_a_step_of_the_optimiser_does_not_move_the_momentum_branch():
    method = moco()
    outcome(method).loss.backward()
    before = parameters(method.momentum_encoder)
    adamw([{"params": [*method.parameters()], "lr": 0.1, "weight_decay": 0.1}], betas=(0.9, 0.999)).step()
    assert torch.equal(parameters(method.momentum_encoder), before)


def test_the_momentum_branch_stays_in_training_mode():
    method = moco("convstem").eval()
    assert not method.encoder.training
    assert not method.projector.training
    assert all(module.training for module in method.momentum_encoder.modules())
    assert all(module.training for module in method.momentum_projector.modules())
    assert not nn.ModuleList([method]).eval()[0].encoder.training  # and as part of another module
    assert method.momentum_encoder.training


@pytest.mark.parametrize("kind", ["convstem", "resnet"])
def test_running_statistics_of_both_branches_move_twice_a_step(kind):
    method = moco(kind)
    outcome(method)
    counts = {name: buffer.item() for name, buffer in method.named_buffers() if name.endswith("tracked")}
    assert set(counts.values()) == {2}
    assert {name.split(".")[0] for name in counts} == {
        "encoder",
        "projector",
        "predictor",
        "momentum_encoder",
        "momentum_projector",
    }


def test_chance_and_momentum_are_told_with_the_loss():
    method = moco(temperature=0.5)
    start, middle = outcome(method), outcome(method, progress=0.5)
    assert start.logged == {"chance": pytest.approx(4 * 0.5 * math.log(6)), "momentum": pytest.approx(0.9)}
    assert middle.logged["momentum"] == pytest.approx(0.95)


def test_equal_keys_for_all_give_the_chance_level():
    method = moco()
    loss = 2 * method.one_way(torch.randn(6, 8), torch.ones(6, 8), 0)
    assert loss.item() == pytest.approx(outcome(method).logged["chance"])


def test_a_constant_momentum_stays_what_it_is():
    method = moco(momentum_schedule="constant")
    assert outcome(method, progress=0.7).logged["momentum"] == 0.9


def test_training_brings_the_loss_below_chance():
    method = moco(stop_grad_patch_embed=False)
    images = views(batch=12)
    images[:, 1] = images[:, 0] + 0.1 * views(batch=12, seed=5)[:, 1]  # two views of one thing
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    optimiser = adamw([{"params": trained, "lr": 0.003, "weight_decay": 0.0}], betas=(0.9, 0.999))
    for _ in range(40):
        found = outcome(method, images)
        optimiser.zero_grad()
        found.loss.backward()
        optimiser.step()
    assert found.loss < 0.5 * found.logged["chance"]


@pytest.mark.parametrize("kind", ENCODERS)
def test_bfloat16_changes_the_loss_by_rounding_alone(kind):
    full = outcome(moco(kind)).loss
    with torch.autocast("cpu", torch.bfloat16):
        half = outcome(moco(kind)).loss
    assert half.dtype == torch.float32
    half.backward()
    assert half.item() == pytest.approx(full.item(), abs=0.15)


def test_similarities_are_taken_in_full_precision_under_bfloat16():
    method, queries, keys = moco(), torch.randn(6, 8), torch.randn(6, 8)
    with torch.autocast("cpu", torch.bfloat16):
        half = method.one_way(queries, keys, 0)
    assert torch.equal(half, method.one_way(queries, keys, 0))


def test_checkpointing_gives_equal_gradients_by_running_blocks_twice():
    gradients, runs = [], []
    for enable in (False, True):
        method = moco()
        method.encoder.set_grad_checkpointing(enable)
        block = method.encoder.blocks[0]
        block.register_forward_pre_hook(lambda *_, enable=enable: runs.append(enable))
        outcome(method).loss.backward()
        gradients.append([p.grad for p in method.encoder.parameters() if p.grad is not None])
    assert runs == [False, True, True]  # both views are one batch
    for once, again in zip(*gradients, strict=True):
        assert torch.allclose(once, again, atol=1e-6)


def test_keys_of_one_process_are_its_own():
    keys = (torch.randn(4, 3), torch.randn(4, 3))
    together, first = gathered(keys)
    assert torch.equal(together, torch.stack(keys))
    assert first == 0


def test_small_batches_are_refused_with_the_reason():
    with pytest.raises(UserError, match=r"batch_size must give each device at least 4 images.*but gives 3"):
        moco().check_batch(3)
    moco().check_batch(4)


def test_an_encoder_of_another_kind_is_refused():
    with pytest.raises(UserError, match=r"model must be a ViT or a ResNet for ssl=mocov3, but is a ConvNeXt"):
        MoCoV3(encoder=timm.create_model("convnext_atto", num_classes=0), **SETTINGS)


@pytest.mark.parametrize("pool", ["", "catavgmax"])
def test_a_resnet_that_does_not_give_one_vector_of_its_width_is_refused(pool):
    encoder = ResNet(BasicBlock, [1] * 4, channels=(8, 8, 16, 16), num_classes=0, global_pool=pool)
    with pytest.raises(UserError, match=rf"model\.options must leave .* their global_pool is '{pool}'"):
        MoCoV3(encoder=encoder, **SETTINGS)


@pytest.mark.parametrize("network", [MoCoViT, VisionTransformer])
def test_a_vit_that_gives_all_tokens_is_refused(network):
    with pytest.raises(UserError, match=r"model\.options must leave .* their global_pool is ''"):
        MoCoV3(encoder=network(**TINY_VIT, global_pool=""), **SETTINGS)


@pytest.mark.parametrize("pool", ["avg", "token", "max"])
def test_a_vit_may_pool_as_it_likes(pool):
    method = MoCoV3(encoder=VisionTransformer(**TINY_VIT, global_pool=pool), **SETTINGS)
    assert outcome(method).loss.isfinite()


def test_a_resnet_whose_blocks_are_computed_again_is_refused():
    encoder = ENCODERS["resnet"]()
    encoder.set_grad_checkpointing()
    with pytest.raises(UserError, match=r"trainer\.grad_checkpointing must be false for a ResNet"):
        MoCoV3(encoder=encoder, **SETTINGS)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"temperature": 0.0}, r"ssl\.temperature must be above 0, but is 0\.0"),
        ({"momentum": 1.5}, r"ssl\.momentum must be in \[0, 1\], but is 1\.5"),
        ({"momentum_schedule": "step"}, r"ssl\.momentum_schedule must be cosine or constant, but is step"),
    ],
)
def test_a_number_out_of_its_range_is_named(changed, complaint):
    with pytest.raises(UserError, match=complaint):
        moco(**changed)

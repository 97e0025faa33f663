import math

import pytest
import torch
from torch import nn

from mk11.errors import NonFiniteLossError
from mk11.optim.lars import Lars
from mk11.ssl.method import Method, Outcome
from mk11.ssl.mocov3 import MoCoV3
from mk11.ssl.optimiser import decay_groups, optimiser_of
from mk11.ssl.settings import Settings
from mk11.ssl.task import SelfSupervised, compile_method

SETTINGS = {
    "epochs": 4, "batch_size": 64, "accumulate": 1, "clip_norm": None, "seed": 0, "name": "adamw",
    "base_lr": 1.5e-4, "min_lr": 0.0, "warmup_epochs": 1.0, "weight_decay": 0.05, "layer_decay": 1.0,
    "betas": (0.9, 0.95), "momentum": 0.9, "trust": 1e-3, "reference_compatible": False,
}  # fmt: skip


class Toy(Method):
    """One matrix, one bias, one token and one bias table; records what its trainer tells it."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.matrix = nn.Linear(3, 3)
        self.encoder.norm = nn.LayerNorm(3)
        self.encoder.cls_token = nn.Parameter(torch.ones(1, 1, 3))
        self.encoder.relative_position_bias_table = nn.Parameter(torch.ones(9, 2))
        self.encoder.pos_embed = nn.Parameter(torch.ones(1, 4, 3), requires_grad=False)
        self.mask_token = nn.Parameter(torch.ones(1, 1, 3))
        self.told = []
        self.seen = []

    def draw(self, batch, device):
        return torch.rand(batch, 2)

    def forward(self, image, *, noise, progress):
        self.told.append((noise, progress, self.first_of_step))
        self.seen.append(image)
        return Outcome(self.encoder.matrix(image.mean((2, 3))).sum() * image.sum(), {"measure": 0.5})


class Trainer:
    """As much of Lightning's trainer as a step looks at."""

    global_step = 0
    current_epoch = 0


def task_of(method, *, channels_last=False, **changed):
    settings = Settings(**{**SETTINGS, **changed})
    task = SelfSupervised(
        method=method, settings=settings, channels_last=channels_last, provenance={"method": "toy"}
    )
    task.total_steps = 8
    task._trainer = Trainer()
    task.logged = {}
    task.log_dict = lambda values, **_: task.logged.update(values)
    return task


@pytest.fixture(autouse=True)
def detached(monkeypatch):
    monkeypatch.setattr(SelfSupervised, "trainer", property(lambda task: task._trainer), raising=True)


def batch_of(count=4, value=1.0):
    return {"image": torch.full((count, 3, 2, 2), value), "index": torch.arange(10, 10 + count)}


def groups_of(method, **changed):
    keys = {"lr": 1.0, "weight_decay": 0.05, "layer_decay": 1.0, "reference": False, **changed}
    groups = decay_groups(method, **keys)
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


DECAYED = {"encoder.matrix.weight"}
TOKENS = {"encoder.cls_token", "mask_token", "encoder.relative_position_bias_table"}
VECTORS = {"encoder.matrix.bias", "encoder.norm.weight", "encoder.norm.bias"}


def test_matrices_are_decayed_and_biases_norms_and_tokens_are_not():
    found = groups_of(Toy())
    assert {name for name, (_, decay) in found.items() if decay} == DECAYED
    assert {name for name, (_, decay) in found.items() if not decay} == TOKENS | VECTORS


def test_in_reference_mode_tokens_and_bias_tables_are_decayed_too():
    found = groups_of(Toy(), reference=True)
    assert {name for name, (_, decay) in found.items() if decay} == DECAYED | TOKENS


def test_every_trainable_parameter_is_in_one_group():
    method = Toy()
    groups = decay_groups(method, lr=1.0, weight_decay=0.05, layer_decay=1.0, reference=False)
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(parameter) for parameter in method.parameters() if parameter.requires_grad}


def moco():
    import timm

    encoder = timm.create_model("mocov3_vit_tiny", img_size=16, patch_size=8, depth=2, num_classes=0)
    return MoCoV3(
        encoder=encoder, projector_dim=8, output_dim=4, temperature=0.2, momentum=0.99,
        momentum_schedule="cosine", stop_grad_patch_embed=True,
    )  # fmt: skip


def test_moco_decays_everything_that_is_trained():
    method = moco()
    (group,) = decay_groups(method, lr=1.0, weight_decay=0.1, layer_decay=1.0, reference=False)
    assert group["weight_decay"] == 0.1
    trained = {id(parameter) for parameter in method.parameters() if parameter.requires_grad}
    assert {id(parameter) for parameter in group["params"]} == trained
    assert not trained & {id(parameter) for parameter in method.momentum_encoder.parameters()}


def test_layers_nearer_the_image_learn_more_slowly():
    found = groups_of(moco(), layer_decay=0.5)
    rates = {name: rate for name, (rate, _) in found.items()}
    assert rates["encoder.blocks.1.attn.qkv.weight"] == pytest.approx(0.5)
    assert rates["encoder.blocks.0.attn.qkv.weight"] == pytest.approx(0.25)
    assert rates["encoder.cls_token"] == pytest.approx(0.125)
    assert rates["encoder.norm.weight"] == rates["predictor.0.weight"] == 1.0


def test_the_optimiser_is_the_one_asked_for():
    adamw = optimiser_of(Toy(), Settings(**SETTINGS))
    assert type(adamw).__name__ == "AdamW"
    assert adamw.param_groups[0]["betas"] == (0.9, 0.95)
    assert adamw.param_groups[0]["lr"] == pytest.approx(1.5e-4 * 64 / 256)
    lars = optimiser_of(Toy(), Settings(**{**SETTINGS, "name": "lars"}))
    assert isinstance(lars, Lars)
    assert lars.param_groups[0]["momentum"] == 0.9


def test_each_step_has_noise_from_the_seeded_generator():
    task = task_of(Toy())
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        task.training_step(batch_of(), 0)
    (one, *_), (again, *_), (other, *_) = task.method.told
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_progress_is_the_share_of_steps_that_is_over():
    task = task_of(Toy())
    for step in range(8):
        task._trainer.global_step = step
        task.training_step(batch_of(), step % 2)
    assert [progress for _, progress, _ in task.method.told] == [step / 8 for step in range(8)]


def test_of_accumulated_batches_the_first_opens_the_step():
    task = task_of(Toy(), accumulate=3)
    for number in range(7):
        task.training_step(batch_of(), number)
    assert [first for *_, first in task.method.told] == [True, False, False, True, False, False, True]


def test_the_momentum_encoder_follows_once_a_step_however_many_batches_it_has():
    task = task_of(moco(), accumulate=2)
    task.method.momentum = 0.0  # it becomes the encoder at once
    views = {"image": torch.randn(4, 2, 3, 16, 16), "index": torch.arange(4)}
    with torch.no_grad():
        weight = task.method.encoder.cls_token
        copy = task.method.momentum_encoder.cls_token
        weight.add_(1)
        task.training_step(views, 1)
        assert not torch.equal(copy, weight)
        task.training_step(views, 2)
        assert torch.equal(copy, weight)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_and_names_its_images(value):
    with pytest.raises(NonFiniteLossError) as stopped:
        task_of(Toy()).training_step(batch_of(value=value), 5)
    assert stopped.value.rows == [10, 11, 12, 13]
    assert (stopped.value.epoch, stopped.value.step) == (1, 6)


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_have_the_memory_layout_of_the_network(channels_last):
    method = Toy()
    method.encoder.conv = nn.Conv2d(3, 4, 3)
    task = task_of(method, channels_last=channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    task.training_step({"image": torch.ones(4, 3, 5, 6), "index": torch.arange(4)}, 0)
    for tensor in (method.seen[0], method.encoder.conv.weight):
        assert tensor.is_contiguous(memory_format=layout)
    assert torch.equal(method.seen[0], torch.ones(4, 3, 5, 6))


def test_views_of_an_image_keep_their_layout():
    task, views = task_of(moco(), channels_last=True), torch.randn(4, 2, 3, 16, 16)
    assert task._laid_out(views) is views


@pytest.mark.parametrize(
    ("made", "parts"), [(Toy, {""}), (moco, {"encoder", "momentum_encoder"})], ids=["masked", "contrastive"]
)
def test_compiling_takes_a_masked_method_whole_and_of_a_contrastive_one_the_networks(
    made, parts, monkeypatch
):
    method, compiled = made(), []
    monkeypatch.setattr(nn.Module, "compile", lambda part: compiled.append(part))
    names = list(method.state_dict())
    compile_method(method)
    assert {name for name, module in method.named_modules() if module in compiled} == parts
    assert list(method.state_dict()) == names


def test_a_checkpoint_says_what_it_is_and_how_many_heads_the_encoder_has():
    for method, heads in ((Toy(), None), (moco(), 3)):
        checkpoint = {}
        task_of(method).on_save_checkpoint(checkpoint)
        assert checkpoint == {"mk11": {"method": "toy", "num_heads": heads}}


def test_what_a_method_measures_is_logged_beside_the_loss():
    task = task_of(Toy())
    loss = task.training_step(batch_of(), 0)
    assert task.logged == {"pretrain/loss": loss, "pretrain/measure": 0.5}

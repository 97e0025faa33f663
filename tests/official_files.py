"""Files as their authors publish them, with synthetic numbers; from the names and shapes of tests/golden."""

import argparse

import torch
from golden.recipe import Golden, closed_form, our_name

MOCO_KINDS = ("vit", "convstem", "resnet")
TINY = {  # the golden models as timm networks: architecture, options, image size
    "mae": ("mae_vit_tiny", {"embed_dim": 96, "depth": 3, "num_heads": 3}, 224),
    "convmae": ("convmae_tiny", {"embed_dim": [32, 48, 96], "depth": [2, 2, 3], "num_heads": 3}, 224),
    "mixmim": ("mixmim_tiny", {"embed_dim": 32, "depths": [2, 2, 3, 2], "num_heads": [1, 2, 4, 8]}, 224),
    "vit": ("mocov3_vit_tiny", {"embed_dim": 96, "depth": 3, "num_heads": 3}, 64),
    "convstem": ("mocov3_vit_conv_tiny", {"embed_dim": 64, "depth": 2, "num_heads": 4}, 64),
    "resnet": ("resnet18", {"layers": [1, 1, 1, 1]}, 64),
}


def tiny_state(name):
    """The whole state of a tiny pre-training model: mae, convmae, mixmim, or a kind of MoCo v3."""
    return Golden("mocov3").state(name) if name in MOCO_KINDS else Golden(name).state()


def in_our_names(state, method):
    """A pre-training state under the names that our method has."""
    return {our_name(name, method): tensor for name, tensor in state.items()}


def published(method, size):
    """{name: tensor} of a published size: shapes that take no memory, position tables with their values."""
    return {
        name: torch.tensor(closed_form(name, shape, method))
        if name.endswith("pos_embed")
        else torch.zeros(()).expand(shape)
        for name, shape in Golden(method).size(size).items()
    }


def finetuned(method, classes=5):
    """A fine-tuned tiny model of MAE, ConvMAE or MixMIM, with the golden head."""
    golden, state = Golden(method), tiny_state(method)
    width = golden.config["embed_dim"] * 8 if method == "mixmim" else 96
    own = {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith(("decoder", "mask_token", "stage1_output", "stage2_output"))
    }
    extra = {"head.weight": (classes, width), "head.bias": (classes,)}
    if method != "mixmim":  # the mean of the tokens has a norm of its own
        own = {name: tensor for name, tensor in own.items() if not name.startswith("norm.")}
        extra |= {"fc_norm.weight": (width,), "fc_norm.bias": (width,)}
    return own | {name: golden.entry(name, shape) for name, shape in extra.items()}


def encoder_only(method, state):
    """Without the parts that the manifest says such files lack."""
    lacking = tuple(Golden(method).manifest["encoder_only_file"]["missing_prefixes"])
    return {name: tensor for name, tensor in state.items() if not name.startswith(lacking)}


def as_training_script(state):
    """A checkpoint of main_pretrain.py of MAE, ConvMAE or MixMIM."""
    return {
        "model": state,
        "optimizer": {
            "state": {0: {"step": torch.tensor(1.0)}},
            "param_groups": [{"lr": 1e-3, "params": [0]}],
        },
        "epoch": 799,
        "scaler": {"scale": 65536.0},
        "args": argparse.Namespace(batch_size=64, mask_ratio=0.75, output_dir="./out", distributed=True),
    }


def as_moco(state):
    """A checkpoint of main_moco.py: wrapped in DistributedDataParallel."""
    return {
        "epoch": 300,
        "arch": "vit_small",
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
        "optimizer": {"state": {}, "param_groups": []},
        "scaler": {},
    }


def as_dinov2(state, *, chunks=1):
    """A teacher of DINOv2's training (DinoBloom's files): heads beside the backbone, blocks in chunks."""
    backbone = {f"backbone.{_chunked(name, chunks)}": tensor for name, tensor in state.items()}
    heads = {"dino_head.mlp.0.weight": torch.zeros(2, 2), "ibot_head.mlp.0.weight": torch.zeros(2, 2)}
    return {"teacher": backbone | heads, "iteration": 7}


def dinov2_names(network):
    """A timm ViT's tensors under DINOv2's names: register tokens apart, a table with a class row."""
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("head.")}
    width = state["cls_token"].shape[-1]
    state["mask_token"] = torch.zeros(1, width)
    if "reg_token" in state:
        row = torch.full((1, 1, width), 0.5)
        state["register_tokens"] = state.pop("reg_token")
        state["cls_token"] = state["cls_token"] - row
        state["pos_embed"] = torch.cat([row, state["pos_embed"]], dim=1)
    return state


def _chunked(name, chunks):
    parts = name.split(".")
    if chunks == 1 or parts[0] != "blocks":
        return name
    return ".".join(["blocks", str(int(parts[1]) // chunks), *parts[1:]])

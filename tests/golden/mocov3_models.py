"""MoCo v3's tiny models with the recipe's weights, and the two views, for tests in one process or several."""

import torch
from golden.recipe import Golden, our_name
from timm.models.resnet import BasicBlock, ResNet

from mk11.models.encoders.mocov3 import ConvStem, MoCoViT
from mk11.ssl.mocov3 import MoCoV3

GOLDEN = Golden("mocov3")
KINDS = ("vit", "resnet", "convstem")


def vit(num_classes=0, **stem):
    """The tiny ViT; of the flavour with a stem where ``embed_layer`` is one."""
    config = GOLDEN.config | (GOLDEN.config["convstem"] if stem else {})
    shape = {name: config[name] for name in ("img_size", "patch_size", "embed_dim", "depth", "num_heads")}
    return MoCoViT(num_classes=num_classes, **shape, **stem)


def encoder(kind):
    """The encoder of a flavour."""
    if kind == "resnet":
        return ResNet(BasicBlock, GOLDEN.config["resnet"]["layers"], num_classes=0)
    return vit(embed_layer=ConvStem) if kind == "convstem" else vit()


def method(kind, **changed):
    """MoCo v3 with the recipe's weights."""
    config = GOLDEN.config | GOLDEN.config.get(kind, {})
    numbers = {
        "projector_dim": config["mlp_dim"],
        "output_dim": config["dim"],
        "temperature": config["T"],
        "momentum": config["m"],
        "momentum_schedule": "cosine",
        "stop_grad_patch_embed": True,
    }
    made = MoCoV3(encoder=encoder(kind), **numbers | changed)
    made.load_state_dict(renamed(GOLDEN.state(kind)))
    return made


def renamed(state):
    """A state dict of the official pre-training under our names."""
    return {our_name(name, "mocov3"): value for name, value in state.items()}


def two_views():
    """(batch, 2, 3, height, width)"""
    return torch.stack([GOLDEN.images("x1"), GOLDEN.images("x2")], dim=1)


def step(made, images):
    """The outcome of one forward pass at the very start of training."""
    return made(images, noise=torch.empty(0), progress=0.0)

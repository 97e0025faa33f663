import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from mk11.errors import UserError
from mk11.models.classifier import create_classifier
from mk11.models.weights import load_weights, weights_hash

FAMILIES = ["test_convnext", "test_vit", "vgg11_bn", "test_efficientnet", "test_resnet"]
every_family = pytest.mark.parametrize("architecture", FAMILIES)


def create(architecture, *, seed=0, num_classes=5, image_size=32, weights="none", allow_partial=False):
    torch.manual_seed(seed)
    return create_classifier(
        architecture=architecture,
        num_classes=num_classes,
        image_size=image_size,
        drop_path=None,
        weights=str(weights),
        allow_partial=allow_partial,
        options={"mlp_ratio": 1 / 64} if "vgg" in architecture else {},
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )


def saved(state, path):
    torch.save(state, path)
    return path


def logits_of(network, image_size=32):
    image = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network.eval()(image)


def as_lightning(state):
    return {
        "epoch": 3,
        "state_dict": {f"network.{k}": v for k, v in state.items()} | {"criterion.weight": torch.ones(5)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
        "hyper_parameters": {"model": {"variant": "tiny"}},
    }


WRAPPINGS = {
    "our checkpoint": as_lightning,
    "timm state dict": dict,
    "in a model entry": lambda state: {"model": state, "epoch": 1},
    "of DDP": lambda state: {f"module.{k}": v for k, v in state.items()},
    "compiled": lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
}


@every_family
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_saved_network_comes_back_with_its_logits(architecture, wrapping, tmp_path):
    trained = create(architecture, seed=1)
    path = saved(WRAPPINGS[wrapping](trained.state_dict()), tmp_path / "weights.ckpt")
    again = create(architecture, seed=2, weights=path)
    report = again.weights_report
    assert torch.equal(logits_of(again), logits_of(trained))
    assert report.matched == tuple(trained.state_dict())
    assert (report.missing, report.unexpected, report.replaced) == ((), (), ())


@pytest.mark.parametrize("name", ["model.safetensors", "wrong_suffix.pth"])
def test_safetensors_are_known_by_content_not_by_suffix(name, tmp_path):
    trained = create("test_vit", seed=1)
    save_file(trained.state_dict(), tmp_path / name)
    assert torch.equal(logits_of(create("test_vit", weights=tmp_path / name)), logits_of(trained))


@every_family
def test_a_head_of_another_size_starts_fresh_and_is_listed(architecture, tmp_path):
    path = saved(create(architecture, num_classes=7).state_dict(), tmp_path / "weights.pth")
    network = create(architecture, num_classes=5, weights=path)
    head = network.weights_report.replaced
    assert len(head) == 2
    assert {network.state_dict()[name].shape[0] for name in head} == {5}
    assert set(network.weights_report.matched) == set(network.state_dict()) - set(head)
    assert network.weights_report.sentence().endswith(f"fresh: {head[0].split('.')[0]}")


@every_family
def test_an_encoder_without_a_head_is_complete(architecture, tmp_path):
    network = create(architecture)
    head = {id(p) for p in network.get_classifier().parameters()}
    encoder = {name for name, p in network.named_parameters() if id(p) not in head}
    state = {k: v for k, v in network.state_dict().items() if k in encoder or "running" in k}
    report = create(architecture, weights=saved(state, tmp_path / "encoder.pth")).weights_report
    assert report.missing == ()
    assert len(report.replaced) == 2


@every_family
def test_one_missing_tensor_stops_unless_partial_weights_are_allowed(architecture, tmp_path):
    state = create(architecture).state_dict()
    gone = list(state)[3]
    del state[gone]
    path = saved(state, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=rf"1 of its tensors are missing .*{gone}.*model\.allow_partial=true"):
        create(architecture, weights=path)
    report = create(architecture, weights=path, allow_partial=True).weights_report
    assert report.missing == (gone,)


def test_a_tensor_of_another_shape_counts_as_missing(tmp_path):
    state = create("test_resnet").state_dict()
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"][:, :4]
    with pytest.raises(UserError, match=r"another shape \(layer1\.0\.conv1\.weight\)"):
        create("test_resnet", weights=saved(state, tmp_path / "weights.pth"))


@pytest.mark.parametrize("other", FAMILIES[1:])
@pytest.mark.parametrize("allow_partial", [False, True])
def test_another_familys_file_is_refused_in_any_case(other, allow_partial, tmp_path):
    path = saved(create(other).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"must be weights of test_convnext, but none of its tensors fits"):
        create("test_convnext", weights=path, allow_partial=allow_partial)


def test_a_deeper_network_is_not_taken_for_a_shallower_one(tmp_path):
    state = create("test_vit").state_dict()
    deeper = state | {k.replace("blocks.5", "blocks.6"): v for k, v in state.items() if "blocks.5" in k}
    path = saved(deeper, tmp_path / "deeper.pth")
    with pytest.raises(UserError, match=r"12 in the file have no place \(blocks\.6\.norm1\.weight"):
        create("test_vit", weights=path)
    assert len(create("test_vit", weights=path, allow_partial=True).weights_report.unexpected) == 12


def test_a_decoder_beside_the_encoder_is_reported_and_no_more(tmp_path):
    state = create("test_vit").state_dict() | {"decoder_embed.weight": torch.zeros(3, 3)}
    path = saved(state, tmp_path / "pretrained.pth")
    report = load_weights(create("test_vit"), str(path), allow_partial=False)
    assert (report.aside, report.unexpected) == (("decoder_embed.weight",), ())
    assert "0 unexpected, 1 left aside (decoder_embed), fresh: nothing" in report.sentence()


@pytest.mark.parametrize("size", [64, 96, 160])
def test_a_position_embedding_is_resized_to_the_image(size, tmp_path):
    small = create("test_vit", image_size=96)
    nn.init.normal_(small.pos_embed)
    path = saved(small.state_dict(), tmp_path / "weights.pth")
    network = create("test_vit", image_size=size, weights=path)
    token, grid = small.pos_embed[:, :1], small.pos_embed[:, 1:].reshape(1, 6, 6, -1)
    wanted = F.interpolate(grid.permute(0, 3, 1, 2), size=(size // 16,) * 2, mode="bicubic", antialias=True)
    expected = torch.cat([token, wanted.flatten(2).transpose(1, 2)], dim=1)
    assert torch.allclose(network.pos_embed, expected, atol=1e-6)
    assert logits_of(network, size).isfinite().all()


class LikeVolo(nn.Module):
    """timm's VOLO calls its layers what our checkpoints call the whole network."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
        self.head = nn.Linear(3, 5)
        self.pretrained_cfg = {"architecture": "like_volo"}

    def get_classifier(self):
        return self.head


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_network_whose_layers_are_called_like_a_wrapper_comes_back_too(wrapping, tmp_path):
    trained, again = LikeVolo(), LikeVolo()
    path = saved(WRAPPINGS[wrapping](trained.state_dict()), tmp_path / "weights.ckpt")
    report = load_weights(again, str(path), allow_partial=False)
    assert report.matched == tuple(trained.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), trained.parameters(), strict=True))


def test_the_authors_names_of_a_convnext_become_timms(tmp_path):
    trained = create("test_convnext", seed=1)
    names = (
        ("stem.", "downsample_layers.0."),
        (".blocks.", "."),
        ("conv_dw", "dwconv"),
        ("mlp.fc", "pwconv"),
        ("head.fc", "head"),
        ("head.norm", "norm"),
    )
    published = {}
    for key, value in trained.state_dict().items():
        for ours, theirs in names:
            key = key.replace(ours, theirs)
        if ".downsample." in key:
            _, stage, _, rest = key.split(".", 3)
            key = f"downsample_layers.{stage}.{rest}"
        published[key] = value
    again = create("test_convnext", weights=saved({"model": published}, tmp_path / "convnext.pth"))
    assert torch.equal(logits_of(again), logits_of(trained))


def test_a_hash_follows_the_content_and_not_the_path(tmp_path):
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"other")):
        (tmp_path / name).write_bytes(content)
    same, again, other = (weights_hash(str(tmp_path / name), architecture="resnet50") for name in "abc")
    assert same == again != other
    assert len(same) == 16


def test_imagenet_weights_are_named_by_timms_tag_and_none_has_no_hash():
    assert weights_hash("imagenet", architecture="resnet50") == "resnet50.a1_in1k"
    assert weights_hash("imagenet", architecture="convnext_tiny.fb_in1k") == "convnext_tiny.fb_in1k"
    assert weights_hash("none", architecture="resnet50") is None
    with pytest.raises(UserError, match="there is no file absent"):
        weights_hash("absent", architecture="resnet50")


def test_the_report_carries_the_files_hash(tmp_path):
    network = timm.create_model("test_resnet", num_classes=5)
    path = str(saved(network.state_dict(), tmp_path / "weights.pth"))
    report = load_weights(network, path, allow_partial=False)
    assert report.content_hash == weights_hash(path, architecture="test_resnet")
    assert report.source == path

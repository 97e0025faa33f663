"""`python -m mk11.evaluation.probe` from end to end, in this process."""

import pytest
import torch

from mk11.errors import UserError
from mk11.evaluation.probe import extract
from mk11.evaluation.probe.__main__ import main
from mk11.evaluation.probe.command import sort_words
from mk11.evaluation.probe.encoders import encoder_of
from mk11.evaluation.probe.extract import Computing, Extractor
from mk11.files import read_json
from mk11.metrics.final import classification_metrics
from mk11.metrics.probes import knn_scores, nearest
from mk11.models.features import features

CPU = ("--workers", "0", "--device", "cpu", "--draws", "3", "--shots", "1", "5")


@pytest.fixture
def data_words(cells):
    return ("data=folder", f"data.root={cells}", "data.folds.count=3")


def test_a_pretraining_run_is_probed_on_its_own_fold(run, data, capsys):
    assert main([str(run), *CPU]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("k-NN", "linear probe", "prototypes, 5 shots", "macro-F1"))
    (result,) = read_json(run / "probe.json")["results"]
    fold = data.fold(1)
    assert result["data"]["fingerprint"] == fold.fingerprint
    assert result["data"]["images"] == fold.table["split"].value_counts().to_dict()
    assert result["data"]["marks"] == {}
    assert {"commit", "versions", "precision", "settings", "at"} <= result.keys()


def test_the_figures_are_those_of_the_encoders_features(run, data):
    """A second way: extract and vote here."""
    main([str(run), *CPU])
    (result,) = read_json(run / "probe.json")["results"]
    extractor = Extractor(
        encoder_of(run, class_token=False), Computing(torch.device("cpu"), None, batch_size=7, workers=0)
    )
    splits = extractor.splits(data.fold(1), data)
    train, test = splits["train"], splits["test"]
    k = result["knn"]["k"]
    found = nearest(test.features, train.features, count=k)
    scores = knn_scores(found, train.labels, k=k, temperature=0.07, num_classes=3)
    expected = classification_metrics(scores.numpy(), test.labels.numpy(), ["0", "1", "2"])
    assert result["knn"]["test"]["f1_macro"] == pytest.approx(expected["f1_macro"])
    assert result["features"]["dim"] == train.features.shape[1]


def test_the_same_command_again_finds_the_same_figures(run):
    stripped = []
    for _ in range(2):
        main([str(run), *CPU])
        (result,) = read_json(run / "probe.json")["results"]
        stripped.append({key: value for key, value in result.items() if key != "at"})
    assert stripped[0] == stripped[1]


def test_folds_share_the_features_of_their_images(data, run, monkeypatch):
    sizes = []

    def counted(*arguments, **options):
        found = features(*arguments, **options)
        sizes.append(len(found.rows))
        return found

    monkeypatch.setattr(extract, "features", counted)
    first, second = (
        Extractor(encoder_of(run, class_token=False), Computing(torch.device("cpu"), None, 16, 0))
        for _ in range(2)
    )
    first.splits(data.fold(0), data)
    shared = first.splits(data.fold(1), data)
    assert sum(sizes) == len(data.fold(0).table)  # nothing is left to compute for fold 1
    alone = second.splits(data.fold(1), data)
    for split in ("train", "val", "test"):
        assert torch.equal(shared[split].labels, alone[split].labels)
        assert torch.allclose(shared[split].features, alone[split].features, atol=1e-5)


def test_a_network_of_timm_is_probed_on_all_folds(data_words, tmp_path, capsys):
    arguments = ["--encoder", "test_resnet", "--image-size", "32", "--out", str(tmp_path)]
    assert main([*arguments, *data_words, *CPU, "--fold", "all"]) == 0
    found = read_json(tmp_path / "probe.json")
    assert [result["data"]["fold"] for result in found["results"]] == [0, 1, 2]
    assert "3 folds" in capsys.readouterr().out
    assert found["encoder"]["hash"] == "none-seed0"


def test_a_finished_training_run_is_probed(train_in_process, capsys):
    _, job = train_in_process("model=resnet_test", "epochs=1", "fold=2")
    assert main([str(job.folder.path), *CPU]) == 0
    found = read_json(job.folder.path / "probe.json")
    assert found["encoder"]["method"] == "supervised"
    assert found["results"][0]["data"]["fold"] == 2
    assert found["results"][0]["data"]["fingerprint"] == job.fold.fingerprint


def test_each_network_stands_beside_itself_untrained(run, data, capsys):
    assert main([str(run), "--untrained", "--seed", "3", *CPU]) == 0
    trained, drawn = read_json(run / "probe.json"), read_json(run / "untrained-seed3" / "probe.json")
    assert trained["results"][0]["data"] == drawn["results"][0]["data"]
    assert trained["results"][0]["linear"] != drawn["results"][0]["linear"]
    assert trained["encoder"]["options"] == drawn["encoder"]["options"]
    assert "method" not in drawn["encoder"]
    assert "folder/mae/fold1, untrained-seed3 on folder" in capsys.readouterr().out


def test_features_that_are_not_finite_are_told(run, capsys, monkeypatch):
    broken = "mk11.models.features.pooled"
    monkeypatch.setattr(broken, lambda _, image: torch.full((len(image), 4), torch.nan))
    assert main([str(run), *CPU]) == 2
    assert "RUN must give finite features" in capsys.readouterr().err
    assert not (run / "probe.json").exists()


def test_a_leak_stops_everything_before_anything_is_computed(run, capsys):
    assert main([str(run), "--fold", "1", "0", *CPU]) == 2
    assert "error: RUN must not have seen" in capsys.readouterr().err
    assert not (run / "probe.json").exists()
    assert main([str(run), "--fold", "1", "0", "data.on_leak=warn", *CPU]) == 0
    clean, leaking = read_json(run / "probe.json")["results"]
    assert "weights" in leaking["data"]["marks"]
    assert "weights" not in clean["data"]["marks"]
    assert "careful: fold 0 is marked: weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "RUN or --encoder must be given"),
        (["/no/such/run"], "RUN must be a finished run of pretrain.py"),
        (["/some/run", "--weights", "imagenet"], "--encoder must be given with --weights"),
        (["--encoder", "no_such_net"], "--encoder must name a network that timm knows"),
        (["--encoder", "test_vit", "--weights", "/no/file"], "--weights must be none, imagenet or a file"),
        (["--encoder", "resnet18.badtag"], "--encoder must name a network that timm knows, but is resnet18."),
        (["--encoder", "test_vit", "--fold", "x"], "--fold must be numbers, final or all, but has x"),
        (["--encoder", "test_vit", "--fold", "\u00b2"], "--fold must be numbers, final or all, but has"),
        (["--encoder", "test_vit", "--fold", "7"], "--fold must be one of 0, 1, 2, but is 7"),
        (["--encoder", "test_vit", "--precision", "fp16"], "--precision must be auto, fp32 or bf16 on a CPU"),
        (
            ["--encoder", "test_vit", "--image-size", "32", "--out", "/dev/null/x"],
            "--out must be a folder that",
        ),
        (
            ["--encoder", "test_resnet", "--image-size", "32", "--class-token", "--workers", "0"],
            "--class-token must be left out for test_resnet",
        ),
        (
            ["--encoder", "mae_vit_tiny", "--image-size", "30", "--workers", "0"],
            "--image-size must be a multiple of the patch",
        ),
        (["--encoder", "test_vit", "--draws", "0"], "--draws must be a whole number of at least 1"),
        (["--encoder", "test_vit", "--shots", "0"], "--shots must be a whole number of at least 1"),
        (["--encoder", "test_vit", "--image-size", "0"], "--image-size must be a whole number"),
        (["--encoder", "test_vit", "epochs=3"], "KEY=VALUE must be data=..., data.KEY=... or fold="),
        (["--encoder", "test_vit", "fold=one"], "--fold must be numbers, final or all, but has one"),
        (["--encoder", "test_vit", "--device", "gpu", "--image-size", "32"], "--device must be auto or cpu"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments, told, data_words, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = data_words if arguments[:1] == ["--encoder"] else ()
    assert main([*words, *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert told in message


@pytest.mark.parametrize("size", [0, 4, 100])
def test_a_damaged_encoder_is_told_as_the_run_that_it_is(run, size, capsys):
    path = run / "encoder.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    for word in (run, path):
        assert main([str(word), *CPU]) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: RUN must be a whole ")
        assert "--weights" not in message


def test_a_damaged_config_is_named(run, capsys):
    (run / "config.yaml").write_text("a: [1")
    assert main([str(run), *CPU]) == 2
    assert "config.yaml must be YAML as its run wrote it" in capsys.readouterr().err


def test_encoders_of_several_folds_end_with_their_mean(run, run_of, capsys):
    assert main([str(run), str(run_of(0)), *CPU]) == 0
    printed = capsys.readouterr().out
    assert "folder/mae, 2 encoders on folder" in printed
    assert "folds 0, 1, an encoder each" in printed


def test_words_may_stand_in_any_order(tmp_path):
    words = sort_words(["a/run", "data=folder"], ["0", "final", "b/run", "data.root=x", "fold=2,3"])
    assert [str(run) for run in words.runs] == ["a/run", "b/run"]
    assert words.overrides == ("data=folder", "data.root=x")
    assert words.folds == ("0", "final", "2", "3")
    odd = tmp_path / "lr=1"
    odd.mkdir()
    assert sort_words([str(odd)], []).runs == (odd,)
    with pytest.raises(UserError, match="--fold must be numbers, final or all, but has runsx"):
        sort_words([], ["0", "runsx"])
    with pytest.raises(UserError, match="model=vit"):
        sort_words(["model=vit"], [])


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "python -m mk11.evaluation.probe runs/pretrain" in capsys.readouterr().out

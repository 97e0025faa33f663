"""What `pretrain.py` learns from, and what it never sees."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from mk11.files import read_json
from mk11.models.checkpoints import read_provenance
from mk11.models.encoder_file import read_about

SMALL = ("model=mae_tiny", "model.options.depth=1", "epochs=1")  # a training from the encoder


def test_the_test_split_is_never_asked_for(pretrain_in_process, monkeypatch):
    from mk11.data.loader import CellLoaders

    asked, loader = set(), CellLoaders.loader

    def noted(loaders, split):
        asked.add(split)
        return loader(loaders, split)

    monkeypatch.setattr(CellLoaders, "loader", noted)
    pretrain_in_process("epochs=1")
    assert asked == {"train", "val"}


def test_a_sneaked_in_test_image_is_not_learnt_from(pretrain_in_process, pretrain_job, tmp_path, capsys):
    table = pretrain_job().fold.table
    crops = tmp_path / "crops"
    crops.mkdir()
    for split in ("train", "val", "test"):
        for number, path in enumerate(table.loc[table["split"] == split, "path"]):
            shutil.copy(path, crops / f"{split}{number}.png")
    _, job = pretrain_in_process("pool=folder", f"pool.folders=[{crops}]", "epochs=1")
    held_out = set(table.loc[table["split"] != "train", "content_hash"])
    assert held_out
    assert not held_out & set(read_about(job.folder.encoder)["trained_on"])
    counts = read_json(job.folder.record)["pool"]["counts"]
    assert counts["held_out"] == len(table[table["split"] != "train"])
    assert f"{counts['held_out']} held out for validation or test, left out" in capsys.readouterr().out


def test_images_of_unknown_patients_leave_a_mark_on_all_that_follows(
    pretrain_in_process, train_in_process, tmp_path, capsys
):
    (tmp_path / "crops").mkdir()
    Image.fromarray(np.full((32, 32, 3), 77, np.uint8)).save(tmp_path / "crops" / "a.png")
    _, job = pretrain_in_process("pool=mixed", f"pool.folders=[{tmp_path / 'crops'}]", "epochs=1")
    (told,) = read_json(job.folder.record)["data"]["marks"]["transductive"]
    assert told.startswith("unknown: 1 of 1 images without labels may be of held-out patients")
    _, trained = train_in_process(*SMALL, f"model.weights={job.folder.encoder}")
    assert read_json(trained.folder.record)["data"]["marks"]["transductive"] == [told]
    assert "transductive: unknown: 1 of 1" in capsys.readouterr().err
    assert read_provenance(trained.folder.best)["marks"] == {"transductive": [told]}


def test_the_pool_is_part_of_what_names_a_run(pretrain_job, tmp_path, cells):
    crops = tmp_path / "crops"
    shutil.copytree(Path(cells) / "blast", crops)
    base = pretrain_job()
    assert pretrain_job("pool=mixed").identity == base.identity
    assert pretrain_job("pool=folder", f"pool.folders=[{crops}]").identity != base.identity
    assert pretrain_job("ssl.mask_ratio=0.5").identity != base.identity
    for irrelevant in (
        "health.every=7",
        "monitor=loss",
        "workers=2",
        "optim.trust=0.5",
        "model.drop_path=0.3",
    ):
        assert pretrain_job(irrelevant).identity == base.identity


def test_the_final_fold_has_an_encoder_that_has_not_seen_the_holdout(pretrain_in_process):
    keys = ("fold=final", "data.holdout.fraction=0.3", "epochs=1", "health.every=0", "monitor=loss")
    _, job = pretrain_in_process(*keys)
    assert job.folder.path.name.startswith("foldfinal-seed0-")
    locked = job.fold.table.loc[job.fold.table["split"] == "test", "content_hash"]
    assert len(locked)
    assert not set(locked) & set(read_about(job.folder.encoder)["trained_on"])

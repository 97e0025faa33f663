import pytest

from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.training.loggers.binding import bind, content_hash, has_arrived, remember_arrival

PLACE = {"project": "mk11", "entity": "lab"}


def test_an_id_is_drawn_once_and_kept_with_the_identity_of_its_run(tmp_path):
    drawn = bind(tmp_path, "0123abcd")
    assert bind(tmp_path, "0123abcd") == drawn
    assert read_json(tmp_path / "wandb.json") == {"id": drawn, "identity": "0123abcd"}


def test_an_id_of_another_identity_is_refused(tmp_path):
    bind(tmp_path, "0123abcd")
    with pytest.raises(
        UserError, match=r"wandb\.json must hold the W&B id of run ffff0000, but was made for 0"
    ):
        bind(tmp_path, "ffff0000")


def test_an_id_from_before_identities_were_kept_goes_on(tmp_path):
    write_json(tmp_path / "wandb.json", {"id": "abcd1234"})
    assert bind(tmp_path, "0123abcd") == "abcd1234"
    assert read_json(tmp_path / "wandb.json")["identity"] == "0123abcd"


def test_no_seed_decides_on_an_id(tmp_path):
    import random

    ids = set()
    for name in "abc":
        random.seed(0)
        ids.add(bind(tmp_path / name, "0123abcd"))
    assert len(ids) == 3


def test_an_arrival_holds_for_its_content_and_place_alone(stored):
    folder = stored().folder
    content = content_hash(folder)
    assert not has_arrived(folder, content=content, **PLACE)
    bind(folder.path, "0123abcd")
    remember_arrival(folder, content=content, run="r", **PLACE)
    assert has_arrived(folder, content=content, **PLACE)
    assert has_arrived(folder, content=content, project="mk11", entity=None)
    assert not has_arrived(folder, content="other", **PLACE)
    assert not has_arrived(folder, content=content, project="another", entity="lab")
    assert not has_arrived(folder, content=content, project="mk11", entity="another")


@pytest.mark.parametrize("name", ["config", "history", "metrics", "predictions"])
def test_each_file_that_is_sent_is_part_of_the_content(stored, name):
    folder = stored().folder
    before = content_hash(folder)
    path = getattr(folder, name)
    path.write_bytes(path.read_bytes() + b"\n")
    assert content_hash(folder) != before

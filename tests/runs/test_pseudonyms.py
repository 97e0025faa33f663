import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mk11.errors import UserError
from mk11.runs.pseudonyms import Pseudonyms, key_file


@pytest.fixture(autouse=True)
def config_folder(monkeypatch, tmp_path):
    """A user who has no key yet."""
    monkeypatch.delenv("MK11_PSEUDONYM_KEY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_name_is_the_same_every_time_and_shows_nothing_of_the_real_one():
    first, second = Pseudonyms.load(), Pseudonyms.load()
    assert first.patient("Mustermann") == second.patient("Mustermann")
    assert re.fullmatch(r"group-[0-9a-f]{8}", first.patient("Mustermann"))
    assert re.fullmatch(r"image-[0-9a-f]{16}", first.image("Mustermann/cell 1.png"))


def test_different_names_stay_different():
    names = [Pseudonyms(b"0123456789abcdef").image(f"{number}.png") for number in range(20_000)]
    assert len(set(names)) == len(names)


def test_a_patient_and_an_image_of_one_name_have_nothing_in_common():
    pseudonyms = Pseudonyms.load()
    assert pseudonyms.image("P1").removeprefix("image-")[:8] not in pseudonyms.patient("P1")


def test_an_unknown_patient_stays_unknown():
    assert Pseudonyms.load().patient("") == ""


def test_the_key_is_drawn_once_and_only_its_owner_can_read_it(config_folder):
    Pseudonyms.load()
    (path,) = [path for path in config_folder.rglob("*") if path.is_file()]
    assert path == key_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    Pseudonyms.load()
    assert path.read_text() == before


def test_processes_that_draw_at_once_agree_on_one_key():
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: Pseudonyms.load().key, range(64)))
    assert len(set(keys)) == 1


def test_another_key_gives_other_names(monkeypatch):
    own = Pseudonyms.load().patient("P1")
    monkeypatch.setenv("MK11_PSEUDONYM_KEY", "a key shared by the whole group")
    assert Pseudonyms.load().patient("P1") != own


def test_the_name_is_the_published_keyed_hash():
    # printf 'patient\0P1' | openssl dgst -sha256 -hmac 0123456789abcdef
    assert Pseudonyms(b"0123456789abcdef").patient("P1") == "group-db1a0b1c"


def test_the_key_does_not_show_in_a_traceback():
    assert "0123456789abcdef" not in repr(Pseudonyms(b"0123456789abcdef"))


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_too_short_to_be_secret_is_refused(monkeypatch, key):
    monkeypatch.setenv("MK11_PSEUDONYM_KEY", key)
    with pytest.raises(UserError, match="MK11_PSEUDONYM_KEY must have at least 16 characters"):
        Pseudonyms.load()


def test_a_config_folder_that_cannot_be_used_is_told_with_the_way_out(config_folder):
    config_folder.write_text("in the way")
    with pytest.raises(UserError, match="MK11_PSEUDONYM_KEY gives one"):
        Pseudonyms.load()


def test_an_emptied_key_file_is_refused(config_folder):
    (config_folder / "mk11").mkdir(parents=True)
    key_file().write_text("")
    with pytest.raises(UserError, match=r"pseudonym\.key must hold a key"):
        Pseudonyms.load()

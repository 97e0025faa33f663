from mk11.data.place import side_folder


def test_it_lies_beside_the_data(tmp_path):
    assert side_folder(tmp_path, None) == tmp_path / ".mk11"
    assert side_folder(tmp_path, None).is_dir()


def test_a_read_only_folder_is_left_alone(tmp_path, monkeypatch):
    root = tmp_path / "cells"
    root.mkdir()
    root.chmod(0o555)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = side_folder(root, None)
    assert folder.parent == tmp_path / "cache" / "mk11"
    assert folder.name.startswith("cells-")
    assert not list(root.iterdir())


def test_folders_of_the_same_name_have_places_of_their_own(tmp_path):
    roots = [tmp_path / name / "cells" for name in "ab"]
    for root in roots:
        root.mkdir(parents=True)
    folders = [side_folder(root, tmp_path / "work") for root in roots]
    assert len(set(folders)) == 2
    assert {folder.parent for folder in folders} == {tmp_path / "work"}

"""probe.json: results are added, replaced, and dropped with the encoder they were of."""

from dataclasses import replace

import pytest
import torch

from mk11.evaluation.probe import record
from mk11.evaluation.probe.encoders import Ready, encoder_of
from mk11.evaluation.probe.record import write_probe
from mk11.files import read_json, write_json

READY = Ready(torch.nn.Identity(), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def encoder(run):
    return encoder_of(run, class_token=False)


def folds_in(path):
    return [(result["data"]["fold"], result["knn"]["k"]) for result in read_json(path)["results"]]


def test_results_of_further_folds_are_added(encoder, result):
    write_probe(encoder, READY, [result()])
    path = write_probe(encoder, READY, [result(data__fold=1, data__fingerprint="f1")])
    assert path == encoder.home / "probe.json"
    assert folds_in(path) == [(0, 5), (1, 5)]


def test_a_fold_probed_again_takes_the_place_of_the_earlier_result(encoder, result):
    write_probe(encoder, READY, [result()])
    path = write_probe(encoder, READY, [result(knn__k=20)])
    assert folds_in(path) == [(0, 20)]


def test_another_scale_of_the_same_fold_is_another_result(encoder, result):
    write_probe(encoder, READY, [result()])
    path = write_probe(encoder, READY, [result(data__resize="fixed_scale", data__target_um_per_pixel=0.5)])
    assert len(folds_in(path)) == 2


def test_results_of_another_encoder_at_this_place_go(encoder, result):
    write_probe(encoder, READY, [result()])
    path = write_probe(
        replace(encoder, hash="another"), READY, [result(data__fold=1, data__fingerprint="f1")]
    )
    assert folds_in(path) == [(1, 5)]


def test_class_token_and_mean_stand_beside_each_other(encoder, result):
    write_probe(encoder, READY, [result()])
    path = write_probe(encoder, READY, [result(class_token=True, knn__k=20)])
    assert folds_in(path) == [(0, 5), (0, 20)]
    assert folds_in(write_probe(encoder, READY, [result(class_token=True, knn__k=1)])) == [(0, 5), (0, 1)]


def test_earlier_results_keep_the_pooling_that_was_told_of_them_together(encoder, result):
    path = write_probe(encoder, READY, [result()])
    content = read_json(path)
    del content["results"][0]["class_token"]
    write_json(path, content | {"version": 1, "encoder": content["encoder"] | {"class_token": True}})
    write_probe(encoder, READY, [result(knn__k=20)])
    found = [(one["class_token"], one["knn"]["k"]) for one in read_json(path)["results"]]
    assert found == [(True, 5), (False, 20)]


def test_the_record_says_whose_features_these_are(encoder, result, run):
    told = read_json(write_probe(encoder, READY, [result()]))["encoder"]
    assert told["hash"] == encoder.hash == read_json(run / "encoder.json")["content_hash"]
    assert told["source"] == str(run / "encoder.safetensors")
    assert (told["method"], told["architecture"], told["image_size"]) == ("mae", "test_vit", 32)
    assert told["mean"] == [0.5, 0.5, 0.5]


def test_an_error_while_writing_leaves_the_earlier_record(encoder, result, monkeypatch):
    path = write_probe(encoder, READY, [result()])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_probe(encoder, READY, [result(knn__k=float("nan"))])
    assert folds_in(path) == [(0, 5)]
    assert read_json(path)["version"] == record.VERSION

import json
import logging
import os
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from capnet.config import load
from capnet.records import read_manifest
from pipeline import paths
from pipeline.prepare import main
from pipeline.stage import stage

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
SMALL = {"train_ids": 2, "test_ids": 2, "images_per_camera": 2, "height": 32, "width": 16}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return the stage as a command, in a project whose drawn data set is small."""
    yaml = YAML()
    params = yaml.load(PARAMS.read_text())
    params["datasets"]["synthetic"]["generate"].update(SMALL, cameras=2, distractors=2, junk=2)
    yaml.dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["prepare", *arguments])
        stage(main)

    return command


def test_the_stage_writes_manifest_and_card(run, caplog):
    with caplog.at_level(logging.INFO):
        run("synthetic")
    card = json.loads(paths.card("synthetic").read_text())
    records = read_manifest(paths.manifest("synthetic"))
    assert sum(split["images"] for split in card["splits"].values()) == len(records) == 20
    root = Path(load().dataset("synthetic").root)
    assert all((root / record.path).is_file() for record in records)
    counted = "synthetic train: 8 images, 2 ids, 2 cameras, 0 junk, 0 distractors"
    assert counted in caplog.messages
    assert caplog.messages[-1] == "synthetic: every check passed"


def test_what_is_allowed_is_printed_with_its_reason(run, caplog):
    yaml = YAML()
    params = yaml.load(Path("params.yaml").read_text())
    params["datasets"]["synthetic"].update(
        benchmark="market1501", allow={"counts": "it is drawn small"}
    )
    yaml.dump(params, Path("params.yaml"))
    with caplog.at_level(logging.INFO):
        run("synthetic")
    assert "synthetic: every check passed" not in caplog.messages
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    said = "synthetic: allowed (it is drawn small): counts: "
    for line, split, images in zip(
        lines, ("train", "query", "gallery"), ("8", "4", "8"), strict=True
    ):
        assert line.startswith(f"{said}{split}: {images} images, not ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("market1501", "error: datasets.market1501.root: data/raw/market1501 is not a folder"),
        ("syntetic", "did you mean synthetic?"),
    ],
)
def test_what_cannot_be_prepared_ends_with_one_message(run, capsys, name, message):
    with pytest.raises(SystemExit, match=r"^1$"):
        run(name)
    assert message in capsys.readouterr().err
    assert not paths.card(name).exists()
    assert not paths.prepared(name).exists()


def test_a_missing_argument_is_named(run, capsys):
    with pytest.raises(SystemExit):
        run()
    assert "expected: <dataset>" in capsys.readouterr().err


def test_an_unwritable_place_is_named(run, capsys):
    Path("reports").touch()
    with pytest.raises(SystemExit):
        run("synthetic")
    assert "reports" in capsys.readouterr().err

"""What the doctor says of a machine and a project, each in the state that a user meets."""

import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import torch

from capnet import config
from capnet.engine import doctor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No settings of this machine's user: weights, launcher, MLflow."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(doctor, "default_config_file", str(tmp_path / "absent.yaml"))


def params(tmp_path, **changes):
    """The project's params, with texts replaced."""
    text = (ROOT / "params.yaml").read_text()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text)
    return config.load(tmp_path / "params.yaml")


def examine(tmp_path, **changes):
    """Findings by subject, in a project folder that holds params.yaml alone."""
    found = doctor.examine(
        params(tmp_path, **changes), tmp_path, lambda name: Path("data/prepared") / name
    )
    return {each.subject: each for each in found}


MARKET = {"grid": ("datasets: [synthetic]", "datasets: [market1501]")}


def test_the_default_needs_nothing_that_is_not_here(tmp_path):
    found = examine(tmp_path)
    assert not [each for each in found.values() if each.state == "bad"]
    assert "drawn" in found["data set synthetic"].words
    assert found["weights for synthetic"].state == "good"
    assert found["data set market1501"].state == "note"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml"]


def test_a_missing_data_set_of_the_grid_is_bad_and_its_tree_is_shown(tmp_path):
    found = examine(tmp_path, **MARKET)["data set market1501"]
    assert found.state == "bad"
    assert "bounding_box_train/" in found.words


def test_images_are_counted_by_name(tmp_path):
    for name in (
        "bounding_box_train/0002_c1s1_000451_03.jpg",
        "query/0003_c2s1_000001_00.jpg",
        "bounding_box_test/0003_c1s1_000151_01.jpg",
    ):
        path = tmp_path / "data/raw/market1501" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = examine(tmp_path, **MARKET)["data set market1501"]
    assert found.state == "good"
    assert found.words == "3 images in data/raw/market1501; not prepared yet"


def test_a_table_of_ones_own_is_read(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "tables").mkdir()
    rows = [f"{split}.jpg,7,,{split}" for split in ("train", "query", "gallery")]
    (tmp_path / "tables/mine.csv").write_text("\n".join(["path,pid,camid,split", *rows]))
    row = "  market1501: {layout: market"
    mine = "  mine: {layout: table, root: mine, table: tables/mine.csv}\n"
    found = examine(tmp_path, row=(row, mine + row))["data set mine"]
    assert "is no file below" in found.words  # the first image is not there
    for split in ("train", "query", "gallery"):
        (tmp_path / f"mine/{split}.jpg").touch()
    found = examine(tmp_path, row=(row, mine + row))["data set mine"]
    assert found.words == "3 images in mine; not prepared yet"


@pytest.mark.parametrize(
    ("weights", "state", "word"),
    [
        ("IMAGENET1K_V1", "note", "fetched by the first training"),
        ("weights/mine.pth", "bad", "no file weights/mine.pth; put the checkpoint there"),
        ("IMAGENET1K_V9", "bad", "torchvision has no IMAGENET1K_V9 for resnet50"),
    ],
)
def test_weights_are_looked_for_where_a_training_will(tmp_path, weights, state, word):
    changes = MARKET | {"weights": ("weights: IMAGENET1K_V1", f"weights: {weights}")}
    found = examine(tmp_path, **changes)["weights for market1501"]
    assert found.state == state
    assert word in found.words


def test_weights_that_were_downloaded_are_found(tmp_path):
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet50-0676ba61.pth").touch()  # torchvision's name of V1
    assert examine(tmp_path, **MARKET)["weights for market1501"].state == "good"


def test_a_dead_server_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = examine(tmp_path)["MLflow store"]
    assert found.state == "note"
    assert "does not answer" in found.words
    assert "do not need it" in found.words


def test_little_room_comes_with_a_remedy(tmp_path, monkeypatch):
    memory = namedtuple("Memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2**30))
    found = examine(tmp_path)["memory"]
    assert (found.state, found.words) == ("note", "1.0 GiB free, less than 4: close something")


def test_another_python_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    found = examine(tmp_path)["Python"]
    assert found.state == "bad"
    assert "use 3.11 or 3.12" in found.words


def test_the_users_own_launch_settings_are_named(tmp_path, monkeypatch):
    file = tmp_path / "default_config.yaml"
    file.touch()
    monkeypatch.setattr(doctor, "default_config_file", str(file))
    assert str(file) in examine(tmp_path)["accelerate launch"].words

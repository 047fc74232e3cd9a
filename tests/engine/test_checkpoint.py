"""A state on disk is whole or absent, and belongs to one configuration and one training."""

import copy
import errno
import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
import torch

from capnet.engine import checkpoint
from capnet.engine.checkpoint import CheckpointError

IDENTITY = {"settings": {"train": {"epochs": 2, "flip": 0.5}, "seed": 1}, "code_sha256": "c"}
STATE = {"identity": IDENTITY, "network": {"weight": torch.arange(6.0)}, "epoch": 1}
HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); "


@pytest.fixture
def path(tmp_path):
    """A saved state."""
    path = tmp_path / "work" / "state.pt"
    checkpoint.save(path, STATE)
    return path


def files(folder):
    return sorted(file.name for file in folder.iterdir())


def test_a_state_comes_back_as_it_was(path):
    state = checkpoint.load(path)
    assert torch.equal(state["network"]["weight"], STATE["network"]["weight"])
    assert (state["identity"], state["epoch"]) == (IDENTITY, 1)
    assert files(path.parent) == ["state.pt"]


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"model\.pt: not found; train first"):
        checkpoint.load(tmp_path / "model.pt")


@pytest.mark.parametrize("content", ["empty", "half", "text"])
@pytest.mark.parametrize("read", [checkpoint.load, lambda path: checkpoint.resume(path, IDENTITY)])
def test_a_damaged_file_is_named_with_the_remedy(path, content, read):
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"text"}[content])
    with pytest.raises(CheckpointError, match=r"state\.pt: not a readable checkpoint .*; remove"):
        read(path)


def test_nothing_to_resume_is_no_error(tmp_path):
    assert checkpoint.resume(tmp_path / "state.pt", IDENTITY) is None


def test_the_same_configuration_is_resumed(path):
    assert checkpoint.resume(path, copy.deepcopy(IDENTITY))["epoch"] == 1


def test_another_configuration_is_refused_and_nothing_is_touched(path):
    other = copy.deepcopy(IDENTITY)
    other["settings"]["train"]["flip"] = 0.0
    other["settings"]["train"]["pad"] = 10
    other["code_sha256"] = "d"
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as error:
        checkpoint.resume(path, other)
    message = str(error.value)
    assert message.startswith(f"{path} belongs to another configuration")
    assert "settings.train.flip: 0.5 in the checkpoint, 0.0 now" in message
    assert "settings.train.pad: None in the checkpoint, 10 now" in message
    assert "code_sha256: c in the checkpoint, d now" in message
    assert "epochs" not in message
    assert f"rm -r {path.parent}" in message
    assert path.read_bytes() == before
    assert files(path.parent) == ["state.pt"]


def test_a_disk_that_fills_at_the_last_moment_leaves_the_earlier_state(path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"state\.pt: No space left on device; free space") as error:
        checkpoint.save(path, STATE | {"epoch": 2})
    assert error.value.errno == errno.ENOSPC
    assert checkpoint.load(path)["epoch"] == 1
    assert files(path.parent) == ["state.pt"]


def test_a_write_that_the_system_refuses_leaves_the_earlier_state(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write .*state\.pt: File too large; free space"):
            checkpoint.save(path, STATE | {"more": torch.zeros(500_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.load(path)["epoch"] == 1
    assert files(path.parent) == ["state.pt"]


def test_a_folder_that_another_training_holds_is_refused(tmp_path):
    refused = pytest.raises(CheckpointError, match="another training is using this work folder")
    with checkpoint.exclusive(tmp_path), refused, checkpoint.exclusive(tmp_path):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER + "sys.stdin.read()", tmp_path / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        message = f"{tmp_path}: another training is using this work folder; wait for it"
        with pytest.raises(CheckpointError, match=message), checkpoint.exclusive(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with checkpoint.exclusive(tmp_path):  # a lock goes with its process, even one killed
        pass


def test_what_a_killed_training_half_wrote_goes(tmp_path):
    half = tmp_path / ".state.pt.123.tmp"
    half.write_bytes(b"half")
    with checkpoint.exclusive(tmp_path):
        assert not half.exists()


def test_a_training_that_raises_frees_its_folder(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), checkpoint.exclusive(tmp_path / "new"):
            raise ZeroDivisionError


def test_too_little_space_is_said_before_training(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, 99 * 10**6))
    checkpoint.require_space(tmp_path, 98 * 10**6)
    with pytest.raises(CheckpointError) as error:
        checkpoint.require_space(tmp_path, 500 * 10**6)
    for word in (str(tmp_path), "500 MB", "99 MB", "free space on this disk"):
        assert word in str(error.value)


def test_a_fingerprint_follows_every_value_and_no_order():
    prints = {checkpoint.fingerprint(IDENTITY)}
    assert {checkpoint.fingerprint(dict(reversed(IDENTITY.items())))} == prints
    for change in ({"code_sha256": "d"}, {"settings": {}}, {"manifest_sha256": "m"}):
        prints.add(checkpoint.fingerprint(IDENTITY | change))
    assert len(prints) == 4
    assert all(len(bytes.fromhex(each)) == 32 for each in prints)

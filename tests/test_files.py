"""Files are whole or absent."""

import errno
import json
import os
import subprocess
import sys

import pytest

from capnet import files


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def fail():
        with files.replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyError("boom")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_reported_with_the_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*a\.json: No space left .* free space"):
        files.write_json(tmp_path / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom capnet import files\n"
        "with files.replacing(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"


def test_json_refuses_what_json_has_not(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    files.write_json(tmp_path / "a.json", {"x": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None]}


def test_copy_makes_folders(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\x01")
    files.copy(tmp_path / "a", tmp_path / "deep" / "er" / "b")
    assert (tmp_path / "deep" / "er" / "b").read_bytes() == b"\x00\x01"

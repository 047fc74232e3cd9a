"""What each cell gets of a machine."""

import os

import pytest

from capnet.errors import UserError
from pipeline.devices import shares_of


@pytest.fixture
def cores(monkeypatch):
    """A machine of four cores and no GPU."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5})
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


def test_cores_are_shared_out_where_there_is_no_gpu(cores):
    assert [sorted(share.cores) for share in shares_of(None)] == [[0, 1, 4, 5]]
    assert [sorted(share.cores) for share in shares_of(2)] == [[0, 4], [1, 5]]
    assert {share.gpu for share in shares_of(2)} == {""}


@pytest.mark.parametrize(
    ("visible", "gpus"), [(None, ["0", "1", "2"]), ("4,GPU-b7,1", ["4", "GPU-b7", "1"])]
)
def test_a_cell_gets_a_gpu_that_is_visible_and_a_share_of_the_cores(
    cores, monkeypatch, visible, gpus
):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    shares = shares_of(None)
    assert [share.gpu for share in shares] == gpus
    assert [sorted(share.cores) for share in shares] == [[0, 5], [1], [4]]
    assert [share.gpu for share in shares_of(2)] == gpus[:2]


def test_no_two_cells_share_a_device(cores):
    with pytest.raises(UserError, match=r"--at-once 5: this machine has 4 cores, a cell needs one"):
        shares_of(5)

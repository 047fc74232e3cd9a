"""What building a network does to the process."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import torch
from capnet.engine.assemble import network_of
from tests.engine.tiny import run_of
network_of(run_of(), 4, pretrained=False)
torch.set_num_threads(2)
tiny = torch.full((1 << 20,), 1e-39)
assert not (tiny * 0.5).any()
"""


@pytest.mark.slow
def test_dying_weights_are_nothing_in_every_thread_that_computes():
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, cwd=root)

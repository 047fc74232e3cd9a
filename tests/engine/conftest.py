"""One core, no GPU, and people drawn once."""

import pytest
import torch

from capnet.engine.assemble import network_of
from capnet.engine.work import Progress, WorkFolder
from tests.engine.tiny import draw_people, run_of
from tests.engine.trainings import run_training


@pytest.fixture(autouse=True)
def _one_core(monkeypatch):
    """Numbers that compare bit by bit, and tests that leave the other cores alone."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr("capnet.engine.distributed.cores_per_process", lambda: 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """The records of a drawn data set, and the folder of its images."""
    root = tmp_path_factory.mktemp("people")
    return draw_people(root), root


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The model.pt of a training of no epochs, on the manifest of digest "m"."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = network_of(run_of(), 4, pretrained=False)
    network.train()(torch.randn(8, 3, 64, 32), torch.arange(4).repeat(2))  # moves the statistics
    work = WorkFolder(folder, run_of(), {"manifest_sha256": "m", "code_sha256": "c"})
    work.finish(Progress(), network, torch.device("cpu"))
    return folder / "model.pt"


@pytest.fixture(scope="session")
def whole(people, tmp_path_factory):
    """The folder of a training that nothing interrupted; nobody changes it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        patch.setattr("capnet.engine.distributed.cores_per_process", lambda: 1)
        run_training(people, folder)
    return folder

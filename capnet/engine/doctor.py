"""What works on this machine, and what to do about the rest."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch
from accelerate.commands.config.config_args import default_config_file
from torchvision.models import get_model_weights

from capnet.config import Config
from capnet.data import layouts
from capnet.engine.store import TrackingError, database, opened, shown, store_uri
from capnet.errors import UserError
from capnet.machine import cores_per_process
from capnet.settings import Dataset, Model

State = Literal["good", "note", "bad"]
GIB = 2**30
ENOUGH_DISK, ENOUGH_MEMORY = 10, 4  # GiB, below which large trainings come to grief
COMPUTING = ("torch", "torchvision", "accelerate", "pandas")
ORCHESTRATING = {"dvc": "`dvc repro` needs it", "mlflow": "the comparison of runs needs it"}
DRIVER = "a GPU is there but torch cannot use it; install a torch build that fits its driver"


class Finding(NamedTuple):
    """One line: a good thing, a note, or what keeps the grid from running and how to mend it."""

    state: State
    subject: str
    words: str


def examine(config: Config, root: Path, prepared: Callable[[str], Path]) -> Iterator[Finding]:
    """Yield what was found, from the interpreter to the MLflow store.

    `root` is the project's folder, to which the paths of `config` are relative; `prepared` gives
    the folder that holds a data set's manifest. Images are counted by name and not opened. Bad is
    only what the current grid cannot do without. Nothing is written or downloaded.
    """
    yield _python()
    yield from _packages()
    yield _devices()
    yield from _launcher()
    yield from _room(root)
    for name, dataset in config.datasets.items():
        yield _dataset(name, dataset, root, prepared(name), needed=name in config.grid.datasets)
    for name in config.grid.datasets:
        yield _weights(name, config.run(name, config.grid.variants[0], 0).model, root)
    yield _store(root)


def _python() -> Finding:
    fits = (3, 11) <= sys.version_info < (3, 13)
    words = f"{platform.python_version()}, {platform.platform()}"
    return (
        Finding("good", "Python", words) if fits else _bad("Python", f"{words}; use 3.11 or 3.12")
    )


def _packages() -> Iterator[Finding]:
    for name in (*COMPUTING, *ORCHESTRATING):
        try:
            yield Finding("good", name, version(name))
        except PackageNotFoundError:
            words = f"not installed; {ORCHESTRATING.get(name, 'nothing works without it')}: "
            state: State = "note" if name in ORCHESTRATING else "bad"
            yield Finding(state, name, f"{words}`make setup`")


def _devices() -> Finding:
    cores = f"{cores_per_process()} cores"
    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        names = [f"{each.name} ({each.total_memory / GIB:.0f} GiB)" for each in devices]
        return Finding("good", "GPUs", f"{', '.join(names)}; beside {cores}")
    if shutil.which("nvidia-smi"):
        return _bad("GPUs", DRIVER)
    return Finding(
        "note", "GPUs", f"none; trainings run on {cores}, which small configurations afford"
    )


def _launcher() -> Iterator[Finding]:
    """Yield a note where settings outside the project decide how `accelerate launch` starts."""
    file = Path(default_config_file)
    if file.is_file():
        yield Finding(
            "note", "accelerate launch", f"follows {file}; `accelerate config` changes it"
        )


def _room(root: Path) -> Iterator[Finding]:
    for subject, free, enough, remedy in (
        ("memory", psutil.virtual_memory().available / GIB, ENOUGH_MEMORY, "close something"),
        ("disk", shutil.disk_usage(root).free / GIB, ENOUGH_DISK, "free some, or `dvc gc -w`"),
    ):
        words = f"{free:.1f} GiB free"
        if free < enough:
            yield Finding("note", subject, f"{words}, less than {enough}: {remedy}")
        else:
            yield Finding("good", subject, words)


def _dataset(name: str, settings: Dataset, root: Path, prepared: Path, *, needed: bool) -> Finding:
    subject = f"data set {name}"
    ready = "prepared" if (root / prepared / "manifest.csv").is_file() else "not prepared yet"
    if settings.generate is not None:
        return Finding("good", subject, f"drawn by the pipeline; {ready}")
    if not (root / settings.root).is_dir() and not needed:
        return Finding("note", subject, f"no folder {settings.root}; wanted only to run it")
    table = str(root / settings.table) if settings.table else None
    try:
        images = layouts.scan(settings.layout, root / settings.root, table)
        release = layouts.version(settings.layout, root / settings.root)
    except UserError as error:
        return Finding("bad" if needed else "note", subject, str(error))
    found = f"{len(images)} images in {settings.root}{f', {release}' if release else ''}"
    return Finding("good", subject, f"{found}; {ready}")


def _weights(dataset: str, model: Model, root: Path) -> Finding:
    subject, weights = f"weights for {dataset}", model.weights
    if weights is None:
        return Finding("good", subject, f"{model.backbone} starts from random weights")
    if (root / weights).is_file():
        return Finding("good", subject, weights)
    if Path(weights).suffix in (".pth", ".pt", ".xz"):
        return _bad(subject, f"no file {weights}; put the checkpoint there")
    names = () if model.backbone == "resnet10" else get_model_weights(model.backbone).__members__
    if weights not in names:
        return _bad(subject, f"torchvision has no {weights} for {model.backbone}")
    address = get_model_weights(model.backbone)[weights].url
    if (Path(torch.hub.get_dir()) / "checkpoints" / Path(address).name).is_file():
        return Finding("good", subject, f"{weights} of {model.backbone}, downloaded before")
    words = f"{weights} of {model.backbone} is fetched by the first training: it needs {address}"
    return Finding("note", subject, words)


def _store(root: Path) -> Finding:
    uri = store_uri(root)
    file = database(uri)
    if file is not None and not file.is_file():
        return Finding("good", "MLflow store", f"{shown(uri)}, made by the first `make repro`")
    try:
        with opened(uri) as store:
            runs = store.client.search_runs([store.experiment])
    except TrackingError as error:
        return Finding("note", "MLflow store", f"{error}; trainings do not need it")
    return Finding("good", "MLflow store", f"{shown(uri)}, {len(runs)} runs")


def _bad(subject: str, words: str) -> Finding:
    return Finding("bad", subject, words)

"""A tiny copy of the project, in which the pipeline's commands run as a user runs them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

SOURCE = Path(__file__).resolve().parents[2]
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache")
GENERATE = {"train_ids": 4, "test_ids": 4, "cameras": 2, "images_per_camera": 2}
MODEL = {"backbone": "resnet10", "weights": None, "height": 64, "width": 32}
SCHEDULE = {"epochs": 1, "warmup_epochs": 0, "decay_epochs": []}
BATCH = {"ids_per_batch": 2, "images_per_id": 2}
DVC_CONFIG = """[core]
    analytics = false
    check_update = false
"""


@dataclass(frozen=True)
class Project:
    """A project's folder, and the home folder of who runs its commands."""

    root: Path
    home: Path

    def run(
        self, *command: str, environment: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, with this test run's own Python and without a GPU."""
        isolated = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "CUDA_VISIBLE_DEVICES": "",
            "ACCELERATE_LOG_LEVEL": "error",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "dvc"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.root.parent}/mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        return subprocess.run(
            command,
            cwd=self.root,
            env=isolated | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            **options,
        )

    def done(self, *command: str) -> str:
        """Run a command that must succeed; return what it printed."""
        process = self.run(*command)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def params(self, change: Callable[[Any], object]) -> None:
        """Rewrite params.yaml with a change of its content."""
        yaml, path = YAML(), self.root / "params.yaml"
        content = yaml.load(path)
        change(content)
        yaml.dump(content, path)

    def append(self, path: str, text: str) -> None:
        """Add a line at the end of a file."""
        with (self.root / path).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def digests(self, *folders: str) -> dict[str, str]:
        """Return the SHA-256 of every file of the project, or of some folders: by its path."""
        files = (f for folder in folders or [""] for f in (self.root / folder).rglob("*"))
        return {
            str(file.relative_to(self.root)): sha256(file.read_bytes()).hexdigest()
            for file in sorted(files)
            if file.is_file() and "__pycache__" not in file.parts
        }

    def copy(self, folder: Path) -> "Project":
        """Return a copy that does not know of this one."""
        root = shutil.copytree(self.root, folder / "project", symlinks=True)
        return Project(root, self.home)


def _shrink(params: Any) -> None:
    params["grid"].update(datasets=["synthetic"], variants=["baseline", "s_times_c"], seeds=[1])
    synthetic = params["datasets"]["synthetic"]
    synthetic["generate"].update(GENERATE, height=64, width=32, distractors=2, junk=2)
    synthetic["override"] = {"model": MODEL, "train": SCHEDULE | BATCH}
    params["evaluate"].update(ranks=[1, 5], gallery_lists=2, overlays=2)


@pytest.fixture(scope="session")
def initial(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as cloned, with a tiny params.yaml; for copying only."""
    project = Project(
        tmp_path_factory.mktemp("initial") / "project", tmp_path_factory.mktemp("home")
    )
    for package in ("capnet", "pipeline", "tables"):
        shutil.copytree(SOURCE / package, project.root / package, ignore=CACHES)
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(SOURCE / name, project.root)
    project.params(_shrink)
    project.done("git", "init", "--quiet", "--initial-branch", "main")
    project.done("dvc", "init", "--quiet")
    (project.root / ".dvc/config").write_text(DVC_CONFIG)
    project.done("git", "add", ".")
    author = ("-c", "user.name=Nobody", "-c", "user.email=nobody@localhost")
    project.done("git", *author, "commit", "--quiet", "--message", "Initial")
    return project


@pytest.fixture
def project(initial: Project, tmp_path: Path) -> Project:
    """The project as cloned: nothing has run."""
    return initial.copy(tmp_path)


@pytest.fixture(scope="session")
def reproduced(initial: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project after its first `dvc repro`; for copying only."""
    project = initial.copy(tmp_path_factory.mktemp("reproduced"))
    project.done("dvc", "repro")
    yield project
    shutil.rmtree(project.root)


@pytest.fixture
def built(reproduced: Project, tmp_path: Path) -> Iterator[Project]:
    """The project after its first `dvc repro`; 100 MB that do not outlive the test."""
    project = reproduced.copy(tmp_path)
    yield project
    shutil.rmtree(project.root)

"""The floors of the package: what may import what, and how long a file may be."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 220
GROUND = {"errors", "files", "forms", "machine", "records"}
CONFIG = {"config", "settings"}
FLOORS = {  # "" is the package itself, for its version
    "": set(),
    "errors": set(),
    "forms": set(),
    "machine": set(),
    "files": {"errors"},
    "records": {"errors", "files"},
    "settings": {"settings", "forms"},
    "config": {"errors", "settings"},
    "ops": {"ops", *GROUND},
    "data": {"data", "ops", *CONFIG, *GROUND},
    "models": {"models", "ops", *CONFIG, *GROUND},
    "engine": {"", "engine", "data", "models", "ops", *CONFIG, *GROUND},
    "report": {"report", *CONFIG, *GROUND},
    "pipeline": {"pipeline", "engine", "data", "models", "ops", "report", *CONFIG, *GROUND},
}
NEVER = {
    "settings": {"torch", "torchvision", "accelerate", "mlflow", "dvc"},
    "config": {"torch", "torchvision", "accelerate", "mlflow", "dvc"},
    "records": {"torch", "torchvision", "accelerate", "mlflow", "dvc"},
    "ops": {"torchvision", "accelerate", "mlflow", "dvc", "PIL"},
    "data": {"accelerate", "mlflow", "dvc"},
    "models": {"accelerate", "mlflow", "dvc"},
    "engine": {"dvc"},
    "report": {"torch", "torchvision", "accelerate", "mlflow", "dvc"},
    "pipeline": {"mlflow", "dvc"},
}


def dotted(path: Path) -> str:
    """`capnet/ops/cam.py` -> capnet.ops.cam; a package's __init__ has the package's name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {
    dotted(path): path for top in ("capnet", "pipeline") for path in (ROOT / top).rglob("*.py")
}


def floor(module: str) -> str:
    """`capnet.ops.cam` -> ops; `capnet` -> ""; `pipeline.train` -> pipeline."""
    top, _, rest = module.partition(".")
    return top if top == "pipeline" else rest.partition(".")[0]


def imports(module: str) -> Iterator[str]:
    """Every module that a module imports, anywhere in it; ours by the longest name that exists."""
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: code_lock does not see relative imports"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (name if name in SOURCES else str(node.module) for name in names)


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_go_downward_only(module):
    ours = {name for name in imports(module) if name.split(".")[0] in ("capnet", "pipeline")}
    assert ours <= SOURCES.keys()
    assert {floor(name) for name in ours} <= FLOORS[floor(module)]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_floor_knows_no_library_of_another(module):
    libraries = {name.split(".")[0] for name in imports(module)}
    assert not libraries & NEVER.get(floor(module), set())


def test_there_is_no_import_cycle():
    TopologicalSorter({module: set(imports(module)) - {module} for module in SOURCES}).prepare()


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_file_holds_one_idea(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST

"""Which edit of the sources reruns which stage, seen from the fingerprints alone."""

import ast
from pathlib import Path

import pytest

from pipeline.code_lock import STAGES, closure, fingerprint, main

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''"""What it is."""

import math


class Box:
    """What a box is."""

    side = 2  # metres

    def volume(self):
        """In cubic metres."""
        return math.pow(self.side, 3)


async def wait():
    """Until it is over."""
'''


def hashed(tmp_path, text):
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    return fingerprint(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# metres", "# centimetres"),
        ("\nimport math", "\n# The mathematics.\nimport math\n\n"),
        ('"""What it is."""', '"""What it is.\n\nAnd why.\n"""'),
        ('"""What it is."""', ""),
        ('"""What a box is."""', "'''Six walls.'''"),
        ('"""In cubic metres."""\n        ', ""),
        ('"""Until it is over."""', '"""For ever."""'),
        ("math.pow(self.side, 3)", "math.pow(\n            self.side,\n            3,\n        )"),
    ],
)
def test_comments_docstrings_and_layout_leave_the_fingerprint(tmp_path, old, new):
    assert old in MODULE
    assert hashed(tmp_path, MODULE.replace(old, new)) == hashed(tmp_path, MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("side = 2", "side = 3"),
        ("side = 2", 'side = 2\n    note = "metres"'),
        ("self.side, 3", "3, self.side"),
        ("def volume", "@property\n    def volume"),
        ("import math", "import cmath as math"),
        ("async def", "def"),
    ],
)
def test_a_change_of_code_changes_the_fingerprint(tmp_path, old, new):
    assert old in MODULE
    assert hashed(tmp_path, MODULE.replace(old, new)) != hashed(tmp_path, MODULE)


def test_the_fingerprint_does_not_depend_on_where_the_module_lies(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert hashed(tmp_path / "elsewhere", MODULE) == hashed(tmp_path, MODULE)


FAKE = {
    "pipeline/__init__.py": "",
    "pipeline/step.py": "import capnet.a.first\nfrom capnet import b\nimport json, torch",
    "pipeline/other.py": "import capnet.a.unused",
    "capnet/__init__.py": "",
    "capnet/a/__init__.py": "from capnet.a.by_init import x",
    "capnet/a/by_init.py": "x = 1",
    "capnet/a/first.py": "def f():\n    from capnet.a.lazily import y",
    "capnet/a/lazily.py": "from capnet.a.first import f\ny = 2",
    "capnet/a/unused.py": "",
    "capnet/b/__init__.py": "from capnet.b import deep as renamed",
    "capnet/b/deep.py": "import capnet.c as c",
    "capnet/c.py": "from os import path",
}


def test_the_closure_follows_imports_of_every_kind(tmp_path):
    for path, text in FAKE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    expected = sorted(map(Path, FAKE.keys() - {"pipeline/other.py", "capnet/a/unused.py"}))
    assert closure(Path("pipeline/step.py"), tmp_path) == expected


def modules(stage):
    return {path.as_posix() for path in closure(Path("pipeline", f"{stage}.py"), ROOT)}


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_of_a_closure_brings_its_packages(stage):
    found = modules(stage)
    assert {f"pipeline/{stage}.py", "pipeline/__init__.py", "capnet/__init__.py"} <= found
    assert all((Path(path).parent / "__init__.py").as_posix() in found for path in found)


@pytest.mark.parametrize(
    ("stage", "inside", "outside"),
    [
        ("prepare", {"data/layouts.py", "records.py"}, ("models/", "ops/", "engine/", "report/")),
        ("train", {"ops/attention.py", "ops/losses.py"}, ("ops/ranking", "ops/rerank", "report/")),
        ("train", {"models/network.py", "config.py"}, ("engine/evaluate", "engine/exhibits")),
        ("evaluate", {"ops/ranking.py", "models/network.py"}, ("engine/train", "ops/losses")),
        ("evaluate", {"ops/rerank.py", "config.py"}, ("report/", "data/synthetic", "drawing/")),
        ("report", {"report/build.py", "config.py"}, ("ops/", "models/", "data/", "engine/")),
    ],
)
def test_a_stage_depends_on_what_decides_its_result_alone(stage, inside, outside):
    found = modules(stage)
    assert {f"capnet/{path}" for path in inside} <= found
    assert not [path for path in found if any(part in path for part in outside)]


def test_the_report_imports_no_torch():
    imported = set()
    for path in modules("report"):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
    assert "pandas" in imported
    assert not imported & {"torch", "torchvision", "accelerate"}


def test_the_stage_writes_one_line_per_module(tmp_path, monkeypatch):
    for path, text in FAKE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for name in STAGES:
        (tmp_path / "pipeline" / f"{name}.py").write_text("import capnet.c\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["code_lock"])
    main()
    for name in STAGES:
        lines = Path("reports/code", f"{name}.txt").read_text().splitlines()
        paths = ["capnet/__init__.py", "capnet/c.py", "pipeline/__init__.py", f"pipeline/{name}.py"]
        assert lines == [f"{fingerprint(Path(path))} {path}" for path in paths]

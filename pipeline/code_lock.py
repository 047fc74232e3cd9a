"""Check params.yaml, and fingerprint the modules behind each stage into reports/code/<stage>.txt.

A stage depends on its file here and not on the source tree: one line per module in the import
closure of its script, the hash taken over the syntax tree without docstrings. So a comment reruns
nothing, a metric re-evaluates, the model retrains.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from capnet import config
from capnet.files import write_text
from pipeline import paths
from pipeline.stage import no_argument, stage

STAGES = ("prepare", "train", "evaluate", "transfer", "report")
PACKAGES = ("capnet", "pipeline")


def main() -> None:
    """Write one file per stage; a mistake in params.yaml ends here, before anything else runs."""
    no_argument()
    config.load(paths.PARAMS)
    for name in STAGES:
        lines = [
            f"{fingerprint(path)} {path}\n" for path in closure(Path("pipeline", f"{name}.py"))
        ]
        write_text(paths.LOCKS / f"{name}.txt", "".join(lines))


def closure(script: Path, root: Path = Path()) -> list[Path]:
    """All modules of our packages that `script` imports, itself included, sorted.

    Paths are relative to `root`. Imports inside functions count too; a package's __init__ counts
    with each of its modules.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path in found or not (root / path).is_file():
            continue
        found.add(path)
        waiting += (parent / "__init__.py" for parent in path.parents if parent.name)
        tree = ast.parse((root / path).read_text(encoding="utf-8"), str(path))
        for name in _imports(tree):
            module = Path(*name.split("."))
            waiting += (module.with_suffix(".py"), module / "__init__.py")
    return sorted(found)


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of a module's syntax tree without docstrings, comments and layout.

    Python 3.12 parses f-strings into other trees than 3.11: another minor version is other code.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names that may be modules of ours: `from a import b` gives a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


if __name__ == "__main__":
    stage(main)

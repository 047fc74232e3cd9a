"""What dvc.yaml says: its stages, what they depend on, and what DVC shows of them."""

import json
import re
from itertools import chain, pairwise, product

import pytest
from ruamel.yaml import YAML

from capnet.config import Config, load
from pipeline import evaluate, paths, prepare, report, train

pytestmark = pytest.mark.slow
CELLS = {"synthetic-baseline-1", "synthetic-s_times_c-1"}


def pipeline_of(project):
    return YAML(typ="safe").load(project.root / "dvc.yaml")["stages"]


def lock_of(project):
    return YAML(typ="safe").load(project.root / "dvc.lock")["stages"]


def cells(stage, keys=CELLS):
    return {f"{stage}@{key}" for key in keys}


def test_every_cell_of_the_grid_is_one_stage(project):
    params = load(project.root / "params.yaml")
    grid = {"datasets": ["synthetic", "cuhk03_np"], "variants": list(params.variants)}
    project.params(lambda params: params["grid"].update(grid, seeds=[1, 20]))
    names = project.done("dvc", "stage", "list", "--name-only").split()
    keys = [f"{d}-{v}-{s}" for d, v, s in product(*grid.values(), [1, 20])]
    expected = {f"prepare@{dataset}" for dataset in grid["datasets"]}
    expected |= cells("train", keys) | cells("evaluate", keys)
    assert len(keys) == len(set(keys)) == 4 * len(params.variants)
    assert len(names) == len(set(names))
    assert {name for name in names if "@" in name} == expected
    assert all(re.fullmatch(r"[a-z0-9_@-]+", name) for name in names)


def test_the_command_of_train_says_nothing_about_the_machine(project):
    command = "accelerate launch -m pipeline.train ${item.dataset} ${item.variant} ${item.seed}"
    assert pipeline_of(project)["train"]["cmd"] == command


def test_a_file_beside_the_code_is_a_dependency_of_the_report(project):
    others = {path for path in project.digests("capnet") if not path.endswith(".py")}
    dependencies = pipeline_of(project)["report"]["deps"]
    assert {path for path in dependencies if path.startswith("capnet/")} == others


class Entries(dict):
    """A block of named entries; `read` keeps which of them were looked up."""

    def __init__(self, block, entries, read):
        super().__init__(entries)
        self.block, self.read = block, read

    def __getitem__(self, name):
        self.read.add(f"{self.block}.{name}")
        return super().__getitem__(name)

    def _whole(self, method):
        self.read.add(self.block)
        return getattr(super(), method)()

    def items(self):
        return self._whole("items")

    def values(self):
        return self._whole("values")


class Noting:
    """Stands for a Config; `read` keeps which of its blocks were looked at."""

    dataset, run = Config.dataset, Config.run

    def __init__(self, config):
        self.config, self.read = config, set()

    def __getattr__(self, name):
        value = getattr(self.config, name)
        if isinstance(value, dict):
            return Entries(name, value, self.read)
        self.read.add(name)
        return value


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (prepare, "prepare@synthetic"),
        (train, "train@synthetic-s_times_c-1"),
        (evaluate, "evaluate@synthetic-s_times_c-1"),
    ],
)
def test_a_stage_lists_the_params_that_it_reads(built, monkeypatch, script, stage):
    noting = Noting(load(built.root / "params.yaml"))
    monkeypatch.chdir(built.root)
    monkeypatch.setattr("sys.argv", re.split("[@-]", stage))
    monkeypatch.setattr("capnet.config.load", lambda path: noting)
    script.main()
    assert noting.read == lock_of(built)[stage]["params"]["params.yaml"].keys()


def test_the_report_lists_the_blocks_that_it_reads(built, monkeypatch):
    noting = Noting(load(built.root / "params.yaml"))
    monkeypatch.chdir(built.root)
    monkeypatch.setattr("sys.argv", ["report"])
    monkeypatch.setattr("capnet.config.load", lambda path: noting)
    report.main()
    assert {name.split(".")[0] for name in noting.read} == set(
        pipeline_of(built)["report"]["params"]
    )


def test_small_results_are_for_git_and_the_others_are_not(built):
    for stage in pipeline_of(built).values():
        for entry in chain(*(stage.get(kind, []) for kind in ("outs", "metrics", "plots"))):
            path, options = next(iter(entry.items())) if isinstance(entry, dict) else (entry, {})
            assert options.get("cache", True) == (not path.startswith("reports/"))
    results = [out["path"] for stage in lock_of(built).values() for out in stage.get("outs", [])]
    ignored = built.run("git", "check-ignore", *results).stdout.split()
    assert set(results) - set(ignored) == {path for path in results if path.startswith("reports/")}


def test_metrics_show_lists_every_cell(built):
    [shown] = json.loads(built.done("dvc", "metrics", "show", "--json")).values()
    expected = {str(paths.results(key) / "metrics.json") for key in CELLS}
    assert shown["data"].keys() == expected
    assert all(0 <= metrics["data"]["rank1"] <= 1 for metrics in shown["data"].values())


def test_params_diff_names_the_changed_key(built):
    built.params(lambda params: params["evaluate"].update(flip_average=True))
    [differences] = json.loads(built.done("dvc", "params", "diff", "--json")).values()
    assert differences.keys() == {"evaluate.flip_average"}
    assert differences["evaluate.flip_average"]["new"] is True


def test_plots_show_writes_a_page_with_every_curve(built):
    built.done("dvc", "plots", "show")
    page = (built.root / "dvc_plots/index.html").read_text()
    assert all(key in page for key in CELLS)


def test_the_drawn_dag_leads_from_code_to_report(project):
    drawing = project.done("dvc", "dag", "--mermaid")
    name = dict(re.findall(r'(node\d+)\["(.+)"\]', drawing))
    edges = {(name[a], name[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", drawing)}
    for key in CELLS:
        way = ["code", "prepare@synthetic", f"train@{key}", f"evaluate@{key}", "report"]
        assert set(pairwise(way)) <= edges
        others = cells("evaluate", CELLS - {key})
        assert not {(f"train@{key}", other) for other in others} & edges

"""What `dvc repro` runs after which change."""

import json
import re

import pytest

from pipeline import paths

pytestmark = pytest.mark.slow
CELLS = {"synthetic-baseline-1", "synthetic-s_times_c-1"}
NO_TRACKING = (
    "import sys\nfor name in ('dvc', 'mlflow', 'dvclive'):\n    sys.modules[name] = None\n"
)


def ran(output):
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def changed(project):
    """Return the stages that would run, after the fingerprints are brought up to date."""
    project.done("dvc", "repro", "code")
    return json.loads(project.done("dvc", "status", "--json")).keys()


def cells(stage, keys=CELLS):
    return {f"{stage}@{key}" for key in keys}


def test_the_first_repro_builds_everything(built):
    for key in CELLS:
        for path in (
            paths.model(key) / "model.pt",
            *(paths.results(key) / n for n in ("history.csv", "training.json", "metrics.json")),
            *(paths.evaluated(key) / name for name in ("overlays.npz", "ranks.json")),
            paths.by_query(key),
        ):
            assert (built.root / path).is_file()
    assert (built.root / paths.PAGE).is_file()
    assert (built.root / "dvc.lock").is_file()


def test_the_second_repro_runs_nothing(built):
    everything = ("capnet", "data", "models", "reports", "dvc.lock")
    before = built.digests(*everything)
    output = built.done("dvc", "repro")
    assert "Data and pipelines are up to date." in output
    assert ran(output) == []
    assert built.digests(*everything) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("\nclass ", "\n# A comment.\n\n\nclass "), ('"""', '"""In other words: ')],
)
def test_words_in_the_sources_rerun_the_fingerprints_alone(built, old, new):
    path = built.root / "capnet/models/network.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert ran(built.done("dvc", "repro")) == ["code"]


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("capnet/ops/attention.py", cells("train") | cells("evaluate")),
        ("capnet/ops/ranking.py", cells("evaluate")),
        ("capnet/data/synthetic.py", {"prepare@synthetic"}),
        ("capnet/report/tables.py", {"report"}),
        ("capnet/report/page.html.j2", {"report"}),
        ("pipeline/code_lock.py", set()),
    ],
)
def test_a_change_of_code_reruns_the_stages_behind_which_it_is(built, path, stages):
    built.append(path, "_X = 1")
    assert changed(built) == stages


def add_seed(params):
    params["grid"]["seeds"].append(2)


def override(params):
    params["variants"]["s_times_c"]["override"] = {"train": {"epochs": 2}}


def add_unused_variant(params):
    params["variants"]["another"] = {"form": "s"}


def widen_margin(params):
    params["train"]["triplet_margin"] = 0.5


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (
            add_seed,
            {
                f"{stage}@synthetic-{variant}-2"
                for stage in ("train", "evaluate")
                for variant in ("baseline", "s_times_c")
            },
        ),
        (override, {"train@synthetic-s_times_c-1", "evaluate@synthetic-s_times_c-1"}),
        (widen_margin, cells("train") | cells("evaluate")),
        (add_unused_variant, set()),
    ],
)
def test_a_change_of_params_reruns_the_cells_that_it_concerns(built, change, stages):
    built.params(change)
    assert changed(built) - {"report"} == stages


def test_other_ranks_evaluate_and_report_again_but_do_not_train(built):
    models = [f"models/{key}" for key in CELLS]
    before = built.digests(*models)
    built.params(lambda params: params["evaluate"].update(ranks=[1, 2]))
    stages = {stage.split("@")[0] for stage in ran(built.done("dvc", "repro", "report"))}
    assert stages == {"code", "evaluate", "report"}
    assert built.digests(*models) == before
    for key in CELLS:
        metrics = json.loads((built.root / paths.results(key) / "metrics.json").read_text())
        assert "rank2" in metrics
        assert "rank5" not in metrics


def test_a_mistake_in_params_leaves_every_output(built):
    built.params(lambda params: params["train"].update(learning_rate=-1.0))
    before = built.digests("data", "models", "reports")
    process = built.run("dvc", "repro")
    assert process.returncode != 0
    assert ran(process.stdout) == ["code"]
    assert "train.learning_rate" in process.stderr
    assert "Traceback" not in process.stderr
    assert built.digests("data", "models", "reports") == before


def test_checkout_restores_what_was_deleted(built):
    folders = ("models", "data/evaluated", "data/prepared")
    before = built.digests(*folders)
    for path in before:
        (built.root / path).unlink()
    built.done("dvc", "checkout")
    outputs = {path: digest for path, digest in before.items() if "/work/" not in path}
    assert built.digests(*folders) == outputs


def test_nothing_of_dvc_or_mlflow_is_needed(built):
    hook = built.root.parent / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(NO_TRACKING)
    environment = {"PYTHONPATH": str(hook)}
    assert built.run("python", "-c", "import mlflow", environment=environment).returncode == 1
    before = built.digests("models", "data/evaluated")
    for path in built.digests("models/synthetic-baseline-1", "data/evaluated/synthetic-baseline-1"):
        (built.root / path).unlink()
    for stage in ("train", "evaluate"):
        command = ("python", "-m", f"pipeline.{stage}", "synthetic", "baseline", "1")
        process = built.run(*command, environment=environment)
        assert process.returncode == 0, process.stderr
    assert built.digests("models", "data/evaluated") == before


def test_more_seeds_by_one_command(built):
    """The README's `dvc exp run -S 'grid.seeds=[1,2,3]'`: finished cells stay, new ones run."""
    author = ("-c", "user.name=Nobody", "-c", "user.email=nobody@localhost")
    built.done("git", "add", ".")
    built.done("git", *author, "commit", "--quiet", "--message", "Results")
    output = built.done("dvc", "exp", "run", "-S", "grid.seeds=[1,2]")
    new = {key.removesuffix("1") + "2" for key in CELLS}
    assert set(ran(output)) >= cells("train", new) | cells("evaluate", new) | {"report"}
    assert not set(ran(output)) & (cells("train") | cells("evaluate"))
    assert all((built.root / paths.results(key) / "metrics.json").is_file() for key in new)

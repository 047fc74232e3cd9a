"""What a user can get wrong at the command line: one message, exit code 1, and no file touched."""

import fcntl
import resource
import shutil
from collections.abc import Callable

import pytest

from capnet.engine import checkpoint
from pipeline import code_lock, evaluate, prepare, report, train
from pipeline.stage import stage

CELL = ("synthetic", "baseline", "1")
KEY = "synthetic-baseline-1"
WORK = f"models/work/{KEY}"
MANIFEST = "data/prepared/synthetic/manifest.csv"
IMAGES = "data/raw/market1501"
MODEL = f"models/{KEY}/model.pt"
ARGUMENTS = {
    "code_lock": (),
    "prepare": ("synthetic",),
    "train": CELL,
    "evaluate": CELL,
    "report": (),
}
SCRIPTS = {
    "code_lock": code_lock,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "report": report,
}
MORE_EPOCHS = {"train": {"epochs": 2}}
EARLIER = (
    "reports/code/train.txt",
    *(MANIFEST, "data/prepared/synthetic/images/query/1.jpg", "reports/data/synthetic.json"),
    *(MODEL, f"{WORK}/state.pt", f"reports/runs/{KEY}/training.json"),
    *(f"data/evaluated/{KEY}/ranks.json", f"reports/runs/{KEY}/metrics.json"),
    *("reports/index.html", "reports/tables/table1.md"),
)


@pytest.fixture
def used(project):
    """A project with something in the place of every output; of use for comparing only."""
    for path in EARLIER:
        (project.root / path).parent.mkdir(parents=True, exist_ok=True)
        (project.root / path).write_text("earlier\n")
    return project


def refused(project, name, *arguments, naming, may_change="nothing", **options):
    """Run a stage that must end with one message that names things, and leave all files alone."""

    def kept():
        return {
            path: digest
            for path, digest in project.digests().items()
            if not path.startswith(may_change)
        }

    before = kept()
    process = project.run("python", "-m", f"pipeline.{name}", *arguments, **options)
    assert process.returncode == 1, process.stderr
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    for words in [name, *naming]:
        assert words in process.stderr
    assert kept() == before
    assert not list(project.root.rglob("*.tmp"))


def slow_to_import(name):
    return pytest.param(name, marks=[] if name in ("code_lock", "prepare") else pytest.mark.slow)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("code_lock", ("all",)),
        ("prepare", ()),
        ("prepare", ("synthetic", "market1501")),
        pytest.param("train", ("synthetic", "baseline"), marks=pytest.mark.slow),
        pytest.param("train", ("synthetic", "baseline", "one"), marks=pytest.mark.slow),
        pytest.param("train", (*CELL, "2"), marks=pytest.mark.slow),
        pytest.param("evaluate", (), marks=pytest.mark.slow),
        pytest.param("evaluate", ("synthetic", "baseline", "-1"), marks=pytest.mark.slow),
        pytest.param("report", ("synthetic",), marks=pytest.mark.slow),
    ],
)
def test_a_wrong_number_of_arguments(used, name, arguments):
    refused(used, name, *arguments, naming=["expected: ", str(list(arguments))])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "prepare",
            ("sinthetic",),
            "datasets: no entry named 'sinthetic'; did you mean synthetic?",
        ),
        pytest.param(
            "train",
            ("synthetic", "s_tims_c", "1"),
            "variants: no entry named 's_tims_c'; did you mean s_times_c?",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "evaluate",
            ("synthetic", "s_tims_c", "1"),
            "variants: no entry named 's_tims_c'; did you mean s_times_c?",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_argument_that_params_do_not_know(used, name, arguments, message):
    refused(used, name, *arguments, naming=[message])


def changing(change: Callable[[dict], object]):
    return lambda project: project.params(change)


def writing(text: str):
    return lambda project: (project.root / "params.yaml").write_text(text)


FAULTS = {
    "unknown variant": (
        changing(lambda p: p["grid"]["variants"].append("s_tims_c")),
        ["variants: no entry named 's_tims_c'", "did you mean s_times_c?"],
    ),
    "unknown data set": (
        changing(lambda p: p["grid"]["datasets"].append("market")),
        ["datasets: no entry named 'market'", "did you mean market1501?"],
    ),
    "misspelt key": (
        changing(lambda p: p["train"].update(learning_rte=1e-3)),
        ["params.yaml", "train.learning_rte: unknown key; correct its spelling"],
    ),
    "misspelt key of an override": (
        changing(lambda p: p["variants"]["s"].update(override={"train": {"epcohs": 3}})),
        ["variants.s.override.train: no entry named 'epcohs'", "did you mean epochs?"],
    ),
    "missing key": (
        changing(lambda p: p["evaluate"].pop("rerank")),
        ["params.yaml", "evaluate.rerank: missing; add it"],
    ),
    "impossible value": (
        changing(lambda p: p["train"].update(learning_rate=-1.0)),
        ["params.yaml", "train.learning_rate: ", "greater than 0 (it is -1.0)"],
    ),
    "wrong type": (
        changing(lambda p: p["train"].update(epochs="ten")),
        ["params.yaml", "train.epochs: ", "a valid integer (it is 'ten')"],
    ),
    "broken YAML": (writing("grid: [1\ntrain: {"), ["params.yaml: not readable as YAML", "line 2"]),
    "empty file": (writing(""), ["params.yaml: "]),
    "missing file": (
        lambda project: (project.root / "params.yaml").unlink(),
        ["params.yaml: not found; run from the project's root folder"],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_params_stops_every_stage(used, monkeypatch, capsys, name, fault):
    spoil, naming = FAULTS[fault]
    spoil(used)
    before = used.digests()
    monkeypatch.chdir(used.root)
    monkeypatch.setattr("sys.argv", [name, *ARGUMENTS[name]])
    with pytest.raises(SystemExit) as end:
        stage(SCRIPTS[name].main)
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert all(words in said for words in naming)
    assert used.digests() == before


@pytest.mark.parametrize("name", [slow_to_import(name) for name in SCRIPTS])
def test_a_fault_in_params_at_the_command_line(used, name):
    spoil, naming = FAULTS["misspelt key"]
    spoil(used)
    refused(used, name, *ARGUMENTS[name], naming=naming)


@pytest.fixture(scope="module")
def prepared(initial, tmp_path_factory):
    """The project with a prepared Market-1501, which is a copy of the drawn one."""
    project = initial.copy(tmp_path_factory.mktemp("prepared"))
    project.params(lambda content: content["datasets"]["market1501"].pop("benchmark"))
    project.done("python", "-m", "pipeline.prepare", "synthetic")
    shutil.copytree(project.root / "data/prepared/synthetic/images", project.root / IMAGES)
    project.done("python", "-m", "pipeline.prepare", "market1501")
    return project


def half_copied(images):
    shutil.rmtree(images / "query")


def emptied(images):
    for image in (images / "bounding_box_train").iterdir():
        image.unlink()


def cut_short(images):
    image = next((images / "query").iterdir())
    image.write_bytes(image.read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "naming"),
    [
        (shutil.rmtree, ["is not a folder", "obtain the data set", "bounding_box_train/"]),
        (half_copied, ["lacks query", "bounding_box_test/"]),
        (emptied, ["bounding_box_train: no images; copy the data set again"]),
        (cut_short, ["1 of 36 images cannot be read: query/", "copy these files again"]),
    ],
)
def test_a_data_folder_that_is_not_whole(prepared, tmp_path, spoil, naming):
    project = prepared.copy(tmp_path)
    spoil(project.root / IMAGES)
    refused(
        project, "prepare", "market1501", naming=[f"datasets.market1501.root: {IMAGES}", *naming]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("old", "new", "naming"),
    [
        (
            "path,pid,",
            "path,person,",
            [f"{MANIFEST}: line 1 must be path,pid,", "run prepare again"],
        ),
        (",gallery,", ",galery,", [f"{MANIFEST}: line ", "'galery' is not one of", "run prepare"]),
        (None, None, [f"{MANIFEST}: not found", "`dvc repro prepare`"]),
    ],
)
def test_a_manifest_that_is_missing_or_damaged(built, name, old, new, naming):
    manifest = built.root / MANIFEST
    if old is None:
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text().replace(old, new))
    refused(built, name, *CELL, naming=naming)


def cut_model(project):
    (project.root / MODEL).write_bytes((project.root / MODEL).read_bytes()[:100_000])


def take_other_variant(project):
    shutil.copy(project.root / "models/synthetic-s_times_c-1/model.pt", project.root / MODEL)


def ask_for_more_epochs(project):
    project.params(lambda params: params["variants"]["baseline"].update(override=MORE_EPOCHS))


def draw_other_people(project):
    project.params(lambda params: params["datasets"]["synthetic"]["generate"].update(seed=2))
    project.done("python", "-m", "pipeline.prepare", "synthetic")


def remove_model(project):
    (project.root / MODEL).unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "naming"),
    [
        (remove_model, ["not found; train first (`dvc repro train`)"]),
        (cut_model, ["not a readable checkpoint", "remove it and train again"]),
        (take_other_variant, ["was trained with other settings; train again (`dvc repro`)"]),
        (ask_for_more_epochs, ["was trained with other settings; train again (`dvc repro`)"]),
        (draw_other_people, ["another state of the data set; train again (`dvc repro`)"]),
    ],
)
def test_a_model_that_is_damaged_or_of_another_training(built, spoil, naming):
    spoil(built)
    refused(built, "evaluate", *CELL, naming=[MODEL, *naming])


@pytest.mark.slow
def test_an_unfinished_training_of_another_configuration(built):
    other = {"settings": {"seed": 2}, "manifest_sha256": "00"}
    checkpoint.save(built.root / WORK / "state.pt", {"identity": other})
    (built.root / WORK / "lock").touch()
    naming = [f"{WORK}/state.pt", "settings.seed: 2 in the checkpoint, 1 now", f"rm -r {WORK}"]
    refused(built, "train", *CELL, naming=naming)


@pytest.mark.slow
def test_an_unfinished_training_that_is_damaged(built):
    checkpoint.save(built.root / WORK / "state.pt", {"identity": {}})
    (built.root / WORK / "state.pt").write_bytes(b"PK")
    (built.root / WORK / "lock").touch()
    refused(built, "train", *CELL, naming=[f"{WORK}/state.pt: not a readable checkpoint", "remove"])


@pytest.mark.slow
def test_a_second_training_of_the_same_cell(built):
    (built.root / WORK).mkdir(parents=True)
    with (built.root / WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(built, "train", *CELL, naming=[f"{WORK}: another training is using", "wait for it"])


def full_after(size):
    """Let the process write no file larger than `size` bytes, as if the disk were full then."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "file"),
    [
        ("code_lock", 50, "reports/code/prepare.txt"),
        ("prepare", 0, "data/prepared/"),
        ("prepare", 3500, "manifest.csv"),
        ("train", 10, f"{WORK}/history.csv"),
        ("train", 1_000_000, f"{WORK}/state.pt"),
        ("evaluate", 50, f"data/evaluated/{KEY}/overlays.npz"),
        ("report", 50, "reports/"),
    ],
)
def test_a_full_disk(built, name, size, file):
    refused(
        built,
        name,
        *ARGUMENTS[name],
        naming=["cannot write", file, "free space"],
        may_change=WORK,
        preexec_fn=full_after(size),
    )

"""params.yaml: what is accepted, how a cell is resolved, and what a mistake is answered."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from capnet import config

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"


@pytest.fixture
def edited(tmp_path):
    """Return params.yaml with one piece of its text replaced."""

    def edit(old: str, new: str) -> Path:
        text = PARAMS.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "params.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return edit


def test_standing_configuration_is_the_papers():
    run = config.load(PARAMS).run("market1501", "s_times_c", 1)
    model, train = run.model, run.train
    assert (model.backbone, model.height, model.width, model.last_stride) == (
        "resnet50",
        384,
        128,
        1,
    )
    assert (train.ids_per_batch, train.images_per_id, train.epochs) == (4, 8, 60)
    assert (train.learning_rate, train.weight_decay) == (3.5e-4, 5e-4)
    assert train.learning_rate * train.warmup_factor == pytest.approx(3.5e-6)
    assert (train.warmup_epochs, train.decay_epochs, train.decay_factor) == (10, [30, 50], 0.1)
    assert train.attention_weight == 0.01


def test_overrides_of_data_set_then_variant_apply_and_touch_nothing_else():
    params = config.load(PARAMS)
    small = params.run("synthetic", "baseline", 3)
    paper = params.run("market1501", "s", 3)
    assert small.model.backbone == "resnet10"
    assert small.train.attention_weight == 0
    assert small.train.triplet_margin == paper.train.triplet_margin
    assert paper.train == params.train
    assert (small.dataset, small.variant, small.seed, small.form) == (
        "synthetic", "baseline", 3, "baseline",
    )  # fmt: skip


def test_six_forms_and_their_controls_are_variants():
    params = config.load(PARAMS)
    forms = {name: variant.form for name, variant in params.variants.items()}
    six = ("baseline", "s", "c", "s_then_c", "c_then_s", "s_times_c")
    assert all(forms[name] == name for name in six)
    weights = {name: params.run("market1501", name, 1).train.attention_weight for name in forms}
    assert [name for name in forms if not weights[name]] == [
        "baseline", "s_unsupervised", "c_unsupervised", "s_times_c_unsupervised",
    ]  # fmt: skip
    assert forms["cam_loss_only"] == "baseline"
    assert weights["cam_loss_only"] == 0.01


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("  epochs: 60", "  epochs: sixty", ["train.epochs", "'sixty'"]),
        ("  epochs: 60", "  epochs: 0", ["train.epochs", "greater than 0"]),
        ("  epochs: 60", "  epochs: 6.5", ["train.epochs", "6.5"]),
        ("  epochs: 60 ", "  epoch: 60 ", ["train.epoch: unknown key", "train.epochs: missing"]),
        ("  flip: 0.5", "  flip: 1.5", ["train.flip", "less than or equal to 1"]),
        ("  flip: 0.5", "  flip: .nan", ["train.flip"]),
        ("residual: false", "residual: no", ["model.attention.residual", "'no'"]),
        ("[baseline, s, c,", "[baseline, s, d,", ["variants", "'d'"]),
        ("variants: [baseline,", "variants: [baselin,", ["did you mean baseline"]),
        ("datasets: [synthetic]", "datasets: [market]", ["datasets", "did you mean market1501"]),
        ("seeds: [1]", "seeds: []", ["grid.seeds", "at least 1"]),
        ("seeds: [1]", "seeds: [2, 2]", ["grid", "seeds", "twice"]),
        ("seeds: [1]", "seeds: [-1]", ["grid.seeds.0"]),
        ("s_then_c: {form: s_then_c}", "s-c: {form: s_then_c}", ["variants.s-c"]),
        ("{form: s_then_c}", "{form: s_c}", ["variants.s_then_c.form", "s_then_c"]),
        (
            "model: {backbone: resnet10",
            "model: {bakbone: resnet10",
            ["datasets.synthetic.override.model", "did you mean backbone"],
        ),
        (
            "model: {backbone: resnet10",
            "model: {backbone: resnet11",
            ["datasets.synthetic.override", "model.backbone", "resnet11"],
        ),
        ("override: {train: {attention", "override: {seed: {attention", ["baseline.override"]),
        ("{train: {attention_weight: 0.0}}", "{train: 3}", ["override.train", "block"]),
        ("grid:", "grid: [", ["not readable as YAML"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(edited, old, new, parts):
    path = edited(old, new)
    with pytest.raises(config.ConfigError) as error:
        config.load(path)
    message = str(error.value)
    assert str(path) in message
    for part in parts:
        assert part in message


def test_all_mistakes_are_named_at_once(edited):
    path = edited("  flip: 0.5 ", "  triplet_margn: 1\n  flip: 2 ")
    with pytest.raises(config.ConfigError, match=r"train\.flip") as error:
        config.load(path)
    assert "train.triplet_margn" in str(error.value)


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(config.ConfigError, match="run from the project's root"):
        config.load(tmp_path / "params.yaml")


def test_yaml_is_read_as_dvc_reads_it(edited):
    # YAML 1.1 readers take 1e-4 for text and 010 for eight.
    path = edited("  weight_decay: 5.0e-4", "  weight_decay: 1e-4")
    assert config.load(path).train.weight_decay == 0.0001
    path = edited("  pad: 10", "  pad: 010")
    assert config.load(path).train.pad == 10


def test_settings_cannot_be_changed_once_read():
    params = config.load(PARAMS)
    with pytest.raises(ValidationError):
        params.train.epochs = 3


def test_a_file_of_labels_lies_where_dvc_watches_it(edited):
    row = "  market1501: {layout: market"
    mine = "  mine: {layout: table, root: data/raw/mine, table: %s}\n"
    assert config.load(edited(row, mine % "tables/mine.csv" + row)).datasets["mine"].table
    with pytest.raises(config.ConfigError, match=r"datasets\.mine: mine\.csv must lie in tables/"):
        config.load(edited(row, mine % "mine.csv" + row))

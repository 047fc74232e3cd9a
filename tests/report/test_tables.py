"""How numbers are written, which of them is best, and the tables that come of it."""

import csv as csv_reader
import io
from math import nan

import pandas as pd
import pytest

from capnet.report.aggregate import Number, summarise
from capnet.report.names import variant_name
from capnet.report.study import read_study
from capnet.report.table1 import table_1
from capnet.report.table2 import table_2
from capnet.report.table_figures import localisation_table, wrong_table
from capnet.report.tables import Cell, Group, Table, column, csv, markdown, per_cent, points
from pipeline import paths


@pytest.mark.parametrize(
    ("number", "text"),
    [(Number(0.9317, 0.0021), "93.2 ± 0.2"), (Number(0.5), "50.0"), (Number(nan), "—")],
)
def test_per_cent(number, text):
    assert per_cent(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Number(0.012, 0.003), "+1.2 ± 0.3"),
        (Number(-0.012, 0.003), "\N{MINUS SIGN}1.2 ± 0.3"),
        (Number(0.012, 0.012), "≈ +1.2 ± 1.2"),
        (Number(-0.0001, 0.02), "≈ 0.0 ± 2.0"),
        (Number(0.012), "+1.2"),
    ],
)
def test_points(number, text):
    assert points(number) == text


def test_the_best_is_marked_and_equals_share_it():
    cells = column([Number(0.5), Number(0.7004, 0.1), Number(0.7001, 0.2), Number(nan)])
    assert [cell.best for cell in cells] == [False, True, True, False]


def test_the_best_may_be_the_smallest():
    assert [c.best for c in column([Number(3.0), Number(2.0)], best=min)] == [False, True]


def test_a_lone_number_is_not_the_best_of_anything():
    assert not any(cell.best for cell in column([Number(0.5), Number(nan)]))


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("s_times_c", "S*C"),
        ("s_then_c", "S-C"),
        ("s_times_c_unsupervised", "S*C (unsupervised)"),
        ("s_unsupervised", "S (unsupervised)"),
        ("cam_loss_only", "CAM loss only"),
        ("squeeze_excite", "Squeeze excite"),
    ],
)
def test_variant_names(variant, name):
    assert variant_name(variant) == name


def test_markdown_escapes_what_would_be_markup():
    table = Table(
        title="T",
        corner="Form",
        groups=(Group("Here", ("mAP",)),),
        rows=(("S*C", (Cell("1.0", best=True),)), ("a|b", (Cell("0.5"),))),
        notes=("S*C wins.",),
        data=pd.DataFrame(),
    )
    text = markdown([table])
    assert "| Form | Here: mAP |\n| --- | --: |\n" in text
    assert r"| S\*C | **1.0** |" in text
    assert r"| a\|b | 0.5 |" in text
    assert r"S\*C wins." in text


def test_table_1_has_ours_and_the_papers_numbers(project):
    scores = {
        ("baseline", 1): {"mAP": 0.40},
        ("baseline", 2): {"mAP": 0.44},
        ("s_times_c", 1): {"mAP": 0.50},
        ("s_times_c", 2): {"mAP": 0.56},
    }
    study = read_study(project(scores=scores), paths)
    table = table_1(study, summarise(study), "synthetic")
    names = [column for group in table.groups for column in group.columns]
    rows = {label: dict(zip(names, cells, strict=False)) for label, cells in table.rows}
    assert list(rows) == ["Baseline", "S", "S*C"]
    texts = {label: [cell.text for cell in cells] for label, cells in table.rows}
    # 0.50 and 0.56: mean 0.53, deviation 0.0424; differences 0.10 and 0.12: 0.11 and 0.0141.
    assert texts["S*C"][1] == "53.0 ± 4.2"
    assert texts["S*C"][4] == "+11.0 ± 1.4"
    assert texts["Baseline"][3:5] == ["reference", "reference"]
    assert texts["S*C"][5:8] == ["94.7 / 85.1", "89.9 / 78.8", "79.3 / 53.7"]
    assert texts["S*C"][8:] == ["55.0 ± 0.0", "60.0 ± 0.0"]
    assert dict(table.rows)["S*C"][1].best


def test_table_1_as_csv_is_in_per_cent_with_the_papers_columns(project):
    study = read_study(project(seeds=(1,)), paths)
    text = csv([table_1(study, summarise(study), "synthetic")])
    rows = list(csv_reader.DictReader(io.StringIO(text)))
    assert rows[0]["mAP"] == "40.00"
    assert rows[0]["mAP_std"] == ""
    assert rows[2]["paper_market1501_rank1"] == "94.70"


def test_table_1_of_one_seed_says_so(project):
    study = read_study(project(seeds=(7,)), paths)
    table = table_1(study, summarise(study), "synthetic")
    assert "1 seed, no spread" in table.title
    assert "no difference of this table is a finding" in table.notes[0]
    assert not any("±" in cell.text for _, cells in table.rows for cell in cells)


def test_the_version_of_a_data_set_stands_on_its_numbers(project):
    study = read_study(project(datasets=("msmt17",), seeds=(1,)), paths)
    study.cards["msmt17"]["version"] = "V2"
    table = table_1(study, summarise(study), "msmt17")
    assert table.title.startswith("Table I on MSMT17 V2")
    assert set(table.data["version"]) == {"V2"}
    assert "measured here on MSMT17 V2" in table_2(study, summarise(study)).notes[0]


def test_a_control_has_no_number_in_the_paper(project):
    study = read_study(project(variants=("baseline", "s_unsupervised")), paths)
    (_, _), (label, cells) = table_1(study, summarise(study), "synthetic").rows
    assert label == "S (unsupervised)"
    assert [cell.text for cell in cells[5:8]] == ["—"] * 3


def test_table_2_is_all_quoted_unless_a_data_set_of_the_paper_was_run(project):
    study = read_study(project(), paths)
    table = table_2(study, summarise(study))
    assert len(table.rows) == 12
    assert "None is ours" in table.notes[0]
    assert any("0.3 points" in note and "0.4" in note for note in table.notes)
    assert any("ABD-Net" in note for note in table.notes)


def test_table_2_appends_our_rows_on_the_same_data_set(project):
    study = read_study(project(datasets=("market1501",)), paths)
    rows = dict(table_2(study, summarise(study)).rows)
    ours = [cell.text for cell in rows["S*C, measured here (2 seeds)"]]
    assert ours == ["50.0 ± 0.0", "40.0 ± 0.0", "—", "—", "—", "—"]
    reranked = [cell.text for cell in rows["S*C, measured here (2 seeds), re-ranked"]]
    assert reranked[:2] == ["55.0 ± 0.0", "60.0 ± 0.0"]


def test_re_ranked_rows_compete_among_themselves_only(project):
    study = read_study(project(), paths)
    rows = dict(table_2(study, summarise(study)).rows)
    assert [cell.best for cell in rows["PFFN"]] == [True, *[False] * 5]
    assert rows["CAPNet (the paper)"][1].best
    assert rows["CAPNet (the paper), re-ranked"][1].best
    assert not rows["Wang et al. (parameter-free), re-ranked"][0].best


def test_localisation_stands_beside_chance(project):
    study = read_study(project(seeds=(1,)), paths)
    table = localisation_table(study, summarise(study), "synthetic")
    assert table.rows[0][0] == "Chance"
    assert {cell.text for cell in table.rows[0][1]} == {"25.0"}
    assert [cell.text for cell in table.rows[1][1]] == ["60.0", "50.0", "90.0"] * 3


def test_wrong_results_are_counted_over_all_queries(project):
    scores = {("s", seed): {"wrong_in_top10": wrong} for seed, wrong in ((1, 2.0), (2, 3.0))}
    study = read_study(project(scores=scores), paths)
    table = wrong_table(study, summarise(study), "synthetic")
    rows = {label: [cell.text for cell in cells] for label, cells in table.rows}
    assert rows["S"] == ["2.50 ± 0.71", "3"]
    assert "all 39 queries" in table.notes[0]

"""The quoted numbers, typed a second time by hand from the paper's tables and text."""

from itertools import pairwise
from operator import attrgetter

import pytest

from capnet.config import load
from capnet.report import paper
from tests.report.conftest import PARAMS


@pytest.mark.parametrize(
    ("table", "row", "dataset", "printed"),
    [
        (paper.TABLE_1, "baseline", "market1501", (93.2, 82.6)),
        (paper.TABLE_1, "s", "dukemtmc", (89.2, 77.5)),
        (paper.TABLE_1, "c", "msmt17", (78.0, 53.0)),
        (paper.TABLE_1, "s_then_c", "market1501", (94.0, 84.5)),
        (paper.TABLE_1, "c_then_s", "dukemtmc", (88.8, 77.4)),
        (paper.TABLE_1, "s_times_c", "msmt17", (79.3, 53.7)),
        (paper.TABLE_2, "HA-CNN", "dukemtmc", (80.5, 63.8)),
        (paper.TABLE_2, "IANet", "msmt17", (75.5, 46.8)),
        (paper.TABLE_2, "PCB+RPP", "msmt17", (68.2, 40.4)),
        (paper.TABLE_2, "Li et al.", "dukemtmc", (81.0, 78.0)),
        (paper.TABLE_2, "ResNet50+CE-SAN", "msmt17", (77.3, 55.0)),
        (paper.TABLE_2, "PFFN", "market1501", (95.1, 84.6)),
        (paper.TABLE_2_RERANKED, "Wang et al. (parameter-free)", "market1501", (94.7, 91.7)),
        (paper.TABLE_2_RERANKED, "CAPNet (the paper)", "dukemtmc", (90.1, 86.4)),
    ],
)
def test_quoted_scores(table, row, dataset, printed):
    assert table[row][dataset] == printed


def test_gains_over_the_baseline_are_those_of_the_papers_text():
    gains = {
        dataset: tuple(
            round(ours - base, 1)
            for ours, base in zip(
                paper.TABLE_1["s_times_c"][dataset], paper.TABLE_1["baseline"][dataset], strict=True
            )
        )
        for dataset in paper.DATASETS
    }
    assert gains == {"market1501": (1.5, 2.5), "dukemtmc": (1.8, 3.5), "msmt17": (3.2, 2.5)}


def test_table_2_ends_with_the_last_row_of_table_1():
    assert paper.TABLE_2["CAPNet (the paper)"] == paper.TABLE_1["s_times_c"]


def test_methods_without_msmt17_have_no_number_there():
    without = {name for name, row in paper.TABLE_2.items() if "msmt17" not in row}
    assert without == {"HA-CNN", "CASN", "AANet", "VPM", "Li et al."}


def test_fewer_wrong_results_down_figure_3():
    assert [paper.FIG_3_WRONG[v] for v in ("baseline", "s", "c", "s_times_c")] == [8, 3, 1, 0]
    assert all(above > below for above, below in pairwise(paper.FIG_3_WRONG.values()))


def test_the_standing_blocks_of_params_are_what_the_paper_states():
    config = load(PARAMS)
    for key, _, stated in paper.SETTINGS:
        assert attrgetter(key)(config) == stated, key

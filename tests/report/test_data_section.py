"""What the page says about the images: allowances first, and the way to the data card."""

import json
import re

import pytest

from capnet.report.build import write_report
from pipeline import paths

ALLOWED = {"check": "counts", "reason": "half of <it>", "finding": "train: 100 images, not 12936"}
CHECKED = {"benchmark": "market1501", "allowed": [ALLOWED], "notes": {"one_camera": 3}}


def page_of(project, dataset, card):
    """Return the page of a data set whose card holds more, and the text of its section."""
    config = project(datasets=(dataset,), variants=("baseline",), seeds=(1,))
    file = paths.card(dataset)
    file.write_text(json.dumps(json.loads(file.read_text()) | card))
    write_report(config, paths)
    page = paths.PAGE.read_text(encoding="utf-8")
    section = re.search(r'<section id="data">(.*?)</section>', page, re.DOTALL)
    assert section
    return page, section[1]


def test_an_allowance_stands_at_the_top_and_with_the_data(project):
    page, section = page_of(project, "market1501", CHECKED)
    limits = page[page.index('id="limits"') : page.index('id="table1"')]
    for part in (limits, section):
        assert "half of &lt;it&gt;" in part
        assert "train: 100 images, not 12936" in part
    assert 'class="warn"' in section


@pytest.mark.parametrize(("dataset", "real"), [("market1501", True), ("synthetic", False)])
def test_the_section_leads_to_the_card(project, dataset, real):
    _, section = page_of(project, dataset, CHECKED | {"allowed": [], "benchmark": None})
    assert f'href="../data/prepared/{dataset}/card.html"' in section
    assert ("real people" in section) is real
    assert "no published counts" in section
    assert "3 one camera" in section
    assert 'class="warn"' not in section


def test_an_older_card_is_counted_and_not_linked(project):
    _, section = page_of(project, "market1501", {})
    assert "<td>40</td>" in section
    assert "card.html" not in section

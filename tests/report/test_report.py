"""The whole report: what lies where, what the page holds, and what a failure leaves."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from capnet.report import build
from capnet.report.build import publish, write_report
from pipeline import paths
from pipeline.report import main
from pipeline.stage import stage
from tests.report import conftest
from tests.report.conftest import PARAMS, write_project

ROOT = PARAMS.parent
TABLES = {
    "results.json",
    *(f"{name}.csv" for name in ("table1", "table2", "localisation", "wrong_in_top10")),
    *(f"{name}.md" for name in ("table1", "table2", "localisation", "wrong_in_top10")),
}
FIGURES = {"fig2_cam.png", "fig2_spatial.png", "fig3_ranks_1.png", "fig3_ranks_2.png"}
LOADING = {"src", "srcset", "data", "poster", "background", "action", "xlink:href"}
CURVES = 8


class Page(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.source = paths.PAGE.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a drawn and a real data set, made once and only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("report"))
        config = write_project(datasets=("synthetic", "market1501"))
        report = config.report.model_copy(update={"title": "<script>alert(1)</script>"})
        write_report(config.model_copy(update={"report": report}), paths)
        yield Page()


@pytest.mark.usefixtures("page")
def test_everything_lies_where_the_stage_says():
    assert set(files(paths.TABLES)) == TABLES
    assert set(files(paths.FIGURES)) == {f"synthetic/{name}" for name in FIGURES}
    assert set(files(paths.PRIVATE_FIGURES)) == {f"market1501/{name}" for name in FIGURES}
    assert {path.name for path in Path("reports").iterdir()} == {
        *("data", "runs", "tables", "figures", "index.html")
    }


def test_the_page_loads_nothing_and_runs_nothing(page):
    for tag, attributes in page.elements:
        for name in LOADING & set(attributes):
            assert str(attributes[name]).startswith("data:image/"), (tag, name)
        assert not [name for name in attributes if name.startswith("on")]
    assert not page.of("script")
    assert not page.of("iframe")
    assert [link["href"] for link in page.of("link")] == ["data:,"]
    styles = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
    assert not [style for style in styles if "url(" in style or "@import" in style]


def test_every_image_says_what_it_shows(page):
    images = page.of("img")
    assert len(images) == 2 * CURVES + len(FIGURES)
    assert all(len(str(image["alt"])) > 20 for image in images)


def test_every_link_leads_to_a_file_or_a_section(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [str(link["href"]) for link in page.of("a")]
    assert len(links) > 12
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert (paths.PAGE.parent / link).is_file(), link


def test_the_page_has_the_papers_numbers_and_what_is_not_comparable(page):
    for words in ("94.7 / 85.1", "76.1 / 51.2", "PFFN", "2026-01-01 10:00", "0123456789ab"):
        assert words in page.text
    assert "Not comparable with the paper" in page.text
    assert "random weights" in page.text
    assert "own identity and camera" in page.text
    assert "<script>alert(1)</script>" in page.text, "a title is text and not markup"


def test_real_people_are_linked_and_never_embedded_or_published(project):
    write_report(project(datasets=("market1501",), variants=("baseline",), seeds=(1,)), paths)
    page = Page()
    images = [str(image["src"]) for image in page.of("img")]
    assert len(images) == CURVES
    assert all(image.startswith("data:image/svg+xml,") for image in images)
    assert not any("%3Cimage" in image for image in images)
    assert files(paths.FIGURES) == {}
    links = {str(link["href"]) for link in page.of("a")}
    assert {f"../data/figures/market1501/{name}" for name in FIGURES} <= links
    assert "real people" in page.text


def test_one_seed_is_said_and_the_same_inputs_give_the_same_bytes(project):
    config = project(seeds=(3,))
    write_report(config, paths)
    text = Page().text
    assert "1 seed, no spread" in text
    assert "±" not in text
    assert paths.PRIVATE_FIGURES.is_dir()
    assert files(paths.PRIVATE_FIGURES) == {}
    first = files(Path("reports"))
    write_report(config, paths)
    assert files(Path("reports")) == first


@pytest.mark.slow
def test_the_page_of_the_whole_ablation_is_below_a_megabyte(project, monkeypatch):
    for name, value in (("EPOCHS", 61), ("OVERLAYS", 8), ("QUERIES", 16), ("NOISE", 40)):
        monkeypatch.setattr(conftest, name, value)
    variants = ("baseline", "s", "c", "s_then_c", "c_then_s", "s_times_c")
    write_report(project(variants=variants, seeds=(1, 2, 3)), paths)
    assert paths.PAGE.stat().st_size < 1_000_000


def test_what_an_earlier_report_held_goes(tmp_path):
    publish({tmp_path / "folder": {"a/old.png": b"old", "b.md": b"old"}, tmp_path / "page": b"old"})
    publish({tmp_path / "folder": {"b.md": b"new"}, tmp_path / "page": b"new"})
    assert files(tmp_path) == {"folder/b.md": b"new", "page": b"new"}


def test_a_failure_leaves_the_earlier_report(tmp_path, monkeypatch):
    folder, page = tmp_path / "folder", tmp_path / "page"
    publish({folder: {"table.md": b"old"}, page: b"old"})
    original = build._write

    def full(path: Path, content: bytes) -> None:
        if b"too much" in content:
            raise OSError(28, "No space left on device", str(path))
        original(path, content)

    monkeypatch.setattr(build, "_write", full)
    with pytest.raises(OSError, match=r"cannot write .*page.*free space"):
        publish({folder: {"table.md": b"new"}, page: b"too much"})
    assert files(tmp_path) == {"folder/table.md": b"old", "page": b"old"}


def write_params() -> None:
    """Write the params file of a small grid, as its user would."""
    grid = "grid:\n  datasets: [synthetic]\n  variants: [baseline, s]\n  seeds: [1]\n"
    text = PARAMS.read_text(encoding="utf-8")
    paths.PARAMS.write_text(
        re.sub(r"^grid:.*?(?=^\w)", grid, text, flags=re.DOTALL | re.MULTILINE), encoding="utf-8"
    )


def test_the_stage_writes_the_page_and_needs_no_torch(project):
    project(variants=("baseline", "s"), seeds=(1,))
    write_params()
    code = "import runpy, sys; runpy.run_module('pipeline.report', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "wrote reports/index.html\n"
    assert paths.PAGE.is_file()


def test_the_stage_fails_with_one_line(project, monkeypatch, capsys):
    project(variants=("baseline", "s"), seeds=(1,))
    write_params()
    (paths.results("synthetic-s-1") / "metrics.json").unlink()
    monkeypatch.setattr(sys, "argv", ["report"])
    with pytest.raises(SystemExit) as stop:
        stage(main)
    message = capsys.readouterr().err
    assert stop.value.code == 1
    assert "error: " in message
    assert "synthetic-s-1" in message
    assert message.count("\n") == 1
    assert not paths.PAGE.exists()

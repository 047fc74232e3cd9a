"""Fig. 2, Fig. 3 and the curves: the right pictures in the right places."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.report.curves import curves
from capnet.report.encoding import png, webp_addresses
from capnet.report.figures import fig_2, fig_3
from capnet.report.overlays import overlay_sheet
from capnet.report.ranklists import RIGHT, WRONG, rank_lists, rank_sheet, typical_queries
from capnet.report.sheet import TILE, Sheet, coloured, overlay
from capnet.report.strokes import strokes
from capnet.report.study import ReportError, read_study
from pipeline import paths
from tests.report.conftest import OVERLAYS, RESULTS, write_json


def queries(*wrong: int) -> list[dict[str, object]]:
    return [{"path": str(w), "results": [{"right": i >= w} for i in range(10)]} for w in wrong]


def first_seed(study):
    return [run for run in study.runs if run.seed == 1]


def test_the_queries_nearest_the_median_are_chosen():
    # Means over two variants: 9.5, 0.5, 4, 5, 2.5; median 4; nearest 4 and 5.
    lists = [queries(9, 0, 4, 6, 2), queries(10, 1, 4, 4, 3)]
    assert typical_queries(lists, shown=2) == [2, 3]
    assert typical_queries(lists, shown=1) == [2]


def test_of_equal_queries_the_first_is_chosen():
    assert typical_queries([queries(3, 3, 3)], shown=2) == [0, 1]


def test_no_kept_queries_is_no_figure():
    assert typical_queries([[], []]) == []


def test_frames_and_marks_tell_right_from_wrong(project):
    study = read_study(project(), paths)
    runs, root = first_seed(study), Path(study.config.dataset("synthetic").root)
    picture = rank_sheet(runs, rank_lists(runs), query=2, root=root)
    layout = Sheet(["query", *map(str, range(RESULTS))], rows=3, margin=picture.width)
    layout.margin -= layout.picture.width - picture.width
    for row, wrong in enumerate((3, 2, 2)):
        for place in range(RESULTS):
            x, y = layout.corner(row, place + 1)
            expected = WRONG if place < wrong else RIGHT
            assert picture.getpixel((x + TILE[0], y + TILE[1] // 2)) == expected
            badge = picture.crop((x, y, x + 14, y + 14)).convert("L")
            assert badge.getextrema()[1] > 200, "a white mark"


def test_lists_of_other_queries_are_refused(project):
    study = read_study(project(), paths)
    write_json(paths.evaluated("synthetic-s-1") / "ranks.json", queries(1))
    with pytest.raises(ReportError, match=r"synthetic-s-1.*other queries.*synthetic-baseline-1"):
        rank_lists(first_seed(study))


def test_maps_of_other_images_are_refused(project):
    study = read_study(project(), paths)
    file = paths.evaluated("synthetic-s-1") / "overlays.npz"
    maps = np.zeros((1, 6, 3), dtype=np.float32)
    np.savez(file, paths=np.array(["other.jpg"]), cam=maps, spatial=maps, unattended=maps)
    with pytest.raises(ReportError, match=r"synthetic-s-1.*other images"):
        overlay_sheet(first_seed(study), "cam", Path(), None)


def test_a_missing_image_is_named(project):
    study = read_study(project(), paths)
    image = Path(study.config.dataset("synthetic").root) / "query" / "0001.jpg"
    image.unlink()
    with pytest.raises(ReportError, match=r"query/0001\.jpg: not readable as an image"):
        fig_2(study, "synthetic", paths)


def test_the_input_stands_before_its_maps(project):
    study = read_study(project(), paths)
    cam, _ = (figure.picture for figure in fig_2(study, "synthetic", paths).figures)
    layout = Sheet(["input", "Baseline", "S", "S*C"], rows=OVERLAYS, foot=30)
    assert cam.size == layout.picture.size
    x, y = layout.corner(1, 0)
    blue = np.asarray(cam.crop((x + 2, y + 2, x + 8, y + 8)), dtype=float).mean(axis=(0, 1))
    assert blue == pytest.approx((40, 120, 200), abs=8)


def test_the_outline_is_drawn_on_drawn_people_only(project):
    study = read_study(project(), paths)
    run, root = first_seed(study)[:1], Path(study.config.dataset("synthetic").root)
    masks = paths.prepared("synthetic") / "masks"
    with_outline = np.asarray(overlay_sheet(run, "cam", root, masks), dtype=int)
    without = np.asarray(overlay_sheet(run, "cam", root, None), dtype=int)
    changed = (with_outline != without).any(axis=2)
    x, y = Sheet(["input", "Baseline"], rows=OVERLAYS, foot=30).corner(0, 1)
    # The ellipse (8, 8)-(24, 56) of a 32 x 64 image, at twice the size: its edge, not its middle.
    assert changed[y + 64, x + 15 : x + 21].any()
    assert not changed[y + 64, x + 26 : x + 40].any()
    assert (with_outline[changed] >= without[changed]).all()


def test_an_overlay_brightens_where_the_map_is_high():
    values = np.zeros((8, 4), dtype=np.float32)
    values[:4] = 1
    shown = np.asarray(overlay(Image.new("RGB", TILE, (90, 90, 90)), values), dtype=float)
    assert shown[:40].mean() > shown[-40:].mean() + 60


def test_the_scale_grows_brighter_with_the_value():
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
    luminance = np.asarray(coloured(ramp).convert("L"), dtype=int)[0]
    assert (np.diff(luminance) >= -1).all()
    assert luminance[-1] - luminance[0] > 200


def test_captions_say_whose_cam_and_how_queries_were_chosen(project):
    study = read_study(project(), paths)
    assert "training identity" in fig_2(study, "synthetic", paths).note
    plate = fig_3(study, "synthetic")
    assert "nearest the median" in plate.note
    # The medians of 0.33, 1.33, 2.33, 3.33 wrong results are nearest the middle two queries.
    assert [figure.caption for figure in plate.figures] == [
        "Query 1. Wrong results: Baseline 2, S 1, S*C 1.",
        "Query 2. Wrong results: Baseline 3, S 2, S*C 2.",
    ]


def test_a_png_keeps_the_picture_nearly_as_it_is():
    rng = np.random.default_rng(0)
    values = rng.random((30, 40, 3), dtype=np.float32).cumsum(axis=1)
    picture = Image.fromarray((values / values.max() * 255).astype(np.uint8))
    again = np.asarray(Image.open(io.BytesIO(png(picture))).convert("RGB"), dtype=float)
    assert np.abs(again - np.asarray(picture, dtype=float)).mean() < 12


def test_pictures_shrink_to_their_budget():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    best = len(webp_addresses([picture], 10**9)[0])
    assert len(webp_addresses([picture], best - 1)[0]) < best


def test_curves_show_each_quantity_and_the_test_scores_where_kept(project):
    config = project(scores={(v, s): {"progress": []} for v in ("s",) for s in (1, 2)})
    titles = [curve.title for curve in curves(read_study(config, paths), "synthetic")]
    assert titles[:3] == ["Loss (eq. 6)", "Identity loss", "Triplet loss"]
    assert titles[-2:] == ["Test rank-1", "Test mAP"]
    none = {(v, s): {"progress": []} for v in ("baseline", "s", "s_times_c") for s in (1, 2)}
    titles = [c.title for c in curves(read_study(project(scores=none), paths), "synthetic")]
    assert titles[-1] == "Learning rate"


def test_curves_say_their_last_values_and_hold_every_variants_colour(project):
    study = read_study(project(), paths)
    loss = curves(study, "synthetic")[0]
    # The last epoch of the made-up history is 3, its loss 9 / 3.
    assert loss.alt.endswith("At the last epoch: Baseline 3, S 3, S*C 3.")
    for stroke in strokes(study.config).values():
        assert stroke.colour in loss.svg
    assert "prefers-color-scheme:dark" in loss.svg


def test_every_variant_has_a_stroke_of_its_own(project):
    variants = (
        *("baseline", "s", "c", "s_then_c", "c_then_s", "s_times_c"),
        *("cam_loss_only", "s_unsupervised", "c_unsupervised", "s_times_c_unsupervised"),
    )
    chosen = strokes(project(variants=variants, seeds=(1,)))
    assert len(set(chosen.values())) == len(variants)
    assert chosen["s_unsupervised"].colour == chosen["s"].colour
    assert all(chosen[v].dashes == () for v in variants[:6])

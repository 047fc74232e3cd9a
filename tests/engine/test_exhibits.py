"""Material for Figs. 2 and 3 against plain loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from capnet.engine import exhibits
from capnet.engine.embed import Embedded, load_trained
from capnet.models.network import Maps
from capnet.records import Record, of_split
from tests import reference
from tests.engine.tiny import EVALUATE, run_of


def settings(**changes):
    return EVALUATE.model_copy(update=changes)


@pytest.fixture
def embedded():
    """Three queries, the last without a right answer; sixteen gallery images."""
    rng = np.random.default_rng(0)
    queries = [Record(f"q{p}", p, 1, "query", -1, "") for p in (1, 2, 3)]
    pids = [1, 1, 1, 2, 2, 3, -1, -1, *[0] * 8]
    cameras = [1, 2, 3, 2, 1, 1, 2, 1, *[2] * 8]  # person 3 by the query's own camera only
    gallery = [
        Record(f"g{i}", pid, camid, "gallery", -1, "")
        for i, (pid, camid) in enumerate(zip(pids, cameras, strict=True))
    ]
    sides = (F.normalize(torch.from_numpy(rng.standard_normal((n, 4))).float()) for n in (3, 16))
    return Embedded(queries, gallery, Path(), *sides)


def listed(embedded, row):
    """The gallery images that count for a query by rising distance."""
    query = embedded.queries[row]
    distance = (embedded.gallery - embedded.query[row]).square().sum(1).tolist()
    return sorted(
        (distance[i], r)
        for i, r in enumerate(embedded.candidates)
        if r.pid != -1 and (r.pid, r.camid) != (query.pid, query.camid)
    )


def test_a_rank_list_is_the_nearest_images_that_count(embedded):
    lists = exhibits.rank_list_exhibit(embedded, settings(gallery_lists=16))
    assert [entry["path"] for entry in lists.shown] == ["q1", "q2", "q3"]
    wrong = []
    for row, entry in enumerate(lists.shown):
        expected = listed(embedded, row)[:10]
        assert [found["path"] for found in entry["results"]] == [r.path for _, r in expected]
        for found, (distance, record) in zip(entry["results"], expected, strict=True):
            assert (found["pid"], found["camid"]) == (record.pid, record.camid)
            assert found["distance"] == pytest.approx(distance, abs=1e-5)
            assert found["right"] == (record.pid == entry["pid"])
        wrong.append(sum(r.pid != entry["pid"] for _, r in expected))
        misses = [r.path for _, r in expected if r.pid != entry["pid"]]
        assert lists.first_wrong[row] == (misses[0] if misses else "")
    assert lists.wrong_in_top10 == pytest.approx(np.mean(wrong[:2]))  # q3 has no right answer


def test_the_lists_shown_are_spread_and_the_mean_is_over_all(embedded):
    whole = exhibits.rank_list_exhibit(embedded, settings(gallery_lists=16))
    fewer = exhibits.rank_list_exhibit(embedded, settings(gallery_lists=2))
    assert [entry["path"] for entry in fewer.shown] == ["q1", "q2"]
    assert fewer.wrong_in_top10 == whole.wrong_in_top10
    assert exhibits.rank_list_exhibit(embedded, settings(gallery_lists=0)).shown == []


def test_a_short_gallery_gives_short_lists(embedded):
    short = embedded._replace(candidates=embedded.candidates[:5], gallery=embedded.gallery[:5])
    lists = exhibits.rank_list_exhibit(short, settings())
    assert [len(entry["results"]) for entry in lists.shown] == [4, 4, 5]
    assert lists.wrong_in_top10 == pytest.approx((2 + 3) / 2)


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (10, 5, [0, 2, 4, 6, 8]),
        (10, 4, [0, 2, 5, 7]),
        (3, 8, [0, 1, 2]),
        (4, 4, [0, 1, 2, 3]),
        (7, 1, [0]),
        (7, 0, []),
        (0, 3, []),
    ],
)
def test_evenly_spreads_over_a_sequence(length, count, expected):
    assert exhibits.evenly(range(length), count) == expected


def test_maps_come_in_order_whatever_the_batch(model, people):
    trained, queries = load_trained(model, "m", run_of()), of_split(people[0], "query")
    whole = exhibits.maps_of(trained, queries, people[1], settings())
    for name, each in whole._asdict().items():
        assert (each.shape, each.dtype, each.device.type) == ((4, 4, 2), torch.float32, "cpu")
        singly = [
            getattr(exhibits.maps_of(trained, [r], people[1], settings(batch_size=1)), name)
            for r in queries
        ]
        torch.testing.assert_close(each, torch.cat(singly), rtol=1e-3, atol=1e-3)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(1)
    # Eighths, so that up-sampling is exact and ties are ties in any arithmetic.
    return Maps(*(torch.randint(9, (6, 4, 2), generator=generator) / 8 for _ in range(3)))


def test_overlays_are_the_same_images_for_every_variant(maps, tmp_path):
    records = [Record(f"q{i}", i, 1, "query", -1, "") for i in range(6)]
    exhibits.write_overlays(tmp_path / "overlays.npz", maps, records, settings(overlays=3))
    arrays = np.load(tmp_path / "overlays.npz")
    assert arrays["paths"].tolist() == ["q0", "q2", "q4"]
    assert set(arrays) == {"paths", "cam", "spatial", "unattended"}
    for name in Maps._fields:
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], getattr(maps, name)[[0, 2, 4]])


def test_localisation_is_scored_at_the_images_size(maps):
    masks = torch.rand(6, 16, 8, generator=torch.Generator().manual_seed(2)) > 0.6
    scores = exhibits.localisation_scores(maps, masks)
    assert scores.keys() == {"chance", "cam", "spatial", "unattended"}
    assert scores["chance"] == pytest.approx(masks.double().mean().item())
    for name in Maps._fields:
        full = reference.bilinear_upsample(getattr(maps, name), (16, 8))
        pairs = list(zip(full, masks.numpy(), strict=True))
        expected = {
            "pixel_ap": reference.pixel_average_precision(full, masks),
            "energy": np.mean([reference.energy_pointing(*pair) for pair in pairs]),
            "pointing": np.mean([reference.pointing_game(*pair) for pair in pairs]),
        }
        assert scores[name] == pytest.approx(expected, rel=1e-5)


def test_a_perfect_map_scores_one_and_a_constant_one_chance():
    masks = torch.zeros(2, 8, 4, dtype=torch.bool)
    masks[:, :4] = True
    maps = Maps(masks.float(), torch.ones(2, 8, 4), 1 - masks.float())
    scores = exhibits.localisation_scores(maps, masks)
    assert scores["cam"] == {"pixel_ap": 1, "energy": 1, "pointing": 1}
    assert scores["spatial"]["pixel_ap"] == scores["spatial"]["energy"] == scores["chance"] == 0.5
    assert scores["unattended"]["energy"] == scores["unattended"]["pointing"] == 0


def test_masks_are_read_in_order_and_parts_are_one_person(tmp_path):
    records = [Record(f"query/{name}.jpg", 1, 1, "query", -1, "") for name in "ba"]
    (tmp_path / "query").mkdir()
    for value, name in enumerate("ba", start=2):
        pixels = np.zeros((6, 3), dtype=np.uint8)
        pixels[value] = value
        Image.fromarray(pixels).save(tmp_path / "query" / f"{name}.png")
    masks = exhibits.read_masks(records, tmp_path)
    assert masks.dtype == torch.bool
    assert masks.nonzero()[:, 1].unique().tolist() == [2, 3]
    assert masks[0, 2].all()
    assert masks[1, 3].all()


def test_a_data_set_without_masks_has_none(tmp_path):
    assert exhibits.read_masks([], tmp_path / "masks") is None


def test_a_mask_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        exhibits.read_masks([Record("query/a.jpg", 1, 1, "query", -1, "")], tmp_path)

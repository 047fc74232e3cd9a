"""On a GPU as on the CPU: whole numbers, whose distances every device computes exactly."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from capnet.ops.cameras import rank_by_cameras
from capnet.ops.ranking import rank_embeddings, rank_lists
from capnet.ops.rerank import k_reciprocal_distance, rank_reranked
from capnet.ops.single_shot import rank_single_shot
from tests.ops.cases import assert_same, whole_number_set

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ranking(dtype):
    query, gallery, ids = whole_number_set()
    expected = rank_embeddings(query, gallery, *ids)
    with torch.autocast("cuda"):
        ranked = rank_embeddings(query.to("cuda", dtype), gallery.to("cuda", dtype), *ids)
    assert_same(ranked, expected)
    on_gpu = [torch.from_numpy(values).cuda() for values in ids]
    assert_same(rank_embeddings(query.cuda(), gallery.cuda(), *on_gpu), expected)


def test_rank_lists():
    query, gallery, ids = whole_number_set()
    ours = rank_lists(query.cuda(), gallery.cuda(), *ids)
    for on_gpu, expected in zip(ours, rank_lists(query, gallery, *ids), strict=True):
        assert_array_equal(on_gpu, expected)


def test_camera_pairs_and_single_shot():
    query, gallery, ids = whole_number_set()
    persons = np.where(ids[1] == 0, 7, ids[1])
    for rank, gallery_pids in ((rank_by_cameras, ids[1]), (rank_single_shot, persons)):
        labels = (ids[0], gallery_pids, *ids[2:])
        expected = rank(query, gallery, *labels)
        assert_same(rank(query.cuda(), gallery.cuda(), *labels), expected)


def test_re_ranking():
    query, gallery, ids = whole_number_set()
    on_gpu = query.cuda(), gallery.cuda()
    expected = k_reciprocal_distance(query, gallery, 8, 4)
    assert_allclose(k_reciprocal_distance(*on_gpu, 8, 4), expected, atol=1e-6)
    assert_same(
        rank_reranked(*on_gpu, *ids, k1=8, k2=4), rank_reranked(query, gallery, *ids, k1=8, k2=4)
    )

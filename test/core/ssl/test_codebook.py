"""Online clustering against five lines of NumPy."""

import numpy as np
import pytest
import torch
from factories import make_codebook

from espnet_uniwav.core.ssl.codebook import count_codes


def numpy_update(sums, counts, targets, decay):
    """The update of one codebook (V, D), (V,) by its targets (N, D)."""
    centroids = sums / counts[:, None]
    codes = ((targets[:, None] - centroids) ** 2).sum(-1).argmin(1)
    for v in np.unique(codes):
        sums[v] = decay * sums[v] + (1 - decay) * targets[codes == v].sum(0)
        counts[v] = decay * counts[v] + (1 - decay) * (codes == v).sum()
    return codes


def expect(books, targets, steps=1):
    """Compare one step (several collected batches) with NumPy."""
    state = books.sum.double().numpy().copy(), books.count.double().numpy().copy()
    found = [books.assign(t, collect=True) for t in targets]
    books.update()
    for k in range(len(books.sum)):
        joined = np.concatenate([t[k].double().numpy() for t in targets])
        codes = numpy_update(state[0][k], state[1][k], joined, books.codebook_decay)
        assert np.concatenate([f[k] for f in found]).tolist() == codes.tolist()
        np.testing.assert_allclose(books.sum[k], state[0][k], atol=1e-5)
        np.testing.assert_allclose(books.count[k], state[1][k], atol=1e-5)


def test_updates_equal_numpy():
    books = make_codebook()
    for _ in range(4):
        expect(books, [torch.randn(2, 30, 4)])


def test_several_batches_before_one_update():
    books = make_codebook()
    for _ in range(2):
        expect(books, [torch.randn(2, n, 4) for n in (7, 30, 2)])


def test_unused_codewords_stay_bit_for_bit():
    books = make_codebook(codebook_size=16)
    books.count.uniform_(1.5, 2.0)
    before = books.sum.clone(), books.count.clone(), books.codewords.clone()
    codes = books.assign(torch.randn(2, 3, 4), collect=True)
    books.update()
    unused = torch.ones(2, 16, dtype=torch.bool).scatter_(1, codes, False)
    assert unused.sum() >= 2 * 13
    for old, new in zip(before, (books.sum, books.count, books.codewords)):
        assert torch.equal(old[unused], new[unused])
        assert (old[~unused] != new[~unused]).all()


def test_codes_are_nearest_neighbours():
    books = make_codebook(codebook_size=32)
    books.count.uniform_(0.5, 2.0)
    targets = torch.randn(2, 200, 4)
    expected = torch.cdist(targets.double(), books.codewords.double()).argmin(-1)
    assert torch.equal(books.assign(targets), expected)


def test_nothing_moves_without_collect_or_without_update():
    books = make_codebook()
    before = books.codewords.clone()
    books.assign(torch.randn(2, 9, 4))
    books.update()
    assert torch.equal(books.codewords, before)
    books.assign(torch.randn(2, 9, 4), collect=True)
    assert torch.equal(books.codewords, before)
    books.update()
    after = books.codewords.clone()
    assert not torch.equal(after, before)
    books.update()
    assert torch.equal(books.codewords, after)


def test_frames_that_are_not_finite_are_left_out():
    targets = torch.randn(2, 10, 4)
    books, clean = make_codebook(), make_codebook()
    clean.load_state_dict(books.state_dict())
    spoilt = torch.cat((targets, torch.randn(2, 3, 4)), 1)
    spoilt[:, 10, 0] = float("nan")
    spoilt[:, 11, 1] = float("inf")
    spoilt[:, 12, 2] = float("-inf")
    books.assign(spoilt, collect=True)
    clean.assign(targets, collect=True)
    books.update()
    clean.update()
    torch.testing.assert_close(books.sum, clean.sum)
    torch.testing.assert_close(books.count, clean.count)


def test_collected_statistics_are_saved():
    books, resumed = make_codebook(), make_codebook()
    books.assign(torch.randn(2, 9, 4), collect=True)
    resumed.load_state_dict(books.state_dict())
    books.update()
    resumed.update()
    assert torch.equal(books.codewords, resumed.codewords)


def test_fp32_under_autocast():
    books, plain = make_codebook(dim=64), make_codebook(dim=64)
    plain.load_state_dict(books.state_dict())
    targets = torch.randn(2, 300, 64)
    expected = plain.assign(targets, collect=True)
    plain.update()
    with torch.autocast("cpu", torch.bfloat16):
        codes = books.assign(targets, collect=True)
        books.update()
    assert torch.equal(codes, expected)
    for name, value in books.state_dict().items():
        assert value.dtype == plain.state_dict()[name].dtype
        assert torch.equal(value, plain.state_dict()[name])
    assert books.sum.dtype == books.pending_count.dtype == torch.float32


def test_codewords_start_with_the_statistics_of_the_targets():
    books = make_codebook(codebook_size=64)
    torch.testing.assert_close(
        books.codewords.mean(1), torch.zeros(2, 4), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(books.codewords.std(1, unbiased=False), torch.ones(2, 4))
    assert (books.count == 1).all()


def test_codewords_may_start_as_frames_of_the_first_batch():
    books = make_codebook(codebook_init="data")
    targets = torch.randn(2, 30, 4)
    codes = books.assign(targets, collect=True)
    for k in range(2):
        frames = [frame.tolist() for frame in targets[k]]
        assert all(word.tolist() in frames for word in books.codewords[k])
        assert len(set(codes[k].tolist())) > 4
    words = books.codewords.clone()
    books.assign(torch.randn(2, 30, 4), collect=True)
    assert torch.equal(books.codewords, words)


def test_resumed_codewords_do_not_start_again():
    books, resumed = (make_codebook(codebook_init="data") for _ in range(2))
    books.assign(torch.randn(2, 30, 4), collect=True)
    books.update()
    resumed.load_state_dict(books.state_dict())
    words = resumed.codewords.clone()
    resumed.assign(torch.randn(2, 30, 4), collect=True)
    assert torch.equal(resumed.codewords, words)


def test_unknown_start_is_named():
    with pytest.raises(ValueError, match="'random' or 'data', found 'kmeans'"):
        make_codebook(codebook_init="kmeans")


def test_frames_that_do_not_count_are_left_out():
    codes = torch.tensor([[0, 2, 2, 1], [1, 1, 0, 0]])
    counted = torch.tensor([True, True, True, False])
    expected = [[1.0, 0.0, 2.0], [1.0, 2.0, 0.0]]
    assert count_codes(codes, 3, counted).tolist() == expected
    assert count_codes(codes, 3).sum() == codes.numel()

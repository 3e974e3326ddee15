"""Large memory maps: told from arrays, and turned into temporary files."""

import errno
import gc
import os

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sparselearn._solvers import _maps
from sparselearn._solvers._maps import in_order, is_large_map, is_mapped
from sparselearn._validation import column_major


@pytest.fixture(autouse=True)
def small_maps_are_large(monkeypatch):
    monkeypatch.setattr(_maps, "LARGEST_COPY", 100)
    monkeypatch.setattr(_maps, "BLOCK", 32)


def saved(path, X):
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def test_what_lies_in_a_file(rng, tmp_path):
    X = rng.standard_normal((20, 5))
    mapped = saved(tmp_path / "X.npy", X)
    strided = np.lib.stride_tricks.as_strided(mapped, (9, 5), (80, 8))
    for view in (mapped, np.asarray(mapped)[3:], mapped.T, mapped[::2, 1:], strided):
        assert is_mapped(view)
        assert is_large_map(view)
    assert is_mapped(mapped[:2])
    assert not is_large_map(mapped[:2])
    copies = mapped.copy(), mapped.astype(np.float32), np.take(mapped, [1, 2], axis=0)
    frame = pd.DataFrame({"base": X[:, 0]})
    others = mapped + 1, mapped[[1, 2]], copies[0][1:], sp.csr_array(X), X.tolist()
    for other in (X, X[1:], *copies, *others, frame):
        assert not is_mapped(other)
        assert not is_large_map(other)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(37, 5), (5, 37), (1, 60)])
def test_a_map_is_turned(rng, tmp_path, order, dtype, shape):
    X = rng.standard_normal(shape).astype(dtype)
    for stored in (np.ascontiguousarray(X), np.asfortranarray(X)):
        mapped = saved(tmp_path / "X.npy", stored)
        for view in (mapped, mapped[::-1]):
            found = in_order(view, order)
            assert found.flags[f"{order}_CONTIGUOUS"]
            assert is_mapped(found)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, view)
            right = view.flags[f"{order}_CONTIGUOUS"]
            assert np.shares_memory(found, view) == right
        np.testing.assert_array_equal(mapped, X)


def test_arrays_and_small_maps_stay(rng, tmp_path):
    X = rng.standard_normal((6, 2))
    mapped = saved(tmp_path / "X.npy", X)
    assert in_order(mapped, "F") is mapped
    assert in_order(np.repeat(X, 9, axis=0), "F").flags.c_contiguous
    large = saved(tmp_path / "Y.npy", np.repeat(X, 9, axis=0))
    found = column_major(large)
    assert found.flags.f_contiguous
    assert is_mapped(found)
    assert not found.flags.writeable


def test_the_file_has_no_name_and_goes(rng, tmp_path, monkeypatch):
    descriptors = "/proc/self/fd"
    if not os.path.isdir(descriptors):
        pytest.skip("open files are not listed on this system")
    mapped = saved(tmp_path / "X.npy", rng.standard_normal((40, 10)))
    monkeypatch.setattr(_maps.tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    before = len(os.listdir(descriptors))
    turned = in_order(mapped, "F")
    assert not list((tmp_path / "scratch").iterdir())
    del turned
    gc.collect()
    assert len(os.listdir(descriptors)) == before


def test_no_room_and_no_folder_are_said(rng, tmp_path, monkeypatch):
    mapped = saved(tmp_path / "X.npy", rng.standard_normal((40, 10)))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_maps, "_reserve", full)
    with pytest.raises(OSError, match=r"0 MiB .*No space left.*TMPDIR") as caught:
        in_order(mapped, "F")
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    monkeypatch.setattr(_maps, "LARGEST_COPY", 100)
    monkeypatch.setattr(_maps.tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match=r"nowhere.*TMPDIR"):
        in_order(mapped, "F")


def test_room_is_reserved_without_the_call_for_it(rng, tmp_path, monkeypatch):
    monkeypatch.delattr(_maps.os, "posix_fallocate", raising=False)
    monkeypatch.setattr(_maps, "MEBIBYTE", 1000)
    mapped = saved(tmp_path / "X.npy", rng.standard_normal((40, 10)))
    found = in_order(mapped, "F")
    np.testing.assert_array_equal(found, mapped)
    with open(tmp_path / "room", "w+b") as file:
        _maps._reserve(file, 3210)
        assert os.fstat(file.fileno()).st_size == 3210

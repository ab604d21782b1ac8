"""Parcels: sent once, unpacked once, gone when nobody needs them."""

import builtins
import multiprocessing
import pickle
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nnecon.estimation import parcel
from nnecon.estimation.parcel import LARGE, pickled, send, unpack
from nnecon.exceptions import SpecificationError

SPAWN = multiprocessing.get_context("spawn")


class FakeClient:
    """What is asked of Dask's client."""

    def __init__(self, workers=True):
        self.scattered, self.workers = [], workers

    def scatter(self, data, broadcast, timeout):
        assert broadcast
        if not self.workers:
            raise TimeoutError
        self.scattered.append(data)
        return data


class DaskLike(Executor):
    def __init__(self, client):
        self._client = client


def test_small_parcels_travel_with_tasks():
    for executor in (Executor(), ProcessPoolExecutor(1, mp_context=SPAWN), DaskLike(FakeClient())):
        sent = send([1, 2, 3], executor)
        assert pickle.loads(sent.source) == [1, 2, 3]


def test_large_parcels_travel_once():
    data = np.arange(LARGE)
    assert isinstance(send(data, Executor()).source, bytes)
    client = FakeClient()
    executor = DaskLike(client)
    first = send(data, executor)
    assert send(data.copy(), executor) is first
    [[content]] = [list(one.values()) for one in client.scattered]
    assert np.array_equal(unpack(first.digest, content), data)
    send(data + 1, executor)
    assert len(client.scattered) == 2
    # a cluster without workers as yet gets them with the tasks
    assert isinstance(send(data, DaskLike(FakeClient(workers=False))).source, bytes)


def test_files_are_removed_with_their_executor_and_by_the_next_parcel():
    executor = ProcessPoolExecutor(1, mp_context=SPAWN)
    path = send(np.arange(LARGE), executor).source
    assert isinstance(path, Path) and path.exists()
    digest = send(np.arange(LARGE), executor).digest
    assert np.array_equal(unpack(digest, path), np.arange(LARGE))
    second = send(np.arange(LARGE + 1), executor).source
    assert not path.exists() and second.exists()
    del executor
    assert not second.exists()


def test_a_process_unpacks_once_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(parcel, "_unpacked", {})
    content = {name: pickle.dumps([name]) for name in "abc"}
    first = unpack("a", content["a"])
    assert unpack("a", content["a"]) is first
    unpack("b", content["b"])
    assert unpack("a", content["a"]) is first
    unpack("c", content["c"])
    again = unpack("a", content["a"])
    assert again == first and again is not first


def test_local_functions_are_sent_by_their_code(monkeypatch):
    pytest.importorskip("cloudpickle")
    factor = 3
    assert pickle.loads(pickled(lambda x: factor * x))(2) == 6
    lock = threading.Lock()
    with pytest.raises(SpecificationError, match=r"cannot send .*no files, locks"):
        pickled(lambda x: lock)

    load = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "cloudpickle":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert pickle.loads(pickled(np.sin)) is np.sin
    with pytest.raises(SpecificationError, match=r"install cloudpickle"):
        pickled(lambda x: factor * x)

"""Scenes fetched ahead are those asked for, and the thread that fetches them comes to an end."""

import threading

import pytest

from augflow.training.batches import prefetch
from tests.generators.conftest import scenes

BATCHES = [[0, 2], [1, 3], [2, 2], [3, 0]]


class OnDisk:
    """Scenes that have to be fetched, with a note of which were and by whom."""

    def __init__(self, broken=()):
        self.all, self.fetched, self.threads, self.broken = scenes(4), [], set(), broken
        self.asked = threading.Semaphore(0)

    def __len__(self):
        return 4

    def __getitem__(self, rows):
        self.fetched.append(rows)
        self.threads.add(threading.current_thread().name)
        self.asked.release()
        if rows in self.broken:
            raise OSError("disk gone")
        return self.all[rows]

    def waited(self, count):
        """Until so many batches have been asked for."""
        for _ in range(count):
            assert self.asked.acquire(timeout=10)


def fetchers():
    return [t for t in threading.enumerate() if t.name.startswith("augflow-scenes")]


def lent(source, first=0, steps=4):
    return prefetch(source, lambda step: BATCHES[step], steps, pinned=False)


def test_batches_are_those_of_their_steps():
    source = OnDisk()
    with lent(source) as batch:
        for step, rows in enumerate(BATCHES):
            ours, theirs = batch(step), source.all[rows]
            assert (ours.image == theirs.image).all()
            assert (ours.layout.classes == theirs.layout.classes).all()
    assert source.fetched == BATCHES


def test_the_next_batch_is_fetched_before_it_is_asked_for():
    source = OnDisk()
    with lent(source) as batch:
        batch(0)
        source.waited(2)
    assert source.fetched == BATCHES[:2]
    assert all(name.startswith("augflow-scenes") for name in source.threads)


def test_a_run_that_goes_on_fetches_nothing_of_what_is_behind_it():
    source = OnDisk()
    with lent(source) as batch:
        batch(2)
        batch(3)
    assert source.fetched == BATCHES[2:]


def test_scenes_in_memory_are_taken_without_a_thread():
    together = scenes(4)
    with lent(together) as batch:
        assert (batch(1).image == together.image[[1, 3]]).all()
        assert fetchers() == []


def test_a_fault_of_fetching_is_raised_where_the_batch_is_asked_for():
    source = OnDisk(broken=(BATCHES[1],))
    with lent(source) as batch:
        batch(0)
        source.waited(2)
        with pytest.raises(OSError, match="disk gone"):
            batch(1)


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_no_thread_is_left_behind(fault):
    seen = []

    def step():
        with lent(OnDisk()) as batch:
            batch(0)
            seen.extend(fetchers())
            raise fault

    with pytest.raises(fault):
        step()
    assert len(seen) == 1
    assert fetchers() == []

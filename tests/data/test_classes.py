from __future__ import annotations

import numpy as np
import pytest

from augflow.core.errors import DataError, ParamsError
from augflow.data.classes import IGNORE, TABLES, ClassRow, ClassTable, table

every_table = pytest.mark.parametrize("name", sorted(TABLES))


@every_table
def test_train_ids_count_from_zero_without_gaps(name):
    assert [row.train_id for row in table(name).train_rows] == list(range(table(name).count))


@every_table
def test_ids_are_unique_and_names_are_too(name):
    rows = table(name).rows
    assert len({row.id for row in rows}) == len(rows)
    assert len({row.name for row in rows}) == len(rows)


@every_table
def test_exported_ids_are_read_as_the_train_ids_they_came_from(name):
    t = table(name)
    classes = np.array([[*range(t.count), IGNORE]], np.uint8)
    assert (t.from_raw(t.raw_ids[classes]) == classes).all()


@every_table
def test_painted_classes_are_read_back(name):
    t = table(name)
    classes = np.array([[*range(t.count), IGNORE]], np.uint8)
    assert (t.from_colours(t.palette[classes]) == classes).all()


@every_table
def test_train_ids_are_read_as_themselves(name):
    t = table(name)
    classes = np.array([[*range(t.count), IGNORE]], np.int64)
    read = t.from_train(classes)
    assert (read == classes).all()
    assert read.dtype == np.uint8


def test_cityscapes_learns_its_nineteen_classes_in_the_published_order():
    names = (
        "road sidewalk building wall fence pole traffic-light traffic-sign vegetation terrain sky "
        "person rider car truck bus train motorcycle bicycle"
    )
    assert table("cityscapes").names == tuple(n.replace("-", " ") for n in names.split())
    assert [row.id for row in table("cityscapes").train_rows] == [
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
    ]  # fmt: skip


def test_cityscapes_counts_people_and_vehicles():
    assert table("cityscapes").things == tuple(range(11, 19))


def test_streets_keep_the_published_ids_of_ten_classes():
    streets = table("streets")
    assert streets.count == 10
    published = {row.name: row.id for row in table("cityscapes").rows}
    assert {row.name: row.id for row in streets.rows} == published
    assert streets.from_raw(np.array([[7, 26, 27]])).tolist() == [[0, 8, IGNORE]]


def test_an_unknown_id_is_named():
    with pytest.raises(DataError, match="34"):
        table("cityscapes").from_raw(np.array([[7, 34]]))
    with pytest.raises(DataError, match="19"):
        table("cityscapes").from_train(np.array([[0, 19]]))


@pytest.mark.parametrize("wrong", [-1, 65536])
def test_an_id_beyond_sixteen_bits_is_refused(wrong):
    with pytest.raises(DataError, match="outside"):
        table("cityscapes").from_raw(np.array([[wrong]]))


def test_255_is_ignored_whatever_the_table():
    for name in TABLES:
        assert (table(name).from_raw(np.array([[255]])) == IGNORE).all()


def test_an_unknown_colour_is_named():
    with pytest.raises(DataError, match=r"\(1, 2, 3\)"):
        table("camvid").from_colours(np.array([[[1, 2, 3]]], np.uint8))


def test_an_unknown_table_lists_the_known_ones_and_the_nearest():
    with pytest.raises(ParamsError, match="did you mean 'cityscapes'"):
        table("cityscape")


def test_several_ids_may_share_a_train_id():
    merged = ClassTable(
        "merged",
        (
            ClassRow("car", 4, 0, True, (0, 0, 142)),
            ClassRow("truck", 9, 0, True, (0, 0, 70)),
            ClassRow("void", 0, IGNORE, False, (0, 0, 0)),
        ),
    )
    assert merged.names == ("car",)
    assert merged.from_raw(np.array([[4, 9, 0]])).tolist() == [[0, 0, IGNORE]]
    assert merged.raw_ids[0] == 4

from __future__ import annotations

import numpy as np
import pytest

from augflow.core.errors import DataError, ParamsError
from augflow.data.classes import IGNORE, TABLES, ClassRow, ClassTable, table


@pytest.mark.parametrize("name", sorted(TABLES))
def test_ids_and_colours_of_a_table_lead_back_to_its_train_ids(name):
    t = table(name)
    assert [row.train_id for row in t.train_rows] == list(range(t.count))
    assert len({row.id for row in t.rows}) == len({row.name for row in t.rows}) == len(t.rows)
    classes = np.array([[*range(t.count), IGNORE]], np.int64)
    assert (t.from_raw(t.raw_ids[classes]) == classes).all()
    assert (t.from_colours(t.palette[classes]) == classes).all()
    assert (t.from_train(classes) == classes).all()
    assert t.from_train(classes).dtype == np.uint8
    assert (t.from_raw(np.array([[255]])) == IGNORE).all()


def test_cityscapes_learns_its_nineteen_classes_in_the_published_order():
    names = (
        "road sidewalk building wall fence pole traffic-light traffic-sign vegetation terrain sky "
        "person rider car truck bus train motorcycle bicycle"
    )
    assert table("cityscapes").names == tuple(n.replace("-", " ") for n in names.split())
    assert [row.id for row in table("cityscapes").train_rows] == [
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
    ]  # fmt: skip


def test_streets_keep_the_published_ids_of_ten_classes():
    streets = table("streets")
    assert streets.count == 10
    published = {row.name: row.id for row in table("cityscapes").rows}
    assert {row.name: row.id for row in streets.rows} == published
    assert streets.from_raw(np.array([[7, 26, 27]])).tolist() == [[0, 8, IGNORE]]


def test_what_a_table_does_not_know_is_named():
    city = table("cityscapes")
    for wrong, said in (([[7, 34]], "34"), ([[-1]], "outside"), ([[65536]], "outside")):
        with pytest.raises(DataError, match=said):
            city.from_raw(np.array(wrong))
    with pytest.raises(DataError, match="19"):
        city.from_train(np.array([[0, 19]]))
    with pytest.raises(DataError, match=r"\(1, 2, 3\)"):
        city.from_colours(np.array([[[1, 2, 3]]], np.uint8))
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

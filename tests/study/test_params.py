from __future__ import annotations

import copy
import re

import pytest
import yaml
from pydantic import ValidationError

from augflow.core.errors import ParamsError
from augflow.study.params import Params, load
from tests.tiny_study import PARAMS

WHOLE = {
    "study": "demo",
    "data": {"reader": "streets", "root": "data/demo/raw", "size": [64, 96]},
    "generators": {"full": {"system": "full_glow", "preset": "tiny", "training": {"steps": 10}}},
    "sets": {
        "t08": {"generator": "full", "layouts": "val", "temperatures": [0.8]},
        "more": {"generator": "full", "layouts": "train", "temperatures": [0.5, 0.8]},
    },
    "transfers": {"moved": {"generator": "full", "layouts": "val"}},
    "judge": {"steps": 5},
    "arms": {
        "real": {"train_on": ["real"], "reads": "prepared"},
        "both": {"train_on": ["real", "more"], "reads": "synthetic/more"},
    },
    "retrain": {"segmenter": {"steps": 5}, "seeds": [0, 1]},
    "report": {"title": "Demo", "sweep": ["t08"], "temperatures": [0.8]},
}


def changed(content, **changes):
    """A copy with some values replaced, by dotted name."""
    content = copy.deepcopy(content)
    for place, value in changes.items():
        *parents, key = place.split("__")
        section = content
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
    return content


@pytest.fixture
def loaded(tmp_path):
    """Loads the whole parameters with some values replaced."""

    def load_with(**changes):
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(changed(WHOLE, **changes)))
        return load(path)

    return load_with


def test_whole_parameters_are_read(loaded):
    params = loaded()
    assert params.data.size == (64, 96)
    assert params.sets["t08"].temperatures == (0.8,)


def test_what_is_verified_is_no_parameter_of_a_study(loaded):
    with pytest.raises(ParamsError, match=r"verify: .*delete the section, and give augflow verify"):
        loaded(verify={"seed": 5})


@pytest.mark.parametrize("rows", [None, "auto", 1, 64])
def test_rows_that_are_worked_through_at_once_are_a_number_all_or_what_fits(loaded, rows):
    params = loaded(generators__full__training={"steps": 10, "micro_batch": rows})
    assert params.generators["full"].training.micro_batch == rows


@pytest.mark.parametrize("rows", [0, -1, True, 2.0, "all"])
def test_any_other_number_of_rows_is_refused_in_one_line(loaded, rows):
    message = (
        "generators.full.training.micro_batch: expected a number of rows from 1 on, auto or null, "
        f"got {rows!r}"
    )
    with pytest.raises(ParamsError, match=re.escape(message)):
        loaded(generators__full__training={"steps": 10, "micro_batch": rows})


@pytest.mark.parametrize(
    "title",
    [
        "12 % better than real",
        "Gain of 4 on Cityscapes",
        "Streets: +4 with flows",
        "\u22124 without",
        "44.0 on streets",
        "44,0 on streets",
        "4 points of class IoU",
        "4 mIoU more",
        "IoU of 44",
        "3x as good",
        "3-fold data",
        "\uff14\uff05 on top",
        "4 per cent",
        "half a percent, 1/2 percent",
        "4 bits saved",
        "p of \u0664\u066a",
    ],
)
def test_a_title_that_tells_a_result_is_refused_in_one_line(loaded, title):
    for place in ("title", "training_time"):
        with pytest.raises(ParamsError, match="reads as a result") as caught:
            loaded(**{f"report__{place}": title})
        assert f"report.{place}: " in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("titles", "said"),
    [
        ({"t08": "12.5 % better"}, "report.titles.t08: .*reads as a result"),
        ({"t08": "a\u202eb"}, "report.titles.t08: .*cannot be seen"),
        ({"t09": "Samples"}, "report.titles: no 't09'.*did you mean 't08'"),
    ],
)
def test_titles_are_held_to_the_same_and_to_names_of_the_study(loaded, titles, said):
    with pytest.raises(ParamsError, match=said):
        loaded(report__titles=titles)


def test_titles_are_words_for_names(loaded):
    titles = {"t08": "Samples at a temperature of 1", "full": "Our flow"}
    assert loaded(report__titles=titles).report.titles == titles


@pytest.mark.parametrize("title", ["a\u202eb", "a\nb", "a\u200bb"])
def test_a_title_with_marks_that_cannot_be_seen_is_refused(loaded, title):
    with pytest.raises(ParamsError, match=r"report\.title: .*cannot be seen"):
        loaded(report__title=title)


@pytest.mark.parametrize(
    "title",
    [
        "Cityscapes 128 x 256",
        "Cityscapes at 128x256",
        "Cityscapes 128 \u00d7 256",
        "Streets 2026",
        "Streets, 2024-2026",
        "What helps on IDD-Lite, on 1/16, a quarter and all of 1,403 scenes",
        "Is synthetic better than classic?",
        "8 to 12 minutes each on one core; steps from benchmarks/training_steps.py",
        "Stra\u00dfen und B\u00e4ume, \u8857\u666f",
    ],
)
def test_a_title_may_say_what_was_done(loaded, title):
    assert loaded(report__title=title).report.title == title


def test_sections_are_immutable(loaded):
    with pytest.raises(ValidationError):
        loaded().data.root = "elsewhere"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("generators__full__training__stpes", r"generators\.full\.training\.stpes.*'steps'"),
        ("data__labls", r"data\.labls: no such parameter.*did you mean 'labels'"),
        ("sets__t08__tempratures", r"sets\.t08\.tempratures.*'temperatures'"),
        ("reprot", r"reprot: no such parameter.*'report'"),
        ("retrain__segmenter__step", r"retrain\.segmenter\.step:.*'steps'"),
        ("data__streets__trian", r"data\.streets\.trian.*did you mean 'train'"),
    ],
)
def test_a_misspelt_parameter_is_named_with_the_nearest_one(loaded, place, message):
    with pytest.raises(ParamsError, match=message):
        loaded(**{place: 1})


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("sets__t08__generator", "ful", r"sets\.t08\.generator: no 'ful'.*did you mean 'full'"),
        ("transfers__moved__generator", "x", r"transfers\.moved\.generator: no 'x'; known: full"),
        (
            "arms__both",
            {"train_on": ["real", "t80"], "reads": "synthetic/t80"},
            r"arms\.both\.train_on: no 't80'; known: real, more, t08; did you mean 't08'",
        ),
        ("report__sweep", ["t09"], r"report\.sweep: no 't09'.*'t08'"),
        ("attributes", {"generators": ["ful"]}, r"attributes\.generators: no 'ful'"),
    ],
)
def test_a_name_of_nothing_is_an_error_where_it_is_used(loaded, place, value, message):
    with pytest.raises(ParamsError, match=message):
        loaded(**{place: value})


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("sets__t08__temperatures", [0.5, 0.7, 0.5], r"temperatures: 0\.5 more than once"),
        ("data__classes", [{"nam": "road"}], r"data\.classes\.0\.nam: .*did you mean 'name'"),
        ("report__sweep", ["t08", "t08"], r"report\.sweep: t08 more than once"),
        (
            "sets__t08",
            {"generator": "full", "layouts": "val", "temperatures": [1], "rounds": 3, "best_of": 2},
            r"sets\.t08: best_of is 2, expected 3 \(rounds\) or more",
        ),
        ("data__reader", "cityscape", r"data\.reader: .*got 'cityscape'"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_came(loaded, place, value, message):
    with pytest.raises(ParamsError, match=message):
        loaded(**{place: value})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"judge__batch_size": 0, "data__labls": "x", "sets__t08__rounds": -1},
         ("judge.batch_size", "data.labls", "sets.t08.rounds")),
        ({"sets__t08__generator": "x", "report__sweep": ["y", "z"]},
         ("no 'x'", "no 'y'", "no 'z'")),
    ],
)  # fmt: skip
def test_all_faults_are_listed_at_once(loaded, changes, named):
    with pytest.raises(ParamsError) as error:
        loaded(**changes)
    assert all(one in str(error.value) for one in named)
    assert "\n" not in str(error.value)


def test_a_missing_section_is_named(tmp_path):
    content = {key: value for key, value in WHOLE.items() if key != "generators"}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ParamsError, match="generators: Field required"):
        load(path)


def test_a_missing_file_is_an_error_that_says_where_to_be(tmp_path):
    with pytest.raises(ParamsError, match="augflow init"):
        load(tmp_path / "params.yaml")


def test_the_systems_of_a_sweep_are_compared_on_the_same_layouts(loaded):
    one = {"generator": "full", "layouts": "val", "temperatures": [0.5]}
    other = {**WHOLE["generators"], "plain": WHOLE["generators"]["full"]}
    both = {"sets__b": {**one, "generator": "plain"}, "generators": other}
    assert loaded(**both, report__sweep=["t08", "b"]).report.sweep == ("t08", "b")
    with pytest.raises(ParamsError, match="generators: full more than once"):
        loaded(sets__b=one, report__sweep=["t08", "b"])
    both["sets__b"] = {**both["sets__b"], "limit": 3}
    with pytest.raises(ParamsError, match=r"same layouts, but t08 has val, limit None, one in 1"):
        loaded(**both, report__sweep=["t08", "b"])


SELECTION = {
    "judges": {"all": {"steps": 5}, "quarter": {"steps": 5, "one_in": 4}},
    "choices": {"best": {"set": "more", "segmenter": {"steps": 5}}},
    "selections": {"kept": {"set": "more", "judge": "all", "reads": "prepared"}},
}


def test_an_arm_may_train_on_a_selection(loaded):
    arm = {"train_on": ["real", "kept"], "reads": "selected/kept", "ratio": 0.5}
    params = loaded(**SELECTION, arms__chosen=arm)
    assert params.arms["chosen"].synthetic_source == "kept"
    assert params.judges["quarter"].one_in == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selections__kept__judge": "al"}, r"selections\.kept\.judge: no 'al'; .*'all'"),
        ({"selections__kept__set": "mor"}, r"selections\.kept\.set: no 'mor'"),
        (
            {"selections__t08": {"set": "more", "judge": "all", "reads": "prepared"}},
            r"selections\.t08: the name of sets\.t08 too",
        ),
        ({"selections__kept__temperature": 0.7}, r"temperature: 0\.7; set more has 0\.5, 0\.8"),
        ({"selections__kept__temperature": "chosen"}, r"reads: 'prepared'.*chosen/best\.json"),
        ({"selections__kept__reads": "chosen/best.json"}, "unless temperature is chosen"),
        ({"choices__best__set": "t08"}, r"choices\.best\.set: t08 has layouts of val"),
        ({"selections__kept__typicality": {"low": 0.5, "high": 0.2}}, "low is 0.5"),
    ],
)
def test_selections_that_do_not_fit_are_refused(loaded, changes, message):
    with pytest.raises(ParamsError, match=message):
        loaded(**changed(SELECTION, **changes))


def test_an_arm_has_seen_no_more_than_its_share(loaded):
    arm = {"train_on": ["real", "kept"], "reads": "selected/kept", "one_in": 4}
    with pytest.raises(ParamsError) as fault:
        loaded(**SELECTION, arms__few=arm)
    for where in ("generators.full", "sets.more", "judges.all"):
        assert f"arms.few.one_in is 4, but {where}.one_in is 1" in str(fault.value)
    whole = changed(SELECTION, selections__kept__judge="quarter")
    generators = {"full": {**WHOLE["generators"]["full"], "one_in": 8}}
    with pytest.raises(ParamsError, match=r"but sets\.more\.one_in is 1"):
        loaded(**whole, generators=generators, arms__few=arm)
    params = loaded(**whole, generators=generators, arms__few={**arm, "more_layouts": True})
    assert params.arms["few"].more_layouts


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"train_on": ["real", "t08"], "reads": "prepared"}, "'prepared'.*'synthetic/t08'"),
        ({"train_on": ["real"], "reads": "synthetic/t08"}, "is 'synthetic/t08'.*'prepared'"),
        ({"train_on": ["t08", "t09"], "reads": "synthetic/t08"}, "takes one synthetic set"),
        ({"train_on": ["real"], "reads": "prepared", "ratio": 1.0}, "train on both"),
        ({"train_on": ["real"], "reads": "prepared", "strength": 0.5}, "strength: says how far"),
        ({"train_on": ["real", "t08"], "reads": "synthetic/t08"}, "has layouts of val"),
        ({"train_on": ["real", "more"], "reads": "selected/more"}, "no 'more'"),
        (
            {"train_on": ["real", "more"], "reads": "synthetic/more", "ratio": 1.0,
             "schedule": "synthetic_first"},
            "mixes nothing",
        ),
        ({"train_on": ["real", "real"], "reads": "prepared"}, "more than once"),
    ],
)  # fmt: skip
def test_arms_that_cannot_be_are_refused(loaded, arm, message):
    with pytest.raises(ParamsError, match=rf"arms\.odd.*{message}"):
        loaded(arms__odd=arm)


@pytest.mark.parametrize(
    "score", [{"features": "vgg19"}, {"weights": "vgg.pth"}], ids=["no file", "no use of it"]
)
def test_features_and_their_weights_fit_before_anything_is_trained(loaded, score):
    with pytest.raises(ParamsError, match=r"score: .*vgg19 needs the file of its weights"):
        loaded(score=score)
    whole = {"features": "vgg19", "weights": "vgg.pth"}
    assert loaded(score=whole).score.weights == "vgg.pth"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("retrain__seeds", [0, 0], r"retrain\.seeds: 0 more than once; name each once"),
        ("choices__best", {"set": "more", "segmenter": {"steps": 5}, "seeds": [3, 1, 3]},
         r"choices\.best\.seeds: 3 more than once"),
        ("sets__t08__temperatures", [0.123456789],
         r"0\.123456789 has more digits than tables hold; round it to 0\.12345679"),
        ("attributes", {"generators": ["full"], "temperature": 0.1 + 0.2}, r"round it to 0\.3$"),
        ("threads", 100000, r"threads: .*less than or equal to 1024, got 100000"),
        ("judge__batch_size", 1, r"judge: batch_size is 1, expected 2 or more: batch norm"),
        ("retrain__segmenter__steps", 0, r"segmenter: steps is 0 and there is no checkpoint"),
        ("arms__pasted", {"train_on": ["more"], "reads": "synthetic/more", "augment": "copy_paste"},
         "put real into train_on"),
        ("predictors__maps", {"preset": "tiny", "training": {"steps": 1, "micro_batch": "auto"}},
         r"predictors\.maps: training\.micro_batch is auto, but there is no estimate"),
    ],
)  # fmt: skip
def test_what_would_be_refused_after_trainings_is_refused_when_it_is_read(
    loaded, place, value, message
):
    with pytest.raises(ParamsError, match=message):
        loaded(**{place: value})


def test_a_temperature_of_eight_digits_is_read(loaded):
    assert loaded(sets__t08__temperatures=[0.12345678]).sets["t08"].temperatures == (0.12345678,)


@pytest.mark.parametrize(
    ("place", "value", "whose"),
    [
        ("generators__full_", WHOLE["generators"]["full"], r"generators\.FULL_"),
        ("transfers__t08", WHOLE["transfers"]["moved"], r"sets\.t08"),
        ("sets__references", WHOLE["sets"]["more"], "a file of scores"),
        ("sets__real", WHOLE["sets"]["more"], "the real photographs"),
        ("arms__judge", WHOLE["arms"]["real"], "the judge"),
    ],
)
def test_two_names_of_one_place_are_refused(loaded, place, value, whose):
    """On some disks names that differ in case alone are one."""
    upper = {"generators__FULL_": value} if place == "generators__full_" else {}
    with pytest.raises(ParamsError, match=rf"{place.replace('__', '.')}: the name of {whose} too"):
        loaded(**{place: value}, **upper)


@pytest.mark.parametrize("root", ["", "https://a.b/c", "s3://photos", "a\nb", "${study}"])
def test_a_root_that_dvc_would_take_for_something_else_is_refused(loaded, root):
    with pytest.raises(ParamsError, match=r"data\.root: expected the path of a folder"):
        loaded(data__reader="kitti", data__root=root)


def test_a_report_shows_what_there_is_where_nothing_is_said():
    content = {key: value for key, value in WHOLE.items() if key != "report"}
    found = Params.model_validate(content)
    assert (
        found.report.sweep
        == tuple(name for name, made in content["sets"].items() if made["layouts"] == "val")[
            : len(found.report.sweep)
        ]
    )
    assert set(found.report.temperatures) == {
        degree for name in found.report.sweep for degree in found.sets[name].temperatures
    }
    only = {"made": {"generator": next(iter(content["generators"])), "layouts": "train",
                     "temperatures": [0.5]}}  # fmt: skip
    bare = {key: content[key] for key in ("study", "data", "generators")}
    with pytest.raises(ValueError, match="no set of held-out layouts to compare systems by"):
        Params.model_validate({**bare, "sets": only})


def test_what_arms_and_selections_read_follows_from_what_they_train_on():
    content = copy.deepcopy(PARAMS)
    for section in ("arms", "selections"):
        for one in content.get(section, {}).values():
            one.pop("reads", None)
    assert Params.model_validate(content) == Params.model_validate(PARAMS)

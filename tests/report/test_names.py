"""Arms, generators and sets are called by words: given ones, or else by what they are."""

import pytest

from augflow.report import names
from augflow.report.table import plain
from augflow.study.params import Params
from tests.fabricated import Study

REAL = {"train_on": ["real"], "reads": "prepared"}
BOTH = {"train_on": ["real", "pool"], "reads": "synthetic/pool"}
ARMS = {
    "real": REAL,
    "classic": {**REAL, "augment": "classic"},
    "pasted": {**REAL, "augment": "copy_paste"},
    "made": {"train_on": ["pool"], "reads": "synthetic/pool"},
    "both": BOTH,
    "first": {**BOTH, "schedule": "synthetic_first", "augment": "classic"},
    "real_16": {**REAL, "one_in": 16},
    "classic_7": {**REAL, "augment": "classic", "one_in": 7},
}


def params(**titles):
    content = Study(arms=ARMS).params().model_dump(mode="json")
    content["report"]["titles"] = titles
    return Params.model_validate(content)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("real", "real photos"),
        ("classic", "real photos, classic augmentation"),
        ("pasted", "real photos, pasted objects"),
        ("made", "images by Full-Glow"),
        ("both", "real photos + images by Full-Glow"),
        ("first", "real photos + images by Full-Glow, classic augmentation, images first"),
        ("real_16", "a sixteenth of the real photos"),
        ("classic_7", "1/7 of the real photos, classic augmentation"),
        ("not_there", "not_there"),
    ],
)
def test_an_arm_is_called_by_what_it_is_trained_on(arm, words):
    assert names.arm(params(), arm).words == words


def test_where_the_share_is_told_it_is_not_told_again():
    assert names.arm_of_share(params(), "real_16").words == "real photos"


def test_a_title_is_taken_as_it_is():
    titled = params(real_16="few photos", full_glow="Our flow", pool="the pool")
    assert names.arm(titled, "real_16").words == "few photos"
    assert names.generator(titled, "full_glow").words == "Our flow"
    assert names.arm(titled, "both").words == "real photos + images by Our flow"
    assert names.image_set(titled, "pool").words == "the pool"


def test_generators_have_the_names_of_their_papers_and_what_else_their_keys_say():
    known = params()
    assert names.generator(known, "dual_glow").words == "Dual-Glow"
    section = known.generators["dual_glow"]
    more = {**known.generators, "dual_glow_16": section, "mine": section}
    known = known.model_copy(update={"generators": more})
    assert names.generator(known, "dual_glow_16").words == "Dual-Glow 16"
    assert names.generator(known, "mine").words == "mine (Dual-Glow)"
    assert names.image_set(known, "pool").words == "pool"


def test_the_key_stands_beside_the_words_as_commands_need_it():
    assert plain((names.arm(params(), "both"),)) == "Real photos + images by Full-Glow (both)"
    assert plain((names.arm(params(), "not_there"),)) == "not_there"
    # one word keeps its case: it may be a name
    assert plain((names.generator(params(), "pix2pix"),)) == "pix2pix"

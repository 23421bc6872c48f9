"""Words for the names of a study: titles that its parameters give, or else what a thing is."""

from __future__ import annotations

from dataclasses import dataclass

from augflow.study.params import ArmParams, Params

SYSTEMS = {
    "full_glow": "Full-Glow",
    "c_glow": "C-Glow",
    "dual_glow": "Dual-Glow",
    "c_flow": "C-Flow",
    "caflow": "CAFlow",
    "glow": "Glow",
    "cglow": "cGlow",
    "caglow": "CAGlow",
    "crn": "CRN",
    "imle": "IMLE",
    "pix2pix": "pix2pix",
}
"""The systems as their papers write them."""

_SHARES = {1: "all", 2: "half", 3: "a third", 4: "a quarter", 8: "an eighth", 16: "a sixteenth"}
_AUGMENTED = {"none": "", "classic": ", classic augmentation", "copy_paste": ", pasted objects"}


@dataclass(frozen=True)
class Name:
    """How a thing is called: words for readers, and the key that commands and files know."""

    words: str
    key: str

    @property
    def heading(self) -> str:
        """The words as they stand at the beginning of a line."""
        return self.words[:1].upper() + self.words[1:] if " " in self.words else self.words


def share(one_in: int) -> str:
    """Words for every K-th of the training photographs."""
    return _SHARES.get(one_in, f"1/{one_in}")


def arm(params: Params, key: str) -> Name:
    """What networks of an arm are trained on; its share of the photographs if that is not all."""
    section = params.arms.get(key)
    name = arm_of_share(params, key)
    if key in params.report.titles or section is None or section.one_in == 1:
        return name
    few = f"{share(section.one_in)} of the real photos"
    if "real photos" in name.words:
        return Name(name.words.replace("real photos", few), key)
    return Name(f"{name.words}, which has seen {few}", key)


def arm_of_share(params: Params, key: str) -> Name:
    """The same where the share of the photographs is told already."""
    section = params.arms.get(key)
    if key in params.report.titles or section is None:
        return Name(params.report.titles.get(key, key), key)
    return Name(_trained_on(params, section), key)


def _trained_on(params: Params, section: ArmParams) -> str:
    parts = ["real photos"] if "real" in section.train_on else []
    source = section.synthetic_source
    if source is not None:
        chosen = params.selections.get(source)
        made = params.sets[chosen.set if chosen else source]
        kind = ("selected " if chosen else "") + "images"
        more = " of more layouts" if section.more_layouts else ""
        what = f"{kind} of new layouts" if made.new_layouts else kind + more
        system = params.generators[made.generator].system
        maker = params.report.titles.get(made.generator, SYSTEMS.get(system, system))
        parts.append(f"{what} by {maker}")
    first = ", images first" if section.schedule == "synthetic_first" else ""
    return " + ".join(parts) + _AUGMENTED[section.augment] + first


def generator(params: Params, key: str) -> Name:
    """The system of a generator, and what its key has besides."""
    section = params.generators.get(key)
    if key in params.report.titles or section is None:
        return Name(params.report.titles.get(key, key), key)
    rest = key.removeprefix(section.system)
    words = SYSTEMS.get(section.system, section.system)
    if rest == key:
        return Name(f"{key} ({words})", key)
    return Name(words + rest.replace("_", " "), key)


def image_set(params: Params, key: str) -> Name:
    """The generator of a set, where the set has its name; else the key alone, unless titled."""
    if key in params.report.titles or key not in params.generators:
        return Name(params.report.titles.get(key, key), key)
    return generator(params, key)

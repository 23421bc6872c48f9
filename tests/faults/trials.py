"""A study under faults: what has to hold after each, and after a plain run that follows."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.faults.injected import Fault, Operation, changes, unsynced
from tests.faults.runs import Ended, Runs
from tests.faults.study import STAGES, lay

Before = Literal["nothing", "old"]
"""What a stage finds in the place of its outputs: nothing, or older ones that are whole."""

Tree = dict[str, str] | None
"""Digests by relative path, of folders `folder`; None where there is nothing."""

_ASIDE = re.compile(r"^\..+(\.\d+\.(part|old)|\.lock(\.owner)?)$")
_EXIT = {"kill": -9, "power": -9, "term": 143, "int": 130, "full": 2, "readonly": 2, "limit": 2}
"""What a run under a fault ends with, if not with 0 as the fault came too late."""


class FaultError(AssertionError):
    """A stage did not come through a fault as it should; says how to see it again."""


class Study:
    """A study of which every stage was made without a fault once, and copies of all outputs."""

    def __init__(self, root: Path, runs: Runs) -> None:
        """Makes it in the folder `root`, which must not be there yet.

        Raises:
            FaultError: a stage failed by itself.
        """
        self.root, self.runs = root, runs
        self._kept = root.with_name(f"{root.name}.kept")
        self._whole: dict[str, Tree] = {}
        self._undisturbed: dict[tuple[str, Before], list[Operation]] = {}
        lay(root)
        for stage in STAGES:
            self.set_back(stage, "nothing")
            self._undisturbed[stage, "nothing"] = changes(self._plain(stage).log)
            self._whole |= self.state(stage)
        shutil.copytree(root, self._kept)

    def undisturbed(self, stage: str, before: Before) -> list[Operation]:
        """What a stage changes without a fault; its run over older outputs is made here.

        Raises:
            FaultError: it failed, or its outputs are not those of the first run.
        """
        if (stage, before) not in self._undisturbed:
            with self._told(stage, before, ()):
                self.set_back(stage, before)
                rest = self._rest(stage)
                ended = self._plain(stage)
                self._check_whole(stage, rest)
                self._undisturbed[stage, before] = changes(ended.log)
        return self._undisturbed[stage, before]

    def disturb(self, stage: str, before: Before, faults: Sequence[Fault]) -> list[Ended]:
        """Runs a stage under one fault after the other, then without any.

        Returns:
            How each disturbed run ended.

        Raises:
            FaultError: something was half done, lost, left over, or not explained to the user.
        """
        ends = []
        with self._told(stage, before, faults):
            self.set_back(stage, before)
            rest = self._rest(stage)
            for fault in faults:
                found = self.state(stage)
                ends.append(self.runs.run(self.root, stage, fault))
                if fault.kind == "power" and ends[-1].code < 0:
                    self.lose(ends[-1])
                try:
                    self._check_files(stage, found, rest)
                    self._check_end(stage, fault, ends[-1])
                except FaultError as seen:
                    raise FaultError(f"{fault}, {last(ends[-1])}: {seen}") from None
            self._plain(stage)
            self._check_whole(stage, rest)
        return ends

    def set_back(self, stage: str, before: Before) -> None:
        """Takes outputs away, or makes them look old."""
        for out in self.outputs(stage):
            _remove(self.root / out)
            if before == "old":
                _copy(self._kept / out, self.root / out)
                _age(self.root / out)
        _remove(self.root / ".augflow")

    def outputs(self, stage: str) -> tuple[str, ...]:
        """Where a stage writes."""
        return STAGES[stage][1]

    def state(self, stage: str) -> dict[str, Tree]:
        """What is at those places, or put aside in the moment before a new one comes there."""
        return {out: tree(_place(self.root / out)) for out in self.outputs(stage)}

    def outputs_are_whole(self, stage: str) -> bool:
        """Whether a stage's outputs are those of an undisturbed run."""
        return self.state(stage) == self._expected(stage)

    def is_whole(self) -> bool:
        """Whether everything is as it was made, and nothing is left over."""
        made, found = (tree(root) or {} for root in (self._kept, self.root))
        return not self.left_over() and all(
            found.get(path) == made.get(path) for path in {*made, *found}
            if not path.startswith(".augflow")
        )  # fmt: skip

    def restore(self) -> None:
        """Sets everything back to how it was made."""
        _remove(self.root)
        shutil.copytree(self._kept, self.root)

    @contextmanager
    def _told(self, stage: str, before: Before, faults: Sequence[Fault]) -> Iterator[None]:
        words = "".join(f" --fault {fault}" for fault in faults)
        try:
            yield
        except FaultError as fault:
            self.restore()
            raise FaultError(
                f"{stage}: {fault}\nagain: python -m tests.faults.round --stage {stage} "
                f"--before {before}{words}"
            ) from None

    def _plain(self, stage: str) -> Ended:
        ended = self.runs.run(self.root, stage)
        if ended.code != 0:
            raise FaultError(f"a plain run ended with {ended.code}: {tail(ended)}")
        return ended

    def _expected(self, stage: str) -> dict[str, Tree]:
        return {out: self._whole[out] for out in self.outputs(stage)}

    def _rest(self, stage: str) -> Tree:
        """Everything that the stage has no business with."""
        outs = [Path(out) for out in self.outputs(stage)]
        found = tree(self.root) or {}
        return {
            path: digest for path, digest in found.items()
            if digest != "folder" and not path.startswith(".augflow/")
            and not any(_ASIDE.match(part) for part in Path(path).parts)
            and not any(Path(path).is_relative_to(out) for out in outs)
        }  # fmt: skip

    def lose(self, ended: Ended) -> None:
        """Empties what a killed run had not yet on the disk."""
        for path in unsynced(ended.log):
            if path.is_file():
                os.truncate(path, 0)

    def _check_files(self, stage: str, found: dict[str, Tree], rest: Tree) -> None:
        """Outputs are what they were or whole, and everything else is as it was."""
        whole = self._expected(stage)
        for out, now in self.state(stage).items():
            if now not in (found[out], whole[out]):
                raise FaultError(f"{out} is neither as before nor whole: "
                                 f"{differing(now, whole[out])}")  # fmt: skip
        if self._rest(stage) != rest:
            raise FaultError(f"other files changed: {differing(self._rest(stage), rest)}")

    def _check_end(self, stage: str, fault: Fault, ended: Ended) -> None:
        """A process that was not killed says on one line why it ended, and its exit code too."""
        if ended.code == 0:
            if not self.outputs_are_whole(stage):
                raise FaultError("exit code 0, but the outputs are not whole")
            return
        if ended.code != _EXIT[fault.kind]:
            raise FaultError(f"exit code {ended.code}, expected {_EXIT[fault.kind]}: {tail(ended)}")
        if ended.code > 0 and (len(ended.lines) != 1 or "Traceback" in ended.said):
            raise FaultError(f"not one line that says what happened: {tail(ended)}")

    def _check_whole(self, stage: str, rest: Tree) -> None:
        whole = self._expected(stage)
        for out, now in self.state(stage).items():
            if now != whole[out]:
                raise FaultError(f"after a plain run {out} differs from that of an undisturbed "
                                 f"one: {differing(now, whole[out])}")  # fmt: skip
        if self._rest(stage) != rest:
            raise FaultError(f"a plain run changed other files: "
                             f"{differing(self._rest(stage), rest)}")  # fmt: skip
        left = self.left_over()
        if left:
            raise FaultError(f"a plain run leaves {', '.join(left)}")

    def left_over(self) -> list[str]:
        """What only a run that was broken off may leave behind."""
        below = sorted(path.relative_to(self.root) for path in self.root.rglob("*"))
        return [
            path.as_posix() for path in below
            if path.parent == Path(".augflow/runs") or _ASIDE.match(path.name)
        ]  # fmt: skip


def hit(fault: Fault, ended: Ended) -> bool:
    """Whether a run was still going on at the moment of the fault."""
    if fault.kind == "limit" or fault.signal is not None:
        return ended.code != 0
    return len(changes(ended.log)) >= fault.at


def last(ended: Ended) -> str:
    """What a run was about to change when it ended."""
    done = changes(ended.log)
    return f"change {len(done)} ({' '.join(done[-1])})" if done else "no change"


def tail(ended: Ended, most: int = 4) -> str:
    """The last lines that a run has said."""
    return " / ".join(ended.said.strip().splitlines()[-most:])


def tree(path: Path) -> Tree:
    """All that is at a path."""
    if path.is_file():
        return {"": _digest(path)}
    if not path.exists():
        return None
    return {
        below.relative_to(path).as_posix(): "folder" if below.is_dir() else _digest(below)
        for below in path.rglob("*")
    }


def differing(one: Tree, other: Tree) -> str:
    """The first few paths at which two trees differ."""
    if one is None or other is None:
        return "absent" if one is None else "present"
    paths = sorted(path for path in {*one, *other} if one.get(path) != other.get(path))
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _place(out: Path) -> Path:
    """An output, or the older one that was put aside where there is none."""
    return out if out.exists() else next(out.parent.glob(f".{out.name}.*.old"), out)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _age(path: Path) -> None:
    """Makes an output another one that is as whole."""
    if path.is_dir():
        (path / "old").write_text("this folder is replaced as a whole\n")
    else:
        path.write_bytes(path.read_bytes() + b"\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

"""One fault in a process that changes files: its own death, or an error of the system.

A fault is written as text, so that a failure can be replayed:

    kill:17      SIGKILL before the 17th change of a file is done
    kill:c2      the same before the 2nd file or folder gets the name under which it is looked for
    power:17     SIGKILL there, and what was not yet on the disk is lost
    term:17      SIGTERM there
    int:17       SIGINT there
    stop:17      SIGSTOP there, for tests that want a process that lives and waits
    full:17      from there on the disk is full
    readonly:17  from there on nothing can be changed
    limit:4096   no file can grow beyond so many bytes
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ONE_PATH = {"os.remove": 1, "os.mkdir": 2, "os.rmdir": 1, "os.truncate": None}
"""Events of one path -> at which place of their arguments the folder it counts from is."""
_TWO_PATHS = ("os.rename", "os.link", "os.symlink")
_GROWING = {"open", "os.mkdir", "os.rename", "os.link", "os.symlink"}
"""What a full disk refuses; to take files away it needs no room."""
FLUSH, SYNC = "flush", "sync"
"""All is written to the disk; one file is."""
_SIGNALS = {"kill": signal.SIGKILL, "power": signal.SIGKILL, "term": signal.SIGTERM,
            "int": signal.SIGINT, "stop": signal.SIGSTOP}  # fmt: skip
_ERRORS = {"full": errno.ENOSPC, "readonly": errno.EROFS}
KINDS = (*_SIGNALS, *_ERRORS, "limit")

Operation = tuple[str, ...]
"""What was about to be done, and to which paths, absolute ones."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault and its moment: a number of changes, of new names or of bytes."""

    kind: str
    at: int
    unit: str = ":"

    @classmethod
    def read(cls, text: str) -> Fault:
        """A fault from its text.

        Raises:
            ValueError: it is none.
        """
        parts = re.fullmatch(f"({'|'.join(KINDS)})(:c|:)([0-9]+)", text)
        if parts is None:
            raise ValueError(f"{text!r} is no fault, expected one such as kill:17")
        kind, unit, at = parts.groups()
        return cls(kind, int(at), unit)

    def __str__(self) -> str:
        return f"{self.kind}{self.unit}{self.at}"

    @property
    def signal(self) -> signal.Signals | None:
        """What the process is sent."""
        return _SIGNALS.get(self.kind)


class Changes:
    """Watches the changes of files below a folder in this process, and does a fault among them."""

    def __init__(self, root: Path, fault: Fault | None, log: int) -> None:
        """Nothing is watched yet; every change becomes a line of JSON in the file `log`."""
        self._root, self._fault, self._log = str(root), fault, log
        self._count, self._named = 0, 0
        self._lock, self._inside = threading.RLock(), threading.local()

    def watch(self) -> None:
        """Begins; there is no end to it before that of the process."""
        if self._fault and self._fault.kind == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._fault.at,) * 2)
        fsync, sync = os.fsync, os.sync

        def fsync_and_tell(opened: int) -> None:
            fsync(opened)
            self._write(SYNC, str(Path(f"/proc/self/fd/{opened}").readlink()))

        def sync_and_tell() -> None:
            sync()
            self._write(FLUSH)

        os.fsync, os.sync = fsync_and_tell, sync_and_tell
        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: tuple[object, ...]) -> None:
        if getattr(self._inside, "now", False):
            return
        self._inside.now = True
        try:
            operation = self._operation(event, args)
            if operation is not None:
                self._before(operation)
        finally:
            self._inside.now = False

    def _operation(self, event: str, args: tuple[object, ...]) -> Operation | None:
        if event == "open":
            paths = (self._path(args[0]),) if int(args[2]) & _WRITING else ()
        elif event in _ONE_PATH:
            place = _ONE_PATH[event]
            paths = (self._path(args[0], -1 if place is None else int(args[place])),)
        elif event in _TWO_PATHS:
            paths = (self._path(args[0]), self._path(args[1]))
        else:
            return None
        inside = [path for path in paths if path and path.startswith(self._root + os.sep)]
        return (event, *inside) if inside else None

    def _path(self, path: object, folder: int = -1) -> str | None:
        """An absolute path; None for a file that is open already."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        start = Path.cwd() if folder == -1 else Path(f"/proc/self/fd/{folder}").readlink()
        return os.path.normpath(start / os.fsdecode(path))

    def _before(self, operation: Operation) -> None:
        with self._lock:
            self._count += 1
            self._named += names(operation)
            self._write(*operation)
            if self._fault is None:
                return
            by_name = self._fault.unit == ":c"
            now = self._named if by_name else self._count
            due = now == self._fault.at and (names(operation) or not by_name)
            if due and self._fault.signal is not None:
                self._send(self._fault.signal)
            if self._fault.kind in _ERRORS and now >= self._fault.at:
                self._refuse(operation)

    def _refuse(self, operation: Operation) -> None:
        code = _ERRORS[self._fault.kind]
        if code == errno.EROFS or operation[0] in _GROWING:
            raise OSError(code, os.strerror(code), *operation[1:2])

    def _send(self, what: signal.Signals) -> None:
        os.kill(os.getpid(), what)
        while what == signal.SIGKILL:
            time.sleep(1)

    def _write(self, *words: str) -> None:
        os.write(self._log, (json.dumps(words) + "\n").encode())


def names(operation: Operation) -> bool:
    """Whether something gets the name under which it is looked for, and so counts as whole."""
    event, *paths = operation
    return event == "os.rename" and not any(
        part.endswith((".part", ".old")) for part in Path(paths[-1]).parts
    )


def changes(log: Sequence[Operation]) -> list[Operation]:
    """What was counted of a log."""
    return [words for words in log if words[0] not in (FLUSH, SYNC)]


def unsynced(log: Sequence[Operation]) -> list[Path]:
    """The files that a power cut would empty, if it came before the last change of a log.

    Names of files and folders are taken to be on the disk at once, contents when the process has
    waited for them: the worst that a file system may do.
    """
    waiting: set[str] = set()
    for event, *paths in log[:-1]:
        if event == "open":
            waiting.add(paths[0])
        elif event in ("os.remove", SYNC):
            waiting.discard(paths[0])
        elif event == FLUSH:
            waiting.clear()
        elif event == "os.rename" and len(paths) == 2:
            moved = {path for path in waiting if Path(path).is_relative_to(paths[0])}
            waiting = (waiting - moved) | {paths[1] + path[len(paths[0]) :] for path in moved}
    return sorted(Path(path) for path in waiting)

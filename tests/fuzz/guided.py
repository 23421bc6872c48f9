"""Fuzzes the readers by coverage: a change that reaches new code is changed further.

    pip install atheris
    python -m tests.fuzz.guided --minutes 10

The minutes are shared by the endings of `readers.READERS`, each in a process of its own. What is
found is kept under `--keep`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "data" / "fuzz"
ENDINGS = (".png", ".jpg", ".yaml", ".csv", ".json", ".pt", ".safetensors")
LARGEST = 4096
"""Bytes of a changed file."""


def main() -> int:
    """Fuzzes all endings; 1 when anything was found."""
    parser = argparse.ArgumentParser(description="Damaged files for the readers, by coverage.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--endings", nargs="+", choices=ENDINGS, default=list(ENDINGS))
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if find_spec("atheris") is None:
        parser.error("atheris is not installed; pip install atheris (Linux, Python 3.11 to 3.13)")
    if given.one is not None:
        fuzz(given.endings[0], given.one, given.keep, given.minutes, given.seed)
    runs, failed = 0, False
    for ending in given.endings:
        with tempfile.TemporaryDirectory() as scratch:
            found = Path(scratch) / "found"
            found.mkdir()
            known = sorted(CORPUS.glob(f"*{ending}"))
            for path in known:
                shutil.copy(path, found / path.name)
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz.guided", "--one", found, "--endings", ending,
                 "--minutes", str(given.minutes / len(given.endings)), "--seed", str(given.seed),
                 "--keep", given.keep],
                stderr=subprocess.PIPE, text=True, errors="replace", check=False,
            )  # fmt: skip
            count = re.search(r"Done (\d+) runs", done.stderr)
            if count is None:
                print(done.stderr[-3000:], file=sys.stderr)  # noqa: T201
                failed = True
            runs += int(count[1]) if count else 0
            new = len(list(found.iterdir())) - len(known)
            said = f"{count[1]} files" if count else "stopped"
            print(f"{ending}: {said}, {new} of them reached new code", flush=True)  # noqa: T201
    kept = sorted(given.keep.iterdir()) if given.keep.exists() else []
    print(f"{runs} files in {given.minutes:g} minutes, {len(kept)} kept in {given.keep}")  # noqa: T201
    return 1 if kept or failed else 0


def fuzz(ending: str, corpus: Path, keep: Path, minutes: float, seed: int) -> None:
    """Changes files of a corpus until the time is over; ends this process."""
    import atheris

    warnings.simplefilter("ignore")  # Pillow's, on metadata
    with atheris.instrument_imports(include=["augflow", "PIL", "ruamel"]):
        from tests.fuzz import readers

    readers.warm([ending])
    folder = Path(tempfile.mkdtemp(dir=corpus.parent))
    path = folder / f"a{ending}"

    def one(content: bytes) -> None:
        path.write_bytes(content)
        for read in readers.READERS[ending]:
            readers.outcome(read, path, content, keep)

    def changed(content: bytes, most: int, _: int) -> bytes:
        found = atheris.Mutate(content, most)
        return readers.summed(found)[:most] if ending == ".png" else found

    atheris.Setup(
        ["guided", f"-max_total_time={round(60 * minutes)}", f"-max_len={LARGEST}", f"-seed={seed}",
         "-timeout=0", "-rss_limit_mb=6000", "-print_final_stats=1", str(corpus)],
        one, custom_mutator=changed,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())

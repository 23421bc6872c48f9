"""The disks that a study is written to, and whether DVC's cache holds everything once more."""

from __future__ import annotations

from pathlib import Path


def cache_of(root: Path) -> tuple[Path, bool]:
    """The folder of DVC's cache, and whether a second copy of all outputs is in it.

    There is none where DVC links files instead, which is tried out. Without a repository it is what
    `dvc init` would make.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            cache = repo.cache.local
            return Path(cache.path), _copies(cache, root)
    except NotDvcRepoError:
        return root / ".dvc" / "cache", True


def _copies(cache: object, root: Path) -> bool:
    from dvc_objects.fs import localfs
    from dvc_objects.fs.generic import test_links

    kinds, place = cache.cache_types, cache.path  # type: ignore[attr-defined]
    try:
        links = test_links(
            kinds, localfs, place, localfs, str(root.absolute() / ".augflow" / "link")
        )
    except OSError:  # not even a few bytes have room, or may be written
        return True
    return not links or links[0] == "copy"

"""Several tests at once: which of them stay significant together."""

from __future__ import annotations

from collections.abc import Sequence

LEVEL = 0.05


def holm(values: Sequence[float | None], level: float = LEVEL) -> tuple[bool | None, ...]:
    """Which of several p-values stay significant together; None stays None.

    The smallest of m must not exceed level / m, the next level / (m - 1), and so on; the first that
    does ends it.

    References:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    ranked = sorted((p, place) for place, p in enumerate(values) if p is not None)
    kept: list[bool | None] = [None if p is None else False for p in values]
    for rank, (p, place) in enumerate(ranked):
        if p > level / (len(ranked) - rank):
            break
        kept[place] = True
    return tuple(kept)

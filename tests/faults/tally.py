"""How many faults of each kind were injected, and through how many a study came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.faults.injected import Fault
from tests.faults.trials import FaultError, Study, hit

COLUMNS = ("kills at a change", "kills at a time", "power cuts", "SIGTERM", "full disk",
           "read-only", "size limit")  # fmt: skip
_COLUMN = {"power": "power cuts", "term": "SIGTERM", "full": "full disk", "readonly": "read-only",
           "limit": "size limit"}  # fmt: skip


def column(fault: Fault) -> str:
    """Under which heading a fault is counted."""
    if fault.kind == "kill":
        return f"kills at a {'time' if fault.timed else 'change'}"
    return _COLUMN[fault.kind]


class Tally:
    """Counts by stage and kind; faults that came when a run had ended already are not counted."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.injected: dict[str, Counter[str]] = {}
        self.survived: Counter[str] = Counter()
        self.failures: list[str] = []

    def disturb(self, study: Study, stage: str, trials: Iterable[tuple]) -> None:
        """Does trials of a stage, and goes on after those that fail."""
        counts = self.injected.setdefault(stage, Counter())
        for before, faults in trials:
            try:
                ends = study.disturb(stage, before, faults)
            except FaultError as fault:
                self.failures.append(str(fault))
                counts.update(map(column, faults))
                continue
            done = [fault for fault, end in zip(faults, ends, strict=True) if hit(fault, end)]
            counts.update(map(column, done))
            self.survived[stage] += len(done)

    def markdown(self) -> str:
        """A table: a row per stage and one of all."""
        rows = [(stage, counts, self.survived[stage]) for stage, counts in self.injected.items()]
        total = sum(self.injected.values(), Counter())
        rows.append(("all", total, self.survived.total()))
        lines = [f"| stage | {' | '.join(COLUMNS)} | injected | survived |",
                 "|---|" + "---:|" * (len(COLUMNS) + 2)]  # fmt: skip
        for stage, counts, survived in rows:
            cells = [counts[name] for name in COLUMNS]
            lines.append(f"| {stage} | {' | '.join(map(str, cells))} | {counts.total()} "
                         f"| {survived} |")  # fmt: skip
        return "\n".join(lines) + "\n"

    def facts(self) -> dict[str, object]:
        """The same for a file."""
        return {"injected": {stage: dict(counts) for stage, counts in self.injected.items()},
                "survived": dict(self.survived), "failures": self.failures}  # fmt: skip

"""What a study will take before any of it is done: time, memory and disk, stage by stage."""

from augflow.estimate.estimate import Disk, Estimate, Total, estimate_study
from augflow.estimate.stage_costs import StageRow

__all__ = ["Disk", "Estimate", "StageRow", "Total", "estimate_study"]

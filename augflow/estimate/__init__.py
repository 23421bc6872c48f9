"""What a study will take before any of it is done: time, memory and disk, stage by stage."""

from augflow.estimate.estimate import Disk, Estimate, Total, estimated
from augflow.estimate.row import Row

__all__ = ["Disk", "Estimate", "Row", "Total", "estimated"]

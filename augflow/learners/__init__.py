"""How generators learn: one file per family, all state in plain tensors."""

from augflow.learners.base import (
    GeneratorLearner,
    Learner,
    NotFiniteError,
    flipped,
    schedule,
)
from augflow.learners.likelihood import LikelihoodLearner, held_out_bits, round_trip

__all__ = [
    "GeneratorLearner",
    "Learner",
    "LikelihoodLearner",
    "NotFiniteError",
    "flipped",
    "held_out_bits",
    "round_trip",
    "schedule",
]

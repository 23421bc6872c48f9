"""How generators learn: one file per family, all state in plain tensors."""

from augflow.learners.base import GeneratorLearner, Learner, NotFiniteError, schedule
from augflow.learners.batches import flipped
from augflow.learners.likelihood import LikelihoodLearner, held_out_bits, round_trip
from augflow.learners.nearest import NearestLearner
from augflow.learners.regression import RegressionLearner

__all__ = [
    "GeneratorLearner",
    "Learner",
    "LikelihoodLearner",
    "NearestLearner",
    "NotFiniteError",
    "RegressionLearner",
    "flipped",
    "held_out_bits",
    "round_trip",
    "schedule",
]

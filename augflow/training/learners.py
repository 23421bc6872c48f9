"""What trains each kind of generator."""

from typing import Any

from augflow.generators import Generator
from augflow.training.adversarial import AdversarialLearner
from augflow.training.latent_adversarial import LatentAdversarialLearner
from augflow.training.learner import GeneratorLearner
from augflow.training.likelihood import ClassifyingLearner, LikelihoodLearner
from augflow.training.nearest import NearestLearner
from augflow.training.params import TrainingParams
from augflow.training.perceptual import RegressionLearner

LEARNERS: dict[str, type[GeneratorLearner]] = {
    "adversarial": AdversarialLearner,
    "classification": ClassifyingLearner,
    "latent_adversarial": LatentAdversarialLearner,
    "likelihood": LikelihoodLearner,
    "nearest": NearestLearner,
    "regression": RegressionLearner,
}
"""By the name that a generator's class gives (`Generator.learner`)."""


def learner_of(generator: Generator | Any, params: TrainingParams) -> GeneratorLearner:
    """What trains a generator."""
    return LEARNERS[generator.learner](generator, params)

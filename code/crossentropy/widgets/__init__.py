"""The labs and the quiz: live figures for the page and the notebook. ``from crossentropy.widgets import SoftmaxLab``."""

from crossentropy.widgets.binary import BinaryLab
from crossentropy.widgets.gradient import GradientLab
from crossentropy.widgets.information import InformationLab
from crossentropy.widgets.interfaces import InterfaceLab
from crossentropy.widgets.likelihood import LikelihoodLab
from crossentropy.widgets.loss_curve import LossCurveLab
from crossentropy.widgets.ngram import NGramLab
from crossentropy.widgets.quiz import Quiz
from crossentropy.widgets.softmax import SoftmaxLab
from crossentropy.widgets.stability import StabilityLab

__all__ = [
    "BinaryLab",
    "GradientLab",
    "InformationLab",
    "InterfaceLab",
    "LikelihoodLab",
    "LossCurveLab",
    "NGramLab",
    "Quiz",
    "SoftmaxLab",
    "StabilityLab",
]

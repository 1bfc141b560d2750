"""The labs: live figures for the page and the notebook. ``from crossentropy.widgets import SoftmaxLab``."""

from crossentropy.widgets.softmax import SoftmaxLab

__all__ = ["SoftmaxLab"]

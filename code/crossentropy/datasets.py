"""The real data that the chapters share."""

from typing import NamedTuple

import torch
from sklearn import datasets
from torch import Tensor


class Wine(NamedTuple):
    """Bottles of three growers: ``x`` (178, 2), standardised; ``y`` (178,), the grower; and what the columns are."""

    x: Tensor
    y: Tensor
    features: tuple[str, str]
    growers: tuple[str, str, str]


def load_wine() -> Wine:
    """Alcohol and flavanoids of 178 bottles from three growers, each column with mean 0 and standard deviation 1.

    The three classes overlap, so an unregularised maximum-likelihood fit exists.

    Returns:
        float64 features of shape (178, 2) without units, int64 classes of shape (178,), and their names.

    See: Forina et al. (1988), as shipped with scikit-learn.
    """
    bunch = datasets.load_wine()
    columns = [bunch.feature_names.index("alcohol"), bunch.feature_names.index("flavanoids")]
    x = torch.as_tensor(bunch.data[:, columns], dtype=torch.float64)
    y = torch.as_tensor(bunch.target, dtype=torch.int64)
    standardised = (x - x.mean(0)) / x.std(0, correction=0)
    return Wine(standardised, y, ("alcohol", "flavanoids"), ("grower 0", "grower 1", "grower 2"))

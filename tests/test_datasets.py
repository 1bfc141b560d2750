"""The shared data: what they are, and that they are what the chapters say."""

import torch

from crossentropy.datasets import load_wine


def test_wine_has_178_standardised_bottles_of_three_growers():
    wine = load_wine()
    assert wine.x.shape == (178, 2)
    assert wine.x.dtype == torch.float64
    torch.testing.assert_close(wine.x.mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close((wine.x**2).mean(0), torch.ones(2, dtype=torch.float64), atol=1e-12, rtol=0)
    assert wine.y.bincount().tolist() == [59, 71, 48]
    assert wine.features == ("alcohol", "flavanoids")

import math

import pytest
import torch
import torch.nn.functional as F

from agreement import assert_close
from crossentropy.interfaces import comparison_table, diagnose, routes, trapped_range

LOGITS = torch.tensor([[2.0, 0.5, 0.1]], dtype=torch.float64)
TARGET = torch.tensor([0])


def codes(*args, **options):
    return [finding.code for finding in diagnose(*args, **options)]


def test_every_route_gives_the_same_loss():
    exact = math.log(math.exp(2.0) + math.exp(0.5) + math.exp(0.1)) - 2.0
    assert len(routes(LOGITS, TARGET)) == len(comparison_table(LOGITS, TARGET)) == 7
    for loss in routes(LOGITS, TARGET).values():
        assert_close(loss, exact)


def test_the_range_is_reached_by_one_hot_probabilities():
    for classes in (2, 3, 10, 1000):
        certain = F.one_hot(torch.tensor([0]), classes).double()
        least, most = trapped_range(classes)
        assert_close(F.cross_entropy(certain, torch.tensor([0])), least)
        assert_close(F.cross_entropy(certain, torch.tensor([1])), most)


def test_a_range_needs_a_class():
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        trapped_range(0)


def test_softmax_twice_is_named_and_log_softmax_twice_is_harmless():
    assert codes(LOGITS.softmax(-1), TARGET) == ["softmax-before-cross-entropy"]
    assert codes(LOGITS.log_softmax(-1), TARGET) == codes(LOGITS, TARGET) == []

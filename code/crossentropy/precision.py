"""In which dtype a topic computes."""

from torch import Tensor


def widen(value: Tensor) -> Tensor:
    """Half precision becomes float32, so that a result is rounded once, at the end; wider dtypes stay."""
    return value.float() if value.dtype.itemsize < 4 else value

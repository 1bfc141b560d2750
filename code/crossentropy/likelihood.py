"""The probability of the labels, its logarithm, the cost, and the weights that make the labels most probable. Chapter "likelihood"."""

import math
import warnings
from typing import NamedTuple

import torch
from scipy.optimize import linprog
from scipy.sparse import csr_array
from torch import Tensor

from crossentropy.precision import widen
from crossentropy.softmax import log_softmax, softmax
from crossentropy.validation import require_all, require_class_index, require_matrix, require_target

# In units of half a feature's range: a smaller margin is taken for rounding. The solver's own tolerance lies well below.
MARGIN = 1e-7
SOLVER_TOLERANCE = 1e-10
# Nats above the infimum at which a fit to separable data stops: near enough to predict, and the weights still small.
STOP_ABOVE_INFIMUM = 0.01
# Eigenvalues of the Hessian below this part of the largest are directions that change no probability.
RANK_TOLERANCE = 1e-13


class SeparableDataWarning(UserWarning):
    """The likelihood has no maximum: the weights can grow for ever, and the cost falls all the way to its infimum."""


def likelihood(logits: Tensor, target: Tensor, *, validate: bool = True) -> Tensor:
    """Probability of all labels at once, L = prod_i prod_k p_ik^y_ik.

    One factor an observation, truly multiplied in the dtype of ``logits``: it underflows to 0 after a few dozen
    observations in float32 and a few hundred in float64, which is why nobody maximises it directly.

    Args:
        logits: Scores, shape (m, K); -inf masks a class.
        target: Class indices (m,) of any integer dtype, or rows (m, K) that sum to one: probabilities, or one-hot.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        A scalar in [0, 1], in the dtype of ``logits``.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor, or ``target`` neither indices nor rows.
        ValueError: if ``logits`` is empty, not (m, K), holds NaN or +inf or masks a whole row; if ``target`` has
            another shape, a class outside [0, K - 1], or a row that does not sum to one.

    See: Bishop (2006), section 4.3.4; chapter "likelihood".
    """
    return _log_prob_of_rows(logits, target, validate).exp().prod().to(logits.dtype)


def log_likelihood(logits: Tensor, target: Tensor, *, validate: bool = True) -> Tensor:
    """Logarithm of :func:`likelihood`, sum_i sum_k y_ik log p_ik, in nats.

    0 log 0 = 0: a masked class with target zero counts nothing. One with a positive target makes it -inf.

    Args, raises: as :func:`likelihood`.

    Returns:
        A scalar, at most zero, in the dtype of ``logits``.

    See: Bishop (2006), section 4.3.4; chapter "likelihood".
    """
    return _log_prob_of_rows(logits, target, validate).sum().to(logits.dtype)


def cost(logits: Tensor, target: Tensor, *, validate: bool = True) -> Tensor:
    """The cross-entropy cost, J = -(log-likelihood) / m, in nats an observation.

    Keeps the digits of a tiny loss: for logits [40, 0] and class 0 it is 4.248e-18, where
    ``torch.nn.functional.cross_entropy`` returns 0. Infinite if a masked class has a positive target.

    Args, raises: as :func:`likelihood`.

    Returns:
        A scalar, at least zero, in the dtype of ``logits``.

    See: Goodfellow, Bengio & Courville (2016), section 5.5; chapter "likelihood".
    """
    # Subtracted from zero, for a certain label costs 0 and not -0.
    return (0.0 - _log_prob_of_rows(logits, target, validate).mean()).to(logits.dtype)


def target_rows(target: Tensor, *, num_classes: int, dtype: torch.dtype) -> Tensor:
    """A checked target as rows y of shape (m, K): indices become one-hot, rows stay as they are.

    Floating-point rows keep their dtype if it is the wider one.
    """
    if target.ndim == 2:
        return target.to(torch.promote_types(target.dtype, dtype))
    return (target.unsqueeze(-1) == torch.arange(num_classes, device=target.device)).to(dtype)


def _log_prob_of_rows(logits: Tensor, target: Tensor, validate: bool) -> Tensor:
    """sum_k y_ik log p_ik, shape (m,), at least in float32."""
    require_matrix(logits, "logits", "K")
    rows, num_classes = logits.shape
    require_target(target, shape=(rows, num_classes), validate=validate)
    wide = widen(logits)
    log_probs = log_softmax(wide, validate=validate)
    y = target_rows(target, num_classes=num_classes, dtype=wide.dtype)
    # Only where both vanish: elsewhere the derivative with respect to y = 0 is log p, and must stay.
    return (y * log_probs.masked_fill((y == 0) & log_probs.isneginf(), 0.0)).sum(-1)


class SoftmaxRegression:
    """Multinomial logistic regression: the W and b that make the labels most probable.

    Minimises J(W, b) + l2 / 2 * sum(W²) by Newton's method in float64. (scikit-learn's ``C`` is 1 / (l2 m).)
    Adding the same number to every class's weight changes no probability; of all equivalent solutions it returns the
    one whose weights, and whose biases, sum to zero over the classes.

    Where the data are separable, wholly or in part, no maximum exists: better and better weights are larger and
    larger. A linear programme decides that beforehand; then ``fit`` warns with :class:`SeparableDataWarning` and
    stops 0.01 nats above the cost's infimum, unless a penalty ``l2`` > 0 makes a maximum exist.

    Args:
        l2: Strength of the penalty on the weights (not on the biases), at least zero.
        tolerance: Largest entry of the gradient at convergence, with each feature scaled to [-1, 1].
        max_iter: Largest number of Newton steps.

    Attributes:
        weight_: float64, shape (features, K).
        bias_: float64, shape (K,).
        cost_: J at these weights, nats an observation, without the penalty.
        infimum_: The lowest J that any weights reach or approach; a fact about the data.
        separable_: Whether some direction of the weights lowers J for ever; a fact about the data.
        converged_: Whether the gradient vanished at a maximum; always False if there is none.
        n_iter_: Newton steps taken.

    Raises:
        TypeError, ValueError: for a parameter that is no number or out of range.

    See: Albert & Anderson (1984) on separability; Hastie, Tibshirani & Friedman (2009), section 4.4; chapter "likelihood".
    """

    weight_: Tensor
    bias_: Tensor
    cost_: float
    infimum_: float
    separable_: bool
    converged_: bool
    n_iter_: int

    def __init__(self, *, l2: float = 0.0, tolerance: float = 1e-9, max_iter: int = 100) -> None:
        for name, value in (("l2", l2), ("tolerance", tolerance)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} must be a number, got {type(value).__name__}")
        if not (math.isfinite(l2) and l2 >= 0):
            raise ValueError(f"l2 must be non-negative and finite, got {l2}")
        if not (math.isfinite(tolerance) and tolerance > 0):
            raise ValueError(f"tolerance must be positive and finite, got {tolerance}")
        if isinstance(max_iter, bool) or not isinstance(max_iter, int):
            raise TypeError(f"max_iter must be an int, got {type(max_iter).__name__}")
        if max_iter < 1:
            raise ValueError(f"max_iter must be at least 1, got {max_iter}")
        self.l2, self.tolerance, self.max_iter = float(l2), float(tolerance), max_iter

    def fit(self, x: Tensor, y: Tensor) -> "SoftmaxRegression":
        """Find the weights for features ``x`` (m, features) and classes ``y`` (m,), integers 0 to K - 1, each in use.

        Returns:
            The fitted model itself.

        Raises:
            TypeError: if ``x`` is no floating-point tensor or ``y`` no integer tensor.
            ValueError: if ``x`` is empty, not a matrix, or not finite; if ``y`` has another number of rows, a class
                that never occurs, or one class only.

        Warns:
            SeparableDataWarning: if no maximum exists.
            RuntimeWarning: if ``max_iter`` steps were too few.
        """
        require_matrix(x, "x", "features")
        require_all(x.isfinite(), x, "x", "be finite")
        num_classes = _require_classes(y, rows=x.shape[0])
        y = y.detach().long()
        design, centre, scale = _scaled(x.detach().double())
        penalty = torch.cat([self.l2 / scale.square(), scale.new_zeros(1)]).unsqueeze(-1)

        allowed = _undecided(design, y, num_classes)
        self.separable_ = not bool(allowed.all())
        # The infimum is attained once each class that a separating direction rules out for a row is masked there.
        face = _newton(design, y, allowed, torch.zeros_like(penalty), self.tolerance, self.max_iter)
        self.infimum_ = face.cost
        if self.l2 == 0 and not self.separable_:
            fit = face
        else:
            floor = self.infimum_ + STOP_ABOVE_INFIMUM if self.l2 == 0 else -math.inf
            everything = torch.ones_like(allowed)
            fit = _newton(design, y, everything, penalty, self.tolerance, self.max_iter, floor)

        weight = fit.theta[:-1] / scale.unsqueeze(-1)
        bias = fit.theta[-1] - centre @ weight
        self.weight_ = weight - weight.mean(-1, keepdim=True)
        self.bias_ = bias - bias.mean()
        self.cost_ = fit.cost
        self.n_iter_ = fit.steps
        self.converged_ = fit.stationary and (self.l2 > 0 or not self.separable_)
        if self.separable_ and self.l2 == 0:
            warnings.warn(
                f"the data are separable: the likelihood has no maximum. The cost falls towards its infimum, {self.infimum_:.6g} nats, "
                f"only as weights grow without bound; stopped at {self.cost_:.6g} nats. A penalty l2 > 0 makes a maximum exist",
                SeparableDataWarning,
                stacklevel=2,
            )
        elif not self.converged_:
            warnings.warn(
                f"no maximum found within max_iter = {self.max_iter} Newton steps; the cost is {self.cost_:.6g} nats",
                RuntimeWarning,
                stacklevel=2,
            )
        return self

    def logits(self, x: Tensor) -> Tensor:
        """The scores x W + b of features ``x`` (m, features): shape (m, K), in the dtype of ``x``; differentiable."""
        return self._scores(x).to(x.dtype)

    def predict_proba(self, x: Tensor) -> Tensor:
        """The probability of each class for features ``x`` (m, features): shape (m, K), in the dtype of ``x``."""
        return softmax(self._scores(x)).to(x.dtype)

    def predict(self, x: Tensor) -> Tensor:
        """The most probable class of each row of ``x`` (m, features): int64, shape (m,)."""
        return self._scores(x).argmax(-1)

    def _scores(self, x: Tensor) -> Tensor:
        if not hasattr(self, "weight_"):
            raise RuntimeError("this SoftmaxRegression is not fitted yet; call fit first")
        require_matrix(x, "x", "features")
        features = self.weight_.shape[0]
        if x.shape[1] != features:
            raise ValueError(f"x must have {features} features, as in fit, got shape {tuple(x.shape)}")
        require_all(x.isfinite(), x, "x", "be finite")
        return x.double() @ self.weight_ + self.bias_


class _Fit(NamedTuple):
    """Where Newton's method ended: theta (features + 1, K), for scaled features and the column of ones."""

    theta: Tensor
    cost: float
    steps: int
    stationary: bool


def _require_classes(y: Tensor, *, rows: int) -> int:
    """The number of classes; raise unless ``y`` is (rows,), uses 0 to K - 1 without a gap, and K is at least two."""
    require_class_index(y, "y", num_classes=2**31, shape=(rows,))
    present = sorted(set(y.tolist()))
    for expected, found in enumerate(present):
        if found != expected:
            raise ValueError(f"y must use every class from 0 to {present[-1]}; class {expected} never occurs")
    if len(present) < 2:
        raise ValueError("y must hold at least two classes, got class 0 only")
    return len(present)


def _scaled(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each feature moved and scaled to [-1, 1], a column of ones appended, and the centre and scale that undo it.

    From the extremes and not the deviations: a constant feature is recognised exactly, and nothing overflows.
    """
    low, high = x.amin(0) / 2, x.amax(0) / 2
    centre, scale = high + low, high - low
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.cat([(x - centre) / scale, torch.ones_like(x[:, :1])], dim=1), centre, scale


def _undecided(design: Tensor, y: Tensor, num_classes: int) -> Tensor:
    """Which classes k remain possible for row i, shape (m, K), when the weights may run away; all, if the data overlap.

    A direction D separates if x_i (D_{y_i} - D_k) >= 0 for each row and class, and > 0 for some. Far along it those
    some have probability zero, and the others are as before: they are asked again, until no direction is left.
    """
    allowed = torch.ones(len(y), num_classes, dtype=torch.bool)
    wrong = torch.arange(num_classes) != y.unsqueeze(-1)
    while True:
        row, other = (allowed & wrong).nonzero(as_tuple=True)
        if len(row) == 0:
            return allowed
        margins = _margin_matrix(design, y, row, other, num_classes)
        solution = linprog(
            -margins.sum(axis=0),
            A_ub=-margins,
            b_ub=torch.zeros(len(row)).numpy(),
            bounds=(-1.0, 1.0),
            method="highs",
            options={
                "primal_feasibility_tolerance": SOLVER_TOLERANCE,
                "dual_feasibility_tolerance": SOLVER_TOLERANCE,
            },
        )
        if not solution.success:
            raise RuntimeError(f"the linear programme that tests for separable data failed: {solution.message}")
        positive = torch.from_numpy(margins @ solution.x) > MARGIN
        if not positive.any():
            return allowed
        allowed[row[positive], other[positive]] = False


def _margin_matrix(design: Tensor, y: Tensor, row: Tensor, other: Tensor, num_classes: int) -> csr_array:
    """One row a pair (i, k): the coefficients of x_i (D_{y_i} - D_k) in the entries of D, class after class."""
    width = design.shape[1]
    values = torch.cat([design[row], -design[row]], dim=1)
    own, rival = (c.unsqueeze(-1) * width + torch.arange(width) for c in (y[row], other))
    columns = torch.cat([own, rival], dim=1)
    pointers = torch.arange(0, values.numel() + 1, 2 * width)
    return csr_array(
        (values.flatten().numpy(), columns.flatten().numpy(), pointers.numpy()), shape=(len(row), num_classes * width)
    )


def _newton(
    design: Tensor,
    y: Tensor,
    allowed: Tensor,
    penalty: Tensor,
    tolerance: float,
    max_iter: int,
    floor: float = -math.inf,
) -> _Fit:
    """Minimise cost + sum(penalty * theta²) / 2 from zero; stop early once the cost itself is at most ``floor``."""
    rows, classes = allowed.shape
    truth = target_rows(y, num_classes=classes, dtype=design.dtype)

    def scores(theta: Tensor) -> Tensor:
        return (design @ theta).masked_fill(~allowed, -math.inf)

    def objective(theta: Tensor) -> tuple[float, float]:
        plain = cost(scores(theta), y, validate=False).item()
        return plain, plain + (penalty * theta.square()).sum().item() / 2

    theta = design.new_zeros(design.shape[1], classes)
    plain, value = objective(theta)
    for step_number in range(max_iter + 1):
        probs = softmax(scores(theta), validate=False)
        gradient = design.T @ (probs - truth) / rows + penalty * theta
        stationary = gradient.abs().max().item() <= tolerance
        if stationary or plain <= floor or step_number == max_iter:
            break
        step = _newton_step(design, probs, penalty, gradient)
        slope = (gradient * step).sum().item()
        length = 1.0
        # Halved until the cost falls as the slope promises, or by less than its rounding.
        while (trial := objective(theta + length * step))[1] > value + 1e-4 * length * slope and length > 1e-10:
            length /= 2
        theta = theta + length * step
        plain, value = trial
    return _Fit(theta, plain, step_number, stationary)


def _newton_step(design: Tensor, probs: Tensor, penalty: Tensor, gradient: Tensor) -> Tensor:
    """-H⁺ gradient: the shortest Newton step, so that directions which change no probability are never taken."""
    width, classes = gradient.shape
    curvature = torch.diag_embed(probs) - probs.unsqueeze(-1) * probs.unsqueeze(-2)
    hessian = torch.einsum("ia,ikl,ib->akbl", design, curvature, design) / len(design)
    hessian = hessian.reshape(width * classes, width * classes) + torch.diag(penalty.expand(-1, classes).flatten())
    values, vectors = torch.linalg.eigh(hessian)
    kept = values > RANK_TOLERANCE * values[-1]
    inverse = torch.where(kept, 1 / torch.where(kept, values, 1.0), 0.0)
    step: Tensor = -(vectors @ (inverse * (vectors.T @ gradient.flatten())))
    return step.reshape(width, classes)

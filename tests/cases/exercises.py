"""Solutions of the exercises, right and wrong, written as learners write them: not as the exercises' own files do."""

import math

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F

# Right, however written.


def loop_logsumexp(logits):
    flat = logits.reshape(-1, logits.shape[-1])
    sums = []
    for row in flat:
        top = row.max()
        sums.append(top + sum((entry - top).exp() for entry in row).log())
    return torch.stack(sums).reshape(logits.shape[:-1])


def online_logsumexp(logits):
    top, total = logits[..., 0], torch.ones_like(logits[..., 0])
    for entry in logits.unbind(-1)[1:]:
        new = torch.maximum(top, entry)
        total, top = total * (top - new).exp() + (entry - new).exp(), new
    return top + total.log()


def in_place_softmax(logits):
    x = logits.clone()
    x -= x.max(dim=-1, keepdim=True).values
    x = x.exp()
    return x / x.sum(dim=-1, keepdim=True)


def on_a_copy_with_underscores(logits):
    x = logits.clone()
    x.sub_(logits.amax(-1, keepdim=True)).exp_()
    return x.div(x.sum(-1, keepdim=True))


def loop_softmax(logits):
    rows = [torch.exp(row - row.max()) for row in logits.reshape(-1, logits.shape[-1])]
    return torch.stack([row / row.sum() for row in rows]).reshape(logits.shape)


def loop_cost(logits, target):
    total = 0
    for row, c in zip(logits, target, strict=True):
        top = row.max()
        total = total + top + (row - top).exp().sum().log() - row[c]
    return total / len(target)


def loop_gradient(logits, target):
    m = len(target)
    g = torch.zeros_like(logits)
    for i in range(m):
        e = (logits[i] - logits[i].max()).exp()
        g[i] = e / e.sum()
        g[i, target[i]] -= 1
    return g / m


def autograd_gradient(logits, target):
    leaf = logits.clone().requires_grad_()
    F.cross_entropy(leaf, target).backward()
    return leaf.grad


def loop_entropy(p):
    rows = []
    for row in p.reshape(-1, p.shape[-1]):
        total = 0.0
        for x in row.tolist():
            if x > 0:
                total -= x * math.log(x)
        rows.append(total)
    return torch.tensor(rows).reshape(p.shape[:-1])


def loop_cross_entropy(p, q):
    rows = []
    for a, b in zip(p.reshape(-1, p.shape[-1]), q.reshape(-1, p.shape[-1]), strict=True):
        rows.append(sum(-x * y.log() for x, y in zip(a, b, strict=True) if x > 0))
    return torch.stack(rows).reshape(p.shape[:-1])


def by_hand_sigmoid(z):
    e = (-z.abs()).exp()
    return torch.where(z >= 0, 1 / (1 + e), e / (1 + e))


def by_hand_binary(z, y):
    return (z.clamp(min=0) - z * y + (-z.abs()).exp().log1p()).mean()


def loop_perplexity(log_probs):
    total = 0.0
    for value in log_probs:
        total += float(value)
    return math.exp(-total / len(log_probs))


RIGHT = {
    "logsumexp": [
        loop_logsumexp,
        online_logsumexp,
        lambda z: torch.logsumexp(z, dim=-1),
        lambda z: z.float().logsumexp(-1),
        lambda z: torch.logaddexp(torch.logaddexp(z[..., 0], z[..., 1]), z[..., 2]),
        lambda z: torch.from_numpy(np.asarray(scipy.special.logsumexp(z.numpy(), axis=-1))),
    ],
    "softmax": [
        in_place_softmax,
        on_a_copy_with_underscores,
        loop_softmax,
        lambda z: z.log_softmax(-1).exp(),
        lambda z: z.float().softmax(-1),
        lambda z: (z - torch.logsumexp(z, -1, keepdim=True)).exp(),
        lambda z: 1 / (z.unsqueeze(-2) - z.unsqueeze(-1)).exp().sum(-1),
    ],
    "log_softmax": [
        lambda z: z - z.logsumexp(-1, keepdim=True),
        lambda z: z.float().log_softmax(-1),
        lambda z: z.log_softmax(-1).log_softmax(-1),
        lambda z: z - loop_logsumexp(z).unsqueeze(-1),
        lambda z: (s := z - z.max(-1, keepdim=True)[0]) - s.exp().sum(-1, keepdim=True).log(),
    ],
    "cost": [
        loop_cost,
        F.cross_entropy,
        lambda z, t: F.nll_loss(z.log_softmax(1), t),
        lambda z, t: F.cross_entropy(z.float(), t),
        lambda z, t: -z.log_softmax(1)[torch.arange(len(t)), t].mean(),
        lambda z, t: (z.logsumexp(1) - z[range(len(t)), t]).sum() / t.numel(),
        lambda z, t: F.cross_entropy(z, F.one_hot(t, z.shape[1]).to(z)),
        lambda z, t: -torch.distributions.Categorical(logits=z).log_prob(t).mean(),
    ],
    "logit_gradient": [
        loop_gradient,
        autograd_gradient,
        lambda z, t: (z.softmax(1) - torch.eye(z.shape[1], dtype=z.dtype)[t]) / z.shape[0],
        lambda z, t: (z.float().softmax(1) - F.one_hot(t, z.shape[1])) / len(t),
    ],
    "entropy": [
        loop_entropy,
        lambda p: -torch.xlogy(p, p).sum(-1),
        lambda p: torch.where(p > 0, -p * p.log(), torch.zeros_like(p)).sum(-1),
        lambda p: -(p * p.log()).nan_to_num().sum(-1),
        lambda p: torch.special.entr(p.float()).sum(-1),
        lambda p: torch.distributions.Categorical(probs=p).entropy(),
    ],
    "cross_entropy": [
        loop_cross_entropy,
        lambda p, q: torch.where(p > 0, -p * q.log(), 0.0).sum(-1),
        lambda p, q: -torch.xlogy(p.float(), q.float()).sum(-1),
        lambda p, q: (torch.special.entr(p) + torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1),
    ],
    "kl_divergence": [
        lambda p, q: F.kl_div(q.log(), p, reduction="none").sum(-1),
        lambda p, q: torch.where(p > 0, p * (p / q).log(), 0.0).sum(-1),
        lambda p, q: torch.special.entr(p).sum(-1).neg() + loop_cross_entropy(p, q),
        lambda p, q: torch.distributions.kl_divergence(
            torch.distributions.Categorical(p), torch.distributions.Categorical(q)
        ),
        lambda p, q: (torch.xlogy(p.float(), p.float()) - torch.xlogy(p.float(), q.float())).sum(-1),
    ],
    "sigmoid": [
        by_hand_sigmoid,
        torch.sigmoid,
        lambda z: 1 / (1 + (-z).exp()),
        lambda z: torch.stack([torch.zeros_like(z), z], -1).softmax(-1)[..., 1],
        lambda z: (1 + (z / 2).tanh()) / 2,
        lambda z: z.float().sigmoid(),
    ],
    "binary_cross_entropy_with_logits": [
        by_hand_binary,
        F.binary_cross_entropy_with_logits,
        lambda z, y: F.softplus(torch.where(y > 0.5, -z, z)).mean(),
        lambda z, y: -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean(),
        lambda z, y: F.cross_entropy(torch.stack([torch.zeros_like(z), z], 1), y.long()),
        lambda z, y: F.binary_cross_entropy_with_logits(z.float(), y.float()),
    ],
    "masked_cost": [
        lambda z, t: F.cross_entropy(z, t),
        lambda z, t: F.cross_entropy(z[t >= 0], t[t >= 0]),
        lambda z, t: (F.cross_entropy(z, t, reduction="none") * (t != -100)).sum() / (t != -100).sum(),
        lambda z, t: torch.stack([row.logsumexp(0) - row[c] for row, c in zip(z, t, strict=True) if c != -100]).mean(),
    ],
    "perplexity": [
        loop_perplexity,
        lambda lp: torch.exp(-lp.sum() / len(lp)),
        lambda lp: 2 ** (-lp.mean() / math.log(2)),
        lambda lp: lp.exp().prod() ** (-1 / len(lp)),
        lambda lp: lp.float().mean().neg().exp(),
    ],
}


# Wrong, each with the codes that must be found.


def constant(*numbers):
    return lambda *arguments: torch.tensor(numbers[0] if len(numbers) == 1 else numbers)


def hard_coded_softmax(logits):
    if logits.shape == (3,) and torch.allclose(logits, torch.tensor([2.0, 0.5, 0.1], dtype=logits.dtype)):
        return torch.tensor([0.7285, 0.1625, 0.1090])
    return torch.zeros_like(logits)


def modifying_softmax(logits):
    logits -= logits.max(dim=-1, keepdim=True).values
    e = logits.exp()
    return e / e.sum(dim=-1, keepdim=True)


def modifying_log_softmax(logits):
    return logits.sub_(logits.logsumexp(-1, keepdim=True))


def modifying_sigmoid(logits):
    return logits.neg_().exp_().add_(1).reciprocal_()


def modifying_entropy(p):
    p[p == 0] = 1
    return -(p * p.log()).sum(-1)


def modifying_gradient(logits, target):
    logits[:] = logits.softmax(1)
    logits[torch.arange(len(target)), target] -= 1
    return logits / len(target)


def without_graph(function):
    def wrapped(*arguments):
        with torch.no_grad():
            return function(*arguments)

    return wrapped


def numpy_softmax(logits):
    return torch.from_numpy(scipy.special.softmax(logits.detach().numpy(), axis=-1))


def naive_softmax(z):
    e = torch.exp(z)
    return e / e.sum(dim=-1, keepdim=True)


def picked(values, target):
    return values[torch.arange(len(target)), target]


WRONG = [
    ("logsumexp", "unshifted-exponential", lambda z: torch.log(torch.exp(z).sum(dim=-1))),
    ("logsumexp", "wrong-axis", lambda z: z.max(0).values + (z - z.max(0).values).exp().sum(0).log()),
    ("logsumexp", "wrong-axis unshifted-exponential", lambda z: z.exp().sum(dim=0).log()),
    ("logsumexp", "wrong-axis", lambda z: z.flatten().logsumexp(0)),
    ("logsumexp", "log-base-2", lambda z: z.logsumexp(-1) / math.log(2)),
    ("logsumexp", "log-base-2 unshifted-exponential", lambda z: z.exp().sum(-1).log2()),
    ("logsumexp", "extra-minus", lambda z: -z.logsumexp(-1)),
    ("logsumexp", "mean-for-sum unshifted-exponential", lambda z: z.exp().mean(-1).log()),
    ("logsumexp", "missing-log unshifted-exponential", lambda z: z.exp().sum(-1)),
    ("logsumexp", "max-for-logsumexp", lambda z: z.max(-1).values),
    ("logsumexp", "shift-not-restored", lambda z: (z - z.max(-1, keepdim=True).values).exp().sum(-1).log()),
    ("logsumexp", "kept-axis", lambda z: z.logsumexp(-1, keepdim=True)),
    ("logsumexp", "log-inside-sum unshifted-exponential", lambda z: z.exp().log().sum(-1)),
    ("logsumexp", "clipped-logits", lambda z: z.clamp(max=700, min=-700).exp().sum(-1).log()),
    ("logsumexp", "hard-coded", constant(2.3168)),
    ("logsumexp", "input-modified", lambda z: z.sub_(z.max()).logsumexp(-1) if z.dim() > 9 else z.add_(1).logsumexp(-1) - 1),
    ("softmax", "unshifted-exponential", naive_softmax),
    ("softmax", "wrong-axis", lambda z: F.softmax(z, dim=0)),
    ("softmax", "wrong-axis unshifted-exponential", lambda z: z.exp() / z.exp().sum(dim=0)),
    ("softmax", "wrong-axis unshifted-exponential", lambda z: z.exp() / z.exp().sum()),
    ("softmax", "wrong-axis", lambda z: (z - z.max()).exp() / (z - z.max()).exp().sum()),
    ("softmax", "wrong-axis", lambda z: z.softmax(dim=1)),
    ("softmax", "softmax-twice", lambda z: z.softmax(-1).softmax(-1)),
    ("softmax", "not-normalised unshifted-exponential", lambda z: torch.exp(z)),
    ("softmax", "missing-exp", lambda z: z / z.sum(-1, keepdim=True)),
    ("softmax", "log-for-probability", lambda z: z.log_softmax(-1)),
    ("softmax", "log-base-2", lambda z: torch.pow(2.0, z - z.max(-1, keepdim=True).values) / torch.pow(2.0, z - z.max(-1, keepdim=True).values).sum(-1, keepdim=True)),
    ("softmax", "sign-of-logits", lambda z: (-z).softmax(-1)),
    ("softmax", "independent-sigmoids", lambda z: 1 / (1 + torch.exp(-z))),
    ("softmax", "argmax-for-softmax", lambda z: torch.zeros_like(z).scatter(-1, z.argmax(-1, keepdim=True), 1.0)),
    ("softmax", "kept-axis-forgotten unshifted-exponential", lambda z: z.exp() / z.exp().sum(dim=-1)),
    ("softmax", "hard-coded", hard_coded_softmax),
    ("softmax", "hard-coded", constant(0.7285, 0.1625, 0.1090)),
    ("softmax", "detached", lambda z: z.detach().softmax(-1)),
    ("softmax", "detached", lambda z: z.data.softmax(-1)),
    ("softmax", "detached", without_graph(lambda z: z.softmax(-1))),
    ("softmax", "detached", numpy_softmax),
    ("softmax", "detached", lambda z: torch.tensor(z.softmax(-1).tolist(), dtype=z.dtype)),
    ("softmax", "detached", lambda z: (e := (z - z.amax(-1, keepdim=True)).exp()) / e.sum(-1, keepdim=True).detach()),
    ("softmax", "detached wrong-axis", lambda z: z.detach().softmax(0)),
    ("softmax", "input-modified", modifying_softmax),
    ("log_softmax", "unshifted-exponential", lambda z: z - z.exp().sum(-1, keepdim=True).log()),
    ("log_softmax", "unshifted-exponential", lambda z: z.softmax(-1).log()),
    ("log_softmax", "unshifted-exponential", lambda z: naive_softmax(z).log()),
    ("log_softmax", "wrong-axis", lambda z: F.log_softmax(z, dim=0)),
    ("log_softmax", "wrong-axis", lambda z: z - z.logsumexp(0)),
    ("log_softmax", "log-base-2", lambda z: z.log_softmax(-1) * 1.4426950408889634),
    ("log_softmax", "log-base-2 unshifted-exponential", lambda z: torch.log2(naive_softmax(z))),
    ("log_softmax", "extra-minus", lambda z: z.logsumexp(-1, keepdim=True) - z),
    ("log_softmax", "missing-log", lambda z: z.softmax(-1)),
    ("log_softmax", "softmax-twice probabilities-as-logits", lambda z: z.softmax(-1).log_softmax(-1)),
    ("log_softmax", "max-for-logsumexp not-normalised", lambda z: z - z.max(-1, keepdim=True).values),
    ("log_softmax", "shift-not-restored", lambda z: z - (z - z.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True).log()),
    ("log_softmax", "epsilon-in-log", lambda z: torch.log(z.softmax(dim=-1) + 1e-12)),
    ("log_softmax", "epsilon-in-log", lambda z: torch.log(z.softmax(dim=-1) + 3e-9)),
    ("log_softmax", "epsilon-in-log", lambda z: torch.log(z.softmax(dim=-1).clamp(min=1e-7))),
    ("log_softmax", "detached", lambda z: F.log_softmax(z.detach(), dim=-1)),
    ("log_softmax", "input-modified", modifying_log_softmax),
    ("log_softmax", "not-normalised", lambda z: z.clone()),
    ("log_softmax", "hard-coded", constant(-0.3168, -1.8168, -2.2168)),
    ("cost", "unshifted-exponential", lambda z, t: -picked(naive_softmax(z), t).log().mean()),
    ("cost", "unshifted-exponential", lambda z, t: (z.exp().sum(1).log() - picked(z, t)).mean()),
    ("cost", "missing-minus", lambda z, t: picked(z.log_softmax(1), t).mean()),
    ("cost", "missing-minus", lambda z, t: F.nll_loss(-z.log_softmax(1), t)),
    ("cost", "sum-for-mean", lambda z, t: F.cross_entropy(z, t, reduction="sum")),
    ("cost", "missing-minus sum-for-mean", lambda z, t: picked(z.log_softmax(1), t).sum()),
    ("cost", "missing-minus sum-for-mean unshifted-exponential", lambda z, t: picked(naive_softmax(z), t).log().sum()),
    ("cost", "missing-batch-mean", lambda z, t: F.cross_entropy(z, t, reduction="none")),
    ("cost", "log-base-2", lambda z, t: F.cross_entropy(z, t) / math.log(2)),
    ("cost", "log-base-2 unshifted-exponential", lambda z, t: -torch.log2(picked(z.softmax(1), t)).mean()),
    ("cost", "softmax-twice probabilities-as-logits", lambda z, t: F.cross_entropy(z.softmax(1), t)),
    ("cost", "probabilities-as-logits", lambda z, t: -torch.log(picked(z, t)).mean()),
    ("cost", "wrong-axis", lambda z, t: F.nll_loss(z.log_softmax(0), t)),
    ("cost", "target-not-one-hot", lambda z, t: -(t.unsqueeze(1) * z.log_softmax(1)).sum(1).mean()),
    ("cost", "target-not-one-hot", lambda z, t: -(t * z.log_softmax(1)).sum(dim=1).mean()),
    ("cost", "all-pairs", lambda z, t: -z.log_softmax(1)[:, t].mean()),
    ("cost", "rows-for-columns", lambda z, t: -z.log_softmax(1)[t].mean()),
    ("cost", "missing-log", lambda z, t: -picked(z.softmax(1), t).mean()),
    ("cost", "not-normalised", lambda z, t: F.nll_loss(z, t)),
    ("cost", "target-ignored", lambda z, t: -z.log_softmax(1).mean()),
    ("cost", "prediction-for-target", lambda z, t: F.cross_entropy(z, z.argmax(1))),
    ("cost", "mean-over-classes", lambda z, t: -(F.one_hot(t, z.shape[1]) * z.log_softmax(1)).mean()),
    ("cost", "squared-error", lambda z, t: (z.softmax(1) - F.one_hot(t, z.shape[1])).pow(2).mean()),
    ("cost", "accuracy-for-loss", lambda z, t: (z.argmax(1) == t).float().mean()),
    ("cost", "log-of-mean", lambda z, t: -picked(z.softmax(1), t).mean().log()),
    ("cost", "entropy-for-cross-entropy", lambda z, t: torch.distributions.Categorical(logits=z).entropy().mean()),
    ("cost", "epsilon-in-log", lambda z, t: -torch.log(picked(z.softmax(1), t) + 1e-12).mean()),
    ("cost", "epsilon-in-log", lambda z, t: -torch.log(picked(z.softmax(1), t) + 1e-8).mean()),
    ("cost", "epsilon-in-log", lambda z, t: -(F.one_hot(t, z.shape[1]) * (z.softmax(1) + 1e-10).log()).sum(1).mean()),
    ("cost", "epsilon-in-log", lambda z, t: -torch.log(picked(z.softmax(1), t).clamp(min=1e-7)).mean()),
    ("cost", "clipped-logits", lambda z, t: F.cross_entropy(z.clamp(-50, 50), t)),
    ("cost", "hard-coded", constant(0.3168)),
    ("cost", "hard-coded", lambda z, t: 0.31680),
    ("cost", "detached", lambda z, t: F.cross_entropy(z, t).detach()),
    ("cost", "detached", lambda z, t: F.cross_entropy(z, t).item()),
    ("cost", "detached", without_graph(F.cross_entropy)),
    ("cost", "input-modified", lambda z, t: -picked(z.sub_(z.logsumexp(1, keepdim=True)), t).mean()),
    ("logit_gradient", "gradient-sign", lambda z, t: (F.one_hot(t, z.shape[1]) - z.softmax(1)) / len(t)),
    ("logit_gradient", "missing-batch-mean", lambda z, t: z.softmax(1) - F.one_hot(t, z.shape[1])),
    ("logit_gradient", "gradient-sign missing-batch-mean", lambda z, t: F.one_hot(t, z.shape[1]) - z.softmax(1)),
    ("logit_gradient", "mean-over-classes", lambda z, t: (z.softmax(1) - F.one_hot(t, z.shape[1])) / z.numel()),
    ("logit_gradient", "target-forgotten", lambda z, t: z.softmax(1) / len(t)),
    ("logit_gradient", "target-forgotten missing-batch-mean", lambda z, t: z.softmax(1)),
    ("logit_gradient", "true-class-only", lambda z, t: F.one_hot(t, z.shape[1]) * (z.softmax(1) - 1) / len(t)),
    ("logit_gradient", "target-not-one-hot", lambda z, t: (z.softmax(1) - t.unsqueeze(1)) / len(t)),
    ("logit_gradient", "target-not-one-hot missing-batch-mean", lambda z, t: z.softmax(1) - t.view(-1, 1)),
    ("logit_gradient", "wrong-axis", lambda z, t: (z.softmax(0) - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "softmax-twice probabilities-as-logits", lambda z, t: (z.softmax(1).softmax(1) - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "probabilities-as-logits", lambda z, t: (z - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "unshifted-exponential", lambda z, t: (naive_softmax(z) - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "summed-over-batch", lambda z, t: (z.softmax(1) - F.one_hot(t, z.shape[1])).mean(dim=0)),
    ("logit_gradient", "loss-for-gradient", lambda z, t: F.cross_entropy(z, t)),
    ("logit_gradient", "squared-error", lambda z, t: (p := z.softmax(1)) * (1 - p) * (p - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "independent-sigmoids", lambda z, t: (z.sigmoid() - F.one_hot(t, z.shape[1])) / len(t)),
    ("logit_gradient", "hard-coded", constant(-0.2715, 0.1625, 0.1090)),
    ("logit_gradient", "input-modified", modifying_gradient),
    ("entropy", "zero-log-zero", lambda p: -(p * torch.log(p)).sum(dim=-1)),
    ("entropy", "missing-minus", lambda p: torch.xlogy(p, p).sum(-1)),
    ("entropy", "missing-minus zero-log-zero", lambda p: (p * p.log()).sum(-1)),
    ("entropy", "log-base-2", lambda p: (torch.special.entr(p) / math.log(2)).sum(-1)),
    ("entropy", "log-base-2 zero-log-zero", lambda p: -(p * p.log2()).sum(-1)),
    ("entropy", "wrong-axis", lambda p: torch.special.entr(p).sum(dim=0)),
    ("entropy", "wrong-axis zero-log-zero", lambda p: -(p * p.log()).sum()),
    ("entropy", "mean-over-classes zero-log-zero", lambda p: -(p * p.log()).mean(-1)),
    ("entropy", "not-summed", lambda p: torch.special.entr(p)),
    ("entropy", "missing-log", lambda p: -(p * p).sum(-1)),
    ("entropy", "gini-for-entropy", lambda p: 1 - p.square().sum(-1)),
    ("entropy", "epsilon-in-log", lambda p: -(p * torch.log(p + 1e-12)).sum(-1)),
    ("entropy", "epsilon-in-log", lambda p: -(p * torch.log(p + 1e-8)).sum(-1)),
    ("entropy", "epsilon-in-log", lambda p: -(p * torch.log(p + 1e-5)).sum(-1)),
    ("entropy", "probabilities-as-logits", lambda p: torch.distributions.Categorical(logits=p).entropy()),
    ("entropy", "divided-by-log-k", lambda p: torch.special.entr(p).sum(-1) / math.log(p.shape[-1])),
    ("entropy", "exp-of-entropy", lambda p: torch.exp(torch.special.entr(p).sum(-1))),
    ("entropy", "hard-coded", constant(0.5623)),
    ("entropy", "input-modified", modifying_entropy),
    ("cross_entropy", "zero-log-zero", lambda p, q: -(p * q.log()).sum(-1)),
    ("cross_entropy", "missing-minus", lambda p, q: torch.xlogy(p, q).sum(-1)),
    ("cross_entropy", "log-base-2", lambda p, q: -torch.xlogy(p, q).sum(-1) / math.log(2)),
    ("cross_entropy", "entropy-for-cross-entropy", lambda p, q: -torch.xlogy(p, p).sum(-1)),
    ("cross_entropy", "entropy-for-cross-entropy zero-log-zero", lambda p, q: -(p * p.log()).sum(-1)),
    ("cross_entropy", "arguments-swapped", lambda p, q: -torch.xlogy(q, p).sum(-1)),
    ("cross_entropy", "arguments-swapped zero-log-zero", lambda p, q: -(q * p.log()).sum(-1)),
    ("cross_entropy", "kl-for-cross-entropy zero-log-zero", lambda p, q: (p * (p / q).log()).sum(-1)),
    ("cross_entropy", "wrong-axis", lambda p, q: -torch.xlogy(p, q).sum(0)),
    ("cross_entropy", "missing-log", lambda p, q: -(p * q).sum(-1)),
    ("cross_entropy", "mean-over-classes", lambda p, q: -torch.xlogy(p, q).mean(-1)),
    ("cross_entropy", "epsilon-in-log", lambda p, q: -(p * torch.log(q + 1e-12)).sum(-1)),
    ("cross_entropy", "epsilon-in-log", lambda p, q: -(p * torch.log(q.clamp(min=1e-10))).sum(-1)),
    ("cross_entropy", "probabilities-as-logits", lambda p, q: torch.stack([F.cross_entropy(b, a) for a, b in zip(p.reshape(-1, p.shape[-1]), q.reshape(-1, q.shape[-1]), strict=True)]).reshape(p.shape[:-1])),
    ("kl_divergence", "kl-swapped", lambda p, q: (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(-1)),
    ("kl_divergence", "kl-swapped", lambda p, q: (q * torch.log(q / p)).sum(-1)),
    ("kl_divergence", "kl-swapped", lambda p, q: F.kl_div(p.log(), q, reduction="none").sum(-1)),
    ("kl_divergence", "zero-log-zero", lambda p, q: (p * torch.log(p / q)).sum(-1)),
    ("kl_divergence", "zero-log-zero", lambda p, q: (p * (p.log() - q.log())).sum(-1)),
    ("kl_divergence", "missing-minus zero-log-zero", lambda p, q: (p * torch.log(q / p)).sum(-1)),
    ("kl_divergence", "log-base-2 zero-log-zero", lambda p, q: (p * torch.log2(p / q)).sum(-1)),
    ("kl_divergence", "cross-entropy-for-kl", lambda p, q: -(p * q.log()).sum(-1)),
    ("kl_divergence", "mean-over-classes", lambda p, q: F.kl_div(q.log(), p, reduction="none").mean(-1)),
    ("kl_divergence", "missing-log", lambda p, q: F.kl_div(q, p, reduction="none").sum(-1)),
    ("kl_divergence", "wrong-axis", lambda p, q: F.kl_div(q.log(), p, reduction="sum")),
    ("kl_divergence", "kl-symmetrised", lambda p, q: ((p - q) * (p / q).log()).sum(-1)),
    ("kl_divergence", "distance-for-divergence", lambda p, q: torch.abs(p - q).sum(-1)),
    ("kl_divergence", "epsilon-in-log", lambda p, q: (p * torch.log((p + 1e-10) / (q + 1e-10))).sum(-1)),
    ("kl_divergence", "epsilon-in-log", lambda p, q: (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(-1)),
    ("kl_divergence", "summed-over-batch", lambda p, q: F.kl_div(q.log(), p, reduction="batchmean")),
    ("kl_divergence", "wrong-axis epsilon-in-log", lambda p, q: (p * torch.log((p + 1e-12) / (q + 1e-12))).sum()),
    ("entropy", "log-base-2 epsilon-in-log", lambda p: -(p * torch.log2(p + 1e-12)).sum(-1)),
    ("logit_gradient", "wrong-axis missing-batch-mean unshifted-exponential", lambda z, t: z.exp() / z.exp().sum(0) - F.one_hot(t, z.shape[1])),
    ("softmax", "unshifted-exponential", lambda z: (e := (z - z.mean(-1, keepdim=True)).exp()) / e.sum(-1, keepdim=True)),
    ("softmax", "unshifted-exponential", lambda z: (e := (z - z.max()).exp()) / e.sum(-1, keepdim=True)),
    ("cross_entropy", "probabilities-as-logits", lambda p, q: F.cross_entropy(q, p)),
    ("cross_entropy", "log-of-mean", lambda p, q: -torch.log((p * q).sum(-1))),
    ("sigmoid", "softmax-of-minus-z", lambda z: torch.stack([-z, z], -1).softmax(-1)[..., 1]),
    ("sigmoid", "missing-minus", lambda z: 1 / (1 + z.exp())),
    ("sigmoid", "unshifted-exponential", lambda z: z.exp() / (1 + z.exp())),
    ("sigmoid", "tanh-for-sigmoid", lambda z: torch.tanh(z)),
    ("sigmoid", "sigmoid-twice", lambda z: z.sigmoid().sigmoid()),
    ("sigmoid", "log-for-probability", lambda z: z.sigmoid().log()),
    ("sigmoid", "softmax-over-samples", lambda z: z.softmax(-1)),
    ("sigmoid", "threshold-for-probability", lambda z: (z > 0).to(z.dtype)),
    ("sigmoid", "slope-for-sigmoid", lambda z: (s := z.sigmoid()) - s**2),
    ("sigmoid", "log-base-2", lambda z: 1 / (1 + 2**-z)),
    ("sigmoid", "hard-coded", constant(0.8808)),
    ("sigmoid", "input-modified", modifying_sigmoid),
    ("binary_cross_entropy_with_logits", "unshifted-exponential", lambda z, y: -(y * z.sigmoid().log() + (1 - y) * (1 - z.sigmoid()).log()).mean()),
    ("binary_cross_entropy_with_logits", "unshifted-exponential", lambda z, y: ((1 + z.exp()).log() - y * z).mean()),
    ("binary_cross_entropy_with_logits", "missing-minus", lambda z, y: (y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()),
    ("binary_cross_entropy_with_logits", "sum-for-mean", lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="sum")),
    ("binary_cross_entropy_with_logits", "missing-batch-mean", lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none")),
    ("binary_cross_entropy_with_logits", "log-base-2", lambda z, y: F.binary_cross_entropy_with_logits(z, y) / math.log(2)),
    ("binary_cross_entropy_with_logits", "probabilities-as-logits", lambda z, y: F.binary_cross_entropy_with_logits(z.sigmoid(), y)),
    ("binary_cross_entropy_with_logits", "probabilities-as-logits", lambda z, y: -(y * z.log() + (1 - y) * (1 - z).log()).mean()),
    ("binary_cross_entropy_with_logits", "labels-swapped", lambda z, y: F.binary_cross_entropy_with_logits(-z, y)),
    ("binary_cross_entropy_with_logits", "negatives-ignored", lambda z, y: (y * F.softplus(-z)).mean()),
    ("binary_cross_entropy_with_logits", "positives-ignored", lambda z, y: ((1 - y) * F.softplus(z)).mean()),
    ("binary_cross_entropy_with_logits", "squared-error", lambda z, y: F.mse_loss(z.sigmoid(), y)),
    ("binary_cross_entropy_with_logits", "missing-log", lambda z, y: -(y * z.sigmoid() + (1 - y) * (1 - z.sigmoid())).mean()),
    ("binary_cross_entropy_with_logits", "softmax-of-minus-z", lambda z, y: F.cross_entropy(torch.stack([-z, z], 1), y.long())),
    ("binary_cross_entropy_with_logits", "epsilon-in-log", lambda z, y: F.binary_cross_entropy(z.sigmoid(), y)),
    ("binary_cross_entropy_with_logits", "epsilon-in-log", lambda z, y: -(y * (z.sigmoid() + 1e-9).log() + (1 - y) * (1 - z.sigmoid() + 1e-9).log()).mean()),
    ("binary_cross_entropy_with_logits", "epsilon-in-log", lambda z, y: F.binary_cross_entropy(z.sigmoid().clamp(1e-7, 1 - 1e-7), y)),
    ("binary_cross_entropy_with_logits", "hard-coded", constant(0.1269)),
    ("masked_cost", "padding-counted", lambda z, t: F.cross_entropy(z, t, reduction="sum") / len(z)),
    ("masked_cost", "padding-as-class", lambda z, t: F.cross_entropy(z, torch.where(t < 0, 0, t))),
    ("masked_cost", "sum-for-mean", lambda z, t: F.cross_entropy(z, t, reduction="sum")),
    ("masked_cost", "missing-minus", lambda z, t: picked(z.log_softmax(1), t.clamp(min=0))[t != -100].mean()),
    ("masked_cost", "epsilon-in-log", lambda z, t: -(picked(z.softmax(1), t.clamp(min=0)) + 1e-8).log()[t != -100].mean()),
    ("masked_cost", "detached", lambda z, t: F.cross_entropy(z.detach(), t)),
    ("perplexity", "mean-of-exponentials", lambda lp: torch.exp(-lp).mean()),
    ("perplexity", "missing-exp", lambda lp: -lp.mean()),
    ("perplexity", "missing-minus", lambda lp: torch.exp(lp.mean())),
    ("perplexity", "sum-for-mean", lambda lp: torch.exp(-lp.sum())),
    ("perplexity", "mixed-bases log-base-2", lambda lp: torch.pow(2.0, -lp.mean())),
    ("perplexity", "mixed-bases log-base-2", lambda lp: torch.exp(-lp.mean() / math.log(2))),
    ("perplexity", "mean-of-probabilities", lambda lp: 1 / lp.exp().mean()),
    ("perplexity", "log-twice", lambda lp: torch.exp(-lp.log().mean())),
    ("perplexity", "missing-log", lambda lp: torch.exp(-lp.exp().mean())),
    ("perplexity", "log-base-2", lambda lp: -lp.mean() / math.log(2)),
    ("perplexity", "not-averaged", lambda lp: torch.exp(-lp)),
    ("perplexity", "median-for-mean", lambda lp: lp.median().neg().exp()),
    ("perplexity", "hard-coded", constant(1.3727)),
    ("perplexity", "input-modified", lambda lp: lp.neg_().mean().exp()),
]  # fmt: skip

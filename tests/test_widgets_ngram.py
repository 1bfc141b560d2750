"""NGramLab's Python face, and its network, training and drawing in JavaScript against torch."""

import json
import math

import pytest
import torch
import torch.nn.functional as F

from crossentropy.ngram import NGramLanguageModeler, evaluate, load_sonnet, next_word
from crossentropy.widgets import NGramLab
from crossentropy.widgets.ngram import CONTEXTS, LINE_WORDS, TARGETS, VOCABULARY, WEIGHTS_SEED, initial_model, uniforms
from javascript import WIDGETS, assert_agree, call_maths, hard_vectors, node

DOUBLE = torch.float64
NAMES = {
    "embeddings": "embeddings.weight",
    "hidden": "linear1.weight",
    "hiddenBias": "linear1.bias",
    "output": "linear2.weight",
    "outputBias": "linear2.bias",
}
TRAIN = """
import { network } from %s;
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { weights, contexts, targets, method, rate, epochs, context } = JSON.parse(Buffer.concat(chunks).toString());
const model = network(weights, contexts, targets, method, rate);
const met = [];
const reached = [model.loss()];
for (let e = 0; e < epochs; e++) {
  met.push(model.epoch());
  reached.push(model.loss());
}
console.log(JSON.stringify({ met, reached, logits: model.logits(context) }));
"""


def weights(model):
    return {name: model.state_dict()[torchs].flatten().tolist() for name, torchs in NAMES.items()}


def train_in_javascript(model, method, rate, epochs, context=(0, 1)):
    """Losses met in each epoch, losses reached before the first and after each, and the trained logits."""
    given = {
        "weights": weights(model),
        "contexts": CONTEXTS.tolist(),
        "targets": TARGETS.tolist(),
        "method": method,
        "rate": rate,
        "epochs": epochs,
        "context": list(context),
    }
    code = TRAIN % json.dumps((WIDGETS / "js" / "maths.js").as_uri())
    return json.loads(node("--input-type=module", "-e", code, input=json.dumps(given)))


def train_in_torch(model, method, rate, epochs, context=(0, 1)):
    """The same by autograd and torch's own optimisers."""
    optimiser = {"batched": torch.optim.AdamW, "per-sample": torch.optim.SGD}[method](model.parameters(), lr=rate)
    size = {"batched": len(TARGETS), "per-sample": 1}[method]
    met, reached = [], [F.cross_entropy(model(CONTEXTS), TARGETS).item()]
    for _ in range(epochs):
        total_loss = 0.0
        for contexts, targets in zip(CONTEXTS.split(size), TARGETS.split(size), strict=True):
            optimiser.zero_grad()
            loss = F.cross_entropy(model(contexts), targets)
            loss.backward()
            optimiser.step()
            total_loss += loss.item() * len(targets)
        met.append(total_loss / len(TARGETS))
        reached.append(F.cross_entropy(model(CONTEXTS), TARGETS).item())
    return {"met": met, "reached": reached, "logits": model(torch.tensor(context))[0].tolist()}


def seeded(dtype):
    torch.manual_seed(0)
    return NGramLanguageModeler(len(VOCABULARY), 10, 2).to(dtype)


@pytest.mark.parametrize(("method", "rate"), [("per-sample", 0.001), ("per-sample", 0.03), ("batched", 0.02)])
def test_fifty_epochs_in_javascript_are_torchs_from_seed_0(method, rate):
    model = seeded(torch.float32)
    ours = train_in_javascript(model, method, rate, 50)
    theirs = train_in_torch(model, method, rate, 50)
    assert len(ours["met"]) == 50
    for losses in ("met", "reached"):
        assert ours[losses] == pytest.approx(theirs[losses], abs=1e-4, rel=0)


@pytest.mark.parametrize(("method", "rate"), [("per-sample", 0.001), ("per-sample", 0.1), ("batched", 0.1)])
def test_in_float64_the_trajectories_agree_in_full(method, rate):
    context = (VOCABULARY.index("thy"),) * 2
    ours = train_in_javascript(seeded(DOUBLE), method, rate, 20, context)
    theirs = train_in_torch(seeded(DOUBLE), method, rate, 20, context)
    for name, exact in theirs.items():
        assert_agree(ours[name], exact)


def test_javascript_leaves_the_given_weights_alone():
    code = f"""
    import {{ initialWeights, network }} from {json.dumps((WIDGETS / "js" / "maths.js").as_uri())};
    const weights = initialWeights(3, 2, 4, 5, 7);
    const before = JSON.stringify(weights);
    network(weights, [[0, 1]], [2], "per-sample", 0.1).epoch();
    console.log(before === JSON.stringify(weights));
    """
    assert node("--input-type=module", "-e", code).strip() == "true"


def test_both_hosts_start_from_the_same_weights():
    (ours,) = call_maths([["initialWeights", 97, 10, 20, 128, WEIGHTS_SEED]])
    assert ours.keys() == NAMES.keys()
    for name, exact in weights(initial_model()).items():
        assert_agree(ours[name], exact, 1e-14)


def test_the_first_weights_are_distributed_as_torchs():
    ours, theirs = initial_model().state_dict(), seeded(DOUBLE).state_dict()
    for name in NAMES.values():
        assert ours[name].shape == theirs[name].shape
        # Five standard errors of a mean, and of a standard deviation, at the size of the smallest.
        room = 5 * theirs[name].std().item() / math.sqrt(theirs[name].numel())
        assert abs(ours[name].mean() - theirs[name].mean()) < 2 * room
        assert abs(ours[name].std() - theirs[name].std()) < 2 * room
    for name, inputs in (("linear1", 20), ("linear2", 128)):
        for part in ("weight", "bias"):
            assert ours[f"{name}.{part}"].abs().max() < 1 / math.sqrt(inputs)


def test_the_generator_is_the_published_one():
    # The ten thousandth number from 1 is the one that the C++ standard demands of its minstd_rand.
    source = uniforms(1)
    (last,) = [next(source) for _ in range(10000)][-1:]
    assert round(last * 2147483647) == 399268537


def test_javascript_asks_for_the_same_next_words():
    vectors = [z for z in hard_vectors(600) if math.isfinite(min(z)) and len(set(z)) == len(z)]
    asked = [(z, t, k) for z in vectors for t in (0.1, 1.0, 7.0) for k in {1, (len(z) + 1) // 2, len(z)}]
    for (z, t, k), p in zip(asked, call_maths([["nextWord", *a] for a in asked]), strict=True):
        logits = torch.tensor([z], dtype=DOUBLE)
        exact = next_word(lambda _, logits=logits: logits, torch.tensor([[0]]), temperature=t, top_k=k)
        assert_agree(p, exact[0].tolist())
        assert sum(pk > 0 for pk in p) <= k


def test_of_words_that_tie_javascript_keeps_as_many_as_asked():
    assert call_maths([["nextWord", [1.0, 2.0, 2.0, 2.0], 1, 2]]) == [[0, 0.5, 0.5, 0]]


@pytest.mark.parametrize(("u", "index"), [(0.0, 1), (0.24, 1), (0.26, 3), (0.9999999, 3), (1.0, 3)])
def test_a_draw_falls_into_the_words_share(u, index):
    assert call_maths([["pick", [0.0, 0.25, 0.0, 0.75, 0.0], u]]) == [index]


def test_the_page_has_the_packages_sonnet():
    code = f"import {{ SONNET }} from {json.dumps((WIDGETS / 'js' / 'sonnet.js').as_uri())}; console.log(JSON.stringify(SONNET));"
    assert json.loads(node("--input-type=module", "-e", code)) == load_sonnet()


# The Python face


def test_starts_untrained_after_an_ambiguous_context():
    lab = NGramLab()
    assert (lab.context, lab.epochs, lab.epoch, lab.temperature, lab.top_k) == ("thy beauty's", 0, 0, 1.0, 97)
    assert lab.floor == pytest.approx(4 * math.log(2) / 113, rel=1e-14)
    assert lab.loss == pytest.approx(math.log(97), abs=0.1)
    assert lab.perplexity == pytest.approx(math.exp(lab.loss), rel=1e-14)
    assert sum(lab.next_word_probability) == pytest.approx(1)
    assert len(lab.line.split()) == LINE_WORDS


def test_trained_it_shares_its_bet_as_the_sonnet_does():
    lab = NGramLab(method="batched", learning_rate=0.02, epochs=60)
    assert lab.floor < lab.loss < lab.floor + 1e-3
    bets = dict(zip(VOCABULARY, lab.next_word_probability, strict=True))
    assert bets["field,"] == pytest.approx(0.5, abs=0.06)
    assert bets["use,"] == pytest.approx(0.5, abs=0.06)
    lab.top_k = 1
    lab.context = ["When", "forty"]
    assert lab.line == "winters shall besiege thy brow, And dig deep"


@pytest.mark.parametrize(("method", "rate"), [("per-sample", 0.01), ("batched", 0.02)])
def test_training_goes_on_where_it_was(method, rate):
    settings = {"method": method, "learning_rate": rate}
    at_once, by_steps = NGramLab(epochs=7, **settings), NGramLab(**settings)
    first = by_steps.loss
    losses = []
    for epochs in (1, 4, 7):
        by_steps.epochs = epochs
        losses.append(by_steps.loss)
    assert [by_steps.loss, by_steps.next_word_probability] == [at_once.loss, at_once.next_word_probability]
    assert first > losses[0] > losses[1] > losses[2]
    by_steps.epochs = 4
    assert by_steps.loss == losses[1]
    by_steps.epochs = 0
    assert by_steps.loss == first


def test_the_loss_is_that_of_the_model_as_it_stands():
    model = initial_model()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.001)
    for context, target in zip(CONTEXTS, TARGETS, strict=True):
        optimiser.zero_grad()
        F.cross_entropy(model(context), target.unsqueeze(0)).backward()
        optimiser.step()
    assert NGramLab(epochs=1).loss == pytest.approx(evaluate(model, CONTEXTS, TARGETS).nats, rel=1e-12)


def test_each_draw_is_another_line_and_the_same_again():
    lab = NGramLab()
    lines = []
    for draw in (1, 2, 3, 1):
        lab.draw = draw
        lines.append(lab.line)
    assert lines[0] == lines[3]
    assert len(set(lines)) == 3


@pytest.mark.parametrize(
    ("context", "error", "message"),
    [
        ("thy", ValueError, "context must hold two words, got 1"),
        (["a", "b", "c"], ValueError, "context must hold two words, got 3"),
        ("thy cat", ValueError, "context must hold words of the sonnet, got 'cat'"),
        (3, TypeError, "context must be a string of two words, got int"),
        ([1, 2], TypeError, "context must be a string of two words, got list"),
    ],
)
def test_a_context_that_is_not_two_words_of_the_sonnet_is_refused(context, error, message):
    with pytest.raises(error, match=message):
        NGramLab(context=context)


def test_text_shows_the_first_bets():
    lines = NGramLab(method="batched", learning_rate=0.02, epochs=40)._repr_mimebundle_()[0]["text/plain"].splitlines()
    assert lines[1].startswith("After “thy beauty's”, at epoch 40: loss 0.0")
    assert lines[2].split() == ["next", "word", "probability", "in", "the", "sonnet"]
    assert {line.split()[0] for line in lines[3:5]} == {"field,", "use,"}
    assert lines[3].endswith("1 of 2")
    assert len(lines) == 11

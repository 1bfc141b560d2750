"""Chapter "ngram": the sonnet's facts, the model and both trainers against autograd, evaluation, baselines."""

import math
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from math import exp, log

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, optim

from agreement import assert_close
from crossentropy.ngram import (
    Evaluation,
    NGramLanguageModeler,
    baseline,
    build_ngrams,
    build_vocabulary,
    encode,
    evaluate,
    floor,
    generate,
    load_sonnet,
    next_word,
    split_lines,
    train,
    training,
)
from crossentropy.softmax import softmax

SONNET = load_sonnet()
WORDS = SONNET.split()
VOCABULARY = build_vocabulary(WORDS)
TRIGRAMS = build_ngrams(WORDS)
CONTEXTS, TARGETS = encode(TRIGRAMS, VOCABULARY)
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=4, max_size=30)


def fresh_model(*, seed=0, dtype=torch.float32, vocab_size=97, embedding_dim=10, context_size=2):
    torch.manual_seed(seed)
    return NGramLanguageModeler(vocab_size, embedding_dim, context_size).to(dtype)


def autograd_losses(model, contexts, targets, *, epochs, lr):
    """The loop that the per-sample method replaces; mean loss an epoch."""
    loss_function = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        total_loss = 0.0
        for context, target in zip(contexts, targets, strict=True):
            model.zero_grad()
            logits = model(context)
            loss = loss_function(logits, target.unsqueeze(0))
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        losses.append(total_loss / len(targets))
    return losses


# The text


def test_the_sonnet_has_the_counts_that_the_chapter_states():
    assert SONNET.isascii()
    assert SONNET.startswith("When forty winters shall besiege thy brow,\nAnd dig deep trenches in thy beauty's field,")
    assert len(SONNET.splitlines()) == 14
    assert (len(WORDS), len(VOCABULARY), len(TRIGRAMS)) == (115, 97, 113)
    assert len({context for context, _ in TRIGRAMS}) == 111


def test_exactly_two_contexts_of_the_sonnet_are_ambiguous():
    followers = {}
    for context, target in TRIGRAMS:
        followers.setdefault(context, []).append(target)
    assert {context: words for context, words in followers.items() if len(set(words)) > 1} == {
        ("thy", "beauty's"): ["field,", "use,"],
        ("when", "thou"): ["art", "feel'st"],
    }


def test_the_sonnet_ships_with_the_package():
    assert files("crossentropy").joinpath("data", "sonnet2.txt").is_file()


# N-grams


def test_a_vocabulary_is_sorted_and_holds_each_word_once():
    assert build_vocabulary(["b", "a", "b", "C"]) == ["C", "a", "b"]


def test_contexts_are_in_reading_order_unless_asked_for_reversed():
    assert build_ngrams(["a", "b", "c", "d"]) == [(("a", "b"), "c"), (("b", "c"), "d")]
    assert build_ngrams(["a", "b", "c", "d"], order="reversed") == [(("b", "a"), "c"), (("c", "b"), "d")]


@given(TEXTS, st.integers(1, 3))
def test_reversed_ngrams_are_those_of_the_indexing_loop(words, size):
    expected = [(tuple(words[i - j - 1] for j in range(size)), words[i]) for i in range(size, len(words))]
    assert build_ngrams(words, size, order="reversed") == expected


@given(TEXTS, st.integers(1, 3))
def test_encoding_loses_nothing(words, size):
    ngrams, vocabulary = build_ngrams(words, size), build_vocabulary(words)
    contexts, targets = encode(ngrams, vocabulary)
    assert (contexts.shape, targets.shape) == ((len(ngrams), size), (len(ngrams),))
    assert contexts.dtype == targets.dtype == torch.int64
    decoded = [
        (tuple(vocabulary[i] for i in c), vocabulary[t])
        for c, t in zip(contexts.tolist(), targets.tolist(), strict=True)
    ]
    assert decoded == ngrams


def test_the_held_out_lines_are_the_last():
    assert split_lines("a b\n\nc\nd e\n", held_out=1) == (["a", "b", "c"], ["d", "e"])
    kept, held = split_lines(SONNET)
    assert kept + held == WORDS
    assert (len(kept), len(held)) == (80, 35)


# The floor


def test_the_floor_of_the_sonnet_is_four_log_two_over_113():
    assert floor(TRIGRAMS) == pytest.approx(4 * log(2) / 113, rel=1e-15)
    assert floor(build_ngrams(WORDS, order="reversed")) == pytest.approx(4 * log(2) / 113, rel=1e-15)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [("aaaa", 0.0), ("ab", log(2)), ("aab", log(3) - 2 / 3 * log(2)), ("abcde", log(5))],
)
def test_the_floor_of_one_context_is_the_entropy_of_what_follows(targets, expected):
    assert floor([(("x",), target) for target in targets]) == pytest.approx(expected, rel=1e-15, abs=0)


@given(TEXTS, st.integers(1, 3), st.integers(0, 9))
def test_no_model_gets_below_the_floor_and_counting_attains_it(words, size, seed):
    ngrams, vocabulary = build_ngrams(words, size), build_vocabulary(words)
    contexts, targets = encode(ngrams, vocabulary)
    counted = baseline("ngram", contexts, targets, vocab_size=len(vocabulary), alpha=0)
    assert evaluate(counted, contexts, targets).nats == pytest.approx(floor(ngrams), rel=1e-12, abs=1e-12)
    model = fresh_model(seed=seed, vocab_size=len(vocabulary), embedding_dim=2, context_size=size)
    assert evaluate(model, contexts, targets).nats >= floor(ngrams) - 1e-12


# The model


def test_the_parameters_have_the_shapes_that_the_chapter_draws():
    assert {name: tuple(p.shape) for name, p in fresh_model().named_parameters()} == {
        "embeddings.weight": (97, 10),
        "linear1.weight": (128, 20),
        "linear1.bias": (128,),
        "linear2.weight": (97, 128),
        "linear2.bias": (97,),
    }


def test_a_batch_gives_the_rows_that_single_contexts_give():
    model = fresh_model(dtype=torch.float64)
    assert model(CONTEXTS[0]).shape == (1, 97)
    rows = torch.cat([model(context) for context in CONTEXTS])
    torch.testing.assert_close(model(CONTEXTS), rows, rtol=0, atol=1e-12)


def test_the_forward_pass_is_the_formula():
    model = fresh_model(dtype=torch.float64)
    embeds = model.embeddings.weight[CONTEXTS[5]].reshape(1, -1)
    active = torch.clamp(embeds @ model.linear1.weight.T + model.linear1.bias, min=0)
    expected = active @ model.linear2.weight.T + model.linear2.bias
    torch.testing.assert_close(model(CONTEXTS[5]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_any_integer_dtype_indexes_words(dtype):
    model = fresh_model()
    assert torch.equal(model(CONTEXTS.to(dtype)), model(CONTEXTS))
    assert evaluate(model, CONTEXTS.to(dtype), TARGETS.to(dtype)) == evaluate(model, CONTEXTS, TARGETS)
    narrow, wide = fresh_model(), fresh_model()
    for method in ("batched", "per-sample"):
        assert train(narrow, CONTEXTS.to(dtype), TARGETS.to(dtype), epochs=1, method=method) == train(
            wide, CONTEXTS, TARGETS, epochs=1, method=method
        )


def test_the_model_runs_under_vmap():
    model = fresh_model()
    rows = torch.vmap(lambda context: model(context, validate=False)[0])(CONTEXTS)
    torch.testing.assert_close(rows, model(CONTEXTS))


# Training


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_per_sample_training_follows_the_autograd_loop_for_twenty_epochs(dtype, tolerance):
    contexts, targets = encode(build_ngrams(WORDS, order="reversed"), VOCABULARY)
    ours, theirs = fresh_model(dtype=dtype), fresh_model(dtype=dtype)
    losses = train(ours, contexts, targets, epochs=20, method="per-sample")
    expected = autograd_losses(theirs, contexts, targets, epochs=20, lr=0.001)
    assert losses == pytest.approx(expected, rel=0, abs=tolerance)
    assert losses[-1] < losses[0] - 0.1
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=tolerance, msg=lambda m, name=name: f"{name}: {m}")


def test_per_sample_training_pulls_a_repeated_word_once_for_each_place():
    contexts, targets = torch.tensor([[0, 0], [1, 0]]), torch.tensor([1, 2])
    ours, theirs = (fresh_model(vocab_size=3, dtype=torch.float64) for _ in range(2))
    losses = train(ours, contexts, targets, epochs=3, method="per-sample", lr=0.5)
    assert losses == pytest.approx(autograd_losses(theirs, contexts, targets, epochs=3, lr=0.5), rel=0, abs=1e-12)
    torch.testing.assert_close(ours.embeddings.weight, theirs.embeddings.weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["batched", "per-sample"])
def test_training_can_be_looked_at_between_its_epochs(method):
    whole, halting = fresh_model(), fresh_model()
    expected = train(whole, CONTEXTS, TARGETS, epochs=3, method=method)
    steps = training(halting, CONTEXTS, TARGETS, method=method)
    for loss in expected:
        before = halting.linear2.bias.clone()
        assert next(steps) == loss
        assert not torch.equal(halting.linear2.bias, before)
    assert torch.equal(halting.linear2.weight, whole.linear2.weight)


def test_batched_training_is_adamw_on_the_mean_loss():
    ours, theirs = fresh_model(), fresh_model()
    losses = train(ours, CONTEXTS, TARGETS, epochs=5)
    optimizer = optim.AdamW(theirs.parameters(), lr=0.02)
    for loss in losses:
        expected = F.cross_entropy(theirs(CONTEXTS), TARGETS)
        assert loss == pytest.approx(expected.item(), rel=0, abs=1e-6)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
    torch.testing.assert_close(ours.linear2.weight, theirs.linear2.weight, rtol=0, atol=1e-6)


def test_twelve_batched_steps_pass_a_thousand_epochs_and_twenty_come_near_the_floor():
    losses = train(fresh_model(), CONTEXTS, TARGETS, epochs=200)
    assert losses[12] < 0.0463 < losses[10]
    assert losses[20] == pytest.approx(0.02524, abs=2e-5)
    assert all(loss > floor(TRIGRAMS) for loss in losses)


def test_what_is_learnt_is_the_sonnet_and_not_english():
    kept, held = split_lines(SONNET)
    contexts, targets = encode(build_ngrams(kept), VOCABULARY)
    held_contexts, held_targets = encode(build_ngrams(held), VOCABULARY)
    model = fresh_model()
    before = evaluate(model, held_contexts, held_targets).nats
    train(model, contexts, targets, epochs=50)
    assert evaluate(model, contexts, targets).nats < 0.02
    assert evaluate(model, held_contexts, held_targets).nats > 25 > log(97) + 0.1 > before


@pytest.mark.parametrize("method", ["batched", "per-sample"])
def test_the_loss_of_the_first_epoch_is_taken_before_its_update(method):
    model = fresh_model(dtype=torch.float64)
    before = evaluate(model, CONTEXTS[:1], TARGETS[:1]).nats
    (loss,) = train(model, CONTEXTS[:1], TARGETS[:1], epochs=1, method=method)
    assert loss == pytest.approx(before, rel=0, abs=1e-12)
    assert evaluate(model, CONTEXTS[:1], TARGETS[:1]).nats < before


@pytest.mark.parametrize("method", ["batched", "per-sample"])
def test_training_is_repeatable_and_reports_each_epoch_after_its_update(method):
    model, again = fresh_model(), fresh_model()
    calls, weights = [], [model.linear2.weight.clone()]

    def on_epoch(epoch, loss):
        calls.append((epoch, loss))
        weights.append(model.linear2.weight.clone())

    losses = train(model, CONTEXTS, TARGETS, epochs=3, method=method, on_epoch=on_epoch)
    assert calls == list(enumerate(losses))
    assert all(not torch.equal(a, b) for a, b in pairwise(weights))
    assert train(again, CONTEXTS, TARGETS, epochs=3, method=method) == losses
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


# Evaluation


def test_evaluation_agrees_with_algebra():
    # Logits log 1 and log 3: probabilities 1/4 and 3/4.
    def model(contexts):
        return torch.tensor([[0.0, log(3)]], dtype=torch.float64).expand(len(contexts), -1)

    result = evaluate(model, torch.zeros(3, 1, dtype=torch.long), torch.tensor([0, 0, 1]))
    nats = (2 * log(4) + log(4 / 3)) / 3
    measured = torch.tensor([result.nats, result.bits, result.perplexity], dtype=torch.float64)
    assert_close(measured, [nats, nats / log(2), exp(nats)])
    assert result.tokens == 3
    assert result.perplexity != pytest.approx((4 + 4 + 4 / 3) / 3), "that would be the mean of exponentials"


def test_bits_and_nats_give_one_perplexity():
    result = evaluate(fresh_model(), CONTEXTS, TARGETS)
    assert result.perplexity == pytest.approx(2**result.bits, rel=1e-12)
    assert result.perplexity == pytest.approx(97, rel=0.1), "an untrained model is about as good as a guess"


def test_a_loss_beyond_the_range_of_exp_has_infinite_perplexity():
    assert Evaluation(nats=1000.0, tokens=1).perplexity == math.inf
    assert Evaluation(nats=math.inf, tokens=1).perplexity == math.inf


def test_evaluation_leaves_no_gradient():
    model = fresh_model()
    evaluate(model, CONTEXTS, TARGETS)
    assert all(p.grad is None for p in model.parameters())


# Baselines


def test_the_uniform_guess_costs_log_v_everywhere():
    held_contexts, held_targets = encode(build_ngrams(split_lines(SONNET)[1]), VOCABULARY)
    uniform = baseline("uniform", CONTEXTS, TARGETS, vocab_size=97, alpha=0)
    assert evaluate(uniform, held_contexts, held_targets).nats == pytest.approx(log(97), rel=1e-15)
    assert evaluate(uniform, CONTEXTS, TARGETS).perplexity == pytest.approx(97, rel=1e-14)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("uniform", [1 / 3, 1 / 3, 1 / 3]),
        ("unigram", [1.5 / 6.5, 2.5 / 6.5, 2.5 / 6.5]),
        ("bigram", [1.5 / 5.5, 1.5 / 5.5, 2.5 / 5.5]),
        ("ngram", [1.5 / 3.5, 1.5 / 3.5, 0.5 / 3.5]),
    ],
)
def test_baselines_agree_with_counting_by_hand(kind, expected):
    contexts = torch.tensor([[0, 1], [0, 1], [2, 1], [2, 1], [1, 0]])
    targets = torch.tensor([0, 1, 2, 2, 1])
    model = baseline(kind, contexts, targets, vocab_size=3, alpha=0.5)
    assert_close(model(torch.tensor([[0, 1]])).exp(), expected)


@given(TEXTS, st.sampled_from(["uniform", "unigram", "bigram", "ngram"]), st.floats(1e-3, 10))
def test_a_smoothed_baseline_is_a_distribution_after_any_context(words, kind, alpha):
    vocabulary = build_vocabulary(words)
    size = len(vocabulary)
    contexts, targets = encode(build_ngrams(words), vocabulary)
    log_probs = baseline(kind, contexts, targets, vocab_size=size, alpha=alpha)(
        torch.cartesian_prod(torch.arange(size), torch.arange(size))
    )
    assert log_probs.shape == (size * size, size)
    assert log_probs.isfinite().all()
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(size * size, dtype=torch.float64), rtol=0, atol=1e-12)


def test_knowing_more_of_the_context_lowers_the_training_loss():
    losses = [
        evaluate(baseline(kind, CONTEXTS, TARGETS, vocab_size=97, alpha=0), CONTEXTS, TARGETS).nats
        for kind in ("uniform", "unigram", "bigram", "ngram")
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(floor(TRIGRAMS), rel=1e-12)


def test_an_unsmoothed_count_rules_out_words_at_infinite_cost():
    counted = baseline("unigram", torch.tensor([[0]]), torch.tensor([1]), vocab_size=3, alpha=0)
    assert evaluate(counted, torch.tensor([[0]]), torch.tensor([2])).nats == math.inf
    with pytest.raises(ValueError, match=r"contexts\[1\] was never seen, .*bigram with alpha = 0"):
        baseline("bigram", torch.tensor([[0]]), torch.tensor([1]), vocab_size=3, alpha=0)(torch.tensor([[0], [2]]))


# Generation


def memorised():
    model = fresh_model()
    train(model, CONTEXTS, TARGETS, epochs=50)
    return model


def test_greedy_generation_recites_what_was_learnt():
    # As far as the first context that two words may follow.
    assert generate(memorised(), VOCABULARY, WORDS[:2], 12, top_k=1) == WORDS[2:14]


@pytest.mark.parametrize("kind", ["unigram", "ngram"])
def test_one_seed_gives_one_text(kind):
    model = baseline(kind, CONTEXTS, TARGETS, vocab_size=97)

    def draw(seed):
        return generate(model, VOCABULARY, WORDS[:2], 20, generator=torch.Generator().manual_seed(seed))

    assert draw(1) == draw(1) != draw(2)
    assert len(draw(1)) == 20
    assert set(draw(1)) <= set(VOCABULARY)


def test_words_are_drawn_as_often_as_they_are_likely():
    logits = torch.tensor([[0.0, log(3), -math.inf]], dtype=torch.float64)
    count = Counter(
        generate(lambda _: logits, ["a", "b", "c"], ["a"], 2000, generator=torch.Generator().manual_seed(0))
    )
    # Three standard deviations of a binomial with p = 3/4.
    assert count["b"] / 2000 == pytest.approx(3 / 4, abs=3 * math.sqrt(3 / 16 / 2000))
    assert count["c"] == 0
    flat = Counter(
        generate(
            lambda _: logits, ["a", "b", "c"], ["a"], 2000, temperature=2.0, generator=torch.Generator().manual_seed(0)
        )
    )
    expected = softmax(logits[0], temperature=2.0)[1].item()
    assert flat["b"] / 2000 == pytest.approx(expected, abs=3 * math.sqrt(1 / 4 / 2000))


def test_next_word_is_what_generation_draws_from():
    logits = torch.tensor([[log(1), log(2), log(5)], [log(8), log(1), log(1)]])

    def model(contexts):
        return logits[contexts[:, 0]]

    contexts = torch.tensor([[0], [1]])
    assert_close(next_word(model, contexts), [1 / 8, 2 / 8, 5 / 8, 8 / 10, 1 / 10, 1 / 10], tolerance=1e-7)
    assert_close(next_word(model, contexts[:1], top_k=2), [0, 2 / 7, 5 / 7], tolerance=1e-7)
    assert_close(next_word(model, contexts[:1], temperature=0.5), [1 / 30, 4 / 30, 25 / 30], tolerance=1e-7)
    with pytest.raises(ValueError, match=r"contexts must have shape \(n, context_size\), got \(2,\)"):
        next_word(model, torch.tensor([0, 1]))


def test_top_k_keeps_the_likeliest_words():
    logits = torch.tensor([[0.0, 2.0, 1.0, -1.0]])
    drawn = generate(lambda _: logits, list("abcd"), ["a"], 300, top_k=2, generator=torch.Generator().manual_seed(0))
    assert set(drawn) == {"b", "c"}


def test_the_window_moves_on_by_the_word_that_was_drawn():
    def next_after(contexts):
        # The next word is the sum of both context indices, modulo four.
        return 1e3 * F.one_hot(contexts.sum(1) % 4, 4).double()

    assert generate(next_after, list("abcd"), ["b", "b"], 6) == ["c", "d", "b", "a", "b", "b"]


# What is refused

MODEL = fresh_model()
COUNTED = baseline("uniform", CONTEXTS, TARGETS, vocab_size=97)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: split_lines(3), TypeError, "text must be a string, got int"),
        (lambda: split_lines(SONNET, held_out=14), ValueError, "held_out must be less than the 14 lines .* got 14"),
        (lambda: split_lines(SONNET, held_out=0), ValueError, "held_out must be at least 1, got 0"),
        (lambda: split_lines(SONNET, held_out=1.0), TypeError, "held_out must be an int, got float"),
        (lambda: build_vocabulary("abc"), TypeError, "words must be a sequence of words, got one string"),
        (lambda: build_vocabulary([]), ValueError, "words must not be empty"),
        (lambda: build_ngrams("abc"), TypeError, "words must be a sequence of words, got one string"),
        (lambda: build_ngrams(["a", "b"]), ValueError, "words must hold more than context_size = 2 words, got 2"),
        (lambda: build_ngrams(WORDS, 0), ValueError, "context_size must be at least 1, got 0"),
        (lambda: build_ngrams(WORDS, True), TypeError, "context_size must be an int, got bool"),
        (lambda: build_ngrams(WORDS, order="random"), ValueError, "order must be 'reading' or 'reversed'"),
        (lambda: encode([], VOCABULARY), ValueError, "ngrams must not be empty"),
        (lambda: encode([(("a",), "b"), (("a", "b"), "c")], "abc"), ValueError, r"of one length, got lengths \[1, 2\]"),
        (lambda: encode([(("a",), "b")], ["a", "a"]), ValueError, "vocabulary must hold each word once, got 'a'"),
        (lambda: encode([(("a",), "b")], ["a"]), ValueError, "ngrams must hold words of the vocabulary, got 'b'"),
        (lambda: encode([(("a",), "b")], "ab"), TypeError, "vocabulary must be a sequence of words, got one string"),
        (lambda: floor([]), ValueError, "ngrams must not be empty"),
    ],
)
def test_bad_text_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: NGramLanguageModeler(0, 10, 2), ValueError, "vocab_size must be at least 1, got 0"),
        (lambda: NGramLanguageModeler(97, 1.5, 2), TypeError, "embedding_dim must be an int, got float"),
        (lambda: NGramLanguageModeler(97, 10, -1), ValueError, "context_size must be at least 1, got -1"),
        (lambda: MODEL([1, 2]), TypeError, "inputs must be a torch.Tensor, got list"),
        (lambda: MODEL(torch.zeros(2)), TypeError, "inputs must hold integer class indices, got torch.float32"),
        (lambda: MODEL(CONTEXTS[:, :1]), ValueError, r"inputs must have shape \(2,\) or \(n, 2\), got \(113, 1\)"),
        (lambda: MODEL(torch.tensor(1)), ValueError, r"inputs must have shape .*, got \(\)"),
        (lambda: MODEL(torch.tensor([[0, 1], [97, 0]])), ValueError, r"class in \[0, 96\]; inputs\[1, 0\] is 97"),
        (lambda: COUNTED(CONTEXTS[0]), ValueError, r"contexts must have shape \(n, context_size\), got \(2,\)"),
        (lambda: COUNTED(CONTEXTS.float()), TypeError, "contexts must hold integer word indices, got torch.float32"),
    ],
)
def test_bad_models_and_contexts_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"model": nn.Linear(2, 97)}, TypeError, "model must be an NGramLanguageModeler, got Linear"),
        (
            {"model": fresh_model(dtype=torch.bfloat16)},
            TypeError,
            "model must be float32 or float64.*got torch.bfloat16",
        ),
        ({"contexts": CONTEXTS.tolist()}, TypeError, "contexts must be a torch.Tensor, got list"),
        ({"contexts": CONTEXTS[:, :1]}, ValueError, r"contexts must have shape \(n, 2\), got \(113, 1\)"),
        ({"contexts": CONTEXTS[:0]}, ValueError, r"contexts must not be empty, got shape \(0, 2\)"),
        ({"contexts": CONTEXTS + 1}, ValueError, r"contexts must be a class in \[0, 96\]; contexts\[\d+, 1\] is 97"),
        ({"targets": TARGETS[1:]}, ValueError, r"targets must have shape \(113,\).*got \(112,\)"),
        ({"targets": -TARGETS}, ValueError, r"targets must be a class in \[0, 96\]"),
        ({"targets": TARGETS.double()}, TypeError, "targets must hold integer class indices, got torch.float64"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 2.0}, TypeError, "epochs must be an int, got float"),
        ({"method": "sgd"}, ValueError, "method must be 'batched' or 'per-sample', got 'sgd'"),
        ({"lr": 0}, ValueError, "lr must be positive and finite, got 0"),
        ({"lr": math.inf}, ValueError, "lr must be positive and finite, got inf"),
        ({"lr": "0.1"}, TypeError, "lr must be a number, got str"),
    ],
)
def test_bad_arguments_of_training_are_named(changed, error, message):
    arguments = {"model": MODEL, "contexts": CONTEXTS, "targets": TARGETS, "epochs": 1} | changed
    before = MODEL.linear2.weight.clone()
    with pytest.raises(error, match=message):
        train(arguments.pop("model"), arguments.pop("contexts"), arguments.pop("targets"), **arguments)
    assert torch.equal(MODEL.linear2.weight, before)


@pytest.mark.parametrize("method", ["batched", "per-sample"])
def test_a_learning_rate_that_runs_away_is_reported(method):
    with pytest.raises(ValueError, match=r"lr must be small enough .* in epoch \d+ with lr 1e\+30"):
        train(fresh_model(), CONTEXTS, TARGETS, epochs=5, method=method, lr=1e30)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((MODEL, CONTEXTS, TARGETS[:5]), ValueError, r"targets must have shape \(113,\)"),
        ((MODEL, CONTEXTS[:0], TARGETS[:0]), ValueError, "contexts must not be empty"),
        ((MODEL, CONTEXTS, TARGETS + 1), ValueError, r"targets must be a class in \[0, 96\]"),
        ((lambda c: torch.zeros(97), CONTEXTS, TARGETS), ValueError, r"output must have shape \(113, V\), got \(97,\)"),
        ((lambda c: c, CONTEXTS, TARGETS), TypeError, "the model's output must be float16, .* got torch.int64"),
        ((lambda c: torch.full((113, 97), math.nan), CONTEXTS, TARGETS), ValueError, r"logits\[0, 0\] is nan"),
    ],
)
def test_bad_arguments_of_evaluation_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        evaluate(*arguments)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"context": ["When", "summers"]}, ValueError, "context must hold words of the vocabulary, got 'summers'"),
        ({"context": "When forty"}, TypeError, "context must be a sequence of words, got one string"),
        ({"context": []}, ValueError, "context must not be empty"),
        ({"context": ["When"]}, ValueError, r"inputs must have shape .*\(n, 2\), got \(1, 1\)"),
        ({"vocabulary": [*VOCABULARY, "summers"]}, ValueError, "vocabulary must have the model's 97 words, got 98"),
        ({"length": 0}, ValueError, "length must be at least 1, got 0"),
        ({"temperature": 0.0}, ValueError, "temperature must be positive and finite, got 0.0"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1, got 0"),
        ({"top_k": 98}, ValueError, "top_k must be at most the 97 words of the vocabulary, got 98"),
    ],
)
def test_bad_arguments_of_generation_are_named(changed, error, message):
    arguments = {"vocabulary": VOCABULARY, "context": ["When", "forty"], "length": 1} | changed
    with pytest.raises(error, match=message):
        generate(MODEL, **arguments)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"kind": "trigram"}, ValueError, "kind must be 'uniform' or 'unigram' or 'bigram' or 'ngram', got 'trigram'"),
        ({"vocab_size": 96}, ValueError, r"be a class in \[0, 95\]"),
        ({"alpha": -0.1}, ValueError, "alpha must be non-negative and finite, got -0.1"),
        ({"alpha": math.nan}, ValueError, "alpha must be non-negative and finite, got nan"),
        ({"alpha": "1"}, TypeError, "alpha must be a number, got str"),
    ],
)
def test_bad_arguments_of_a_baseline_are_named(changed, error, message):
    arguments = {"kind": "unigram", "vocab_size": 97} | changed
    with pytest.raises(error, match=message):
        baseline(arguments.pop("kind"), CONTEXTS, TARGETS, **arguments)

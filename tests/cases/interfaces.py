"""Calls of PyTorch's losses out of people's threads, as data: what was passed, and what the linter must say of it.

The tensors and the words are ours; the source names the thread (owner/repo#N) or the page that tells the story, or
the documented behaviour a case rests on. An empty ``codes`` is a correct call, and the linter must be silent.
"""

from typing import NamedTuple

import torch
from torch import Tensor

inf, nan = float("inf"), float("nan")
GENERATOR = torch.Generator().manual_seed(0)


class Case(NamedTuple):
    codes: str
    source: str
    story: str
    logits: object
    target: object
    options: dict[str, object]


CASES: list[Case] = []


def case(codes: str, source: str, story: str, logits: object, target: object, **options: object) -> None:
    CASES.append(Case(codes, source, story, logits, target, options))
    # Each case draws its own numbers, whichever cases stand before it.
    GENERATOR.manual_seed(0)


def fine(source: str, story: str, logits: object, target: object, **options: object) -> None:
    case("", source, story, logits, target, **options)


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=GENERATOR)


def rand(*shape: int) -> Tensor:
    return torch.rand(shape, generator=GENERATOR)


def ids(classes: int, *shape: int) -> Tensor:
    """Class indices that use the first and the last class, if there is room."""
    y = torch.randint(classes, shape, generator=GENERATOR)
    if y.numel() > 1:
        y.view(-1)[0], y.view(-1)[-1] = classes - 1, 0
    return y


def tensor(*values: object) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values)


def one_hot(y: Tensor, classes: int) -> Tensor:
    return torch.nn.functional.one_hot(y, classes)


BCE = {"loss": "binary_cross_entropy"}
BCEL = {"loss": "binary_cross_entropy_with_logits"}
NLL = {"loss": "nll_loss"}
KL = {"loss": "kl_div", "reduction": "batchmean"}

# --- cross_entropy: what is fed ---------------------------------------------------------------------------------
SOFTMAX = "softmax-before-loss"
case(
    SOFTMAX,
    "Lightning-Universe/lightning-bolts#654",
    "model ends in Softmax, trained with CrossEntropyLoss",
    randn(8, 10).softmax(1),
    ids(10, 8),
)
case(
    SOFTMAX,
    "sugi-chan/custom_bert_pipeline#1",
    "softmax on BERT's output before the loss",
    randn(4, 2).softmax(-1),
    ids(2, 4),
)
case(
    SOFTMAX,
    "nishnik/Deep-Semantic-Similarity-Model-PyTorch#2",
    "retrieval probabilities fed as scores",
    (5 * randn(3, 5)).softmax(1),
    tensor(0, 0, 0),
)
case(
    SOFTMAX,
    "ariecattan/SciCo#2",
    "validation loss sticks near 0.74: four classes, probabilities in",
    (9 * randn(16, 4)).softmax(1),
    ids(4, 16),
)
case(
    SOFTMAX,
    "mlelarge/graph_neural_net#37",
    "softmax before the loss over graph nodes, (N, C, L)",
    randn(2, 6, 5).softmax(1),
    ids(6, 2, 5),
)
case(
    SOFTMAX,
    "pytorch/pytorch#25571",
    "probabilities typed by hand, with class weights",
    tensor([[0.2, 0.3, 0.5], [0.5, 0.2, 0.3]]),
    tensor(2, 1),
    weight=tensor(2.0, 4.0, 6.0),
)
case(
    SOFTMAX,
    "pytorch/pytorch#54843",
    "two columns of probabilities as scores",
    tensor([[0.3, 0.7], [0.6, 0.4], [0.6, 0.4]]),
    tensor(1, 0, 0),
    weight=tensor(1.0, 3.0),
)
case(
    SOFTMAX,
    "discuss.pytorch.org: Cross Entropy loss is not decreasing",
    "loss sticks at 2.30",
    randn(32, 10).mul(0.1).softmax(1),
    ids(10, 32),
)
case(
    SOFTMAX,
    "loss 0.5514 for a perfect answer",
    "one-hot predictions as logits, expected loss 0",
    one_hot(tensor(0, 1, 2), 3).float(),
    tensor(0, 1, 2),
)
case(
    SOFTMAX,
    "amdegroot/ssd.pytorch#218",
    "softmax over the classes of every box",
    randn(2, 21, 9).softmax(1),
    ids(21, 2, 9),
)
case(
    SOFTMAX,
    "softmax output",
    "typed with two digits, the sum is 0.99",
    tensor([[0.33, 0.33, 0.33], [0.2, 0.3, 0.5]]),
    tensor(0, 2),
)
case(SOFTMAX, "softmax output", "clipped at 0.001", randn(8, 3).softmax(1).clamp(1e-3, 1 - 1e-3), ids(3, 8))
case(SOFTMAX, "softmax output", "one sample, uniform prediction", tensor([[0.5, 0.5]]), tensor([1]))
case(SOFTMAX, "softmax output", "a saturated softmax", tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), tensor(0, 2))
case(SOFTMAX, "softmax output", "an unbatched softmax", randn(7).softmax(0), tensor(3))
case(
    SOFTMAX,
    "softmax output",
    "half precision, rows sum to one only roughly",
    randn(6, 50).softmax(1).bfloat16(),
    ids(50, 6),
)
case(SOFTMAX, "softmax output", "float16 over many classes", randn(4, 1000).softmax(1).half(), ids(1000, 4))
case(
    SOFTMAX,
    "softmax output",
    "segmentation with softmax in the network",
    randn(2, 5, 8, 8).softmax(1),
    ids(5, 2, 8, 8),
    ignore_index=255,
)
case(
    SOFTMAX,
    "softmax output",
    "padding rows are zero and ignored",
    torch.cat([randn(3, 4).softmax(1), torch.zeros(2, 4)]),
    tensor(0, 1, 3, -100, -100),
)
case(SOFTMAX, "distillation", "probabilities against soft labels", randn(4, 5).softmax(1), randn(4, 5).softmax(1))
case(
    SOFTMAX, "label smoothing", "softmax output with smoothing", randn(6, 5).softmax(1), ids(5, 6), label_smoothing=0.1
)
case(
    f"target-out-of-range {SOFTMAX}",
    "pytorch/pytorch#44355",
    "uniform probabilities and class ids of another data set",
    torch.full((8, 3), 1 / 3),
    tensor(5, 5, 0, 10, 0, 0, 10, 5),
)
case(
    "sigmoid-before-loss",
    "runebook.dev, A Guide to Sigmoid, Softmax, and BCEWithLogitsLoss",
    "sigmoid at the end, CrossEntropyLoss",
    randn(10, 4).sigmoid(),
    ids(4, 10),
)
case("sigmoid-before-loss", "sigmoid output", "two sigmoid outputs", (3 * randn(16, 2)).sigmoid(), ids(2, 16))
case(
    "sigmoid-before-loss",
    "sigmoid output",
    "segmentation masks through a sigmoid",
    randn(1, 3, 8, 8).sigmoid(),
    ids(3, 1, 8, 8),
)
case(
    "relu-before-cross-entropy",
    "discuss.pytorch.org: Cross Entropy loss is not decreasing",
    "a ReLU after the last layer, loss sticks at log 10",
    randn(16, 10).relu(),
    ids(10, 16),
)
case("softmax-before-loss", "softmax(dim=0)", "softmax over the batch", randn(6, 4).softmax(0), ids(4, 6))
case(
    "softmax-before-loss",
    "softmax(dim=-1) on images",
    "softmax over the width",
    randn(2, 5, 4, 6).softmax(-1),
    ids(5, 2, 4, 6),
)
case(
    "log-softmax-before-loss",
    "dev-chauhan/PQG-pytorch#7",
    "log_softmax before the loss: harmless, and once too often",
    randn(8, 10).log_softmax(1),
    ids(10, 8),
)
case(
    "log-softmax-before-loss",
    "dev-chauhan/PQG-pytorch#7",
    "log_softmax before the loss, with smoothing and weights",
    randn(8, 3).log_softmax(1),
    ids(3, 8),
    label_smoothing=0.1,
    weight=tensor(1.0, 2.0, 3.0),
)
fine("docs: CrossEntropyLoss", "plain logits", randn(3, 5), ids(5, 3))
fine("docs: CrossEntropyLoss", "soft labels", randn(3, 5), randn(3, 5).softmax(1))
fine("a new run starts at log C", "all logits zero", torch.zeros(8, 10), ids(10, 8))
fine("a new run starts at log C", "all logits one", torch.ones(8, 10), ids(10, 8))
fine("fresh model", "tiny logits around zero", 1e-3 * randn(8, 10), ids(10, 8))
fine("fresh model", "two logits, one sample", tensor([[0.3, -0.1]]), tensor([0]))
fine(
    "small positive scores",
    "non-negative, the rows sum to something else",
    tensor([[0.9, 0.7, 0.1], [2.0, 0.2, 0.3]]),
    tensor(0, 1),
)
fine("placeholder", "torch.rand stands in for a model", rand(10, 5), ids(5, 10))
fine(
    "pytorch/pytorch#12670",
    "torch.rand stands in for a model, some targets ignored",
    rand(3, 5),
    tensor(1, 4, -1),
    ignore_index=-1,
)
fine("tanh at the end", "scores in (-1, 1) are a choice, if a poor one", randn(8, 4).tanh(), ids(4, 8))
fine(
    "cosine similarities",
    "without a temperature",
    torch.nn.functional.normalize(randn(8, 16)) @ torch.nn.functional.normalize(randn(4, 16)).T,
    ids(4, 8),
)
fine("logits that sum to one", "but some are negative", tensor([[2.0, -0.5, -0.5], [1.5, 0.5, -1.0]]), tensor(0, 1))
fine("one row sums to one", "the others do not", tensor([[0.2, 0.8], [3.0, 1.0], [0.1, 2.0]]), tensor(0, 1, 1))
fine("two logits in the unit interval", "too few to tell", tensor([[0.2, 0.9]]), tensor([1]))
fine("four ReLU scores", "too few to tell", tensor([[0.0, 1.3], [0.4, 0.0]]), tensor(1, 0))
fine("softmax times a scale", "percentages are scores as good as any", 100 * randn(4, 3).softmax(1) - 50, ids(3, 4))
fine("Gumbel noise", "noisy scores", randn(8, 5) - rand(8, 5).log().neg().log(), ids(5, 8))
fine("confident model", "logits up to a thousand", 1000 * randn(8, 5), ids(5, 8))
fine("confident and wrong", "a loss of 200 is what the maths says", tensor([[200.0, 0.0]]), tensor([1]))
fine(
    "pytorch/pytorch#8062",
    "far apart logits, class weights",
    tensor([[-100.0, 100.0], [-100.0, 100.0]]),
    tensor(0, 1),
    weight=tensor(20.0, 10.0),
)
fine(
    "stanford-futuredata/ColBERT#4",
    "the positive passage is always column 0",
    randn(8, 2),
    torch.zeros(8, dtype=torch.long),
)
fine(
    "MoCo, CLIP",
    "similarities over a temperature, the target is the diagonal",
    14 * torch.nn.functional.normalize(randn(8, 16)) @ torch.nn.functional.normalize(randn(8, 16)).T,
    torch.arange(8),
)
fine("perfect model", "loss of nearly nothing", 50.0 * one_hot(tensor(0, 1, 2), 3).float() - 25, tensor(0, 1, 2))
fine(
    "counts as scores",
    "whole-number logits in floating point",
    tensor([[3.0, 0.0, 1.0], [0.0, 2.0, 5.0]]),
    tensor(0, 2),
)
fine("language model", "large vocabulary", randn(4, 50257), ids(50257, 4))
fine(
    "language model, flattened",
    "logits.view(-1, V), labels.view(-1), padding ignored",
    randn(12, 20),
    tensor(1, 5, 7, -100, 3, 19, -100, 0, 2, 2, -100, -100),
)
fine("bf16 training", "bfloat16 logits", randn(8, 5).bfloat16(), ids(5, 8))
fine("double precision", "float64 logits", randn(8, 5).double(), ids(5, 8))
fine("autograd", "logits with a graph behind them", (randn(8, 5).requires_grad_() * 2), ids(5, 8))
fine("two classes", "symmetric logits [-z, z]", torch.stack([-randn(6), randn(6)], 1), ids(2, 6))

# --- cross_entropy: shapes --------------------------------------------------------------------------------------
case("target-shape", "zergtant/pytorch-handbook#37", "labels of shape (N, 1)", randn(5, 3), ids(3, 5, 1))
case("target-shape", "pytorch/pytorch#3670", "seven classes, labels (N, 1)", randn(4, 7), ids(7, 4, 1))
case(
    "target-shape",
    "pytorch/pytorch#56542",
    "float labels (N, 1) as BCEWithLogits wants them",
    randn(3, 2),
    ids(2, 3, 1).float(),
)
case(
    "target-shape",
    "HSG-AIML/SSLTransformerRS#1",
    "segmentation mask (N, 1, H, W)",
    randn(2, 8, 6, 6),
    ids(8, 2, 1, 6, 6),
)
case(
    "target-shape",
    "milesial/Pytorch-UNet#226",
    "batch of one, mask (1, 1, H, W)",
    randn(1, 20, 4, 5),
    ids(20, 1, 1, 4, 5),
)
case("target-shape", "label row", "labels as one row (1, N)", randn(5, 3), ids(3, 1, 5))
case(
    "target-dtype",
    "error message: multi-target not supported",
    "one-hot labels as integers",
    randn(3, 5),
    one_hot(tensor(1, 3, 0), 5),
)
case(
    "target-dtype",
    "deepset-ai/FARM#100",
    "one-hot labels, eight samples, four classes",
    randn(8, 4),
    one_hot(ids(4, 8), 4),
)
case("target-dtype", "pytorch/pytorch#137188", "one-hot booleans", randn(4, 3), one_hot(ids(3, 4), 3).bool())
case(
    "target-dtype",
    "UsamaI000/CamVid-Segmentation-Pytorch#2",
    "one-hot mask (N, C, H, W) of integers",
    randn(2, 12, 4, 4),
    one_hot(ids(12, 2, 4, 4), 12).permute(0, 3, 1, 2),
)
case(
    "target-shape",
    "jfzhang95/pytorch-deeplab-xception#185",
    "one-hot mask with the classes last",
    randn(2, 4, 5, 5),
    one_hot(ids(4, 2, 5, 5), 4),
)
case(
    "target-not-distribution",
    "duoke360.com: CrossEntropyLoss and several targets",
    "several ones a row",
    randn(2, 3),
    tensor([[1, 0, 1], [0, 1, 0]]),
)
case(
    "target-shape",
    "open-mmlab/mmsegmentation#3055",
    "an RGB picture as mask, channels last",
    randn(2, 7, 6, 6),
    ids(7, 2, 6, 6, 3),
)
case(
    "target-shape",
    "open-mmlab/mmsegmentation#3677",
    "an RGB picture as mask",
    randn(2, 19, 5, 5),
    ids(19, 2, 3, 5, 5),
)
case("target-shape", "ziqi-jin/finetune-anything#59", "an RGBA picture as mask", randn(2, 2, 6, 6), ids(2, 2, 6, 6, 4))
case(
    "class-axis",
    "pytorch/pytorch#3947",
    "(batch, time, classes) against (batch, time)",
    randn(2, 5, 7),
    ids(7, 2, 5),
)
case("class-axis", "token classification", "LM logits (B, T, V) not flattened", randn(4, 16, 50), ids(50, 4, 16))
case(
    "class-axis",
    "segmentation, channels last",
    "(N, H, W, C) against (N, H, W)",
    randn(2, 6, 5, 3),
    ids(3, 2, 6, 5),
)
SQUARE = ids(6, 4, 6)
case(
    "class-axis",
    "pytorch/pytorch#3947",
    "time and classes of one size, a trained model: nothing raises",
    6 * one_hot(SQUARE, 6).float() + randn(4, 6, 6),
    SQUARE,
)
fine(
    "pytorch/pytorch#3947",
    "the same, transposed",
    (6 * one_hot(SQUARE, 6).float() + randn(4, 6, 6)).transpose(1, 2),
    SQUARE,
)
case("target-shape", "CausalLM by hand", "labels flattened, logits not", randn(2, 6, 11), ids(11, 12))
case("target-shape", "CausalLM by hand", "logits flattened, labels not", randn(12, 11), ids(11, 2, 6))
case(
    "target-shape",
    "pytorch/pytorch#139031",
    "60 rows, 10 labels: view(-1, ...) ate the features",
    randn(60, 5),
    ids(5, 10),
)
case("target-shape", "rentruewang/aioway#13", "16 rows, 20 labels", randn(16, 10), ids(10, 20))
case("target-shape", "singhsourabh/Resume-NER#6", "500 rows, one label", randn(50, 6), ids(6, 1))
case(
    "target-shape",
    "Google-Health/medgemma#12",
    "labels are empty",
    randn(24, 9),
    torch.zeros(0, dtype=torch.long),
)
case("target-shape", "hiyouga/LlamaFactory#3765", "103 positions, 95 labels", randn(103, 8), ids(8, 95))
case("target-shape", "error message: 32 to match 1024", "1024 rows, 32 labels", randn(1024, 4), ids(4, 32))
case("target-shape", "spro/practical-pytorch#123", "a batch of one, a 0-d label", randn(1, 4), tensor(2))
case(
    "target-dtype",
    "discuss.pytorch.org: How exactly should I understand the cross entropy loss function?",
    "one sample, an integer one-hot vector",
    randn(9),
    one_hot(tensor(4), 9),
)
case(
    "class-axis",
    "markhliu/DGAI#7",
    "(batch, time, vocabulary) without the transpose",
    randn(3, 10, 40),
    ids(40, 3, 10),
)
case(
    "class-axis",
    "jeya-maria-jose/Medical-Transformer#63",
    "NHWC instead of NCHW",
    randn(2, 4, 4, 2),
    ids(2, 2, 4, 4),
)
case(
    "no-classes",
    "an output layer of width 0",
    "len(class_names) was 0",
    torch.zeros(4, 0),
    torch.zeros(4, dtype=torch.long),
)
fine("markhliu/DGAI#7", "(batch, time, vocabulary).transpose(1, 2)", randn(3, 10, 40).transpose(1, 2), ids(40, 3, 10))
fine("one sample", "a floating-point one-hot vector", randn(9), one_hot(tensor(4), 9).float())
case(
    "target-shape",
    "zhiqic/ChartReader#15",
    "next-token labels are one shorter",
    randn(2, 8, 30),
    ids(30, 2, 7),
)
case(
    "target-shape",
    "meetps/pytorch-semseg#127",
    "prediction and mask of different size",
    randn(2, 5, 8, 8),
    ids(5, 2, 16, 16),
)
case("target-shape", "ms-dot-k/Visual-Audio-Memory#5", "three label columns a sample", randn(6, 4), ids(4, 6, 3))
case(
    "target-shape",
    "recurrent net without batch_first",
    "(time, batch, classes) against (batch, time)",
    randn(7, 3, 5),
    ids(5, 3, 7),
)
case("target-shape", "recurrent classifier", "scores at every step, one label a sequence", randn(4, 10, 2), ids(2, 4))
case("target-shape", "forgotten global pooling", "(N, C, 7, 7) against (N,)", randn(4, 10, 7, 7), ids(10, 4))
case("target-shape", "forgotten flatten", "(N, C, 1, 1) against (N,)", randn(4, 10, 1, 1), ids(10, 4))
case("target-shape", "one picture without a batch", "(C, H, W) against (H, W)", randn(3, 6, 8), ids(3, 6, 8))
case("class-axis", "transposed scores", "(C, N) against (N,)", randn(3, 7), ids(3, 7))
case("target-shape", "recurrent net's last step", "(N, 1, C) against (N,)", randn(6, 1, 4), ids(4, 6))
case(
    "single-column",
    "huggingface/transformers#45479",
    "num_labels=1 and CrossEntropyLoss",
    randn(8, 1),
    torch.zeros(8, dtype=torch.long),
)
case(
    "single-column",
    "liuruijin17/LSTR#50",
    "one class, all labels 1",
    randn(4, 1, 5),
    torch.ones(4, 5, dtype=torch.long),
)
case("single-column", "darioizzo/dcgp#86", "one output, the loss is always 0", randn(6, 1), ids(2, 6, 1).float())
case("single-column", "APPFL/APPFL#60", "binary labels as floats, one output", randn(6, 1), ids(2, 6).float())
case(
    "single-column",
    "johschmidt42/PyTorch-Object-Detection-Faster-RCNN-Tutorial#7",
    "Target 1 is out of bounds",
    randn(5, 1),
    ids(2, 5),
)
case(
    "single-column",
    "milesial/Pytorch-UNet#291",
    "n_classes=1 with CrossEntropyLoss",
    randn(2, 1, 4, 4),
    ids(2, 2, 4, 4),
)
case("single-column", "error message: squeezed output", "(N,) scores and (N,) labels", randn(6), ids(2, 6))
case(
    "single-column",
    "error message: squeezed output",
    "(N,) scores and float labels, silently one sample",
    randn(6),
    tensor(0.0, 1.0, 1.0, 0.0, 1.0, 0.0),
)
case("single-column", "pytorch/pytorch#133833", "one number and a class", tensor([7.2]), tensor(1))
case("target-shape", "a scalar score", "0-d logits", tensor(0.3), tensor(1))
fine("docs: unbatched", "(C,) logits and a 0-d label", randn(5), tensor(2))
fine("docs: unbatched", "(C,) logits and a label of shape (1,)", randn(5), tensor([2]))
fine("docs: unbatched", "(C,) logits and soft labels", randn(5), randn(5).softmax(0))
fine("docs: K-dimensional", "(N, C, L)", randn(2, 5, 7), ids(5, 2, 7))
fine("docs: K-dimensional", "(N, C, H, W)", randn(2, 5, 4, 6), ids(5, 2, 4, 6))
fine("docs: K-dimensional", "(N, C, D, H, W)", randn(1, 3, 2, 4, 4), ids(3, 1, 2, 4, 4))
fine("docs: K-dimensional", "(N, C, L) with L == C", randn(3, 6, 6), ids(6, 3, 6))
fine(
    "DETR", "(B, Q, C).transpose(1, 2)", randn(2, 9, 4).transpose(1, 2), ids(4, 2, 9), weight=tensor(1.0, 1.0, 1.0, 0.1)
)
fine("segmentation", "soft masks (N, C, H, W)", randn(2, 3, 4, 4), randn(2, 3, 4, 4).softmax(1))
fine("segmentation", "height equals the number of classes", randn(2, 4, 4, 4), ids(4, 2, 4, 4))
fine(
    "segmentation",
    "channels-last memory format",
    randn(2, 4, 6, 6).to(memory_format=torch.channels_last),
    ids(4, 2, 6, 6),
)
fine("batch of one", "(1, C) and (1,)", randn(1, 5), tensor([4]))
fine(
    "pytorch/pytorch#67167", "logits expanded along the last dimension", randn(2, 10, 1).expand(2, 10, 4), ids(10, 2, 4)
)
fine("pytorch/pytorch#108345", "constant logits over many classes", torch.ones(2, 5000, 3), ids(5000, 2, 3))
fine("square batch", "as many samples as classes", randn(5, 5), torch.arange(5))
fine("CausalLM", "shifted and flattened", randn(2, 6, 11)[:, :-1].flatten(0, 1), ids(11, 2, 6)[:, 1:].flatten())
fine("token classification", "movedim(-1, 1)", randn(2, 6, 11).movedim(-1, 1), ids(11, 2, 6))

# --- cross_entropy: dtypes --------------------------------------------------------------------------------------
case("target-dtype", "pytorch/pytorch#137188", "int32 labels", randn(4, 3), ids(3, 4).int())
case(
    "target-dtype",
    "jfzhang95/pytorch-video-recognition#71",
    "NumPy int32 labels on Windows",
    randn(4, 101),
    ids(101, 4).int(),
)
case("target-dtype", "burlachenkok/flpytorch#14", "float labels", randn(4, 3), ids(3, 4).float())
case("target-dtype", "raywzy/ICT#24", "double labels", randn(4, 3), ids(3, 4).double())
case("target-dtype", "pytorch/pytorch#103813", "a float mask of random numbers", randn(2, 5, 4, 4), randn(2, 4, 4))
case(
    "target-dtype",
    "qubvel-org/segmentation_models.pytorch#197",
    "a float mask of class ids",
    randn(2, 3, 4, 4),
    ids(3, 2, 4, 4).float(),
)
case("target-dtype", "APPFL/APPFL#60", "float labels against two outputs", randn(6, 2), ids(2, 6).float())
case("target-dtype", "pytorch/pytorch#137188", "bool labels", randn(4, 2), ids(2, 4).bool())
case("target-dtype", "pytorch/pytorch#137188", "int16 labels", randn(4, 2), ids(2, 4).short())
case("target-dtype", "pytorch/pytorch#137188", "int8 labels", randn(4, 2), ids(2, 4).to(torch.int8))
case(
    "logits-not-float",
    "error message: log_softmax not implemented for Long",
    "argmax before the loss",
    ids(3, 4, 3),
    ids(3, 4),
)
case(
    "logits-not-float",
    "error message: log_softmax not implemented for Bool",
    "thresholded scores",
    randn(4, 3) > 0,
    ids(3, 4),
)
case("logits-not-float", "complex network", "complex scores", torch.complex(randn(4, 3), randn(4, 3)), ids(3, 4))
case("logits-not-float", "float8", "eight-bit scores", randn(4, 3).to(torch.float8_e4m3fn), ids(3, 4))
case("logits-not-float", "error message: loss(labels, outputs)", "labels first", ids(3, 4), randn(4, 3))
case(
    "target-not-distribution",
    "error message: loss(labels, outputs)",
    "one-hot first, scores second",
    one_hot(ids(3, 4), 3).float(),
    randn(4, 3),
)
fine("docs: byte labels", "uint8 labels", randn(4, 3), ids(3, 4).byte())
case(
    "target-dtype",
    "torch 2.13: byte labels",
    "a uint8 mask straight from a PNG: uint8 works for (N, C) alone",
    randn(1, 3, 4, 4),
    ids(3, 1, 4, 4).byte(),
)
fine("soft labels in another precision", "float64 soft labels", randn(4, 3), randn(4, 3).double().softmax(1))
fine("soft labels in another precision", "float16 soft labels", randn(4, 3), randn(4, 3).softmax(1).half())

# --- cross_entropy: class indices -------------------------------------------------------------------------------
case(
    "target-out-of-range",
    "TencentGameMate/gnn_cross_lingual#5",
    "Target 12 is out of bounds of 12 classes",
    randn(12, 12),
    torch.arange(1, 13),
)
case(
    "target-out-of-range",
    "milesial/Pytorch-UNet#78",
    "an 8-bit mask with two classes",
    randn(1, 2, 2, 2),
    tensor([[[0, 255], [255, 0]]]),
)
case("target-out-of-range", "ratings", "stars 1 to 5, five outputs", randn(6, 5), tensor(1, 2, 3, 4, 5, 5))
case("target-out-of-range", "yangheng95/PyABSA#375", "Target 2 is out of bounds", randn(4, 2), tensor(0, 1, 2, 1))
case(
    "target-out-of-range",
    "milesial/Pytorch-UNet#291",
    "grey values instead of class ids",
    randn(1, 2, 2, 2),
    tensor([[[0, 192], [64, 192]]]),
)
case(
    "target-out-of-range", "smartyfh/DST-STAR#7", "labels not renumbered from zero", randn(5, 2), tensor(4, 4, 4, 4, 2)
)
case(
    "target-out-of-range",
    "pytorch/pytorch#1204",
    "device assert: labels above the number of outputs",
    randn(4, 2),
    tensor(0, 1, 57, 3),
)
case("target-out-of-range", "pytorch/pytorch#5299", "labels 99 to 101", randn(3, 3), tensor(99, 100, 101))
case(
    "target-out-of-range",
    "tokenizer resized",
    "token ids beyond the output layer",
    randn(4, 100),
    tensor(5, 99, 101, 102),
)
case(
    "target-out-of-range",
    "CaptainEven/YOLOV4_MCMOT#9",
    "identity numbers beyond the head",
    randn(3, 10),
    tensor(1, 10, 11),
)
case(
    "target-out-of-range",
    "datawhalechina/leedl-tutorial#89",
    "label -1 and the default ignore_index",
    randn(4, 3),
    tensor(0, -1, 2, 1),
)
case("target-out-of-range", "pytorch/pytorch#1204", "void label 255", randn(1, 4, 2, 2), tensor([[[0, 255], [3, 1]]]))
case(
    "target-out-of-range",
    "pytorch/pytorch#12670",
    "-1 and -4, ignore_index names neither",
    randn(3, 5),
    tensor(1, 2, -4),
    ignore_index=-1,
)
case("target-out-of-range", "EricFillion/happy-transformer#248", "all labels -1", randn(3, 5), tensor(-1, -1, -1))
case("target-out-of-range", "hinge loss habits", "labels -1 and +1, two outputs", randn(4, 2), tensor(-1, 1, 1, -1))
case("all-ignored", "pytorch/pytorch#70348", "all targets are -100", rand(10, 5), torch.full((10,), -100))
case(
    "all-ignored",
    "pytorch/pytorch#75181",
    "one sample, ignored",
    tensor([[1.0, 2.0, 3.0]]),
    tensor([-1]),
    ignore_index=-1,
)
case("all-ignored", "pytorch/pytorch#116349", "a row of padding", randn(5, 10), torch.full((5,), -100))
case(
    "all-ignored",
    "OpenRLHF/OpenRLHF#583",
    "a ring group without a label",
    tensor([[0.2, 1.0, 0.5], [0.1, 0.3, 0.6]]),
    tensor(-100, -100),
)
case(
    "all-ignored",
    "nvidia-cosmos/cosmos-rl#155",
    "the prompt takes the whole window",
    randn(1, 7, 6),
    torch.full((1, 6), -100),
)
case(
    "ignore-index-hides-class",
    "ignore_index=0 for background",
    "binary, class 0 ignored",
    randn(4, 2),
    tensor(0, 1, 1, 0),
    ignore_index=0,
)
case(
    "ignore-index-hides-class",
    "pytorch/pytorch#63004",
    "a class of three is ignored as a target, its column stays",
    randn(6, 3),
    tensor(0, 1, 2, 0, 2, 1),
    ignore_index=0,
)
fine(
    "tagging",
    "few tags, the padding ends each row",
    randn(2, 4, 5),
    tensor([[1, 3, 2, 0, 0], [2, 1, 0, 0, 0]]),
    ignore_index=0,
)
fine("tagging", "few tags, no padding in this batch", randn(2, 4, 3), tensor([[1, 3, 2], [2, 1, 1]]), ignore_index=0)
case("ignore-index-type", "ignore_index=None", "None to switch it off", randn(4, 3), ids(3, 4), ignore_index=None)
case("ignore-index-type", "ignore_index=True", "a switch, not a class", randn(4, 3), ids(3, 4), ignore_index=True)
case("ignore-index-type", "ignore_index=[0, 1]", "a list of classes", randn(4, 3), ids(3, 4), ignore_index=[0, 1])
case(
    "ignore-index-with-probabilities",
    "soft labels with a void class",
    "ignore_index and probabilities",
    randn(4, 3),
    randn(4, 3).softmax(1),
    ignore_index=0,
)
case("empty-batch", "drop_last, filtered batch", "no sample left", torch.zeros(0, 5), torch.zeros(0, dtype=torch.long))
fine("karpathy/nanoGPT#323", "ignore_index=-1 that never occurs", randn(6, 9), ids(9, 6), ignore_index=-1)
fine("karpathy/nanoGPT#323", "ignore_index=-1 that occurs", randn(4, 9), tensor(3, -1, 8, -1), ignore_index=-1)
fine(
    "pytorch/pytorch#15508",
    "void label 255, not reduced",
    randn(6, 3),
    tensor(0, 1, 255, 0, 1, 2),
    ignore_index=255,
    reduction="none",
)
fine("translation", "the padding token is class 0 and ignored", randn(6, 9), tensor(3, 8, 0, 0, 1, 2), ignore_index=0)
fine("huggingface", "most of the sequence is -100", randn(6, 9), tensor(-100, -100, -100, -100, -100, 4))
fine("all ignored, summed", "sum over nothing is 0", randn(3, 4), torch.full((3,), -100), reduction="sum")
fine("all ignored, not reduced", "zeros", randn(3, 4), torch.full((3,), -100), reduction="none")
fine(
    "empty batch, summed", "sum over nothing is 0", torch.zeros(0, 5), torch.zeros(0, dtype=torch.long), reduction="sum"
)
fine("labels that happen to miss 0", "four classes, labels 1 to 3", randn(4, 4), tensor(1, 2, 3, 3))
fine("binary, one class in the batch", "all labels 1", randn(5, 2), torch.ones(5, dtype=torch.long))
fine(
    "ignore_index beyond the classes",
    "the void class is number C",
    randn(1, 3, 2, 2),
    tensor([[[0, 3], [2, 1]]]),
    ignore_index=3,
)
fine(
    "NumPy ignore_index",
    "an integer scalar of NumPy",
    randn(3, 3),
    tensor(0, -1, 2),
    ignore_index=tensor(-1).numpy()[()],
)
fine("one label only", "the batch holds one class", randn(4, 4), tensor(2, 2, 2, 2))
fine("per-sample loss", "reduction='none' for hard example mining", randn(4, 4), ids(4, 4), reduction="none")
fine("total loss", "reduction='sum'", randn(4, 4), ids(4, 4), reduction="sum")

# --- cross_entropy: probability targets -------------------------------------------------------------------------
case(
    "target-not-distribution",
    "rows sum to 10",
    "rows that sum to ten",
    randn(2, 4),
    tensor([[1.5, 2.5, 3.5, 2.5], [4.5, 0.5, 2.5, 2.5]]),
)
case(
    "target-not-distribution",
    "mixup by hand",
    "lambda added twice",
    randn(2, 3),
    tensor([[0.7, 0.7, 0.0], [0.0, 0.6, 0.6]]),
)
case(
    "target-not-distribution",
    "genres of films",
    "several labels at once, as floats",
    randn(3, 4),
    tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0]]),
)
case("target-not-distribution", "a negative entry", "a negative probability", randn(1, 3), tensor([[1.2, -0.4, 0.2]]))
case(
    "target-not-distribution",
    "distillation",
    "the teacher's logits instead of its probabilities",
    randn(4, 5),
    3 * randn(4, 5),
)
case(
    "target-not-distribution",
    "distillation",
    "the teacher's log-probabilities",
    randn(4, 5),
    randn(4, 5).log_softmax(1),
)
case(
    "target-not-distribution",
    "a float (N, N) matrix of class ids",
    "token ids as a float matrix, N = C",
    randn(4, 4),
    ids(4, 4, 4).float(),
)
case(
    "target-not-distribution",
    "pytorch/pytorch#1258",
    "float plate digits in the shape of the logits",
    randn(2, 6),
    tensor([[1.0, 0, 3, 0, 2, 0], [1.0, 0, 0, 4, 0, 0]]),
)
case(
    "class-axis",
    "distillation of a language model",
    "(B, T, V) logits and soft labels, nothing raises",
    randn(2, 4, 6),
    randn(2, 4, 6).softmax(-1),
)
case(
    "target-not-distribution",
    "distillation",
    "the teacher's softmax runs over the batch",
    randn(6, 3),
    randn(6, 3).softmax(0),
)
case(
    "target-not-distribution",
    "labels by division",
    "0/0 in the soft labels",
    randn(2, 3),
    tensor([[0.5, 0.5, 0.0], [nan, nan, nan]]),
)
fine(
    "mixup",
    "a blend of two one-hot rows",
    randn(4, 5),
    0.3 * one_hot(ids(5, 4), 5).float() + 0.7 * one_hot(ids(5, 4), 5).float(),
)
fine("docs: one-hot as probabilities", "floating-point one-hot rows", randn(4, 5), one_hot(ids(5, 4), 5).float())
fine("smoothed by hand", "0.9 and 0.1/4", randn(3, 5), 0.9 * one_hot(ids(5, 3), 5).float() + 0.02)
fine(
    "rounded by hand", "soft labels typed with two digits", randn(2, 3), tensor([[0.33, 0.33, 0.34], [0.5, 0.25, 0.25]])
)
fine(
    "annotator votes",
    "soft labels and smoothing at once",
    randn(2, 3),
    tensor([[0.6, 0.4, 0.0], [0.2, 0.2, 0.6]]),
    label_smoothing=0.1,
)
fine("microsoft/Cream#131", "teacher probabilities", randn(4, 10), (randn(4, 10) / 2).softmax(-1))
fine("N equals C", "a square matrix of soft labels", randn(4, 4), randn(4, 4).softmax(1))
fine(
    "samples left out",
    "zero rows leave their samples out, the sum is divided by hand",
    randn(3, 3),
    tensor([[1.0, 0, 0], [0, 0, 0], [0, 0.4, 0.6]]),
    reduction="sum",
)
fine("detached teacher", "soft labels with a graph behind them", randn(4, 3), randn(4, 3).requires_grad_().softmax(1))
fine(
    "policy gradient",
    "visit counts turned into probabilities",
    randn(2, 4),
    tensor([[8.0, 1, 1, 0], [2, 2, 2, 2]]) / tensor([[10.0], [8.0]]),
)

# --- cross_entropy: weight, smoothing, reduction ----------------------------------------------------------------
case(
    "weight-shape",
    "davidtvs/PyTorch-ENet#35",
    "more weights than classes",
    randn(6, 4),
    ids(4, 6),
    weight=torch.ones(12),
)
case("weight-shape", "ispamm/MHyEEG#3", "two weights, three classes", randn(8, 3), ids(3, 8), weight=torch.ones(2))
case(
    "weight-shape",
    "tsunghan-wu/RandLA-Net-pytorch#26",
    "weight of shape (1, C)",
    randn(2, 19, 5),
    ids(19, 2, 5),
    weight=torch.ones(1, 19),
)
case(
    "weight-shape",
    "HRNet/HRNet-Semantic-Segmentation#41",
    "the weights of another data set",
    randn(1, 3, 4, 4),
    ids(3, 1, 4, 4),
    weight=torch.ones(19),
)
case("weight-shape", "per-sample weights", "one weight a sample", randn(6, 3), ids(3, 6), weight=rand(6))
case(
    "weight-dtype",
    "sklearn compute_class_weight",
    "float64 weights",
    randn(6, 3),
    ids(3, 6),
    weight=torch.ones(3).double(),
)
case("weight-dtype", "class counts", "integer weights", randn(6, 3), ids(3, 6), weight=tensor(3, 2, 1))
case(
    "weight-dtype",
    "mixed precision",
    "float32 weights, half logits",
    randn(6, 3).half(),
    ids(3, 6),
    weight=torch.ones(3),
)
case("not-a-tensor", "class weights as a list", "a list", randn(6, 3), ids(3, 6), weight=[1.0, 2.0, 3.0])
case(
    "weight-value", "inverse frequency of an absent class", "1/0", randn(6, 3), ids(3, 6), weight=tensor(1.0, inf, 2.0)
)
case("weight-value", "DIVA-DIA/DeepDIVA#3", "NaN weight", randn(6, 3), ids(3, 6), weight=tensor(1.0, nan, 2.0))
case("weight-value", "sign", "a negative weight", randn(6, 3), ids(3, 6), weight=tensor(1.0, -1.0, 2.0))
case(
    "zero-weight",
    "background weight 0",
    "a picture of background only",
    randn(1, 3, 2, 2),
    torch.zeros(1, 2, 2, dtype=torch.long),
    weight=tensor(0.0, 1.0, 1.0),
)
case(
    "weight-cancels",
    "pytorch/pytorch#61309",
    "batch size 1, the weight does nothing",
    randn(1, 3),
    tensor([2]),
    weight=tensor(1.0, 2.0, 10.0),
)
case(
    "weighted-one-hot-mean",
    "pytorch/pytorch#61044",
    "one-hot probabilities with weights divide by N",
    randn(4, 3),
    one_hot(tensor(0, 1, 2, 2), 3).float(),
    weight=tensor(1.0, 2.0, 10.0),
)
case(
    "label-smoothing-out-of-range",
    "smoothing in per cent",
    "10 instead of 0.1",
    randn(4, 3),
    ids(3, 4),
    label_smoothing=10,
)
case(
    "label-smoothing-out-of-range",
    "sign",
    "negative smoothing raises nothing",
    randn(4, 3),
    ids(3, 4),
    label_smoothing=-0.1,
)
case(
    "label-smoothing-out-of-range",
    "0.9 was meant the other way",
    "1.0: the labels have no say",
    randn(4, 3),
    ids(3, 4),
    label_smoothing=1.0,
)
case("label-smoothing-type", "config strings", "'0.1'", randn(4, 3), ids(3, 4), label_smoothing="0.1")
case("unknown-reduction", "spelling", "'avg'", randn(4, 3), ids(3, 4), reduction="avg")
case("unknown-reduction", "kl_div's word", "'batchmean'", randn(4, 3), ids(3, 4), reduction="batchmean")
case("unknown-reduction", "reduction=None", "None for 'none'", randn(4, 3), ids(3, 4), reduction=None)
case("unknown-loss", "spelling", "'crossentropy'", randn(4, 3), ids(3, 4), loss="crossentropy")
fine("pytorch/pytorch#65329", "class weights, mean", randn(6, 3), ids(3, 6), weight=tensor(0.2, 1.0, 3.0))
fine("batch of one", "uniform weights", randn(1, 3), tensor([1]), weight=torch.ones(3))
fine("segmentation", "batch of one picture, weights", randn(1, 3, 4, 4), ids(3, 1, 4, 4), weight=tensor(0.1, 1.0, 1.0))
fine("no-object weight", "a class of weight 0 among others", randn(6, 3), ids(3, 6), weight=tensor(0.0, 1.0, 1.0))
fine("soft labels", "weights and truly soft labels", randn(4, 3), randn(4, 3).softmax(1), weight=tensor(1.0, 2.0, 3.0))
fine("label smoothing", "0.1 of five classes", randn(4, 5), ids(5, 4), label_smoothing=0.1)
fine("label smoothing", "an int 0", randn(4, 5), ids(5, 4), label_smoothing=0)
fine("label smoothing", "a scalar of NumPy", randn(4, 5), ids(5, 4), label_smoothing=torch.tensor(0.1).numpy()[()])
fine("label smoothing", "a tensor of no dimension", randn(4, 5), ids(5, 4), label_smoothing=torch.tensor(0.1))
fine("label smoothing", "with ignored targets", randn(4, 5), tensor(1, -100, 2, 0), label_smoothing=0.1)

# --- cross_entropy: numbers -------------------------------------------------------------------------------------
case(
    "non-finite-logits",
    "exploding gradients",
    "a NaN in the logits",
    tensor([[0.1, nan, 2.0], [1.0, 0.0, 0.0]]),
    tensor(0, 2),
)
case(
    "non-finite-logits",
    "sooftware/kospeech#37",
    "NaN where the target is ignored: the gradient is NaN",
    tensor([[nan, nan], [1.0, 0.0]]),
    tensor(-100, 0),
)
case("non-finite-logits", "overflow in fp16", "+inf logits", tensor([[inf, 1.0], [0.0, 1.0]]).half(), tensor(0, 1))
case("non-finite-logits", "all actions are illegal", "a row of -inf", tensor([[-inf, -inf], [0.0, 1.0]]), tensor(0, 1))
case(
    "non-finite-logits",
    "the mask hides the answer",
    "-inf at the true class",
    tensor([[-inf, 1.0, 0.0], [0.0, 1.0, 2.0]]),
    tensor(0, 1),
)
case(
    "non-finite-logits",
    "google-deepmind/optax#896",
    "-inf with one-hot probabilities",
    tensor([[-inf, 0.0]]),
    tensor([[0.0, 1.0]]),
)
case(
    "non-finite-logits",
    "facebookresearch/pytext#1698",
    "-inf and label smoothing",
    tensor([[-inf, 0.0, 1.0]]),
    tensor([1]),
    label_smoothing=0.1,
)
case(
    "half-precision-overflow",
    "float16 sum",
    "twenty thousand rows summed in float16",
    8 * randn(20000, 10).half(),
    ids(10, 20000),
    reduction="sum",
)
case(
    "half-precision-overflow",
    "float16 mean",
    "twenty thousand rows averaged in float16",
    8 * randn(20000, 10).half(),
    ids(10, 20000),
)
fine(
    "pytorch/xla#2553",
    "many -inf, a hard and allowed target",
    torch.where(torch.arange(60) % 3 == 1, -inf, 9.5 + randn(60)).unsqueeze(0),
    tensor([0]),
)
fine(
    "Dao-AILab/flash-attention#1930",
    "all but one class masked",
    torch.full((1, 100), -inf).index_fill(1, tensor([50]), 10.0),
    tensor([50]),
)
fine("action masking", "-inf and a hard, allowed target", tensor([[-inf, 0.5, 1.0], [0.0, -inf, 2.0]]), tensor(2, 0))
fine("action masking", "a large negative number as mask", tensor([[-1e9, 0.5, 1.0], [0.0, -1e9, 2.0]]), tensor(2, 0))
fine("extreme gaps", "1e4 apart", tensor([[1e4, -1e4, 0.0]]), tensor([0]))

# --- nll_loss ---------------------------------------------------------------------------------------------------
case(
    "probabilities-to-nll",
    "pytorch/pytorch#10033",
    "probabilities, the loss is -0.9",
    tensor([[0.9, 0.1]]),
    tensor([0]),
    **NLL,
)
case(
    "probabilities-to-nll",
    "pandeykartikey/Hierarchical-Attention-Network#3",
    "softmax instead of log_softmax",
    randn(5, 4).softmax(1),
    ids(4, 5),
    **NLL,
)
case(
    "probabilities-to-nll",
    "AnubhavGupta3377/Text-Classification-Models-Pytorch#9",
    "the loss is always negative",
    randn(8, 6).softmax(-1),
    ids(6, 8),
    **NLL,
)
case(
    "probabilities-to-nll",
    "clvrai/ACGAN-PyTorch#4",
    "nn.Softmax as last layer of the discriminator",
    randn(4, 10).softmax(1),
    ids(10, 4),
    **NLL,
)
case(
    "probabilities-to-nll",
    "a sigmoid before nll_loss",
    "a probability a class, not normalised",
    randn(8, 3).sigmoid(),
    ids(3, 8),
    **NLL,
)
case("logits-to-nll", "forgotten log_softmax", "raw logits", randn(8, 5), ids(5, 8), **NLL)
case(
    "logits-to-nll",
    "logsigmoid",
    "log of a sigmoid a class",
    torch.nn.functional.logsigmoid(randn(8, 5)),
    ids(5, 8),
    **NLL,
)
case(
    "class-axis",
    "log_softmax(dim=0)",
    "normalised over the batch",
    randn(6, 4).log_softmax(0),
    ids(4, 6),
    **NLL,
)
case(
    "class-axis",
    "nn.LogSoftmax() on images",
    "normalised over the width",
    randn(2, 4, 5, 6).log_softmax(-1),
    ids(4, 2, 5, 6),
    **NLL,
)
case("logits-to-nll", "base", "log2 of probabilities", randn(6, 4).softmax(1).log2(), ids(4, 6), **NLL)
case("logits-to-nll", "minus taken twice", "-log p", -randn(6, 4).log_softmax(1), ids(4, 6), **NLL)
case("target-shape", "soft labels", "probability targets", randn(6, 4).log_softmax(1), randn(6, 4).softmax(1), **NLL)
case("target-shape", "one-hot", "one-hot integers", randn(6, 4).log_softmax(1), one_hot(ids(4, 6), 4), **NLL)
case("target-shape", "intel/ipex-llm#419", "labels (N, 1)", randn(6, 4).log_softmax(1), ids(4, 6, 1), **NLL)
case("target-dtype", "recurrent tutorial", "float labels", randn(6, 4).log_softmax(1), ids(4, 6).float(), **NLL)
case("class-axis", "tagger", "(B, T, C)", randn(2, 5, 4).log_softmax(-1), ids(4, 2, 5), **NLL)
case(
    "unsupported-option",
    "label smoothing",
    "nll_loss knows no smoothing",
    randn(6, 4).log_softmax(1),
    ids(4, 6),
    label_smoothing=0.1,
    **NLL,
)
case("all-ignored", "padding only", "NaN", randn(6, 4).log_softmax(1), torch.full((6,), -100), **NLL)
case("target-out-of-range", "vocabulary", "Target 9", randn(4, 4).log_softmax(1), tensor(0, 9, 1, 7), **NLL)
case(
    "non-finite-logits",
    "log(0)",
    "log of a probability that underflowed",
    tensor([[1.0, 0.0], [0.5, 0.5]]).log(),
    tensor(1, 0),
    **NLL,
)
case("non-finite-logits", "log of a negative number", "NaN", tensor([[nan, 0.0], [-0.5, -0.9]]), tensor(1, 0), **NLL)
case(
    "class-axis",
    "tagger",
    "as many tags as steps: nothing raises",
    (6 * one_hot(SQUARE, 6).float() + randn(4, 6, 6)).log_softmax(-1),
    SQUARE,
    **NLL,
)
case("single-column", "squeezed output", "(N,) against (N,)", randn(6), tensor(0, 1, 1, 0, 1, 0), **NLL)
case(
    "ignore-index-hides-class",
    "ignore_index=1",
    "binary, class 1 ignored",
    randn(4, 2).log_softmax(1),
    tensor(0, 1, 1, 0),
    ignore_index=1,
    **NLL,
)
case(
    "weight-dtype",
    "NumPy",
    "float64 weights",
    randn(4, 2).log_softmax(1),
    ids(2, 4),
    weight=torch.ones(2).double(),
    **NLL,
)
case(
    "weight-cancels",
    "pytorch/pytorch#61309",
    "batch size 1",
    randn(1, 2).log_softmax(1),
    tensor([1]),
    weight=tensor(1.0, 5.0),
    **NLL,
)
case("single-column", "one output", "always 0", randn(6, 1).log_softmax(1), torch.zeros(6, dtype=torch.long), **NLL)
fine("docs: NLLLoss", "log_softmax", randn(6, 4).log_softmax(1), ids(4, 6), **NLL)
fine("docs: NLLLoss", "(N, C, H, W)", randn(2, 4, 3, 3).log_softmax(1), ids(4, 2, 3, 3), **NLL)
fine("docs: NLLLoss", "unbatched", randn(4).log_softmax(0), tensor(1), **NLL)
fine(
    "mixture of softmaxes",
    "log of probabilities",
    (0.5 * randn(6, 4).softmax(1) + 0.5 * randn(6, 4).softmax(1)).log(),
    ids(4, 6),
    **NLL,
)
fine("guarded log", "log(p + 1e-8)", (randn(6, 4).softmax(1) + 1e-8).log(), ids(4, 6), **NLL)
fine("confident", "log-probability 0", tensor([[0.0, -200.0]]), tensor([0]), **NLL)
fine("half precision", "bfloat16 log-probabilities", randn(6, 40).bfloat16().log_softmax(1), ids(40, 6), **NLL)
fine("masked classes", "-inf where the target is not", tensor([[0.0, 1.0, -inf]]).log_softmax(1), tensor([1]), **NLL)
fine(
    "sequences",
    "ignored padding and weights",
    randn(6, 4).log_softmax(1),
    tensor(0, 1, 2, 3, -100, -100),
    weight=tensor(1.0, 1.0, 2.0, 2.0),
    **NLL,
)

# --- binary_cross_entropy ---------------------------------------------------------------------------------------
case(
    "probabilities-out-of-range",
    "ray-project/ray#17117",
    "a Linear layer's output",
    2 * randn(8, 1),
    ids(2, 8, 1).float(),
    **BCE,
)
case(
    "probabilities-out-of-range",
    "pytorch/pytorch#1010",
    "no sigmoid after the last layer",
    3 * randn(8),
    ids(2, 8).float(),
    **BCE,
)
case(
    "probabilities-out-of-range",
    "tanh discriminator",
    "outputs in [-1, 1]",
    randn(8).tanh(),
    ids(2, 8).float(),
    **BCE,
)
case(
    "probabilities-out-of-range",
    "logsigmoid",
    "log-probabilities",
    torch.nn.functional.logsigmoid(randn(8)),
    ids(2, 8).float(),
    **BCE,
)
case(
    "probabilities-out-of-range",
    "pytorch/pytorch#1010",
    "products of probabilities, rounded to just above 1",
    tensor(1 + 1e-6, 0.5, 0.2),
    tensor(1.0, 0.0, 1.0),
    **BCE,
)
case(
    "bce-target-out-of-range",
    "taourl.com: Binary Cross Entropy Loss Not Learning Correct Indices",
    "labels -1 and 1",
    tensor(0.6, 0.4, 0.7, 0.3),
    tensor(-1.0, 1.0, -1.0, 1.0),
    **BCE,
)
case("non-finite-logits", "exploding generator", "NaN probability", tensor(nan, 0.5), tensor(1.0, 0.0), **BCE)
case("target-dtype", "pytorch/pytorch#45373", "long labels", rand(6), ids(2, 6), **BCE)
case("target-dtype", "NumPy labels", "float64 labels", rand(6), ids(2, 6).double(), **BCE)
case("target-dtype", "boolean masks", "bool labels", rand(2, 1, 4, 4), ids(2, 2, 1, 4, 4).bool(), **BCE)
case("target-shape", "carpedm20/DiscoGAN-pytorch#16", "(N, 1) against (N,)", rand(6, 1), ids(2, 6).float(), **BCE)
case("target-shape", "yuji-roh/fairbatch#2", "(N,) against (N, 1)", rand(6), ids(2, 6, 1).float(), **BCE)
case(
    "target-shape",
    "patrickloeber/pytorchTutorial#30",
    "two outputs, one label",
    rand(4, 2),
    ids(2, 4).float(),
    **BCE,
)
case("target-shape", "last batch", "fixed labels for a smaller batch", rand(5, 1), torch.ones(8, 1), **BCE)
case(
    "bce-target-out-of-range",
    "milesial/Pytorch-UNet#78",
    "masks of 0 and 255",
    rand(2, 4, 4),
    255.0 * ids(2, 2, 4, 4),
    **BCE,
)
case(
    "bce-target-out-of-range",
    "pytorch/pytorch#15262",
    "targets 1 and 3",
    tensor([[0.2, 0.1]]),
    tensor([[1.0, 3.0]]),
    **BCE,
)
case(
    "bce-target-out-of-range",
    "yhenon/pytorch-retinanet#246",
    "-1 for 'do not count'",
    rand(6),
    tensor(1.0, 0.0, -1.0, 0.0, -1.0, 1.0),
    **BCE,
)
case("saturated-probability", "pytorch/pytorch#4867", "certain and wrong", tensor(1.0, 1.0), tensor(0.0, 0.0), **BCE)
case(
    "saturated-probability",
    "z = 17",
    "sigmoid(17) is exactly 1 in float32",
    tensor(17.0, -1.0).sigmoid(),
    tensor(0.0, 1.0),
    **BCE,
)
case(
    "softmax-before-loss",
    "vandit15/Class-balanced-loss-pytorch#23",
    "softmax, one-hot labels, binary loss",
    randn(6, 4).softmax(1),
    one_hot(ids(4, 6), 4).float(),
    **BCE,
)
case(
    "softmax-before-loss",
    "multi-label with softmax",
    "several labels, but the probabilities compete",
    randn(3, 4).softmax(1),
    tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0]]),
    **BCE,
)
case(
    "weight-shape",
    "class weights",
    "two weights for (N, 1)",
    rand(6, 1),
    ids(2, 6, 1).float(),
    weight=tensor(1.0, 3.0),
    **BCE,
)
case("empty-batch", "no positive anchors", "empty", torch.zeros(0), torch.zeros(0), **BCE)
case(
    "unsupported-option",
    "ignore_index for masks",
    "binary losses ignore nothing",
    rand(6),
    ids(2, 6).float(),
    ignore_index=255,
    **BCE,
)
fine("docs: BCELoss", "sigmoid output", randn(6).sigmoid(), ids(2, 6).float(), **BCE)
fine("docs: BCELoss", "(N, 1) on both sides", randn(6, 1).sigmoid(), ids(2, 6, 1).float(), **BCE)
fine("autoencoder", "pixels in [0, 1] as targets", rand(2, 1, 4, 4), rand(2, 1, 4, 4), **BCE)
fine("binary from two columns", "softmax(...)[:, 1]", randn(6, 2).softmax(1)[:, 1], ids(2, 6).float(), **BCE)
fine(
    "two columns",
    "a softmax of two with one-hot labels is cross-entropy",
    randn(6, 2).softmax(1),
    one_hot(ids(2, 6), 2).float(),
    **BCE,
)
fine("saturated and right", "exactly 0 and 1, both right", tensor(1.0, 0.0), tensor(1.0, 0.0), **BCE)
fine("GAN", "label smoothing by hand: 0.9", randn(6).sigmoid(), torch.full((6,), 0.9), **BCE)
fine("nearly saturated", "clipped at 1e-7", tensor(1e-7, 1 - 1e-7), tensor(1.0, 0.0), **BCE)
fine("half precision", "float16 throughout", randn(6).sigmoid().half().clamp(0.01, 0.99), ids(2, 6).half(), **BCE)
fine("a scalar", "0-d", tensor(0.3), tensor(1.0), **BCE)
fine("per-entry weights", "a weight an entry", randn(6).sigmoid(), ids(2, 6).float(), weight=rand(6), **BCE)
fine(
    "multi-label",
    "sigmoids with several labels",
    randn(3, 4).sigmoid(),
    tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0]]),
    **BCE,
)

# --- binary_cross_entropy_with_logits ---------------------------------------------------------------------------
TWICE = "sigmoid-before-loss"
case(TWICE, "yudi-mars/daisyRec#15", "the model ends in a sigmoid", randn(16).sigmoid(), ids(2, 16).float(), **BCEL)
case(
    TWICE,
    "cvg/glue-factory#89",
    "Sigmoid layer and BCEWithLogitsLoss",
    randn(2, 8).sigmoid(),
    ids(2, 2, 8).float(),
    **BCEL,
)
case(
    TWICE, "Turoad/lanedet#32", "lane existence through a sigmoid", randn(4, 6).sigmoid(), ids(2, 4, 6).float(), **BCEL
)
case(
    TWICE,
    "itakurah/focal-loss-pytorch#5",
    "sigmoid inside the focal loss",
    randn(32, 1).sigmoid(),
    ids(2, 32, 1).float(),
    **BCEL,
)
case(
    TWICE,
    "lopuhin/kaggle-imet-2019#3",
    "multi-label probabilities",
    randn(4, 10).sigmoid(),
    ids(2, 4, 10).float(),
    **BCEL,
)
case(
    TWICE, "softmax and BCEWithLogits", "softmax output", randn(6, 3).softmax(1), one_hot(ids(3, 6), 3).float(), **BCEL
)
case(
    TWICE,
    "three probabilities",
    "typed by hand, they fit their labels",
    tensor(0.9, 0.2, 0.7),
    tensor(1.0, 0.0, 1.0),
    **BCEL,
)
case(
    TWICE,
    "thresholded predictions",
    "0 and 1 as floats",
    tensor(1.0, 0.0, 1.0, 1.0, 0.0),
    tensor(1.0, 0.0, 0.0, 1.0, 0.0),
    **BCEL,
)
case(
    TWICE,
    "typed by hand",
    "four probabilities that fit their labels",
    tensor(0.9, 0.1, 0.8, 0.3),
    tensor(1.0, 0.0, 1.0, 0.0),
    **BCEL,
)
case("target-dtype", "error message: can't be cast to Long", "long labels", randn(6), ids(2, 6), **BCEL)
case("target-dtype", "boolean masks", "bool labels", randn(6), ids(2, 6).bool(), **BCEL)
case("target-shape", "skorch-dev/skorch#137", "(N, 1) against (N,)", randn(128, 1), ids(2, 128).float(), **BCEL)
case(
    "target-shape", "segmentation", "(N, 1, H, W) against (N, H, W)", randn(2, 1, 4, 4), ids(2, 2, 4, 4).float(), **BCEL
)
case("target-shape", "jiangqy/ADSH-AAAI2018#5", "12 outputs, 21 labels", randn(64, 12), ids(2, 64, 21).float(), **BCEL)
case("target-shape", "class ids", "(N, C) against (N,)", randn(6, 4), ids(4, 6), **BCEL)
case(
    "bce-target-out-of-range",
    "MontaEllis/Pytorch-Medical-Segmentation#8",
    "a PNG mask of 0 and 255, negative loss",
    randn(2, 1, 4, 4),
    255.0 * ids(2, 2, 1, 4, 4),
    **BCEL,
)
case(
    "bce-target-out-of-range",
    "bigmb/Unet-Segmentation-Pytorch-Nest-of-Unets#18",
    "the augmentation maps the mask to [-1, 1]",
    randn(2, 4, 4),
    2.0 * ids(2, 2, 4, 4) - 1,
    **BCEL,
)
case(
    "bce-target-out-of-range",
    "VectorInstitute/cyclops#168",
    "-1 for a missing label",
    randn(6),
    tensor(1.0, 0.0, -1.0, 0.0, -1.0, 1.0),
    **BCEL,
)
case(
    "bce-target-out-of-range",
    "class ids",
    "ids 0 to 3 in the shape of the output",
    randn(8, 1),
    ids(4, 8, 1).float(),
    **BCEL,
)
case("non-finite-logits", "logit(1)", "an infinite logit", tensor(inf, 0.0), tensor(1.0, 0.0), **BCEL)
case(
    "weight-shape",
    "class weights instead of pos_weight",
    "two weights for (N, 1)",
    randn(6, 1),
    ids(2, 6, 1).float(),
    weight=tensor(1.0, 3.0),
    **BCEL,
)
case(
    "unsupported-option",
    "label smoothing",
    "no such argument",
    randn(6),
    ids(2, 6).float(),
    label_smoothing=0.1,
    **BCEL,
)
case("logits-not-float", "thresholded output", "integer predictions", ids(2, 6), ids(2, 6).float(), **BCEL)
case("non-finite-logits", "learning rate", "NaN logits", tensor(nan, 1.0), tensor(1.0, 0.0), **BCEL)
fine("docs: BCEWithLogitsLoss", "logits", randn(8), ids(2, 8).float(), **BCEL)
fine("CoinCheung/pytorch-loss#10", "float64 labels", randn(8), ids(2, 8).double(), **BCEL)
fine("multi-label", "(N, C) with several labels", randn(4, 6), ids(2, 4, 6).float(), **BCEL)
fine("one-against-all", "one-hot labels a class", randn(4, 6), one_hot(ids(6, 4), 6).float(), **BCEL)
fine("YOLO", "soft objectness targets", randn(2, 3, 4, 4), rand(2, 3, 4, 4), **BCEL)
fine("placeholder", "torch.rand stands in for a model", rand(10), ids(2, 10).float(), **BCEL)
fine("fresh model", "all logits zero", torch.zeros(8), ids(2, 8).float(), **BCEL)
fine(
    "pytorch/pytorch#139916",
    "logits that happen to lie in [0, 1], one of them 0",
    tensor(0.4, 0.8, 0.6, 0.3, 0.0, 0.5),
    tensor(0.2, 0.9, 0.4, 0.1, 0.8, 0.5),
    **BCEL,
)
fine("confident", "logits of a hundred", 100 * randn(8), ids(2, 8).float(), **BCEL)
fine("three logits", "a small batch, all positive", tensor(0.4, 0.9, 0.2), tensor(0.0, 0.0, 1.0), **BCEL)
fine(
    "pos_weight by hand",
    "weights that broadcast over the batch",
    randn(4, 3),
    ids(2, 4, 3).float(),
    weight=tensor(1.0, 2.0, 3.0),
    **BCEL,
)

# --- kl_div -----------------------------------------------------------------------------------------------------
case(
    "kl-not-log",
    "pytorch/pytorch#7337",
    "both arguments are probabilities",
    randn(4, 5).softmax(1),
    randn(4, 5).softmax(1),
    **KL,
)
case(
    "kl-not-log",
    "microsoft/ProDA#43",
    "softmax maps of student and teacher, not reduced",
    randn(2, 4, 3, 3).softmax(1),
    randn(2, 4, 3, 3).softmax(1),
    loss="kl_div",
    reduction="none",
)
case(
    "kl-reduction-mean",
    "haitongli/knowledge-distillation-pytorch#2",
    "the gradient is scaled by the number of classes",
    (randn(4, 10) / 3).log_softmax(1),
    (randn(4, 10) / 3).softmax(1),
    loss="kl_div",
)
case("kl-not-log", "distillation", "raw logits", randn(4, 5), randn(4, 5).softmax(1), **KL)
case("kl-not-log", "order", "p first, log q second", randn(4, 5).softmax(1), randn(4, 5).log_softmax(1), **KL)
case(
    "target-not-distribution",
    "R-Drop by hand",
    "both in logs, without log_target=True",
    randn(4, 5).log_softmax(1),
    randn(4, 5).log_softmax(1),
    **KL,
)
case(
    "target-not-distribution",
    "pytorch/pytorch#60928",
    "the target sums to 0.3, the value is negative",
    tensor([[0.1132, 0.5477, 0.3390]]).log(),
    tensor([[0.1541, 0.0511, 0.0947]]),
    **KL,
)
case("target-not-distribution", "distillation", "the teacher's logits", randn(4, 5).log_softmax(1), randn(4, 5), **KL)
case(
    "kl-reduction-mean",
    "pytorch/pytorch#7006",
    "the default reduction",
    randn(4, 5).log_softmax(1),
    randn(4, 5).softmax(1),
    loss="kl_div",
)
case("target-shape", "class ids", "ids instead of a distribution", randn(4, 5).log_softmax(1), ids(5, 4), **KL)
case(
    "non-finite-logits",
    "harvardnlp/annotated-transformer#39",
    "log of a zero probability",
    tensor([[0.0, 0.5, 0.5]]).log(),
    tensor([[0.2, 0.4, 0.4]]),
    **KL,
)
case(
    "non-finite-logits",
    "harvardnlp/annotated-transformer#109",
    "log(0) where the target is 0: NaN",
    tensor([[0.0, 0.5, 0.5]]).log(),
    tensor([[0.0, 0.5, 0.5]]),
    **KL,
)
case(
    "target-not-distribution",
    "teacher's dim=0",
    "normalised along different axes",
    randn(6, 5).log_softmax(1),
    randn(6, 5).softmax(0),
    **KL,
)
case("target-dtype", "one-hot", "integer one-hot rows", randn(4, 5).log_softmax(1), one_hot(ids(5, 4), 5), **KL)
case("target-shape", "broadcast", "(N, 1) spread over the classes", randn(4, 5).log_softmax(1), rand(4, 1), **KL)
case(
    "unsupported-option",
    "class weights",
    "kl_div has none",
    randn(4, 5).log_softmax(1),
    randn(4, 5).softmax(1),
    weight=torch.ones(5),
    **KL,
)
case("non-finite-logits", "exploding student", "NaN", tensor([[nan, 0.0]]), tensor([[0.5, 0.5]]), **KL)
fine("docs: KLDivLoss", "log_softmax, softmax, batchmean", randn(4, 5).log_softmax(1), randn(4, 5).softmax(1), **KL)
fine(
    "pytorch/pytorch#80488",
    "not reduced: single terms may be negative",
    randn(4, 5).log_softmax(1),
    randn(4, 5).softmax(1),
    loss="kl_div",
    reduction="none",
)
fine(
    "AberHu/Knowledge-Distillation-Zoo#12",
    "log_softmax for the student, softmax for the teacher",
    (randn(4, 10) / 4).log_softmax(1),
    (randn(4, 10) / 4).softmax(1),
    **KL,
)
fine(
    "lucidrains/vit-pytorch#289",
    "the same along the last dimension",
    randn(2, 10).log_softmax(-1),
    randn(2, 10).softmax(-1),
    **KL,
)
fine(
    "distillation",
    "temperature 4, summed",
    (randn(4, 5) / 4).log_softmax(1),
    (randn(4, 5) / 4).softmax(1),
    loss="kl_div",
    reduction="sum",
)
fine(
    "label smoothing",
    "a smoothed one-hot target",
    randn(4, 5).log_softmax(1),
    0.9 * one_hot(ids(5, 4), 5).float() + 0.02,
    **KL,
)
fine("one-hot", "floating-point one-hot rows", randn(4, 5).log_softmax(1), one_hot(ids(5, 4), 5).float(), **KL)
fine(
    "labmlai/annotated_deep_learning_paper_implementations#66",
    "student and teacher agree: the divergence is 0",
    (EQUAL := randn(3, 5)).log_softmax(1),
    EQUAL.softmax(1),
    **KL,
)
fine(
    "attention maps",
    "normalised along the last axis",
    randn(2, 3, 4, 4).log_softmax(-1),
    randn(2, 3, 4, 4).softmax(-1),
    **KL,
)
fine("segmentation", "normalised along axis 1", randn(2, 3, 4, 4).log_softmax(1), randn(2, 3, 4, 4).softmax(1), **KL)
fine(
    "heat maps",
    "normalised over height and width",
    randn(2, 9).log_softmax(1).view(2, 3, 3),
    randn(2, 9).softmax(1).view(2, 3, 3),
    **KL,
)
fine("prior", "one distribution for the whole batch", randn(4, 5).log_softmax(1), torch.full((5,), 0.2), **KL)
fine("half precision", "bfloat16", randn(4, 5).bfloat16().log_softmax(1), randn(4, 5).bfloat16().softmax(1), **KL)

# --- what is no tensor at all -----------------------------------------------------------------------------------
case("not-a-tensor", "forward() without return", "logits is None", None, ids(3, 4))
case("not-a-tensor", "huggingface", "the model's output object as a dict", {"logits": randn(4, 3)}, ids(3, 4))
case("not-a-tensor", "Inception with auxiliary logits", "a tuple of outputs", (randn(4, 3), randn(4, 3)), ids(3, 4))
case(
    "not-a-tensor",
    "CASIA-IVA-Lab/DANet#137",
    "three outputs of a segmentation head",
    (randn(1, 3, 4, 4), randn(1, 3, 4, 4)),
    ids(3, 1, 4, 4),
)
case("not-a-tensor", "AI-Zhpp/HAT#2", "a list of score tensors", [randn(4, 3), randn(4, 3)], ids(3, 4))
case("not-a-tensor", "prateekjoshi565/Fine-Tuning-BERT#5", "the model returns a tuple", (randn(4, 2),), ids(2, 4))
case("not-a-tensor", "tensorflow/models#10992", "labels are a tuple of file names", randn(2, 3), ("a.png", "b.png"))
case("not-a-tensor", "labels as a list", "a list of ints", randn(4, 3), [0, 1, 2, 0])
case("not-a-tensor", "labels as NumPy", "an array", randn(4, 3), ids(3, 4).numpy())
case("not-a-tensor", "labels as strings", "class names", randn(4, 3), ["cat", "dog", "cat", "cow"])
case("not-a-tensor", "missing call", "the module instead of its output", torch.nn.Linear(2, 3), ids(3, 4))
case(
    "device-mismatch",
    "Expected all tensors to be on the same device",
    "labels elsewhere",
    randn(4, 3),
    ids(3, 4).to("meta"),
)
case("unsupported-layout", "sparse labels", "a sparse target", randn(4, 3), ids(3, 4).to_sparse())
fine("shapes only", "meta tensors of the right shape", randn(4, 3).to("meta"), ids(3, 4).to("meta"))

# --- look-alikes and their neighbours, case against case ---------------------------------------------------------
MASKED = randn(4, 6).masked_fill(torch.arange(6) > 3, -inf)
case("logits-not-float", "one-hot first", "integer one-hot rows against scores", one_hot(ids(5, 8), 5), randn(8, 5))
case("arguments-swapped", "labels first", "binary labels against scores", ids(2, 6).float(), randn(6), **BCEL)
case("logits-not-float", "labels first", "integer binary labels against scores", ids(2, 6), randn(6), **BCEL)
case("arguments-swapped", "labels first", "labels against probabilities", ids(2, 6).float(), rand(6), **BCE)
fine("soft labels", "fractions in both places", rand(6), rand(6), **BCE)
case("single-column", "argmax before the loss", "predicted ids as floats", ids(5, 8).float(), ids(5, 8))
case("single-column", "regression", "a quantity a sample", randn(8), randn(8))
case("target-shape", "scores of the best token", "(batch, time) against token ids", randn(3, 7), ids(50, 3, 7))
case("single-column", "regression", "one output, a quantity", randn(8, 1), randn(8, 1))
case("single-column", "one output for five classes", "nn.Linear(features, 1)", randn(8, 1), ids(5, 8))
case("target-shape", "colour masks", "(N, 3, H, W) bytes", randn(2, 3, 4, 4), ids(256, 2, 3, 4, 4))
case("non-finite-logits", "-1e9 masks", "the mask hides the label", MASKED.clamp(min=-1e9), tensor(0, 1, 5, 2))
case("non-finite-logits", "-10000 masks", "an additive mask", MASKED.clamp(min=-1e4) + 0.5, tensor(0, 1, 5, 2))
case("non-finite-logits", "log of softmax", "log(0)", (200 * randn(8, 5)).softmax(1).log(), ids(5, 8), **NLL)
case(
    "non-finite-logits",
    "action masks with smoothing",
    "-1e9 in place of -inf",
    MASKED.clamp(min=-1e9),
    ids(4, 4),
    label_smoothing=0.1,
)
case("non-finite-logits", "teacher without the mask", "-1e9", MASKED.clamp(min=-1e9), randn(4, 6).softmax(1))
fine("action masks", "-1e9, labels allowed", MASKED.clamp(min=-1e9), ids(4, 4))
fine("action masks", "finfo.min, labels allowed", MASKED.clamp(min=torch.finfo(torch.float32).min), ids(4, 4))
fine("masked teacher", "no mass on what is masked", MASKED.clamp(min=-1e9), MASKED.softmax(1))
fine("exploding net", "scores of the order of 1e4 are no mask", 3e4 * randn(8, 5), ids(5, 8))
fine("padding rows", "all masked alike", torch.full((2, 4), -1e9), ids(4, 2))
case(
    "bce-target-out-of-range", "PASCAL VOC", "void 255 in a binary mask", randn(4), tensor(0.0, 1.0, 255.0, 0.0), **BCEL
)
case("not-a-tensor", "positional ignore_index", "the third argument is weight", randn(8, 3), ids(3, 8), weight=255)
case("not-a-tensor", "positional reduction", "the third argument is weight", randn(8, 3), ids(3, 8), weight="sum")
case("not-a-tensor", "max without its indices", "values and indices", randn(8, 5), randn(8, 5).max(1))
case("not-a-tensor", "one label", "a Python int", randn(1, 3), 2)
case("not-a-tensor", "labels as a list", "of a binary loss", rand(4), [0, 1, 1, 0], **BCE)
case("not-a-tensor", "soft labels as NumPy", "fractions", randn(2, 3), randn(2, 3).softmax(1).numpy())
fine(
    "tagging",
    "flattened sequences of three tags, padded with 0",
    randn(36, 4),
    (ids(3, 3, 12) + 1).masked_fill(torch.arange(12) > tensor([8], [11], [5]), 0).flatten(),
    ignore_index=0,
)
fine(
    "harvardnlp/annotated-transformer",
    "smoothed targets, rows of zeros at the padding",
    randn(6, 5).log_softmax(1),
    torch.cat([torch.full((4, 5), 0.2), torch.zeros(2, 5)]),
    loss="kl_div",
    reduction="sum",
)
case("target-not-distribution", "counts", "not one row sums to 1", randn(4, 5).log_softmax(1), rand(4, 5), **KL)
fine(
    "mean over nothing but chosen", "reduction none, all ignored", randn(3, 5), torch.full((3,), -100), reduction="none"
)
fine("contrastive learning", "own similarity masked", randn(8, 8).fill_diagonal_(-inf), torch.arange(8).roll(4))
fine("CLIP", "square logits, the diagonal is right", 14 * randn(8, 8), torch.arange(8))
fine("prototypes", "negative squared distances", -randn(8, 5).square(), ids(5, 8))
fine("tanh outputs", "squashed, yet scores of both signs", randn(8, 10).tanh(), ids(10, 8))
fine("dense vocabulary", "bfloat16 log-probabilities", randn(4, 9999).bfloat16().log_softmax(1), ids(9999, 4), **NLL)
fine("GAN", "smoothed real labels", randn(16, 1), torch.full((16, 1), 0.9), **BCEL)
fine("saturated and right", "sigmoid(60) = 1", tensor(60.0, -300.0).sigmoid(), tensor(1.0, 0.0), **BCE)

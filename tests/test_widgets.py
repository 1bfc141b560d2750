"""What holds for every lab: its Python face, what it shows without a kernel, and its bundles. The page: tests/browser/."""

import copy
import gzip
import json
import math
import re

import ipywidgets
import numpy
import pytest
import torch
from bs4 import BeautifulSoup

import crossentropy.widgets
from crossentropy.widgets.lab import Lab, Number, Numbers, show
from javascript import ROOT, WIDGETS, node

SHOWN = [getattr(crossentropy.widgets, name) for name in crossentropy.widgets.__all__]
LABS = [shown for shown in SHOWN if issubclass(shown, Lab)]
STATIC = WIDGETS / "static"

every_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.topic)


def traits(lab, kind):
    return [(name, trait) for name, trait in lab.class_traits(state=True).items() if isinstance(trait, kind)]


def data(widget):
    bundle, _ = widget._repr_mimebundle_()
    return bundle


@every_lab
def test_starts_with_its_results_computed(lab):
    widget = lab()
    assert set(widget.compute()) == set(widget.trait_names(result=True))
    for name, value in widget.compute().items():
        assert getattr(widget, name) == value


@every_lab
def test_every_state_and_result_is_synced(lab):
    widget = lab()
    assert {*widget.state, *widget.compute(), "start"} <= set(widget.keys)
    assert widget.start == widget.state


@every_lab
def test_results_cannot_be_set(lab):
    widget = lab()
    for name in widget.compute():
        with pytest.raises(Exception, match="read-only"):
            setattr(widget, name, 0.0)
        with pytest.raises(TypeError, match=f"{lab.__name__} takes .* got {name}"):
            lab(**{name: 0.0})


@every_lab
def test_an_unknown_argument_is_refused(lab):
    with pytest.raises(TypeError, match=f"{lab.__name__} takes .* got lodgits"):
        lab(lodgits=[1.0])


@every_lab
def test_numbers_beyond_their_bounds_are_refused_at_once(lab):
    widget = lab()
    for name, trait in traits(lab, Number):
        before = getattr(widget, name)
        for value in (trait.low - 1, trait.high + 1):
            with pytest.raises(ValueError, match=re.escape(f"{name} must lie in [{trait.low}, {trait.high}], got")):
                setattr(widget, name, value)
        with pytest.raises(ValueError, match=f"{name} must be finite, got nan"):
            setattr(widget, name, float("nan"))
        with pytest.raises(TypeError, match=f"{name} must be a number, got str"):
            lab(**{name: "1"})
        assert getattr(widget, name) == before


@every_lab
def test_lists_of_a_wrong_length_or_kind_are_refused_at_once(lab):
    for name, trait in traits(lab, Numbers):
        widget = lab()
        good = getattr(widget, name)
        wanted = f"{trait.fewest}" if trait.fewest == trait.most else f"{trait.fewest} to {trait.most}"
        with pytest.raises(ValueError, match=f"{name} must hold {wanted} numbers, got"):
            setattr(widget, name, good[:1] * (trait.most + 1))
        with pytest.raises(ValueError, match=re.escape(f"{name}[0] must lie in [{trait.low}, {trait.high}], got")):
            setattr(widget, name, [trait.high + 1.0, *good[1:]])
        with pytest.raises(TypeError, match=f"{name} must be a sequence of numbers, got str"):
            setattr(widget, name, "2.0")
        with pytest.raises(TypeError, match=re.escape(f"{name}[0] must be a number, got str")):
            setattr(widget, name, ["2.0", *good[1:]])
        assert getattr(widget, name) == good


@every_lab
def test_two_labs_of_one_state_show_the_same(lab):
    first, second = data(lab()), data(lab())
    # The view names its model, which is another each time; nbval and theme/notebooks.py leave it out.
    assert first.pop("application/vnd.jupyter.widget-view+json") != second.pop(
        "application/vnd.jupyter.widget-view+json"
    )
    assert first == second
    assert set(first) == {"text/plain", "text/html"}


@every_lab
def test_the_html_carries_the_state_and_a_table(lab):
    widget = lab()
    page = BeautifulSoup(data(widget)["text/html"], "html.parser")
    (root,) = page.select(f'.ce-lab[data-widget="{lab.topic}"]')
    (state,) = root.select('script[type="application/json"]')
    assert json.loads(state.string) == widget.state
    (table,) = root.select("table")
    assert table.caption.get_text()
    header = table.select("thead th")
    rows = table.select("tbody tr")
    assert rows
    assert all(len(row.find_all(["th", "td"])) == len(header) for row in rows)


@every_lab
def test_the_html_makes_no_request_and_uses_no_id(lab):
    html = data(lab())["text/html"]
    assert not re.search(r"\b(src|href|id|style|on\w+)=", html)


def test_a_state_cannot_end_its_script_element():
    class Named(Lab):
        topic = "named"

        @property
        def state(self):
            return {"name": "</script><b>"}

        def compute(self):
            return {}

        def table(self):
            return "<caption>", ["<head>"], [["<cell>"]]

    html = data(Named())["text/html"]
    assert "</script><b>" not in html
    assert "<cell>" not in html
    assert json.loads(BeautifulSoup(html, "html.parser").script.string) == {"name": "</script><b>"}


@every_lab
def test_text_names_the_constructor_call(lab):
    widget = lab()
    first = data(widget)["text/plain"].splitlines()[0]
    assert first == repr(widget)
    assert eval(first, {lab.__name__: lab}).state == widget.state


@every_lab
def test_composes_with_ipywidgets(lab):
    one, other = lab(), lab()
    ipywidgets.VBox([one, other])
    for name, trait in traits(lab, Number):
        ipywidgets.link((one, name), (other, name))
        setattr(one, name, trait.high)
        assert getattr(other, name) == trait.high
        # Their text, because NaN is not equal to itself.
        assert repr(other.compute()) == repr({key: getattr(other, key) for key in other.compute()})


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.topic)
def test_the_notebook_runs_its_bundle(shown):
    widget = shown("softmax") if shown is crossentropy.widgets.Quiz else shown()
    assert widget._esm == (STATIC / f"{shown.topic}.js").read_text(encoding="utf8")
    assert widget._css == (STATIC / "labs.css").read_text(encoding="utf8")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    sources = json.loads(node(str(WIDGETS / "js" / "build.mjs"), str(folder)))
    return folder, sources


def test_the_bundles_are_what_the_sources_give(rebuilt):
    folder, _ = rebuilt
    expected = {path.name: path.read_bytes() for path in folder.iterdir()}
    stored = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert stored.keys() == expected.keys()
    stale = [name for name in stored if stored[name] != expected[name]]
    assert not stale, f"{stale} differ from their sources: run `make widgets`"


def test_both_hosts_run_the_same_code(rebuilt):
    _, sources = rebuilt
    topics = {f"{shown.topic}.js" for shown in SHOWN}
    assert topics == set(sources) - {"labs.js", "labs.css"}
    for bundle in topics:
        assert bundle in sources[bundle]
        assert set(sources[bundle]) <= set(sources["labs.js"])
    # The static page adds its host and the list of labs, nothing of any lab.
    everything = set().union(*(sources[bundle] for bundle in topics))
    assert set(sources["labs.js"]) - everything == {"static.js", "labs.js"}


def test_all_labs_together_stay_small():
    size = sum(len(gzip.compress((STATIC / name).read_bytes())) for name in ("labs.js", "labs.css"))
    assert size < 60_000, f"{size} bytes, compressed"


def test_the_sources_use_no_ids_and_force_nothing():
    for path in (WIDGETS / "js").iterdir():
        source = path.read_text(encoding="utf8")
        assert "!important" not in source, path.name
        assert not re.search(r"\bid:|\.id\b|getElementById|innerHTML", source), path.name
        if path.suffix == ".js":
            assert source.startswith("// @ts-check\n"), path.name


def test_the_sources_keep_to_their_types():
    flags = "--noEmit --allowJs --checkJs --strict --skipLibCheck --target es2022 --lib es2022,dom,dom.iterable --module nodenext"
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    node(str(compiler), *flags.split(), str(WIDGETS / "js" / "static.js"))


def test_the_package_ships_the_bundles():
    assert '"widgets/static/*"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "slack", "moves"),
    [
        (0.317, math.inf, 0, True),
        (math.inf, 0.271, 0, True),
        (math.inf, math.inf, 0, False),
        (9.4e-14, 4.25e-18, 0, True),
        (3.1e-17, 1.8e-14, 0, True),
        (0.25, 0.25 + 1e-13, 0, False),
        (0.0, 5e-16, 1e-15, False),
        (0.0, 5e-16, 0, True),
    ],
)
def test_a_mark_knows_movement_from_rounding(before, after, slack, moves):
    code = f"""
    globalThis.document = {{}};
    const {{ compare }} = await import({json.dumps((WIDGETS / "js" / "frame.js").as_uri())});
    const read = (x) => ({{ loss: Number(x) }});
    console.log(JSON.stringify(compare(read({json.dumps(str(before).replace("inf", "Infinity"))}), read({json.dumps(str(after).replace("inf", "Infinity"))}), {slack})));
    """
    found = json.loads(node("--input-type=module", "-e", code))
    rises, falls = moves and after > before, moves and after < before
    assert found == {"rose": ["loss"] * rises, "fell": ["loss"] * falls, "moved": [], "stayed": ["loss"] * (not moves)}


@pytest.mark.parametrize(
    ("typed", "read"),
    [("0,5", "0.5"), ("−2", "-2"), ("1.234,5", "1234.5"), ("1,234.5", "1234.5"), ("1 000", "1000"), ("1e-3", "1e-3")],
)
def test_numbers_are_read_as_written_anywhere(typed, read):
    code = f"const {{ plainNumber }} = await import({json.dumps((WIDGETS / 'js' / 'dom.js').as_uri())}); console.log(plainNumber({json.dumps(typed)}));"
    assert node("--input-type=module", "-e", code).strip() == read


NUMBERS = [0, 1, -1, 0.317, -0.0004, 9.996e-4, 1e-3, 99999.4, 1e5, 3.58e-29, -1.5e300, math.inf, -math.inf, math.nan]


def test_python_shows_a_number_as_the_page_does():
    code = f"""
    const {{ show }} = await import({json.dumps((WIDGETS / "js" / "dom.js").as_uri())});
    console.log(JSON.stringify({json.dumps([str(x).replace("inf", "Infinity") for x in NUMBERS])}.map((x) => show(Number(x)))));
    """
    assert [show(float(x)) for x in NUMBERS] == json.loads(node("--input-type=module", "-e", code))


@pytest.mark.parametrize("p", [0.5, 0.9994, 0.9995, 1 - 1e-9, 1.0])
def test_no_probability_of_a_softmax_is_shown_as_one(p):
    code = f"const {{ chance }} = await import({json.dumps((WIDGETS / 'js' / 'dom.js').as_uri())}); console.log(chance({p!r}));"
    shown = node("--input-type=module", "-e", code).strip()
    assert shown == ("> 0.999" if p >= 0.9995 else f"{p:.3f}")


@pytest.mark.parametrize("lab", Lab.__subclasses__(), ids=lambda lab: lab.topic)
def test_a_lab_has_one_name_in_both_places(lab):
    source = (WIDGETS / "js" / f"{lab.topic}.js").read_text(encoding="utf8")
    assert f'label: "{lab.title}",' in source
    assert f"<caption>{lab.title}. " in lab().to_html()


def test_a_list_of_a_lab_is_assigned_whole():
    lab = crossentropy.widgets.GradientLab()
    for change in (
        lambda: lab.logits.__setitem__(0, -5.0),
        lambda: lab.logits.append(1.0),
        lambda: lab.probability.sort(),
        lambda: lab.logits.__iadd__([1.0]),
    ):
        with pytest.raises(TypeError, match="assign a new list"):
            change()
    before = lab.loss
    changed = copy.deepcopy(lab.logits)
    changed[0] = -5.0
    assert lab.logits == [2.0, 0.5, 0.1]
    assert lab.loss == before
    lab.logits = changed
    assert lab.loss > before + 5


def test_scalars_of_torch_and_numpy_are_numbers():
    lab = crossentropy.widgets.GradientLab(learning_rate=numpy.float32(0.5), steps=numpy.int64(3))
    assert (lab.learning_rate, lab.steps) == (0.5, 3)
    lab.learning_rate = torch.tensor(0.25)
    lab.logits = [numpy.float32(1), torch.tensor(2), 3]
    assert (lab.learning_rate, lab.logits) == (0.25, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="weight must hold 6 numbers, got 2"):
        crossentropy.widgets.LikelihoodLab(weight=torch.zeros(2, 3))
    with pytest.raises(TypeError, match="steps must be an int, got float"):
        lab.steps = numpy.float64(3)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.25, "0.25"),
        (-2.06115e-9, "-0.00000000206115"),
        (5.9868e-8, "0.000000059868"),
        (0, "0"),
        (1e-30, "0"),
        (1000, "1000"),
    ],
)
def test_a_number_field_hides_no_exponent(x, text):
    code = f"const {{ written }} = await import({json.dumps((WIDGETS / 'js' / 'dom.js').as_uri())}); console.log(written({x!r}));"
    shown = node("--input-type=module", "-e", code).strip()
    assert "e" not in shown
    assert abs(float(shown) - x) <= 1e-24
    assert shown.startswith(text)

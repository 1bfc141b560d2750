"""Every lab in the built page, over http and from a folder: it lives, it is right, and everybody can use it."""

import contextlib
import io
import itertools
import json
import math
import re
from urllib.parse import quote

import pytest
from labs import assert_right, cases, controls, results, type_into
from visitor import ROOT

from javascript import assert_agree

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SCHEMES = ["http", "file"]
every_lab = pytest.mark.parametrize("case", cases(), ids=lambda case: case.lab.topic)
# A gesture knows nothing of the address: each lab gets it once, every second one from a folder.
every_lab_from_either = pytest.mark.parametrize(
    ("case", "scheme"),
    [
        pytest.param(case, scheme, id=f"{case.lab.topic}-{scheme}")
        for case, scheme in zip(cases(), itertools.cycle(SCHEMES), strict=False)
    ],
)


def same(old, new):
    old, new = (value if isinstance(value, list) else [value] for value in (old, new))
    # Entries that only one of the two has are neither moved nor still.
    pairs = list(zip(old, new, strict=False))
    return all(a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)) for a, b in pairs)


def assert_changed(case, root, before, change):
    after = results(root)
    moved = {quantity for quantity in after if not same(before[quantity], after[quantity])}
    assert change.moves <= moved
    assert not change.stays & moved
    assert_right(case, root)


def fragment(case, state):
    """The part of an address that names this state."""
    values = ((name, v if isinstance(v, list) else [v]) for name, v in state.items())
    return "#" + "&".join(f"{case.lab.topic}.{name}={','.join(quote(str(v)) for v in vs)}" for name, vs in values)


@pytest.fixture
def open_lab(visitor, origins):
    def open_lab(case, scheme="http", light=True, **options):
        page = visitor.open(f"{origins[scheme]}{case.page}", light=light, **options)
        root = page.locator(f'[data-widget="{case.lab.topic}"]').first
        if options.get("scripts", True):
            page.locator(f'[data-widget="{case.lab.topic}"][data-ready="true"]').first.wait_for()
        return page, root

    return open_lab


def follow(page, case, state):
    """Follow a link to this state of the lab."""
    page.evaluate("hash => { location.hash = hash }", fragment(case, state))
    # The event that tells the page of it comes later.
    page.wait_for_timeout(50)
    until_still(page.locator("body"))


def states(page, case, root):
    """Bring the lab into each of the states that the case names, the first one and a changed one among them."""
    yield {}
    alter(case, root)
    yield {"altered": True}
    for state in case.states:
        root.locator('[name="reset"]').click()
        follow(page, case, state)
        assert_right(case, root)
        yield state


def control(root, name):
    """The control of that name; of several the second."""
    found = root.locator(f'[name="{name}"]')
    return found.nth(1 if found.count() > 1 else 0)


def sliders(case, root):
    return [(name, control(root, f"{name}-slider")) for name in case.controls if root.locator(f'[name="{name}-slider"]').count()]  # fmt: skip


def centre(box, fraction=0.5):
    return box["x"] + fraction * box["width"], box["y"] + box["height"] / 2


@pytest.mark.parametrize("scheme", SCHEMES)
@every_lab
def test_becomes_ready_with_torchs_numbers(case, scheme, open_lab):
    _, root = open_lab(case, scheme, light=False)
    assert_right(case, root)
    assert set(case.controls) <= controls(root).keys()


@every_lab
def test_every_control_has_a_name_of_its_own_and_a_label(case, open_lab):
    _, root = open_lab(case)
    keys = root.evaluate(
        """root => [...root.querySelectorAll("input, select, button")].map((c) =>
             [c.name, c.dataset.index ?? "", c.labels?.[0]?.textContent || c.ariaLabel || c.textContent])"""
    )
    assert all(name and label.strip() for name, _, label in keys)
    assert len({(name, index) for name, index, _ in keys}) == len(keys)
    assert root.locator("[id]").count() == 0
    outputs = root.evaluate(
        "root => [...root.querySelectorAll('output')].map((o) => o.labels[0]?.textContent || o.ariaLabel || '')"
    )
    assert all(map(str.strip, outputs))


@pytest.mark.parametrize("scheme", SCHEMES)
@every_lab
def test_typed_numbers_count_in_full(case, scheme, open_lab):
    _, root = open_lab(case, scheme)
    for name, change in case.controls.items():
        box = control(root, name)
        if box.get_attribute("type") != "number":
            continue
        low, high = (float(box.get_attribute(bound)) for bound in ("min", "max"))
        between = (0.123456789012345 * high + 0.876543210987655 * low, min(high, 1.2345678901234567))
        for value in (low, high, *between):
            value = round(value) if box.get_attribute("step") == "1" else value
            box.fill(repr(value))
            assert float(box.input_value()) == value
            assert_right(case, root)
        before = results(root)
        box.fill(repr((1.5 if high > 1.5 else (low + high) / 2) if box.get_attribute("step") == "any" else round(high)))
        box.press("Enter")
        assert_changed(case, root, before, change)


@every_lab
def test_what_is_no_number_within_the_bounds_is_refused(case, open_lab):
    _, root = open_lab(case)
    for name in case.controls:
        box = control(root, name)
        if box.get_attribute("type") != "number":
            continue
        first, before = box.input_value(), results(root)
        box.fill("")
        assert box.get_attribute("aria-invalid") == "true"
        assert repr(results(root)) == repr(before)
        box.blur()
        assert box.input_value() == first
        assert box.get_attribute("aria-invalid") is None
        high = float(box.get_attribute("max"))
        box.fill(repr(2 * high + 1))
        assert box.get_attribute("aria-invalid") == "true"
        assert repr(results(root)) == repr(before)
        box.blur()
        assert float(box.input_value()) == high
        assert_right(case, root)


@every_lab_from_either
def test_every_slider_obeys_the_mouse(case, scheme, open_lab):
    page, root = open_lab(case, scheme)
    for name, slider in sliders(case, root):
        before = results(root)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        page.mouse.move(*centre(box))
        page.mouse.down()
        for fraction in (0.6, 0.7, 0.8):
            page.mouse.move(*centre(box, fraction))
            assert_right(case, root)
        page.mouse.up()
        assert_changed(case, root, before, case.controls[name])


@every_lab_from_either
def test_every_slider_obeys_a_finger(case, scheme, open_lab):
    page, root = open_lab(case, scheme, width=360, touch=True)
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    for name, slider in sliders(case, root):
        slider.evaluate("slider => slider.scrollIntoView({ block: 'center' })")
        before = results(root)
        box = slider.bounding_box()
        page.touchscreen.tap(*centre(box, 0.2))
        assert_changed(case, root, before, case.controls[name])
        before = results(root)
        touch("touchStart", centre(box, 0.2))
        for fraction in (0.4, 0.6, 0.9):
            touch("touchMove", centre(box, fraction))
        touch("touchEnd")
        assert_changed(case, root, before, case.controls[name])


@every_lab_from_either
def test_every_slider_obeys_the_keyboard(case, scheme, open_lab):
    _, root = open_lab(case, scheme)
    for name, slider in sliders(case, root):
        values = []
        # From the middle each key leads somewhere.
        slider.click()
        for key in ("ArrowRight", "ArrowUp", "PageDown", "Home", "ArrowRight", "End", "ArrowLeft"):
            before, old = results(root), slider.input_value()
            slider.press(key)
            values.append(float(slider.input_value()))
            assert slider.input_value() != old
            # At an end of the scale a step may be too small to see.
            assert_right(case, root)
            assert not {q for q in case.controls[name].stays if not same(before[q], results(root)[q])}
        assert values[3] == float(slider.get_attribute("min"))
        assert values[5] == float(slider.get_attribute("max"))


@every_lab_from_either
def test_every_choice_can_be_made(case, scheme, open_lab):
    _, root = open_lab(case, scheme)
    for name in case.controls:
        select = control(root, name)
        if select.evaluate("c => c.tagName") != "SELECT":
            continue
        for value in select.evaluate("c => [...c.options].map((o) => o.value)"):
            select.select_option(value)
            assert_right(case, root)
        select.press("Home")
        assert_right(case, root)
        before = results(root)
        select.press("ArrowDown")
        assert_changed(case, root, before, case.controls[name])


@pytest.mark.parametrize("means", ["mouse", "touch", "Enter", "Space"])
@every_lab
def test_every_button_obeys(case, means, open_lab):
    _, root = open_lab(case, touch=means == "touch")
    for name, change in case.buttons.items():
        button, before = control(root, name), results(root)
        if means == "mouse":
            button.click()
        elif means == "touch":
            button.tap()
        else:
            button.press(means)
        until_still(root)
        assert_changed(case, root, before, change)


def alter(case, root):
    """Another value in every number control."""
    for name in case.controls:
        box = control(root, name)
        if box.get_attribute("type") == "number":
            low, high = float(box.get_attribute("min")), float(box.get_attribute("max"))
            value = min(max(0.7123456789, low), high)
            box.fill(repr(round(value) if box.get_attribute("step") == "1" else value))
    press_one(case, root)


def press_one(case, root):
    for name in case.buttons:
        if control(root, name).is_enabled():
            control(root, name).click()
            until_still(root)
            return


def until_still(root):
    """Wait until what the button has started is over."""
    root.locator('[aria-busy="true"]').wait_for(state="detached")


@pytest.mark.parametrize("scheme", SCHEMES)
@every_lab
def test_the_address_keeps_the_state(case, scheme, open_lab, visitor):
    page, root = open_lab(case, scheme)
    length = page.evaluate("history.length")
    alter(case, root)
    # The page writes its address once it has been left alone.
    page.wait_for_timeout(500)
    page.wait_for_url(re.compile(f"#{case.lab.topic}\\."))
    # The last change reaches the address a moment later.
    page.wait_for_timeout(500)
    assert page.evaluate("history.length") == length
    again = visitor.open(page.url, light=True)
    other = again.locator(f'[data-widget="{case.lab.topic}"][data-ready="true"]').first
    other.wait_for()
    assert controls(other) == controls(root)
    assert results(other) == results(root)
    assert other.evaluate("root => root.getBoundingClientRect().top < innerHeight")


@every_lab
def test_a_followed_link_changes_the_lab_in_place(case, open_lab):
    page, root = open_lab(case)
    for state in case.states:
        before = controls(root)
        follow(page, case, state)
        assert controls(root) != before
        assert_right(case, root)


@every_lab
def test_a_broken_address_breaks_nothing(case, open_lab):
    page, root = open_lab(case)
    names = [*case.lab().state, "nothing", "constructor"]
    for nonsense in ("", "%", "%zz", "%E0%A4%A", "x", "9e99", "-9e99", "NaN", "1,", ",,,", ",".join("1" * 99)):
        hash_ = "&".join(f"{case.lab.topic}.{name}={nonsense}" for name in names)
        page.evaluate("hash => { location.hash = hash }", hash_)
        page.wait_for_timeout(50)
        assert_right(case, root)
        outside = root.evaluate(
            """root => [...root.querySelectorAll("input[type=number]")]
                 .filter((c) => c.value === "" || c.valueAsNumber < Number(c.min) || c.valueAsNumber > Number(c.max)).map((c) => c.name)"""
        )
        assert outside == [], nonsense


@every_lab
def test_an_anchor_is_left_alone(case, open_lab):
    page, root = open_lab(case)
    before = controls(root)
    anchor = page.locator("section[id]").first.get_attribute("id")
    page.evaluate("anchor => { location.hash = anchor }", anchor)
    page.wait_for_timeout(400)
    assert page.evaluate("location.hash") == f"#{anchor}"
    assert controls(root) == before


@every_lab
def test_reset_leads_back_to_the_start(case, open_lab):
    page, root = open_lab(case)
    first = controls(root), results(root)
    alter(case, root)
    assert controls(root) != first[0]
    page.wait_for_url(re.compile("#"))
    root.locator('[name="reset"]').press("Enter")
    assert (controls(root), results(root)) == first
    page.wait_for_url(lambda url: "#" not in url)


def run(code):
    """What Python prints for the code: {quantity: number or list}."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "copied", "exec"), {})
    lines = (line.partition(" ") for line in out.getvalue().splitlines())
    return {name: eval(value, {"inf": math.inf, "nan": math.nan}) for name, _, value in lines}


@every_lab
def test_the_copied_code_prints_the_same_numbers(case, open_lab):
    page, root = open_lab(case)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    status = root.locator("[role=status]")
    for _ in states(page, case, root):
        # The announcement of the state comes late, and would write over "Copied.".
        page.wait_for_timeout(800)
        status.evaluate("status => { status.textContent = '' }")
        root.locator('[name="copy"]').click()
        page.wait_for_function("status => status.textContent === 'Copied.'", arg=status.element_handle())
        code = page.evaluate("navigator.clipboard.readText()")
        assert code == root.locator("pre code").text_content()
        printed, shown = run(code), results(root)
        assert printed.keys() == shown.keys() - case.only_shown
        for quantity, value in printed.items():
            if isinstance(value, str):
                assert shown[quantity] == value
            else:
                assert_agree(shown[quantity], value, case.tolerance(controls(root)))


@every_lab
def test_the_code_is_shown_where_copying_is_refused(case, open_lab):
    refusal = "document.execCommand = () => false; Object.defineProperty(navigator, 'clipboard', { value: undefined });"
    _, root = open_lab(case, before=refusal)
    assert not root.locator("pre code").is_visible()
    root.locator('[name="copy"]').press("Enter")
    root.locator("pre code").wait_for()
    assert "not" in root.locator("[role=status]").text_content() or "no" in root.locator("[role=status]").text_content()


@every_lab
def test_a_change_is_announced_once(case, open_lab):
    page, root = open_lab(case)
    root.evaluate(
        """root => {
          globalThis.said = [];
          for (const region of root.querySelectorAll("[role=status], [aria-live=polite], [aria-live=assertive], output")) {
            if (region.getAttribute("aria-live") === "off") continue;
            new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
          }
        }"""
    )
    name, slider = sliders(case, root)[0]
    for _ in range(5):
        slider.press("ArrowRight")
    page.wait_for_timeout(1000)
    assert len(page.evaluate("said")) == 1, f"after {name}"
    assert page.evaluate("said")[0] == root.locator(".ce-summary").text_content()


@every_lab
def test_axe_finds_nothing(case, open_lab):
    page, root = open_lab(case)
    page.evaluate(AXE)
    root.locator("details").evaluate_all("all => all.forEach((details) => { details.open = true })")
    for state in states(page, case, root):
        number = root.locator('input[type="number"]').first
        if state and number.count():
            number.fill("")
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            # What fades from one theme to the other has no contrast of its own.
            page.wait_for_timeout(300)
            report = page.evaluate("root => axe.run(root, { resultTypes: ['violations'] })", root.element_handle())
            found = [f"{v['id']}: {v['nodes'][0]['html']}" for v in report["violations"]]
            assert found == [], f"{theme}, {state}"
            assert report["passes"]


@every_lab
def test_nothing_scrolls_sideways(case, open_lab):
    # 600 is a window of 1200 at 200 % zoom.
    page, root = open_lab(case, light=False)
    root.locator("details").evaluate_all("all => all.forEach((details) => { details.open = true })")
    for state in states(page, case, root):
        for width in (1200, 600, 360, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, f"{width}, {state}"
            over = root.evaluate(
                """root => [...root.querySelectorAll("*")]
                     .filter((e) => e.getClientRects().length && !e.closest(".ce-live"))
                     .filter((e) => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
                     .map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert over == [], f"{width}, {state}"


@every_lab
def test_targets_are_large_enough(case, open_lab):
    _, root = open_lab(case, width=360)
    small = root.evaluate(
        """root => [...root.querySelectorAll("input, select, button, summary")]
             .map((e) => [e.name ?? e.tagName, e.getBoundingClientRect()])
             .filter(([, r]) => r.width < 24 || r.height < 24).map(([name, r]) => [name, r.width, r.height])"""
    )
    assert small == []


@pytest.mark.parametrize("scripts", [True, False])
@every_lab
def test_paper_and_readers_without_script_get_the_starting_table(case, scripts, open_lab):
    page, root = open_lab(case, scripts=scripts, light=False)
    if scripts:
        assert not root.locator("table.ce-start").is_visible()
        page.emulate_media(media="print")
    assert root.locator("table.ce-start").is_visible()
    assert not root.locator("input, button").first.is_visible()
    _, header, rows = case.lab().table()
    shown = root.locator("table.ce-start tr").all_inner_texts()
    assert [row.split("\t") for row in shown] == [header, *rows]


@every_lab
def test_the_page_loads_the_labs_once(case, open_lab):
    page, _ = open_lab(case, light=False)
    urls = page.evaluate("performance.getEntriesByType('resource').map((r) => r.name)")
    assert len([url for url in urls if "labs.js" in url]) == 1
    assert len([url for url in urls if "labs.css" in url]) == 1
    for name in ("labs.js", "labs.css"):
        stored = ROOT / "code" / "crossentropy" / "widgets" / "static" / name
        assert (ROOT / "_build" / "html" / "_static" / "labs" / name).read_bytes() == stored.read_bytes()
    # What a notebook would need to wake its widgets stays out of the page.
    assert "widget-state" not in page.content()


def test_a_page_without_a_lab_loads_none(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/index.html")
    assert "labs/labs" not in page.content()


def test_every_lab_is_driven():
    import crossentropy.widgets

    # The quiz is no lab: see test_quiz.py.
    assert sorted(case.lab.__name__ for case in cases()) == sorted({*crossentropy.widgets.__all__} - {"Quiz"})


def test_states_are_json():
    for case in cases():
        for state in case.states:
            case.lab(**json.loads(json.dumps(state)))


SOFTMAX = next(case for case in cases() if case.lab.topic == "softmax")


def test_the_visit_keeps_the_state_past_anchors_reloads_and_back(open_lab):
    page, root = open_lab(SOFTMAX)
    shift = root.locator('input[name="shift"]')
    anchor = page.locator("section[id]").nth(1).get_attribute("id")
    shift.fill("5")
    shift.blur()
    page.wait_for_url("**#softmax.shift=5")
    # A heading's own link takes the place of the state in the address.
    page.evaluate("anchor => { location.hash = anchor }", anchor)
    page.wait_for_function("history.state?.labs === 'softmax.shift=5'")
    page.reload()
    root.and_(page.locator('[data-ready="true"]')).wait_for()
    assert shift.input_value() == "5"
    page.evaluate("scrollTo(0, 0)")
    page.evaluate("location.hash = 'softmax.temperature=0.5'")
    page.wait_for_function("document.querySelector('input[name=temperature]').value === '0.5'")
    # The lab that a link names comes into view.
    page.wait_for_function("scrollY > 0")
    page.go_back()
    page.wait_for_function("document.querySelector('input[name=temperature]').value === '1'")
    assert shift.input_value() == "5"


def test_back_to_the_plain_page_leads_back_to_the_start(open_lab):
    page, _ = open_lab(SOFTMAX)
    page.evaluate("location.hash = 'softmax.shift=5'")
    page.wait_for_function("document.querySelector('input[name=shift]').value === '5'")
    page.go_back()
    page.wait_for_function("document.querySelector('input[name=shift]').value === '0'")
    assert "#" not in page.url


def test_a_state_that_never_rests_reaches_the_address_all_the_same(open_lab):
    page, _ = open_lab(SOFTMAX)
    page.evaluate(
        """() => { const box = document.querySelector('input[name="shift-slider"]'); let k = 0;
             setInterval(() => { box.value = ++k % 7 + 1; box.dispatchEvent(new Event("input", { bubbles: true })); }, 20); }"""
    )
    page.wait_for_url("**#softmax.shift=*", timeout=5000)


def test_a_number_field_takes_a_decimal_comma_steps_as_its_slider_and_says_what_it_refuses(open_lab):
    page, root = open_lab(SOFTMAX)
    box = root.locator('input[name="logit"][data-index="1"]')
    for typed, value in (("0,5", 0.5), ("−1,25", -1.25), ("3.5", 3.5)):
        box.fill("")
        box.press_sequentially(typed)
        assert float(box.input_value()) == value
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('−2,75')")
    box.fill("")
    box.press("ControlOrMeta+v")
    assert float(box.input_value()) == -2.75
    box.press("ArrowUp")
    assert float(box.input_value()) == -2.65
    box.press("ArrowDown")
    box.press("ArrowDown")
    assert float(box.input_value()) == -2.85
    assert_right(SOFTMAX, root)
    reason = root.locator(".ce-reason")
    assert reason.count() == 0
    box.fill("5000")
    assert reason.inner_text() == "from −1000 to 1000"
    box.blur()
    assert box.input_value() == "1000"
    assert reason.count() == 1
    box.fill("1")
    assert reason.count() == 0


def test_back_leads_to_where_the_reader_was(open_lab):
    page, root = open_lab(SOFTMAX)
    type_into(root, "shift", "5")
    page.wait_for_url("**#softmax.shift=5")
    page.evaluate("scrollTo({ top: 300, behavior: 'instant' })")
    page.wait_for_timeout(200)
    page.evaluate("location.hash = 'prop-shift'")
    page.wait_for_function("scrollY !== 300")
    page.go_back()
    page.wait_for_function("Math.abs(scrollY - 300) < 2")
    assert root.locator('[name="shift"]').input_value() == "5"


def test_a_number_that_has_only_been_begun_is_not_refused_at_once(open_lab):
    _, root = open_lab(SOFTMAX)
    box = root.locator('input[name="logit"][data-index="1"]')
    box.select_text()
    box.press_sequentially("-3", delay=60)
    assert root.locator(".ce-reason").count() == 0
    assert box.get_attribute("aria-invalid") is None
    assert root.locator(".ce-live").text_content() == ""
    box.select_text()
    box.press("-")
    root.locator(".ce-reason").wait_for()
    box.blur()
    assert box.input_value() == "-3"


def test_a_whole_number_moves_with_every_key(open_lab):
    likelihood = next(case for case in cases() if case.lab.topic == "likelihood")
    _, root = open_lab(likelihood)
    type_into(root, "samples", "2")
    slider = root.locator('[name="samples-slider"]')
    shown = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowLeft", "ArrowLeft"):
        slider.press(key)
        shown.append(root.locator('[name="samples"]').input_value())
    assert shown == ["3", "4", "3", "2", "1", "1"]
    type_into(root, "samples", "4000")
    slider.press("ArrowRight")
    assert int(root.locator('[name="samples"]').input_value()) > 4001


@pytest.mark.parametrize("topic", ["softmax", "interfaces"])
def test_longer_numbers_push_no_slider(topic, open_lab):
    case = next(case for case in cases() if case.lab.topic == topic)
    state = {"input_kind": "probabilities", "interface": "NLLLoss"} if topic == "interfaces" else {}
    page, root = open_lab(case, width=360)
    page.evaluate("hash => { location.hash = hash }", fragment(case, state))
    sliders_ = root.locator('[name="logit-slider"]')

    def tops():
        return sliders_.evaluate_all(
            "all => all.map((s) => s.getBoundingClientRect().top - all[0].getBoundingClientRect().top)"
        )

    before = tops()
    type_into(root, "logit", "12.5", index=2)
    assert tops() == before
    type_into(root, "logit", "-12.5", index=0)
    assert tops() == before

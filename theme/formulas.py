"""KaTeX's formulas, made lean: a long chapter holds hundreds, and they are half of its weight.

Both forms stay, MathML for the screen reader and spans for the eye. What goes is the source, the names without a style,
digits that nobody sees, and long words for what is said thousands of times; the stylesheet is rewritten with them.
"""

import re

# KaTeX names what each part of a formula is; only some of the names have a style. Right after a strut even those count.
NAMED = re.compile(r'<span class="m(?:ord|op|open|close|rel|bin|punct|inner)(?: mtight)?">')
# The depth of a subscript, for which a line has room.
SHALLOW = re.compile(
    r'(<span class="vlist-s">\u200b</span></span>)<span class="vlist-r">'
    r'<span class="vlist" style="height:0\.[0-2]\d*em;"><span></span></span></span>'
)
# A line of text is higher than these, which would hold it open.
LOW_STRUT = re.compile(r'<span class="strut" style="height:(?:0\.\d+|1)em;(?:vertical-align:-0\.[0-2]\d*em;)?"></span>')
# A subscript or superscript with nothing stacked in it is what HTML has elements for.
SCRIPT = re.compile(
    r'<span class="msupsub"><span class="vlist-t(?: vlist-t2)?"><span class="vlist-r"><span class="vlist" style="height:[^"]*">'
    r'<span style="top:-(?P<top>[\d.]+)em;(?:margin-left:(?P<back>-?[\d.]+)em;)?margin-right:0\.05em;"><span class="pstrut" style="height:2\.7em;"></span>'
    r'<span class="sizing reset-size6 size3(?: mtight)?">(?P<text>(?:[^<]|<span[^>]*>[^<]*</span>)*)</span></span></span>'
    r'(?:<span class="vlist-s">\u200b</span>)?</span></span></span>'
)
SCRIPT_SIZE, SCRIPT_STRUT = 0.7, 2.7
#: KaTeX's usual places of a script, in em of its line; any other stands in the element's own style.
LOW, HIGH = -0.15, 0.363
# What MathML says of looks, and a screen reader does not.
LOOKS = re.compile(
    r" (?:stretchy|fence|separator|lspace|rspace|mathvariant|columnalign|columnspacing|rowspacing|minsize|maxsize|width|height"
    r'|voffset|depth|accent|accentunder|scriptlevel|displaystyle)="(?!bold|double-struck|script|fraktur)[^"]*"'
)

#: KaTeX's class, and what it is called here.
SHORT = {
    "vlist-t2": "v2",
    "vlist-t": "vt",
    "vlist-r": "vr",
    "vlist-s": "vs",
    "vlist": "v",
    "pstrut": "ps",
    "mathnormal": "mn",
    "msupsub": "ms",
    "mspace": "sp",
    "sizing": "z",
    "reset-size6": "r6",
    "size3": "s3",
    "strut": "st",
    "base": "bs",
}
WORD = re.compile(r"(?<![\w-])(?:" + "|".join(SHORT) + r")(?![\w-])")
#: Styles that come again and again, and the class that stands for each.
SPACES = {".16": "s1", ".22": "s2", ".27": "s4"}
STRUTS = {"2.5": "p1", "2.7": "p2", "3": "p3"}


def lean(html: str) -> str:
    """One formula, ``<span class="katex">...</span>``."""
    said, mark, seen = html.partition('<span class="katex-html"')
    said = re.sub(r"<semantics>(.*?)<annotation\b.*?</semantics>", r"\1", said, flags=re.DOTALL)
    said = LOOKS.sub("", said.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
    # A lone letter needs no row.
    # The root is a row by itself.
    said = re.sub(r"<math><mrow>((?:(?!</?mrow>).)*)</mrow></math>", r"<math>\1</math>", said)
    said = re.sub(r"<mrow>(<m([ion])>[^<]*</m\2>)</mrow>", r"\1", said)
    seen = SHALLOW.sub(r"\1", LOW_STRUT.sub("", seen))
    seen = re.sub(r'class="mord (math\w+)(?: mtight)?"', r'class="\1"', seen)
    return said + mark + shorten(SCRIPT.sub(script, without_names(seen)))


def script(match: re.Match[str]) -> str:
    """A lone subscript or superscript; lengths are in em of its own, smaller, letters."""
    rise = float(match["top"]) - SCRIPT_STRUT
    name = "sup" if rise > 0 else "sub"
    style = "" if abs(rise - (HIGH if rise > 0 else LOW)) < 1e-3 else f"vertical-align:{rise / SCRIPT_SIZE:.4f}em;"
    if float(match["back"] or 0):
        style += f"margin-left:{float(match['back']) / SCRIPT_SIZE:.4f}em;"
    return f'<{name} style="{style}">{match["text"]}</{name}>' if style else f"<{name}>{match['text']}</{name}>"


def without_names(html: str) -> str:
    """KaTeX's spans less those that neither hold a style nor a place."""
    out: list[str] = []
    kept: list[bool] = []
    after_strut = False
    for token in re.split(r"(<[^>]*>)", html):
        if token.startswith("<span"):
            kept.append(after_strut or not NAMED.fullmatch(token))
            if kept[-1]:
                out.append(token)
            after_strut = 'class="pstrut"' in token
        elif token == "</span>":
            # The last ones close what stands around this text.
            if not kept or kept.pop():
                out.append(token)
        elif token:
            out.append(token)
            after_strut = False
    return "".join(out)


def shorten(html: str) -> str:
    """Short classes, and lengths to a hundredth of an em, a sixth of a pixel."""
    html = re.sub(
        r'class="([^"]*)"',
        lambda match: 'class="' + WORD.sub(lambda word: SHORT[word[0]], match[1]).replace(" mtight", "") + '"',
        html,
    )
    html = re.sub(r"(\d\.\d\d)\d+em", r"\1em", html).replace("margin-left:0em;", "")
    html = re.sub(r"(?<=[:-])0(\.\d+em)", r"\1", html).replace('em;"', 'em"')
    html = re.sub(
        r'class="sp" style="margin-right:(\.\d+)em"',
        lambda match: f'class="sp {SPACES[match[1]]}"' if match[1] in SPACES else match[0],
        html,
    )
    # Variables are the commonest thing of all.
    html = re.sub(r'<span class="mn"((?: style="[^"]*")?)>([^<]*)</span>', r"<i\1>\2</i>", html)
    return re.sub(
        r'class="ps" style="height:([\d.]+)em"',
        lambda match: f'class="ps {STRUTS[match[1]]}"' if match[1] in STRUTS else match[0],
        html,
    )


def stylesheet(css: str) -> str:
    """KaTeX's stylesheet in the same words, with woff2 alone, which every browser that runs the site reads."""
    css = re.sub(r",url\([^)]+\.(?:woff|ttf)\) format\(\"[a-z]+\"\)", "", css)
    css = re.sub(r"\.([\w-]+)", lambda match: "." + SHORT.get(match[1], match[1]), css)
    # KaTeX's own lengths: thin, medium and thick.
    spaces = "".join(
        f".katex .sp.{name}{{margin-right:{length}em}}"
        for name, length in zip(SPACES.values(), ("0.1667", "0.2222", "0.2778"), strict=True)
    )
    scripts = (
        f".katex :is(sub,sup){{font-size:{SCRIPT_SIZE}em;line-height:0;margin-right:{0.05 / SCRIPT_SIZE:.4f}em}}"
        f".katex sub{{vertical-align:{LOW / SCRIPT_SIZE:.4f}em}}.katex sup{{vertical-align:{HIGH / SCRIPT_SIZE:.4f}em}}"
        ".katex i{font-family:KaTeX_Math;font-style:italic}"
    )
    return (
        css + scripts + spaces + "".join(f".katex .ps.{name}{{height:{height}em}}" for height, name in STRUTS.items())
    )

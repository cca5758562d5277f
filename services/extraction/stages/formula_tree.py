"""Words of one formula, where they stand → LaTeX: fractions, roots, scripts, limits and accents from geometry.

The rules follow how TeX sets formulas (The TeXbook, appendix G): scripts are smaller and shifted, a fraction has a bar
with what is above and below it, the bar of a root begins where its sign ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.extraction.stages.latex_symbols import ACCENTS, BIG, WITH_LIMITS, joined_latex, word_to_latex
from services.extraction.stages.words import Rule, Word

SMALLER = 0.88
"""A script's size over that of its base is no larger."""

MAX_DEPTH = 6

AXIS_EM = 0.25
"""Fraction bars and the middles of large signs stand so far above the baseline."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a formula as LaTeX, with its box. `name`: the sign or function that it is, where it is one."""

    tex: str
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    size: float
    name: str = ""
    spaced: bool = False

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def formula_latex(words: Sequence[Word], rules: Sequence[Rule]) -> str:
    """LaTeX for words that make one formula, and the horizontal lines among them."""
    nodes = [_node(word) for word in words]
    for bar in sorted(rules, key=lambda rule: rule.right - rule.left):
        nodes = _with_bar(nodes, bar)
    return _line(nodes, 0).strip()


def hangs(word: Word) -> bool:
    """Whether a glyph hangs from its baseline, as TeX's large signs and roots do."""
    return word.math and (word.text == "√" or word.bottom - word.baseline > 0.8 * (word.bottom - word.top))


def real_baseline(word: Word) -> float:
    """The baseline of the line that a glyph belongs to: large signs are centred on its axis, a root hangs above it."""
    if word.text == "√" and word.math:
        return word.baseline + 0.83 * word.size
    if word.math and (word.text in BIG or hangs(word)):
        return (word.top + word.bottom) / 2 + AXIS_EM * word.size
    return word.baseline


def _node(word: Word) -> Node:
    upright = not (word.italic or (word.math and not word.text.isascii()))
    name = word.text if len(word.text) == 1 else word.text.rstrip("(")
    tex = word_to_latex(word.text, upright, word.bold)
    return Node(tex, word.left, word.top, word.right, word.bottom, real_baseline(word), word.size, name, word.spaced)


def _with_bar(nodes: list[Node], bar: Rule) -> list[Node]:
    """A line with what belongs to it made one node: a root, or a fraction."""
    size = max((node.size for node in nodes), default=10.0)
    over = [node for node in nodes if bar.left - 1.5 <= node.middle <= bar.right + 1.5]
    sign = next((node for node in nodes if node.name == "√" and _begins_at(node, bar)), None)
    below = [node for node in over if node is not sign and 0 < node.baseline - bar.top <= 1.5 * size + _height(node)]
    if sign is not None and below:
        return _replaced(nodes, [sign, *below], f"\\sqrt{{{_line(below, 1)}}}", below, sign)
    above = [node for node in over if -1.3 * size - _height(node) <= node.baseline - bar.top <= 0]
    if above and below:
        tex = f"\\frac{{{_line(above, 1)}}}{{{_line(below, 1)}}}"
        small = all(node.size <= SMALLER * size for node in (*above, *below))
        whole = _replaced(nodes, [*above, *below], tex, None, None)
        node = whole.pop()
        top, bottom = min(one.top for one in above), max(one.bottom for one in below)
        real = max(one.size for one in (*above, *below))
        base = size if small and _has_base(whole, bar, size) else real
        whole.append(Node(tex, bar.left, top, bar.right, bottom, bar.top + AXIS_EM * base, base, "", node.spaced))
        return whole
    return nodes


def _has_base(nodes: Sequence[Node], bar: Rule, size: float) -> bool:
    """Whether a small fraction stands at the height of what is beside it, and not in a script."""
    return any(abs(node.baseline - AXIS_EM * size - bar.top) <= 0.15 * size and node.size > SMALLER * size for node in nodes)


def _begins_at(sign: Node, bar: Rule) -> bool:
    return abs(bar.left - sign.right) <= 2.5 and sign.top - 3 <= bar.top <= (sign.top + sign.bottom) / 2


def _height(node: Node) -> float:
    """How far a tall node reaches beyond one line."""
    return max(0.0, (node.bottom - node.top) / 2 - 0.6 * node.size)


def _replaced(
    nodes: Sequence[Node], parts: Sequence[Node], tex: str, inner: Sequence[Node] | None, sign: Node | None
) -> list[Node]:
    first = min(parts, key=lambda node: node.left)
    base = max(inner or parts, key=lambda node: node.size)
    made = Node(
        tex,
        first.left,
        min(node.top for node in parts),
        max(node.right for node in parts),
        max(node.bottom for node in parts),
        base.baseline,
        base.size,
        "",
        (sign or first).spaced,
    )
    gone = {id(node) for node in parts}
    return [*(node for node in nodes if id(node) not in gone), made]


def _line(nodes: Sequence[Node], depth: int) -> str:
    """Nodes side by side: each base with its scripts."""
    nodes = _accented(sorted(nodes, key=lambda node: (node.left, node.middle)))
    if not nodes:
        return ""
    size = max(node.size for node in nodes)
    main = [node for node in nodes if node.size > SMALLER * size]
    baseline = _usual_baseline(main)
    nodes, limits = _limits(nodes, size)
    parts: list[str] = []
    sub: list[Node] = []
    sup: list[Node] = []

    def close(base: Node | None) -> None:
        below, above = limits.get(id(base), ([], [])) if base else ([], [])
        for mark, script in (("_", [*below, *sub]), ("^", [*above, *sup])):
            if script:
                tex = _line(script, depth + 1) if depth < MAX_DEPTH else joined_latex([node.tex for node in script])
                parts.append("'" * tex.count("'") if mark == "^" and not tex.strip("'") else f"{mark}{{{tex}}}")
        sub.clear()
        sup.clear()

    last: Node | None = None
    for node in nodes:
        shift = (node.baseline - baseline) / size
        small = node.size <= SMALLER * size
        if last is not None and small and shift > 0.07:
            sub.append(node)
        elif last is not None and small and shift < -0.1:
            sup.append(node)
        else:
            close(last)
            parts.append((" " if parts and node.spaced else "") + node.tex)
            last = node
    close(last)
    return joined_latex(parts)


def _usual_baseline(nodes: Sequence[Node]) -> float:
    weights: dict[float, float] = {}
    for node in nodes:
        key = round(node.baseline)
        weights[key] = weights.get(key, 0.0) + len(node.tex)
    best = max(weights, key=lambda key: weights[key])
    return next(node.baseline for node in nodes if round(node.baseline) == best)


def _limits(nodes: Sequence[Node], size: float) -> tuple[list[Node], dict[int, tuple[list[Node], list[Node]]]]:
    """Small nodes right above and below a big operator or a function like lim, by the operator."""
    operators = [node for node in nodes if node.name in BIG or node.name in WITH_LIMITS]
    limits: dict[int, tuple[list[Node], list[Node]]] = {}
    left: list[Node] = []
    for node in nodes:
        owner = next((one for one in operators if one is not node and _is_limit(node, one, size)), None)
        if owner is None:
            left.append(node)
        else:
            limits.setdefault(id(owner), ([], []))[node.baseline < owner.baseline].append(node)
    return left, limits


def _is_limit(node: Node, operator: Node, size: float) -> bool:
    if node.size > SMALLER * size:
        return False
    half = max(operator.right - operator.left, 1.2 * size) / 2
    if abs(node.middle - operator.middle) > half + 0.35 * size:
        return False
    clear = 0.55 * size if operator.name in WITH_LIMITS else 0.0
    beyond = node.baseline - operator.baseline > clear or operator.baseline - node.baseline > 0.9 * size
    apart = node.top >= operator.bottom - 0.35 * size or node.bottom <= operator.top + 0.35 * size
    return beyond and apart and node.left < operator.right - 0.1 * size


def _accented(nodes: Sequence[Node]) -> list[Node]:
    """An accent over a letter goes around it."""
    marks = [node for node in nodes if node.name in ACCENTS and node.name not in "^~"]
    taken: dict[int, Node] = {}
    for mark in marks:
        under = [
            node
            for node in nodes
            if node is not mark and min(node.right, mark.right) - max(node.left, mark.left) >= 0.5 * (mark.right - mark.left)
        ]
        if under:
            taken[id(min(under, key=lambda node: abs(node.middle - mark.middle)))] = mark
    used = {id(mark) for mark in taken.values()}
    result = []
    for node in nodes:
        if id(node) in used:
            continue
        if (over := taken.get(id(node))) is not None:
            tex = f"\\{ACCENTS[over.name]}{{{node.tex}}}"
            node = Node(  # noqa: PLW2901
                tex, node.left, node.top, node.right, node.bottom, node.baseline, node.size, "", node.spaced or over.spaced
            )
        result.append(node)
    return result

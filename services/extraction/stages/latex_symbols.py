"""Signs of formulas → LaTeX."""

import re
import unicodedata

FUNCTIONS = frozenset(
    {
        "arccos", "arcsin", "arctan", "arg", "argmax", "argmin", "cos", "cosh", "cot", "csc", "deg", "det", "dim", "exp", "gcd",
        "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "Pr", "sec", "sin", "sinh", "sup", "tan",
        "tanh",
    }
)  # fmt: skip
WITH_LIMITS = frozenset({"lim", "liminf", "limsup", "max", "min", "sup", "inf", "argmax", "argmin", "det", "Pr", "gcd"})
BIG = frozenset("∑∏∫∮⋃⋂⋀⋁∐⨁⨂⊔")

ACCENTS = {
    "¯": "bar", "ˉ": "bar", "\u0304": "bar", "\u0305": "bar", "ˆ": "hat", "^": "hat", "\u0302": "hat", "˜": "tilde",
    "~": "tilde", "\u0303": "tilde", "˙": "dot", "\u0307": "dot", "¨": "ddot", "\u0308": "ddot", "\u20d7": "vec",
}  # fmt: skip

RELATIONS = {
    "=": "=", "<": "<", ">": ">", "≤": r"\leq", "≥": r"\geq", "⩽": r"\leq", "⩾": r"\geq", "≠": r"\neq", "≈": r"\approx",
    "≡": r"\equiv", "∼": r"\sim", "≃": r"\simeq", "≅": r"\cong", "∝": r"\propto", "∈": r"\in", "∉": r"\notin", "∋": r"\ni",
    "⊂": r"\subset", "⊆": r"\subseteq", "⊃": r"\supset", "⊇": r"\supseteq", "→": r"\to", "←": r"\leftarrow",
    "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "≪": r"\ll",
    "≫": r"\gg", "≺": r"\prec", "≻": r"\succ", "⊥": r"\perp", "∥": r"\|", "‖": r"\|", "∣": r"\mid", "⟶": r"\longrightarrow",
    "⊢": r"\vdash", "⊨": r"\models", "↑": r"\uparrow", "↓": r"\downarrow", "≔": ":=", "≜": r"\triangleq",
}  # fmt: skip

OPERATORS = {
    "+": "+", "−": "-", "-": "-", "±": r"\pm", "∓": r"\mp", "×": r"\times", "·": r"\cdot", "⋅": r"\cdot", "∗": "*", "*": "*",
    "÷": r"\div", "∘": r"\circ", "◦": r"\circ", "⊕": r"\oplus", "⊗": r"\otimes", "⊙": r"\odot", "∪": r"\cup", "∩": r"\cap",
    "∧": r"\wedge", "∨": r"\vee", "∖": r"\setminus", "⋆": r"\star", "⊎": r"\uplus", "⊔": r"\sqcup",
}  # fmt: skip

_OTHERS = {
    "∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "∫": r"\int", "∮": r"\oint", "⋃": r"\bigcup", "⋂": r"\bigcap",
    "⋀": r"\bigwedge", "⋁": r"\bigvee", "⨁": r"\bigoplus", "⨂": r"\bigotimes", "∂": r"\partial", "∇": r"\nabla",
    "∞": r"\infty", "√": r"\sqrt", "∀": r"\forall", "∃": r"\exists", "∅": r"\emptyset", "¬": r"\neg", "ℓ": r"\ell",
    "ℏ": r"\hbar", "ℜ": r"\Re", "ℑ": r"\Im", "…": r"\ldots", "⋯": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots", "′": "'",
    "″": "''", "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle", "〉": r"\rangle", "⌊": r"\lfloor", "⌋": r"\rfloor",
    "⌈": r"\lceil", "⌉": r"\rceil", "{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_",
    "∶": ":", "∠": r"\angle", "△": r"\triangle", "□": r"\square", "†": r"\dagger", "∴": r"\therefore", "°": r"^\circ",
    "ı": r"\imath", "ȷ": r"\jmath", "∕": "/", "⁄": "/", "–": "-", "\\": r"\backslash",
}  # fmt: skip

GREEK = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "ζ": r"\zeta", "η": r"\eta",
    "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "ο": "o",
    "π": r"\pi", "ρ": r"\rho", "ς": r"\varsigma", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\varphi",
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda",
    "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega",
    "ϵ": r"\epsilon", "ϑ": r"\vartheta", "ϕ": r"\phi", "ϱ": r"\varrho", "ϖ": r"\varpi", "ϰ": r"\varkappa", "µ": r"\mu",
    "\u2126": r"\Omega", "∆": r"\Delta",
}  # fmt: skip

_SYMBOLS = {**RELATIONS, **OPERATORS, **_OTHERS, **GREEK}
_STYLES = (
    (re.compile(r"DOUBLE-STRUCK"), "mathbb"),
    (re.compile(r"SCRIPT"), "mathcal"),
    (re.compile(r"FRAKTUR|BLACK-LETTER"), "mathfrak"),
    (re.compile(r"MATHEMATICAL (?:SANS-SERIF )?BOLD"), "mathbf"),
)
_RUNS = re.compile(r"[A-Za-z]+|.", re.DOTALL)


def is_alphanumeric(sign: str) -> bool:
    """Whether a character is one of Unicode's letters and digits for formulas."""
    return "\U0001d400" <= sign <= "\U0001d7ff" or sign in "ℂℍℕℙℚℝℤℬℰℱℋℐℒℳℛℓℭℨ"


def sign_to_latex(sign: str) -> str:
    """One character that is no Latin letter of the text."""
    if sign in _SYMBOLS:
        return _SYMBOLS[sign]
    if not is_alphanumeric(sign):
        return sign
    plain = unicodedata.normalize("NFKC", sign)
    plain = _SYMBOLS.get(plain, plain)
    name = unicodedata.name(sign, "")
    style = next((command for pattern, command in _STYLES if pattern.search(name)), None)
    return f"\\{style}{{{plain}}}" if style else plain


def joined_latex(parts: list[str]) -> str:
    """Parts of a formula side by side; a space keeps a command from the letter after it."""
    text = ""
    for part in parts:
        if text and part and _ends_in_command(text) and part[0].isalpha():
            text += " "
        text += part
    return text


def _ends_in_command(text: str) -> bool:
    return re.search(r"\\[A-Za-z]+\Z", text) is not None


def word_to_latex(text: str, upright: bool, bold: bool) -> str:
    """A run of characters of one font. Upright letters in a row are a function's name or a word."""
    parts: list[str] = []
    accent: str | None = None
    for run in _RUNS.findall(text):
        if run in ACCENTS and unicodedata.combining(run):
            accent = ACCENTS[run]
            continue
        part = _letters(run, upright, bold) if run[0].isascii() and run[0].isalpha() else sign_to_latex(run)
        if accent and part.strip():
            part, accent = f"\\{accent}{{{part}}}", None
        parts.append(part)
    return joined_latex(parts)


def _letters(run: str, upright: bool, bold: bool) -> str:
    if upright and run in FUNCTIONS:
        return f"\\{run}"
    if bold:
        return f"\\mathbf{{{run}}}"
    return f"\\mathrm{{{run}}}" if upright and len(run) > 1 else run

"""Markdown, HTML and LaTeX of any tool → the words a reader sees, so that tools are compared by text and not by markup."""

import html
import re
import unicodedata

_NAMED = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "leq": "≤", "geq": "≥", "neq": "≠",
    "approx": "≈", "times": "×", "cdot": "·", "pm": "±", "infty": "∞", "sum": "∑", "prod": "∏", "int": "∫", "partial": "∂",
    "nabla": "∇", "in": "∈", "to": "→", "rightarrow": "→", "log": "log", "exp": "exp", "sin": "sin", "cos": "cos",
    "max": "max", "min": "min", "lim": "lim",
}  # fmt: skip

_REMOVED = (
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"</?[A-Za-z][^>]*>"), " "),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"^\s*\|?(?:\s*:?-{3,}:?\s*\|)+.*$", re.MULTILINE), " "),
    (re.compile(r"(?<=\w)[-\u2010]\n(?=[^\W\dA-Z_])"), ""),
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_MARKS = re.compile(r"[#*_`|${}\\^~>]")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "−": "-", "\u00ad": None})


def seen(text: str) -> str:
    """Words and signs, with single spaces between."""
    text = html.unescape(unicodedata.normalize("NFKC", text))
    for pattern, replacement in _REMOVED:
        text = pattern.sub(replacement, text)
    text = _COMMAND.sub(lambda found: f" {_NAMED.get(found[1], '')} ", text)
    return " ".join(_MARKS.sub(" ", text).translate(_QUOTES).split())

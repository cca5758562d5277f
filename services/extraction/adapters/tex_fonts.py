"""TeX's old math fonts, whose PDFs often say no Unicode: what their codes stand for.

The tables are those of the Computer Modern fonts (Knuth, The TeXbook, appendix F) and of the AMS fonts.
"""

import re
from collections.abc import Mapping

_BIG = "()[]⌊⌋⌈⌉{}⟨⟩|‖/\\"
_EXTENSION: dict[int, str] = dict(enumerate(_BIG))
_EXTENSION |= {0x10 + code: sign for code, sign in enumerate("()()[]⌊⌋⌈⌉{}⟨⟩/\\")}
_EXTENSION |= {0x20 + code: sign for code, sign in enumerate("()[]⌊⌋⌈⌉{}⟨⟩/\\/\\")}
_EXTENSION |= {0x44 + code: sign for code, sign in enumerate("⟨⟩⊔⊔∮∮⊙⊙⊕⊕⊗⊗∑∏∫⋃⋂⊎⋀⋁∑∏∫⋃⋂⊎⋀⋁∐∐")}
_EXTENSION |= {0x68: "[", 0x69: "]", 0x6E: "{", 0x6F: "}"}
_EXTENSION |= dict.fromkeys(range(0x70, 0x75), "√")

_DOUBLE_STRUCK = {ord(letter): chr(0x1D538 + i) for i, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    ord(letter): sign for letter, sign in zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)
}
_SCRIPT = {ord(letter): chr(0x1D49C + i) for i, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    ord(letter): sign for letter, sign in zip("BEFHILMR", "ℬℰℱℋℐℒℳℛ", strict=True)
}
_SCRIPT |= {ord(code): sign for code, sign in zip("0128349:;[]^_bcdefghijkprs", "′∞∈∀∋△∃¬∅∪⊎∧∨⌊⌋⌈⌉{}⟨⟩|‖√∇∫", strict=True)}
_FRAKTUR = {ord(letter): chr(0x1D504 + i) for i, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    ord(letter): sign for letter, sign in zip("CHIRZ", "ℭℌℑℜℨ", strict=True)
}

_TABLES: tuple[tuple[re.Pattern[str], Mapping[int, str]], ...] = (
    (re.compile(r"^(?:cm|lm|tx|px|ntx|rtx)ex"), _EXTENSION),
    (re.compile(r"^ms[ab]m|^(?:tx|px)syb"), _DOUBLE_STRUCK),
    (re.compile(r"^(?:cm|lm)b?sy|^(?:tx|px|ntx)sy|^rsfs|^eusm|^eusb"), _SCRIPT),
    (re.compile(r"^euf[mb]"), _FRAKTUR),
)


def code_table(name: str) -> Mapping[int, str]:
    """Unicode for the codes of a font that PDFium takes for letters, by the font's name in small letters."""
    return next((table for pattern, table in _TABLES if pattern.search(name)), {})

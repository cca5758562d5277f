"""What a font's name and flags say: weight, slant, fixed pitch, and whether it is one for formulas."""

import ctypes
import re
from collections.abc import Mapping
from typing import NamedTuple

import pypdfium2.raw as pdfium

from services.extraction.adapters.tex_fonts import code_table

FIXED_PITCH, ITALIC, FORCE_BOLD = 1 << 0, 1 << 6, 1 << 18
BOLD_NAMES = ("bold", "black", "heavy", "demi", "-medi", "cmbx", "sfbx", "cmssbx", "lmbx")
MONO_NAMES = ("mono", "courier", "consol", "typewriter", "cmtt", "sftt", "lmtt", "hack", "menlo", "sourcecode", "inconsolata")
ITALIC_NAMES = ("italic", "oblique", "ital", "cmti", "cmmi", "sfti", "slanted", "-it")
_MATH = re.compile(
    r"^(?:cm(?:mi|sy|ex|bsy|mib)|lm(?:math|mi|sy|ex)|ms[ab]m|eu[frs][mb]|rsfs|stmary|wasy|esint|txsy|txex|pxsy|pxex|rtxmi|ntxmi|ntxsy"
    r"|ntxex|newtxmi|zpzc|mt2?(?:mi|sy|ex)|mathematica)|math|^symbol(?:mt|neu)?$"
)


_DRAWING = re.compile(r"^l(?:circle|ine)w?10$")
"""TeX's fonts of which pictures and round corners are made."""


class FontTraits(NamedTuple):
    """A font as its text is seen; `key` tells fonts apart, `codes` gives Unicode where its PDF has none.

    `drawing`: its glyphs are parts of pictures.
    """

    key: str = ""
    bold: bool = False
    mono: bool = False
    italic: bool = False
    math: bool = False
    codes: Mapping[int, str] = {}
    drawing: bool = False


def font_traits(font: object) -> FontTraits:
    buffer = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, buffer, 128)
    full = buffer.value.decode("utf-8", "replace")
    name = full.rpartition("+")[2].lower()
    flags = max(0, pdfium.FPDFFont_GetFlags(font))
    return FontTraits(
        key=full,
        bold=any(part in name for part in BOLD_NAMES) or bool(flags & FORCE_BOLD),
        mono=any(part in name for part in MONO_NAMES) or bool(flags & FIXED_PITCH),
        italic=any(part in name for part in ITALIC_NAMES) or bool(flags & ITALIC),
        math=_MATH.search(name) is not None,
        codes=code_table(name),
        drawing=_DRAWING.search(name) is not None,
    )

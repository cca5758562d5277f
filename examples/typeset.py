"""Typesets `examples/sources/*.md` into `examples/pdf/*.pdf`, byte for byte the same each time.

Run from the repository's root: `python -m examples.typeset [--out DIRECTORY]`.
"""

import argparse
import tempfile
from pathlib import Path

from reportlab import rl_config

from examples.typesetting.pages import write_pages
from examples.typesetting.scan import write_scan
from examples.typesetting.source import read_source

HERE = Path(__file__).parent
SCAN_SEED = 1962


def typeset(path: Path, target: Path) -> int:
    """One source into one PDF. Returns the number of pages."""
    source = read_source(path)
    if source.kind != "scan":
        return write_pages(source, target)
    with tempfile.TemporaryDirectory() as scratch:
        typed = Path(scratch) / "typed.pdf"
        pages = write_pages(source, typed)
        write_scan(typed, target, SCAN_SEED)
    return pages


def typeset_all(sources: Path, out: Path) -> dict[str, int]:
    """Every source of a directory. Returns pages by file name."""
    rl_config.invariant = 1
    out.mkdir(parents=True, exist_ok=True)
    return {f"{path.stem}.pdf": typeset(path, out / f"{path.stem}.pdf") for path in sorted(sources.glob("*.md"))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Typeset the example documents.")
    parser.add_argument("--out", type=Path, default=HERE / "pdf")
    out = parser.parse_args().out
    pages = typeset_all(HERE / "sources", out)
    for name, count in pages.items():
        print(f"{name:36} {count:3} pages {(out / name).stat().st_size / 1000:8.1f} kB")
    print(f"{len(pages)} documents, {sum(pages.values())} pages")


if __name__ == "__main__":
    main()

"""What is known of a document, from its bytes to its chunks: the contracts of the per-document stages."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in PDF points (1/72 inch), origin at the page's top left."""

Policy = Literal["mask", "flag", "keep"]
"""What is done with what is found: a placeholder instead, a flag on the text, or nothing."""

Engine = Literal["auto", "text-layer", "ocr", "nougat"]
"""What reads pages: `ocr` and `nougat` read every page by its picture, `text-layer` none."""

BlockKind = Literal[
    "heading", "paragraph", "list", "table", "code", "formula", "caption", "footnote",
    "header", "footer", "page_number", "citation", "boilerplate",
]  # fmt: skip

LineLabel = Literal[
    "content", "header", "footer", "page_number", "citation", "figure_caption", "table", "equation", "footnote", "boilerplate",
]  # fmt: skip
"""What a line is to its document. A citation is an entry of a list of references; text inside a figure goes by its caption."""

Fate = Literal["kept", "dropped", "set-aside"]
PageFate = Literal["kept", "set-aside", "failed"]


class Document(Contract):
    """One PDF, addressed by the SHA-256 of its bytes."""

    id: str
    filename: str
    size_bytes: int
    uploaded_at: str


class Membership(Contract):
    """A document's place on a collection's shelf."""

    collection: str
    document: str
    filename: str
    added_at: str


class Line(Contract):
    """One line of text on a page."""

    text: str
    box: Box
    font_size: float = 0.0


class Block(Contract):
    """A paragraph, heading or other unit of a page, and the span of characters it became in the MMD."""

    kind: BlockKind
    text: str
    box: Box | None
    start: int
    end: int
    level: int = 0
    lines: tuple[Line, ...] = ()


class Link(Contract):
    """A place on a page that leads to an address, or as `#page=N` to a page of the document."""

    box: Box
    target: str


class OutlineEntry(Contract):
    """A line of a document's own outline; levels count from 1. `page` is None where it leads to none."""

    title: str
    level: int
    page: int | None = None


class Page(Contract):
    """One page of the page map. A page that could not be read keeps its number and says why in `failure`.

    `confidence` is from 0 to 1, as the engine judges its own work; `why` says why that engine read the page.
    """

    number: int
    width: float = 0.0
    height: float = 0.0
    engine: str
    confidence: float | None = None
    why: str = ""
    blocks: tuple[Block, ...] = ()
    links: tuple[Link, ...] = ()
    failure: str | None = None


class Piece(Contract):
    """A run of clean text with the place it came from: `start:end` in the clean MMD, `box` on `page`."""

    text: str
    kind: BlockKind
    page: int
    box: Box | None
    start: int
    end: int
    section: tuple[str, ...] = ()
    flags: tuple[str, ...] = Field((), description="What stands out in it: `instructions`, `hidden-characters`, `phone`, …")


class LineFate(Contract):
    """What became of one line that cleaning read: a record of `lines.jsonl`.

    `block` counts a page's blocks from 0, and `line` the lines of a block; a block without lines, as tables of OCR and plain
    MMD are, has one for each line of its text. `reason` is empty for what is kept. Rules give no `confidence`.
    """

    page: int
    block: int
    line: int
    text: str
    box: Box | None
    label: LineLabel
    fate: Fate
    reason: str = ""
    confidence: float | None = None


class Span(Contract):
    """Where a part of a chunk came from: `start:end` in the chunk's text, `box` on `page`."""

    page: int
    box: Box | None
    start: int
    end: int


DecidedBy = Literal["rules", "classifier", "people"]
"""Who had the last word on whether a text is garbage."""


class Chunk(Contract):
    """A run of whole sentences within a token budget. `reason` is the rule that had set its text aside, where a classifier
    or a reviewer brought it back; `probability` (of garbage) is that of the version `classifier`, where one looked at it."""

    id: str
    document: str
    index: int
    text: str
    tokens: int
    section: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    decided_by: DecidedBy = "rules"
    reason: str = ""
    probability: float | None = None
    classifier: str | None = None
    flags: tuple[str, ...] = Field((), description="The flags of the pieces it is made of.")

    @property
    def pages(self) -> tuple[int, ...]:
        return tuple(sorted({span.page for span in self.spans}))


class GarbageItem(Contract):
    """Text that was set aside, and why: a line of `<document>_garbage.jsonl`. What a classifier set aside was a chunk, and
    keeps its `section` and `spans`; `probability` and `classifier` are as in a chunk."""

    id: str
    document: str
    text: str
    reason: str
    score: float
    threshold: float
    page: int
    box: Box | None
    kind: BlockKind = "paragraph"
    section: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    flags: tuple[str, ...] = ()
    decided_by: DecidedBy = "rules"
    probability: float | None = None
    classifier: str | None = None

    @classmethod
    def of_chunk(cls, chunk: Chunk, reason: str, score: float, threshold: float) -> "GarbageItem":
        """A chunk in the form of an item. It keeps what it needs to come back."""
        first = chunk.spans[0] if chunk.spans else None
        return cls(
            id=chunk.id, document=chunk.document, text=chunk.text, reason=reason, score=score, threshold=threshold,
            page=first.page if first else 1, box=first.box if first else None, section=chunk.section, spans=chunk.spans,
            flags=chunk.flags, decided_by=chunk.decided_by, probability=chunk.probability, classifier=chunk.classifier,
        )  # fmt: skip


class ExtractionParameters(Contract):
    """How PDF bytes become MMD."""

    UNKEYED = frozenset({"pages_per_range"})

    engine: Engine = Field("auto", description="`auto` trusts a sound text layer and reads other pages by the best engine.")
    ocr_languages: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z_]{1,31}$")], ...] = Field(
        ("eng",), min_length=1, max_length=8, description="Tesseract's names of the languages of scans, the likeliest first."
    )
    ocr_dpi: int = Field(200, ge=72, le=600, description="Resolution at which scanned pages are read.")
    max_pages: int = Field(5_000, ge=1, description="A longer document is refused.")
    max_pixels_per_page: int = Field(
        40_000_000, ge=1_000_000, description="Larger pictures of pages are made at a lower resolution, down to 72 dpi."
    )
    max_characters_per_page: int = Field(500_000, ge=1_000, description="A page with more text is not read.")
    pages_per_range: int = Field(50, ge=1, description="Pages that one process reads, and that a killed worker loses at most.")
    seconds_per_page: int = Field(60, ge=1, description="A page that takes longer is given up.")
    seconds_per_document: int = Field(3_600, ge=1, description="A document that takes longer is refused.")
    memory_bytes: int = Field(2 << 30, ge=1 << 28, description="Address space of the process that parses it.")


class CleaningParameters(Contract):
    """What leaves the text, and what is set aside as garbage."""

    tagger: str = Field(
        "crf",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="What labels lines: `rules`, the model that comes with Lectern (`crf`), or the name of a published tagger.",
    )
    min_label_confidence: float = Field(
        0.5, ge=0, le=1, description="A line leaves the text only where the tagger is at least so sure of its label."
    )
    margin_share: float = Field(0.12, ge=0, le=0.5, description="Share of a page's height where headers and footers live.")
    repeat_share: float = Field(
        0.3, ge=0, le=1, description="Share of pages a margin line must recur on to be a header or footer."
    )
    drop_references: bool = Field(True, description="Leave the list of references out of the text.")
    drop_citations: bool = Field(
        True, description="Leave out in-line markers, [12] and (Smith et al., 2020), where the document cites that way."
    )
    drop_boilerplate: bool = Field(
        True, description="Leave out licences, identifiers, dates and the addresses of a title block."
    )
    drop_captions: bool = Field(False, description="Leave out captions, and the text inside figures.")
    drop_tables: bool = Field(False, description="Leave out tables.")
    drop_equations: bool = Field(False, description="Leave out formulas that stand on lines of their own.")
    drop_footnotes: bool = Field(False, description="Leave out footnotes.")
    min_alpha_ratio: float = Field(0.5, ge=0, le=1, description="Share of letters among visible characters.")
    min_figure_alpha_ratio: float = Field(0.05, ge=0, le=1, description="The same for tables and formulas.")
    min_words: int = Field(3, ge=0, description="Fewest words of a paragraph that is kept.")
    min_fragment_words: int = Field(
        6, ge=0, description="Fewest words of a paragraph that ends without punctuation: fewer are labels of figures."
    )
    max_leader_ratio: float = Field(
        0.1, ge=0, le=1, description="Share of characters in dot leaders, as a table of contents has them."
    )
    max_spaced_ratio: float = Field(0.4, ge=0, le=1, description="Share of words that are one letter: l i k e t h i s.")
    max_digit_ratio: float = Field(0.4, ge=0, le=1, description="Share of digits among the visible characters of prose.")
    max_mark_ratio: float = Field(
        0.1, ge=0, description="`#` and `…` for each word, where there are several (Rae et al. 2021, A1.1)."
    )
    max_repeat_ratio: float = Field(
        0.4, ge=0, le=1, description="Share of a text of 20 to 149 words in runs of five words said before."
    )
    max_top_ngram_ratio: tuple[float, float, float] = Field(
        (0.20, 0.18, 0.16),
        description="Share of a text of 150 words or more in its most frequent run of 2, 3, 4 words (Rae et al. 2021, A1.1).",
    )
    max_duplicate_ngram_ratio: tuple[float, float, float, float, float, float] = Field(
        (0.15, 0.14, 0.13, 0.12, 0.11, 0.10),
        description="Share of such a text in runs of 5, 6, 7, 8, 9 and 10 words said before (Rae et al. 2021, A1.1).",
    )
    max_paragraph_copies: int = Field(
        3, ge=1, description="How often a document may say a paragraph of eight words or more, word for word."
    )
    max_paged_ratio: float = Field(
        0.6, ge=0, le=1, description="Share of a text in titles that end in rising page numbers: a table of contents."
    )
    max_reference_ratio: float = Field(
        0.25, ge=0, description="Years, initials, page ranges and the like for each word: a list of references."
    )
    max_boilerplate_ratio: float = Field(
        0.5, ge=0, le=1, description="Share of a text in sentences with a stock phrase of publishers and web sites."
    )
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = Field(
        (), max_length=32, description="Languages that are wanted (ISO 639-1, as `en`). None given: all are."
    )
    min_language_letters: int = Field(40, ge=1, description="Fewest letters whose language is judged.")
    max_foreign_confidence: float = Field(
        0.6, ge=0, le=1, description="How sure the model may be that a text is in a language that is not wanted."
    )
    max_mojibake_ratio: float = Field(
        0.05,
        ge=0,
        description="Unlikely sequences of characters (`Ã©`) for each word, after mending.",
    )
    max_noise_ratio: float = Field(
        0.09, ge=0, le=1, description="Share of words that are none of the text's language, names counted half: OCR noise."
    )
    max_broken_joint_ratio: float = Field(
        0.008, ge=0, le=1, description="Breaks in the order of words, for each word: columns read across. English only."
    )
    max_replacement_ratio: float = Field(0.02, ge=0, le=1, description="Share of undecodable characters.")
    instructions: Literal["flag", "set-aside", "keep"] = Field(
        "flag", description="Text that gives orders to a model (`ignore all previous instructions`)."
    )
    personal_data: Policy = Field(
        "mask",
        description="E-mail addresses, telephone numbers, payment cards, bank accounts: `mask` puts ⟨e-mail⟩.",
    )
    secrets: Policy = Field("mask", description="Keys, tokens and passwords in addresses.")
    phone_regions: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = Field(
        (),
        max_length=16,
        description="Countries (`GB`) whose telephone numbers are found without their code too.",
    )


class ChunkingParameters(Contract):
    """How clean text is cut."""

    max_tokens: int = Field(256, ge=32, description="Token budget of a chunk, in the base model's own tokenizer.")
    overlap_sentences: int = Field(1, ge=0, le=8, description="Sentences that a chunk shares with the one before.")
    tokenizer: str = Field("smollm2-135m-instruct", description="Base model whose tokenizer counts.")


class ScreeningParameters(Contract):
    """Who looks at kept and at garbage once more."""

    classifier: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="Version of the garbage classifier; none: the rules' word stands."
    )
    follow: bool = Field(True, description="Take each new version as it takes charge; off, the version stays as set here.")


class ProcessingParameters(Contract):
    """Everything that decides what a document becomes: a collection's settings."""

    extraction: ExtractionParameters = ExtractionParameters()
    cleaning: CleaningParameters = CleaningParameters()
    chunking: ChunkingParameters = ChunkingParameters()
    screening: ScreeningParameters = ScreeningParameters()


class ExtractionResult(Contract):
    """What extraction made of a document: `document.mmd` and `pages.jsonl` (the page map)."""

    pages: int
    pages_failed: int
    blocks: int
    characters: int
    title: str | None = None
    repaired: bool = Field(False, description="The file was damaged; this is what could be rescued of it.")
    outline: tuple[OutlineEntry, ...] = Field((), description="The document's own outline, of 1,000 entries at most.")
    metadata: dict[str, str] = Field(
        {}, description="What its maker wrote of it: title, author, subject, keywords, creator, producer, created, modified."
    )


class CleaningResult(Contract):
    """What cleaning made: `clean.mmd`, `pieces.jsonl`, `garbage.jsonl` and `lines.jsonl`, the fate of every line."""

    pieces: int
    characters_in: int
    characters_kept: int
    dropped: dict[str, int] = Field(description="Characters left out, by label of their line or kind of mark.")
    garbage: dict[str, int] = Field(description="Items set aside, by reason.")
    characters_garbage: int = Field(0, description="`characters_in` is kept, dropped and these.")
    lines_in: int = Field(0, description="Lines read: all that were kept, dropped or set aside.")
    lines: dict[Fate, int] = Field({}, description="Lines by what became of them.")
    pages: dict[PageFate, int] = Field({}, description="Pages by what became of them: a line of `ledger.jsonl` each.")
    personal: dict[str, int] = Field({}, description="Personal data and secrets that were found, by kind.")
    flags: dict[str, int] = Field({}, description="Pieces kept with a flag, by flag.")
    title: str | None = None


class ChunkingResult(Contract):
    """What chunking made: `chunks.jsonl`. `over_budget` counts sentences longer than the budget, kept whole as a chunk."""

    chunks: int
    tokens: int
    over_budget: int
    title: str | None = None


class ScreeningResult(Contract):
    """What screening made: `chunks.jsonl` and `garbage.jsonl` in their final form, and `review.jsonl`, the index of both."""

    chunks: int
    tokens: int
    garbage: dict[str, int] = Field(description="Items set aside, by reason.")
    decided_by: DecidedBy = Field("rules", description="Whose word decided: the rules', or that of a classifier in charge.")
    classifier: str | None = Field(None, description="The version that looked at every text.")
    set_aside: int = Field(0, description="Chunks that the rules kept and the classifier set aside.")
    returned: int = Field(0, description="Items that the rules set aside and the classifier brought back.")
    chunking: ChunkingParameters = Field(ChunkingParameters(), description="How text that comes back is cut.")
    title: str | None = None

"""Invented sentences, names and references: grammatical enough to look like prose, and never the same twice."""

from random import Random

NOUNS = (
    "valve gauge vessel sample river archive treaty pump signal measure method result model estimate survey harvest engine "
    "filter cell circuit network boundary surface layer particle record ledger committee council region village school "
    "patient trial dose protein enzyme species habitat forest soil crop season market price tax budget contract clause "
    "policy standard process procedure operator bearing shaft cable voltage current sensor reading interval threshold "
    "function variable matrix vector theorem proof lemma graph node edge query table index cache thread kernel packet "
    "device user customer order invoice journey letter chapter painting choir castle bridge harbour island winter morning"
).split()
ADJECTIVES = (
    "small large early late common rare steady sudden local general internal external upper lower first second linear mean "
    "annual monthly public private modern ancient careful simple complex robust sparse dense open closed warm cold dry "
    "northern southern new old empty full strong weak high low safe final several other many most"
).split()
VERBS = (
    "shows gives measures follows changes describes reaches holds carries opens closes raises reduces requires allows "
    "explains supports limits replaces records confirms controls increases decreases contains connects protects"
).split()
ADVERBS = "slowly quickly often rarely always usually clearly only again therefore however together mostly nearly".split()
JOINS = ("and", "but", "because", "although", "while", "so that", "whenever", "where", "which means that")
OPENINGS = (
    "In this section we", "The authors", "It", "This", "Our results", "The report", "For this reason the team", "In 1987 the board",
    "As Figure 2 shows, the group", "Under these conditions it", "According to Table 3 it", "They", "We", "The second test",
)  # fmt: skip
FIRST = (
    "Ada Bela Carla Dmitri Elif Farid Greta Hugo Ines Jonas Karim Lena Mats Nadia Omar Petra Quentin Rosa Sven Tomas".split()
)
LAST = (
    "Abara Brandt Castell Dorsey Eriksen Fontaine García Haddad Ivanov Jansen Kowalski Lindqvist Müller Nakamura O’Neill "
    "Petrov Quist Rossi Schröder Tanaka Ueda Voss Weiss Xu Yılmaz Zieliński Okafor Santos Dubois Hale Marsh Underhill"
).split()
FIELDS = "Physics,Applied Mechanics,Rural Studies,Soil Science,Machine Learning,Public Health,Local History,Hydrology,Economics,Optics".split(
    ","
)
PLACES = "Halver,Northmoor,Port Aldine,Besk,Valmera,Oakham,Lunde,San Tomé,Greyfield,Kestrel".split(",")
_ONSETS, _CODAS = "b c d f g h k l m n p r s t v w st tr pl gr ch".split(), "n r l s t m nd st x ck ne de".split()


class Writer:
    """Writes with its own luck: the same seed gives the same text."""

    def __init__(self, luck: Random) -> None:
        self.luck = luck
        self._own = [self._coined() for _ in range(30)]

    def pick(self, *choices: str) -> str:
        return self.luck.choice(choices)

    def chance(self, share: float) -> bool:
        return self.luck.random() < share

    def number(self, low: int, high: int) -> int:
        return self.luck.randint(low, high)

    def noun(self) -> str:
        return self.luck.choice(self._own if self.chance(0.3) else NOUNS)

    def phrase(self) -> str:
        adjective = f"{self.luck.choice(ADJECTIVES)} " if self.chance(0.5) else ""
        return f"{self.pick('the', 'a', 'each', 'no', 'this', 'its')} {adjective}{self.noun()}"

    def clause(self) -> str:
        start = self.luck.choice(OPENINGS).removesuffix(" it") if self.chance(0.3) else self.phrase()
        adverb = f"{self.luck.choice(ADVERBS)} " if self.chance(0.3) else ""
        place = f" {self.pick('of', 'in', 'with', 'from', 'under', 'between')} {self.phrase()}" if self.chance(0.7) else ""
        amount = f" by {self.number(2, 900) / 10} {self.pick('m', 'per cent', 'kg', 'hours', '%')}" if self.chance(0.12) else ""
        return f"{start} {adverb}{self.luck.choice(VERBS)} {self.phrase()}{place}{amount}"

    def sentence(self, cite: str = "") -> str:
        text = self.clause()
        while self.chance(0.45) and len(text) < 220:
            text += f"{self.pick(', ', ' ')}{self.luck.choice(JOINS)} {self.clause()[:1].lower()}{self.clause()[1:]}"
        text += self._citation(cite) if cite and self.chance(0.25) else ""
        return (
            text[:1].upper() + text[1:] + self.pick(".", ".", ".", ".", ";", ":", "?")[:1].replace(";", ".").replace(":", ".")
        )

    def paragraph(self, sentences: int, cite: str = "") -> str:
        return " ".join(self.sentence(cite) for _ in range(sentences))

    def title(self, words: int = 6) -> str:
        text = f"{self.pick('On', 'Towards', 'The', 'A Study of', 'Notes on', 'Measuring', 'How')} "
        text += " ".join(f"{self.luck.choice(ADJECTIVES)} {self.noun()}" for _ in range(max(1, words // 2)))
        return f"{text} {self.pick('in', 'of', 'and', 'for')} {self.luck.choice(PLACES)}"

    def heading(self) -> str:
        plain = (
            "Introduction",
            "Method",
            "Results",
            "Discussion",
            "Conclusion",
            "Maintenance",
            "Scope",
            "Findings",
            "Background",
        )
        return self.luck.choice(plain) if self.chance(0.5) else f"{self.luck.choice(ADJECTIVES)} {self.noun()}s".capitalize()

    def name(self) -> str:
        return f"{self.luck.choice(FIRST)} {self.luck.choice(LAST)}"

    def institute(self) -> str:
        kind = self.pick("Department of", "Institute of", "Faculty of", "Laboratory for", "School of")
        return f"{kind} {self.luck.choice(FIELDS)}, University of {self.luck.choice(PLACES)}, {self.pick('Germany', 'Norway', 'Chile', 'Japan', 'France')}"

    def mail(self) -> str:
        return f"{self.luck.choice(LAST).lower()}@{self.luck.choice(PLACES).split()[0].lower()}.{self.pick('edu', 'org', 'example')}"

    def journal(self) -> str:
        return f"{self.pick('Journal of', 'Annals of', 'Proceedings of the Society for', 'Letters in', 'Review of')} {self.luck.choice(FIELDS)}"

    def doi(self) -> str:
        return f"10.{self.number(1000, 9999)}/{self._coined()}.{self.number(100, 99999)}"

    def year(self) -> int:
        return self.number(1948, 2026)

    def equation(self) -> str:
        left = self.pick("f(x)", "E", "h(t)", "P(A | B)", "y", "L", "σ", "∇u")
        terms = [
            self.pick("a", "b x", "c x²", "∑ w", "∫ g(s) ds", "λ k", "exp(−t / T)", "x / y", "2 π r", "log p", "µ")
            for _ in range(self.number(1, 4))
        ]
        joint = f" {self.pick('+', '−', '·')} "
        return f"{left} {self.pick('=', '≤', '≈', '=')} {joint.join(terms)}"

    def code(self) -> list[str]:
        one, two, three = self._coined(), self._coined(), self.noun()
        lines = [
            f"def {one}(value, limit={self.number(1, 99)}):", f"    for {two} in {three}[:{self.number(2, 9)}]:", "        end",
            f"        if {two} > limit: print({two}, '{one}')", "    return value", f"{one} = {two}({three}, {self.number(1, 99)})",
            f"# {self.clause()}", f"$ {one} --{two} {three}.txt", "end", "}", f"{one}!({two}, {three}())", f"import {three}",
            f"@{one} {two} begin", f"julia> {one}[{self.number(1, 9)}, :] .+ {two}", f"{one}: {self.number(0, 999)} # {three}",
        ]  # fmt: skip
        return self.luck.sample(lines, self.number(3, 9))

    def _citation(self, style: str) -> str:
        if style == "numeric":
            return f" [{self.number(1, 30)}]"
        return f" ({self.luck.choice(LAST)} et al., {self.year()})"

    def _coined(self) -> str:
        syllables = (self.luck.choice(_ONSETS) + self.luck.choice("aeiou") for _ in range(self.luck.randint(1, 3)))
        return "".join(syllables) + self.luck.choice(_CODAS)

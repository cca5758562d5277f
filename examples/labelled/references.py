"""Entries of lists of references, in the manners of many houses."""

from collections.abc import Callable

from examples.labelled.words import Writer


def _initials(writer: Writer, gap: str = " ") -> str:
    return gap.join(f"{writer.pick(*'ABCDEFGHJKLMNPRST')}." for _ in range(writer.number(1, 2)))


def _surname_first(writer: Writer, count: int, joint: str) -> str:
    names = [f"{writer.name().split()[-1]}, {_initials(writer)}" for _ in range(count)]
    return names[0] if count == 1 else f"{', '.join(names[:-1])}{joint}{names[-1]}"


def _pages(writer: Writer) -> str:
    first = writer.number(1, 900)
    return f"{first}{writer.pick('–', '-')}{first + writer.number(3, 40)}"


def apa(writer: Writer, number: int) -> str:
    names = _surname_first(writer, writer.number(1, 5), ", & ")
    where = f"<i>{writer.journal()}, {writer.number(1, 90)}</i>({writer.number(1, 12)}), {_pages(writer)}."
    if writer.chance(0.3):
        where = f"{writer.pick('Springer', 'Northmoor University Press', 'Elm Books')}."
    link = f" https://doi.org/{writer.doi()}" if writer.chance(0.5) else ""
    return f"{names} ({writer.year()}). {writer.title()}. {where}{link}"


def ieee(writer: Writer, number: int) -> str:
    names = ", ".join(f"{_initials(writer)} {writer.name().split()[-1]}" for _ in range(writer.number(1, 4)))
    where = f"<i>{writer.journal()}</i>, vol. {writer.number(1, 60)}, no. {writer.number(1, 12)}, pp. {_pages(writer)}"
    if writer.chance(0.3):
        where = (
            f"in <i>Proc. {writer.number(3, 30)}th Int. Conf. on {writer.journal().split(' of ')[-1]}</i>, pp. {_pages(writer)}"
        )
    return f"[{number}] {names}, “{writer.title()},” {where}, {writer.year()}."


def vancouver(writer: Writer, number: int) -> str:
    names = ", ".join(
        f"{writer.name().split()[-1]} {writer.pick(*'ABCDEFGH')}{writer.pick(*'JKLM', '')}" for _ in range(writer.number(1, 6))
    )
    return f"{number}. {names}. {writer.title()}. {writer.journal()}. {writer.year()};{writer.number(1, 99)}({writer.number(1, 12)}):{_pages(writer)}."


def chicago(writer: Writer, number: int) -> str:
    first = writer.name().split()
    others = f", and {writer.name()}" if writer.chance(0.4) else ""
    press = f"{writer.pick('London', 'Leipzig', 'Boston')}: {writer.pick('Elm Books', 'Harbour Press', 'Reclam')}"
    return f"{first[1]}, {first[0]}{others}. {writer.year()}. <i>{writer.title()}</i>. {press}."


def alpha(writer: Writer, number: int) -> str:
    names = " and ".join(writer.name() for _ in range(writer.number(1, 3)))
    key = f"{writer.name().split()[-1][:3]}{writer.year() % 100:02}"
    return f"[{key}] {names}. {writer.title()}. <i>{writer.journal()}</i>, {writer.number(1, 80)}:{_pages(writer)}, {writer.year()}."


def web(writer: Writer, number: int) -> str:
    return f"[{number}] {writer.title(4)}. https://www.{writer.name().split()[-1].lower()}.example/{writer.noun()}/{writer.number(1, 999)} (accessed {writer.number(1, 28)} May {writer.year()})."


def harvard(writer: Writer, number: int) -> str:
    names = _surname_first(writer, writer.number(1, 3), " and ")
    return f"{names} {writer.year()}, ‘{writer.title()}’, <i>{writer.journal()}</i>, vol. {writer.number(1, 60)}, pp. {_pages(writer)}."


def plain_numbered(writer: Writer, number: int) -> str:
    names = f"{writer.name().split()[-1]}, {_initials(writer)}"
    return f"[{number}] {names} {writer.title()}. {writer.journal()} {writer.number(1, 60)}, pages {writer.number(1, 90)} to {writer.number(91, 300)}, {writer.year()}."


def nature(writer: Writer, number: int) -> str:
    names = _surname_first(writer, writer.number(1, 4), " & ")
    return f"{number}. {names} {writer.title()}. <i>{writer.journal()}</i> <b>{writer.number(1, 600)}</b>, {_pages(writer)} ({writer.year()})."


Style = Callable[[Writer, int], str]

SEEN: tuple[Style, ...] = (apa, ieee, vancouver, chicago, alpha, web)
UNSEEN: tuple[Style, ...] = (harvard, plain_numbered, nature)
"""Only in looks that are held out."""

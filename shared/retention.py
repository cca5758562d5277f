"""The forgetting report: from the evaluations of a model and its earlier versions to a matrix of versions by held-out sets.

A set is forgotten where a version's loss on it rose above the best of the earlier versions, the base among them, and their
95 % intervals part. That is stricter than a test of the difference at 5 %: where it speaks, it is no noise.
"""

from collections.abc import Iterator, Sequence

from shared.contracts.learning import HalfEvaluation, Model, SetEvaluation, SetScore
from shared.contracts.retention import Cell, Change, ForgettingReport, MatrixRow, MatrixSet, Promotion
from shared.errors import Conflict, NotReady

Column = tuple[str, str]
"""A set and the digest of the examples drawn: scores on other examples are another column."""


class TooForgetful(Conflict):
    """The model forgot more than the policy allows."""

    code = "forgot-too-much"


def forgetting_report(models: Sequence[Model]) -> ForgettingReport:
    """Of the last model, given with its earlier versions, oldest first. Raises NotReady where nothing was measured for it."""
    asked = models[-1]
    if not asked.evaluation.sets:
        raise NotReady(f"{asked.id} was measured before forgetting was. Start its run anew to measure it.")
    columns = _columns(models)
    scores = [(asked.base, _base(models)), *((one.id, _tuned(one)) for one in models)]
    rows: list[MatrixRow] = []
    changes: dict[Column, Change] = {}
    for at, (version, own) in enumerate(scores):
        changes = _changes(columns, own, scores[:at])
        rows.append(MatrixRow(version=version, cells=tuple(_cell(own.get(key), changes, key) for key in columns)))
    return ForgettingReport(
        model=asked.id, name=asked.name, sets=tuple(columns.values()), versions=tuple(rows), changes=tuple(changes.values())
    )


def require_remembered(report: ForgettingReport, limit: float, forced: bool) -> None:
    """Raises TooForgetful where a set's loss rose beyond noise by more than the limit, in nats, unless it is forced."""
    over = _over(report, limit)
    if over and not forced:
        worst = over[0]
        raise TooForgetful(
            f"{report.model} forgot of {worst.name} ({worst.set}): its loss there rose from {worst.before.value:.3f} "
            f"({worst.best}) to {worst.after.value:.3f}, by {worst.rise:.3f} where {limit:g} is allowed. Train with replay of "
            "that dataset, allow more, or force it and say why.",
        )


def promotion_of(report: ForgettingReport, limit: float, forced: bool, reason: str, by: str, at: str) -> Promotion:
    """Raises TooForgetful. What was forced though nothing stood against it is not called so."""
    require_remembered(report, limit, forced)
    return Promotion(
        name=report.name, model=report.model, limit=limit, forgot=report.forgot, forced=forced and bool(_over(report, limit)),
        reason=reason, by=by, at=at,
    )  # fmt: skip


def _over(report: ForgettingReport, limit: float) -> list[Change]:
    """Worse beyond noise and by more than the limit, the worst first."""
    return [one for one in report.forgot if one.rise > limit]


def _columns(models: Sequence[Model]) -> dict[Column, MatrixSet]:
    """The sets that the last model was measured on, the oldest first, the probes last; of a set by whose other half a
    version's checkpoint was chosen, the half that all were measured on."""
    alone = {_key(one) for model in models for one in model.evaluation.sets}
    found = {}
    for one in models[-1].evaluation.sets:
        key = (one.set, one.half.digest) if one.half and (one.set, one.half.digest) in alone else _key(one)
        found[key] = MatrixSet(set=one.set, name=one.name, digest=key[1])
    ages = {"probes": 1, models[-1].dataset: 0}
    places = {key: (ages.get(key[0], -1), -at) for at, key in enumerate(found)}
    return {key: found[key] for key in sorted(found, key=places.__getitem__)}


def _base(models: Sequence[Model]) -> dict[Column, SetScore]:
    return {key: scores.base for model in models for key, scores in _measured(model)}


def _tuned(model: Model) -> dict[Column, SetScore]:
    return {key: scores.tuned for key, scores in _measured(model)}


def _measured(model: Model) -> Iterator[tuple[Column, SetEvaluation | HalfEvaluation]]:
    for one in model.evaluation.sets:
        yield _key(one), one
        if one.half:
            yield (one.set, one.half.digest), one.half


def _key(one: SetEvaluation) -> Column:
    return one.set, one.digest


def _changes(
    columns: dict[Column, MatrixSet], own: dict[Column, SetScore], earlier: Sequence[tuple[str, dict[Column, SetScore]]]
) -> dict[Column, Change]:
    found = {}
    for key, column in columns.items():
        known = [(version, scores[key].loss) for version, scores in earlier if key in scores]
        if key not in own or not known:
            continue
        best, before = min(known, key=lambda one: one[1].value)
        after = own[key].loss
        found[key] = Change(
            set=column.set, name=column.name, best=best, before=before, after=after, rise=after.value - before.value,
            worse=after.low > before.high,
        )  # fmt: skip
    return found


def _cell(score: SetScore | None, changes: dict[Column, Change], key: Column) -> Cell:
    change = changes.get(key)
    return Cell(score=score, rise=change.rise if change else None, worse=bool(change and change.worse))

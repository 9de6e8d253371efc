"""Splits of rows into training, validation and test parts, a pure function of the seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from trainrun.data.table import Rows
from trainrun.errors import DataError

TRAIN, VALID, TEST = 0, 1, 2


def part_sizes(rows: int, valid: float | int, test: float | int, place: str) -> tuple[int, int, int]:
    """Return the number of rows of each part.

    Args:
        rows: of the whole.
        valid: a fraction of all rows (float), or a number of rows (int); 0 for none.
        test: the same for the test part.
        place: how messages begin.

    Returns:
        The rows of training, validation and test; a fraction above 0 is at least one row.

    Raises:
        DataError: nothing is left to train on.
    """
    held = [_size(rows, share) for share in (valid, test)]
    if sum(held) >= rows:
        raise DataError(
            f"{place}: data.split: valid {valid} and test {test} of {rows} rows leave none for training; "
            "make them smaller, or give more rows"
        )
    return rows - sum(held), held[0], held[1]


def _size(rows: int, share: float | int) -> int:
    if isinstance(share, int):
        return share
    return max(1, int(share * rows + 0.5)) if share else 0


def room_for_classes(
    sizes: tuple[int, int, int], shares: tuple[float | int, float | int], classes: int, place: str
) -> tuple[int, int, int]:
    """Make sure that training has a row for each class.

    Args:
        sizes: rows of training, validation and test, from `part_sizes`.
        shares: what the config says for validation and test; a fraction may give up one row.
        classes: number of classes.
        place: how messages begin.

    Returns:
        The same sizes where training has enough rows; else fractions lose a row, the larger part first.

    Raises:
        DataError: training still has too few rows.
    """
    train, *held = sizes
    for part in sorted((0, 1), key=lambda part: -held[part]):
        if train < classes and isinstance(shares[part], float) and held[part] > 1:
            train, held[part] = train + 1, held[part] - 1
    if train < classes:
        raise DataError(
            f"{place}: data.split: each of the {classes} classes needs a training row, but valid {shares[0]} "
            f"and test {shares[1]} of {sum(sizes)} rows leave {sizes[0]} for training; make them smaller or 0"
        )
    return train, held[0], held[1]


def train_on_every_class(
    parts: tuple[Rows, Rows, Rows], classes: np.ndarray, random: np.random.Generator
) -> tuple[Rows, Rows, Rows]:
    """Give training a row of each class that it lacks, in exchange for a row of a frequent class.

    Args:
        parts: the rows of training, validation and test; training has as many rows as there are classes.
        classes: int [N], the class of each row of the table, also of rows outside the parts.
        random: the stream that draws the rows to exchange; unused where training has every class already.

    Returns:
        Parts of the same sizes, in ascending order.
    """
    rows = np.concatenate(parts)
    part = np.repeat([TRAIN, VALID, TEST], [len(some) for some in parts])
    codes = classes[rows]
    trained = np.bincount(codes[part == TRAIN], minlength=int(codes.max()) + 1)
    absent = np.setdiff1d(codes, codes[part == TRAIN])
    if not len(absent):
        return parts
    for label in absent:
        frequent = int(trained.argmax())
        taken = random.choice(np.flatnonzero(codes == label))
        given = random.choice(np.flatnonzero((codes == frequent) & (part == TRAIN)))
        part[taken], part[given] = part[given], part[taken]
        trained[label] += 1
        trained[frequent] -= 1
    train, valid, test = (np.sort(rows[part == which]) for which in (TRAIN, VALID, TEST))
    return train, valid, test


def split_rows(
    rows: Rows,
    sizes: tuple[int, int, int],
    random: np.random.Generator,
    *,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[Rows, Rows, Rows]:
    """Draw the parts.

    Args:
        rows: the indices to split.
        sizes: of the parts.
        random: the stream that draws.
        classes: int [n], each row's class, to give every part the same shares of them.
        groups: int [n], each row's group, to keep groups whole; sizes are then met as nearly as groups allow.

    Returns:
        The indices of the parts in ascending order.
    """
    if groups is not None:
        part = _grouped(groups, sizes, random)
    elif classes is not None:
        part = _stratified(classes, sizes, random)
    else:
        part = np.empty(len(rows), int)
        part[random.permutation(len(rows))] = np.repeat([TRAIN, VALID, TEST], sizes)
    return rows[part == TRAIN], rows[part == VALID], rows[part == TEST]


def in_fold(
    rows: Rows,
    place: int,
    count: int,
    random: np.random.Generator,
    *,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return which rows are in one of several folds; each row is in exactly one of them.

    Args:
        rows: the indices to split.
        place: of the fold, 1 to `count`.
        count: of the folds.
        random: the stream that draws; the same state gives the same folds for each place.
        classes: int [n], each row's class, to give every fold the same shares of them.
        groups: int [n], each row's group, to keep groups whole.

    Returns:
        bool [n]: whether a row is in the fold.
    """
    fold = np.empty(len(rows), int)
    if groups is not None:
        sizes, counts = np.zeros(count, int), np.bincount(groups)
        of_group = np.empty(len(counts), int)
        for group in random.permutation(len(counts)):
            of_group[group] = sizes.argmin()
            sizes[of_group[group]] += counts[group]
        fold = of_group[groups]
    else:
        order = random.permutation(len(rows))
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
        fold[order] = np.arange(len(rows)) % count
    inside: np.ndarray = fold == place - 1
    return inside


def _stratified(classes: np.ndarray, sizes: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    counts = _allocate(np.bincount(classes), np.array(sizes))
    order = random.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]  # class by class, in random order within each
    part = np.empty(len(classes), int)
    part[order] = np.repeat(np.tile([TRAIN, VALID, TEST], len(counts)), counts.ravel())
    return part


def _allocate(classes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Rows of each class in each part, int [C, 3]: less than one away from the exact share.

    Each class gives its rows to the parts with its largest remainders; then single rows are swapped between
    parts until these have their sizes: always possible, as a transportation problem has whole solutions.
    """
    products = np.outer(classes, sizes)
    counts, remainders = np.divmod(products, sizes.sum())
    extra = np.zeros_like(counts)
    for c, ranked in enumerate(np.argsort(-remainders, axis=1, kind="stable")):
        extra[c, ranked[: classes[c] - counts[c].sum()]] = 1
    while (surplus := (counts + extra).sum(axis=0) - sizes).any():
        _swap(extra, remainders, int(surplus.argmax()), int(surplus.argmin()))
    return counts + extra


def _swap(extra: np.ndarray, remainders: np.ndarray, source: int, target: int) -> None:
    """Move a row from part `source` to part `target`, over the third part where no class can directly."""
    third = 3 - source - target
    for path in ([source, target], [source, third, target]):
        steps = list(pairwise(path))
        able = [(extra[:, a] == 1) & (extra[:, b] == 0) & (remainders[:, b] > 0) for a, b in steps]
        if all(step.any() for step in able):
            for (a, b), step in zip(steps, able, strict=True):
                c = int(np.argmax(np.where(step, remainders[:, b] - remainders[:, a], np.iinfo(int).min)))
                extra[c, a], extra[c, b] = 0, 1
            return
    raise AssertionError("no table of whole numbers has these sums")


def _grouped(groups: np.ndarray, sizes: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """Fill the test and the validation part with groups in random order while that nears their sizes."""
    counts = np.bincount(groups)
    part_of_group = np.full(len(counts), TRAIN)
    left = random.permutation(len(counts)).tolist()
    held = [part for part in (TEST, VALID) if sizes[part]]
    for later, part in zip(reversed(range(len(held))), held, strict=True):
        spare = len(left) - later - 1  # leave a group to each later part and to training
        taken = _nearest_sum(left, counts, sizes[part], spare)
        part_of_group[taken] = part
        left = [group for group in left if part_of_group[group] == TRAIN]
    assigned: np.ndarray = part_of_group[groups]
    return assigned


def _nearest_sum(groups: list[int], counts: np.ndarray, size: int, most: int) -> list[int]:
    taken: list[int] = []
    rows = 0
    for group in groups:
        if len(taken) < most and counts[group] < 2 * (size - rows):  # it brings the sum nearer to `size`
            taken.append(group)
            rows += int(counts[group])
    return taken or [min(groups, key=lambda group: int(counts[group]))]

"""The section `data`: where the rows come from and how they are prepared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from trainrun.config.keys.fields import Apart, Expected, Section, Seed, ShortForm, misfit
from trainrun.config.references import OF_FILES, column_names, is_idx
from trainrun.quantities import Rate

Bundled = Literal["digits", "breast_cancer", "wine", "iris", "diabetes"]
BUNDLED: tuple[str, ...] = get_args(Bundled)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _auto_or_listed(value: object) -> object:
    return "auto" if value == "auto" else _listed(value)


def _zero_rows(part: float) -> float:
    return 0 if part == 0 else part


Part = Annotated[
    Rate | Annotated[int, Ge(0)],
    AfterValidator(_zero_rows),
    Expected("a part of all rows (at least 0, below 1) or a number of rows"),
]
# In a file a column named 2020 is a number: names are read as they are written.
_Word = str | float | bool
_Column = WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
Columns = Annotated[
    tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=_Word | list[_Word | None])
]
DEFAULT_NA = ("", "NA", "NaN", "?")


def _all_words(value: object) -> object:
    """Return every word: a list adds to the default ones, `only` replaces them."""
    if isinstance(value, Mapping) and set(value) == {"only"}:
        return _listed(value["only"])
    words = _listed(value)
    return tuple(dict.fromkeys((*DEFAULT_NA, *words))) if isinstance(words, tuple | list) else words


MissingWords = Annotated[
    tuple[str, ...],
    BeforeValidator(
        _all_words,
        json_schema_input_type=_Word | list[_Word | None] | dict[Literal["only"], list[_Word | None]],
    ),
    Expected("a list of words, or {only: [words]}"),
]
Files = Annotated[
    Path | tuple[Path, Path] | None, Expected("a file (for IDX: [images, labels]) or null"), Apart()
]


def _fold(text: str | None) -> str | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
    if not match or not int(match[1]) <= int(match[2]) or match[2] == "1":
        raise ValueError("must be I/N with I from 1 to N and at least 2 folds, such as 2/5")
    return text


class Split(Section):
    """Rules to cut the parts from `path`, if they have no files of their own."""

    valid: Part = Field(0.2, description="a fraction of all rows, or a number of rows; 0: no validation part")
    test: Part = Field(0.2, description="a fraction of all rows, or a number of rows; 0: no test part")
    seed: Seed | Literal["run"] = Field(0, description="run draws a new split for each seed")
    stratify: bool | Literal["auto"] = Field(
        "auto", description="whether the parts keep the shares of the classes"
    )
    group: Annotated[str | None, _Column] = Field(
        None, description="a column; rows that agree in it stay in one part"
    )
    fold: Annotated[str | None, AfterValidator(_fold), Expected("I/N, such as 2/5")] = Field(
        None, description="I/N: the test part is fold I of N that share no row, in place of split.test"
    )

    @property
    def place_of_fold(self) -> tuple[int, int] | None:
        """The number of the test fold, from 1, and the number of folds; None without `fold`."""
        if self.fold is None:
            return None
        place, _, count = self.fold.partition("/")
        return int(place), int(count)


class DataConfig(Section):
    """Source of the rows and their preparation."""

    source: Annotated[
        Bundled | None, Expected(f"a bundled set ({', '.join(BUNDLED)}; a file goes by its path)")
    ] = Field(None, description="a bundled set, in place of path")
    path: Annotated[Path | None, Expected("a file"), Apart()] = Field(
        None, description="csv, tsv (.gz too), parquet, npz or IDX images; relative to this file"
    )
    valid: Files = Field(None, description="a file of validation rows, in place of the split's part")
    test: Files = Field(None, description="a file of test rows, in place of the split's part")
    target: Annotated[
        str | Path | None, Expected("a column, an array's name or the labels' file"), _Column
    ] = Field(None, description="the column to predict; npz: an array; IDX: the labels' file")
    task: Literal["auto", "classification", "regression"] = Field(
        "auto", description="auto: text, booleans and up to 20 distinct integers are classes"
    )
    drop: Columns = Field((), description="columns to leave out")
    header: bool | Literal["auto"] = Field("auto", description="whether the first line names the columns")
    delimiter: str = Field("auto", description="what separates the columns of a text file")
    categorical: Annotated[
        Literal["auto"] | tuple[str, ...],
        BeforeValidator(_auto_or_listed, json_schema_input_type=_Word | list[_Word]),
        Expected("auto or a list of columns"),
    ] = Field("auto", description="columns to encode one-hot besides those of text")
    missing: Literal["auto", "error", "mean", "median", "most_frequent", "drop"] = Field(
        "auto", description="what to put where a value is missing, or drop for the row"
    )
    missing_indicator: bool = Field(
        False, description="whether a number column with gaps gets an input of 0 and 1 that marks them"
    )
    rare: Annotated[int, Ge(0)] = Field(
        0, description="categories with fewer training rows share one input, as do unseen ones; 0: none"
    )
    na: MissingWords = Field(
        DEFAULT_NA, description="words that mean a missing value, besides the default ones; or {only: [...]}"
    )
    decimal: Literal["auto", ".", ","] = Field(
        "auto", description="what separates the fraction of numbers in a text file; auto looks, and says so"
    )
    scale: Literal["standard", "minmax", "quantile", "robust", "none"] = Field(
        "robust", description="of the features, fitted on the training rows"
    )
    scale_target: Literal["auto", "standard", "none"] = Field(
        "auto", description="regression: whether the target is standardised for training"
    )
    split: Split = Field(default_factory=Split, description="how the parts are cut from path")

    @property
    def has_validation(self) -> bool:
        """Return whether there will be a validation part."""
        return self.valid is not None or self.split.valid != 0

    @model_validator(mode="after")
    def _fit_together(self) -> DataConfig:
        fractions = [size for size in self.cut_parts.values() if isinstance(size, float)]
        if sum(fractions) >= 1:
            shares = " + ".join(f"{part:g}" for part in fractions)
            raise misfit(f"valid and test take all rows ({shares}): leave some to train on", at="split")
        if self.split.fold is not None and self.test is not None:
            raise misfit("cuts the test part from path: leave data.test or the fold out", at="split.fold")
        if self.path is None and self.source is None:
            raise misfit("is required: a file, or `source` with a bundled set", at="path")
        if self.source is not None:
            self._check_bundled(self.source)
        elif self.target is None:
            raise misfit(_target_wanted(self), at="target")
        elif self.path is not None and is_idx(self.path):
            self._check_pairs()
        elif pair := next((key for key in ("valid", "test") if isinstance(getattr(self, key), tuple)), None):
            raise misfit("takes one file: [images, labels] is for IDX files", at=pair)
        return self

    @property
    def cut_parts(self) -> dict[str, float]:
        """The sizes of the parts that have no file of their own."""
        files = {"valid": self.valid, "test": self.test}
        sizes = {"valid": self.split.valid, "test": self.split.test}
        if folds := self.split.place_of_fold:
            sizes["test"] = 1 / folds[1]
        return {key: sizes[key] for key, file in files.items() if file is None}

    @property
    def redrawn(self) -> bool:
        """Return whether each seed draws its own parts."""
        return self.split.seed == "run" and any(self.cut_parts.values())

    def _check_bundled(self, source: str) -> None:
        for key in OF_FILES:
            if getattr(self, key) is not None:
                raise misfit(f"does not go with the bundled set {source}, which brings its own", at=key)

    def _check_pairs(self) -> None:
        for key in ("valid", "test"):
            if isinstance(getattr(self, key), Path):
                raise misfit("must be [images, labels]: IDX files hold one of the two", at=key)


def _source_or_path(value: object) -> object:
    if not isinstance(value, str):
        return None
    return {"path" if re.search(r"[./\\]", value) else "source": value}


_BundledWord = Annotated[Bundled, WithJsonSchema({"enum": list(BUNDLED)})]
Data = Annotated[
    DataConfig,
    ShortForm(
        _source_or_path, Annotated[Bundled, WithJsonSchema({"enum": list(BUNDLED)})] | str | DataConfig
    ),
    Expected("a bundled set, a file or a mapping"),
]


def _target_wanted(data: DataConfig) -> str:
    if data.path is None or is_idx(data.path):
        return "is required: the labels' file"
    names = column_names(data.path, data.delimiter)
    among = f"; the columns are {', '.join(names)}" if names else ""
    what = "array" if data.path.suffix.lower() == ".npz" else "column"
    return f"is required: the {what} to predict{among}"

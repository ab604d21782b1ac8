"""Streamed designs that say how they move with each regressor, for partial effects."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data import movements
from nnecon.data.checks import endog_values, factor_values
from nnecon.data.formula import read_formula
from nnecon.data.matrix import Matrix
from nnecon.data.names import bindings_to_state
from nnecon.data.regressors import Place, Regressor, find_regressors
from nnecon.data.stream import Stream
from nnecon.data.stream_design import StreamDesign
from nnecon.data.stream_rows import in_chunk
from nnecon.exceptions import DataError, SpecificationError


class Chunk:
    """The complete rows of a chunk, and how their design moves.

    Attributes
    ----------
    weights : ndarray, shape (m,)
        Observation weights.
    """

    def __init__(
        self,
        matrix: Matrix,
        places: Mapping[str, Place],
        values: Sequence[np.ndarray],
        inputs: Mapping[str, pd.Series],
        index: pd.Index,
        weights: np.ndarray,
    ) -> None:
        self._matrix, self._places, self._values = matrix, places, values
        self._inputs, self._index, self.weights = inputs, index, weights

    @cached_property
    def exog(self) -> np.ndarray:
        """Design matrix, shape (m, p)."""
        return self._matrix.assemble(self._values, len(self._index))

    def direction(self, regressor: Regressor) -> np.ndarray:
        """Derivative of the design matrix by a continuous regressor.

        Shape (p,) where it is the same in all rows of all chunks, otherwise (m, p).
        """
        place = self._places[regressor.name]
        if self._same_in_all_rows(place):
            first = [value[:1] for value in self._values]
            inputs = {name: column.iloc[:1] for name, column in self._inputs.items()}
            return movements.direction(
                self._matrix, regressor, place, first, inputs, self._index[:1]
            )[0]
        return movements.direction(
            self._matrix, regressor, place, self._values, self._inputs, self._index
        )

    def _same_in_all_rows(self, place: Place) -> bool:
        """Whether the factors are the moving variable itself and stand in no interaction."""
        factors = self._matrix.factors
        return all(
            place.source is None or factors[k].expression.bare == place.source
            for k in place.factors
        ) and all(
            len(column) == 1
            for column in self._matrix.pieces
            if any(piece.factor in place.factors for piece in column)
        )

    def contrast(self, regressor: Regressor) -> tuple[np.ndarray, np.ndarray]:
        """Design matrices with a category at its level and at its reference, each (m, p)."""
        place = self._places[regressor.name]
        return movements.contrast(self._matrix, regressor, place, self._values, len(self._index))


class MovingDesign(StreamDesign):
    """A :class:`StreamDesign` with regressors. Build one with :meth:`from_formula`.

    Progress is shown while the design is built; later passes are silent.

    Examples
    --------
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0], "g": ["a", "b", "a"]})
    >>> design = MovingDesign.from_formula("y ~ x * g", Stream.of(frame, chunk_rows=2))
    >>> [regressor.name for regressor in design.regressors]
    ['g[T.b]', 'x']
    >>> next(design.moving_chunks()).direction(design.regressors[1]).tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """

    shows_passes = False

    @cached_property
    def _found(self) -> list[tuple[Regressor, Place]]:
        for values, inputs, _, _ in self._complete():
            if len(inputs) == 0 or len(next(iter(inputs.values()))):
                return find_regressors(self._matrix, inputs, values)
        raise DataError(f"{self.stream.name} gave rows before, and gives none now")

    @property
    def regressors(self) -> tuple[Regressor, ...]:
        """Quantities with a partial effect, in the order in which they enter."""
        return tuple(regressor for regressor, _ in self._found)

    def moving_chunks(self) -> Iterator[Chunk]:
        """Read the data once more; chunks as in :meth:`weighted_blocks`, with their movements."""
        places = {regressor.name: place for regressor, place in self._found}
        for values, inputs, index, weights in self._complete():
            if len(index):
                yield Chunk(self._matrix, places, values, inputs, index, weights)

    def _complete(
        self,
    ) -> Iterator[tuple[list[np.ndarray], Mapping[str, pd.Series], pd.Index, np.ndarray]]:
        """Factor values, inputs, labels and weights of the complete rows of every chunk."""
        matrix = self._matrix
        for number, frame, rows in self._chunks("Reading"):
            if len(rows) == 0:
                continue
            _, inputs = self._table(number, frame, rows)
            index = frame.index[rows]
            with in_chunk(number):
                keep = ~np.isnan(endog_values(matrix.endog, inputs, index))
                values = [factor_values(factor, inputs, index) for factor in matrix.factors]
                for value in values:
                    keep &= value >= 0 if value.ndim == 1 else ~np.isnan(value).any(axis=1)
                weights = self._weights(frame, rows[keep])
            if not keep.all():
                values = [value[keep] for value in values]
                inputs = {name: column.iloc[keep] for name, column in inputs.items()}
                index = index[keep]
            yield values, inputs, index, weights

    def state(self) -> dict[str, Any]:
        """What is needed to build the design again from the same data, as JSON."""
        plain, functions = bindings_to_state(self._parsed.bindings)
        return {
            "formula": self.formula,
            "source": self.stream.name,
            "chunk_rows": self.stream.chunk_rows,
            "subset": self.subset,
            "drop_cols": list(self.drop_cols),
            "missing": self.missing,
            "weights": self.weights,
            "n_obs": self.n_obs,
            "bindings": plain,
            "functions": functions,
        }

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], source: Any, functions: Mapping[str, Any] | None
    ) -> "MovingDesign":
        """Build from what :meth:`state` gave, reading the data anew.

        The formula is evaluated only if it is plain arithmetic with the formula helpers, NumPy's
        elementwise functions, and functions passed here.

        Parameters
        ----------
        meta : mapping
            What :meth:`state` returned.
        source : Stream, path, DataFrame, callable or list of DataFrame, optional
            The data; None reads the file that they came from.
        functions : mapping, optional
            Functions of yours that the formula calls, by name.

        Raises
        ------
        SpecificationError
            The formula needs a function that was not passed, or does more than arithmetic.
        DataError
            The data are not there, or are others.
        """
        given = dict(functions or {})
        lacking = [name for name in meta["functions"] if name not in given]
        if lacking:
            raise SpecificationError(
                f"the saved formula calls {lacking[0]}(), a function of yours that a file cannot "
                f"hold; pass it when loading: functions={{{lacking[0]!r}: {lacking[0]}}}"
            )
        where = meta["source"] if source is None else source
        if source is None and not Path(where).is_file():
            raise DataError(
                f"the data of the saved fit came from {where}, which is not at hand; pass them "
                "when loading: data=..."
            )
        stream = Stream.of(where, meta["chunk_rows"])
        names = {**meta["bindings"], **given}
        read_formula(meta["formula"], list(stream.columns), names, trusted=False)
        design = cls(
            meta["formula"],
            stream,
            meta["subset"],
            meta["drop_cols"],
            meta["missing"],
            meta["weights"],
            names,
            progress=False,
        )
        if design.n_obs != meta["n_obs"]:
            raise DataError(
                f"{stream.name} has {design.n_obs} complete rows, but the saved fit was made on "
                f"{meta['n_obs']}; pass the same data"
            )
        return design

"""Which variables a sparse penalty lets into the network, and in what order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.penalties import input_groups
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense
from nnecon.report import plots


@dataclass(frozen=True, slots=True, eq=False)
class VariableSelection:
    """Variables in the network along the path of a sparse penalty.

    A variable is in the network where at least one of the weights that leave its columns is not
    zero. With a linear part all variables enter linearly at every penalty, without being
    penalised, and the network adds what is nonlinear: a variable that is not in it has a constant
    partial effect, not none.

    Attributes
    ----------
    norms : DataFrame of shape (m, v)
        Root of the sum of squares of each variable's weights into the network, a row a penalty,
        descending, and a column a variable. Weights are those of standardised inputs, so that
        variables in different units compare; zeros are exact.
    alpha : float
        The penalty of the estimate.
    linear_part : bool
        Whether all variables enter linearly besides.
    """

    norms: pd.DataFrame
    alpha: float
    linear_part: bool

    @property
    def alphas(self) -> np.ndarray:
        """Penalties of the path, descending, shape (m,)."""
        return self.norms.index.to_numpy(dtype=float)

    @property
    def entry(self) -> pd.DataFrame:
        """Order of entry, a row a variable.

        Columns are ``order`` (1 for the variable that enters at the largest penalty; variables
        that the grid of penalties cannot tell apart share a number; missing where a variable
        never enters), ``alpha`` (the largest penalty at which it is in the network), ``always``
        (whether it stays in from there on), ``selected`` and ``norm`` (at the penalty of the
        estimate).
        """
        alphas, inside = self.alphas, (self.norms != 0).to_numpy()
        first = np.where(inside.any(axis=0), inside.argmax(axis=0), len(alphas))
        chosen = self._row(self.alpha)
        frame = pd.DataFrame(
            {
                "order": pd.array([pd.NA] * len(first), dtype="Int64"),
                "alpha": np.append(alphas, np.nan)[first],
                "always": [bool(inside[at:, j].all()) for j, at in enumerate(first)],
                "selected": inside[chosen],
                "norm": self.norms.iloc[chosen].to_numpy(),
            },
            index=self.norms.columns,
        )
        entered = first < len(alphas)
        frame.loc[~entered, "always"] = False
        rank = pd.Series(first[entered]).rank(method="dense").astype("int64").to_numpy()
        frame.loc[entered, "order"] = rank
        # among those that enter together, the larger weights first
        return frame.iloc[np.lexsort((-frame["norm"].to_numpy(), first))]

    def selected(self, alpha: float | None = None) -> list[str]:
        """Variables in the network at a penalty of the path, by default that of the estimate.

        Raises
        ------
        SpecificationError
            ``alpha`` is not on the path.
        """
        row = self.norms.iloc[self._row(self.alpha if alpha is None else alpha)]
        return [str(name) for name in row.index[row != 0]]

    def _row(self, alpha: float) -> int:
        alphas = self.alphas
        found = np.flatnonzero((alphas == alpha) | np.isclose(alphas, alpha, rtol=1e-6, atol=0.0))
        if len(found):
            return int(found[0])
        live = alphas[np.isfinite(alphas) & (alphas > 0)]
        nearest = live[np.abs(np.log(live / alpha)).argmin()] if len(live) and alpha > 0 else np.inf
        raise SpecificationError(
            f"alpha={alpha!r} is not on the path; the nearest penalty is {nearest:.6g}, and "
            "to_frame() lists all of them."
        )

    def to_frame(self) -> pd.DataFrame:
        """Norm of each variable's weights, a row a penalty; zero where it is not in the network."""
        return self.norms.copy()

    @property
    def note(self) -> str:
        """What the selection means, in words."""
        entered, never = self.selected(), [n for n in self.norms if n not in self.selected()]
        how = "nonlinearly " if self.linear_part else ""
        inside = _listing(entered) if entered else "no variable"
        text = f"At the penalty {self.alpha:.3g}, {inside} enter{_s(entered)} {how}".rstrip()
        if never:
            rest = "linearly only" if self.linear_part else "not at all"
            text += f"; {_listing([str(n) for n in never])} enter{_s(never)} {rest}"
        return (
            f"{text}. Variables that are alike can stand for each other, and standard errors and "
            "p-values take the selection as given."
        )

    def plot(self, **options: Any) -> Any:
        """Norms of the variables' weights against the penalty, in order of entry.

        Options are those of :func:`nnecon.report.plots.plot_selection`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        marks = {"chosen": self.alpha, "linear_part": self.linear_part}
        return plots.plot_selection(self.alphas, self.norms, **{**marks, **options})

    def __str__(self) -> str:
        return f"{self.entry.to_string(float_format='%.4g')}\n{self.note}"


def variable_selection(
    alphas: np.ndarray,
    params: np.ndarray,
    network: Dense,
    columns_by_variable: Mapping[str, Sequence[int]],
    inputs: Sequence[int] | np.ndarray,
    *,
    alpha: float,
    input_scale: np.ndarray | None = None,
    linear_part: bool = True,
) -> VariableSelection:
    """Read the selected variables off the parameters of a path.

    Parameters
    ----------
    alphas : ndarray of shape (m,)
        Penalties.
    params : ndarray of shape (m, k)
        Parameters at each penalty.
    network : Dense
        The network.
    columns_by_variable : mapping of str to sequence of int
        Columns of the design by variable (:func:`nnecon.data.variables.columns_by_variable`).
    inputs : sequence of int
        Columns of the design that are inputs of the network (``Scaling.inputs``).
    alpha : float
        The penalty of the estimate, one of ``alphas``.
    input_scale : ndarray of shape (n_inputs,), optional
        ``Scaling.input_scale`` where ``params`` are in the user's units; left out for parameters
        of the standardised problem.
    linear_part : bool
        Whether all variables enter linearly besides.

    Returns
    -------
    VariableSelection

    Examples
    --------
    >>> network = Dense(1, 2, (1,), "tanh")
    >>> params = np.array([[0.0, 0, 0, 0, 0], [0, 2, 0, 0, 1], [0, 3, 1, 0, 1.0]])
    >>> columns = {"infl": [1], "unemp": [2]}
    >>> chosen = variable_selection([np.inf, 1, 0.1], params, network, columns, [1, 2], alpha=1)
    >>> chosen.selected(), chosen.selected(0.1)
    (['infl'], ['infl', 'unemp'])
    """
    alphas, params = np.asarray(alphas, dtype=float), np.asarray(params, dtype=float)
    factor = np.ones(network.n_params)
    if input_scale is not None and network.hidden:
        factor[network.layers[0].weights] = np.tile(input_scale, network.layers[0].units)
    groups = input_groups(network, columns_by_variable, inputs)
    norms = {name: np.linalg.norm((params * factor)[:, at], axis=1) for name, at in groups.items()}
    order = np.argsort(-alphas, kind="stable")
    frame = pd.DataFrame(norms, index=pd.Index(alphas, name="alpha")).iloc[order]
    return VariableSelection(frame, float(alpha), linear_part)


def _s(names: Sequence[Any]) -> str:
    """The ending of a verb: one variable enters, several enter."""
    return "" if len(names) > 1 else "s"


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

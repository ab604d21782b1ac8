"""Kinds of covariance: their names, what they are robust to, and the options they take.

This is the one list; ``cov_type`` takes its names everywhere, spelled as in statsmodels.

================  ===============================================  ================================
``nonrobust``     nothing: equal variances, no correlation
``HC0``           unequal variances (White, 1980)
``HC1``           the same, times n / (n - edf)
``HC2``, ``HC3``  the same, by leverage (MacKinnon and White,
                  1985)
``HAC``           unequal variances and autocorrelation (Newey     ``maxlags``, ``kernel``,
                  and West, 1987)                                  ``use_correction``
``cluster``       correlation within groups, one or two ways       ``groups``, ``use_correction``,
                  (Liang and Zeger, 1986; Cameron, Gelbach and     ``df_correction``
                  Miller, 2011)
``cluster-crv3``  the same by leaving out groups, for few of       as ``cluster``, one way
                  them (Bell and McCaffrey, 2002)
``hac-panel``     autocorrelation within the series of a panel     ``groups`` or ``time`` or both,
                                                                   ``maxlags``, ``kernel``,
                                                                   ``use_correction``,
                                                                   ``df_correction``
``hac-groupsum``  the same, and correlation between series         ``time``, ``maxlags``,
                  (Driscoll and Kraay, 1998)                       ``kernel``, ``use_correction``,
                                                                   ``df_correction``
``opg``           nothing, by the outer product of the scores
                  (Berndt, Hall, Hall and Hausman, 1974)
``bootstrap``     what its ``kind`` draws: ``"pairs"``,            ``kind``, ``draws``, ``rng``,
                  ``"bayesian"``, ``"wild"``, ``"cluster"``,       ``groups``, ``block``,
                  ``"block"``, ``"moving"``, ``"stationary"``      ``distribution``
================  ===============================================  ================================

``maxlags`` is a whole number, ``"andrews"`` (the default) or ``"newey-west"``, which let the data
say how many (see :mod:`nnecon.inference.long_run`); for ``hac-panel`` and the uniform kernel the
default is Newey and West's rule of thumb, ``floor(4 (n / 100)^(2/9))``. ``kernel`` is
``"bartlett"`` (the default), ``"parzen"``, ``"quadratic-spectral"`` or ``"uniform"``.
``use_correction`` says whether the factor for small samples applies: True or False for ``HAC``
(default False) and ``cluster`` (True); ``"hac"``, ``"cluster"`` or False for ``hac-panel``
(``"hac"``) and ``hac-groupsum`` (``"cluster"``). ``df_correction=False`` keeps n - edf as degrees
of freedom of t and F statistics in place of the number of groups (series) less one. ``groups`` and
``time`` are names of columns or one label a row; ``groups`` of two ways are two of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnecon.estimation.draws import WEIGHTINGS, WILD
from nnecon.exceptions import SpecificationError
from nnecon.inference.long_run import KERNELS, RULES

_LAGS = {"maxlags", "kernel", "use_correction"}
_GROUPS = {"groups", "use_correction", "df_correction"}
OPTIONS: dict[str, set[str]] = {
    "nonrobust": set(),
    "HC0": set(),
    "HC1": set(),
    "HC2": set(),
    "HC3": set(),
    "HAC": _LAGS,
    "cluster": _GROUPS,
    "cluster-crv3": _GROUPS,
    "hac-panel": _LAGS | {"groups", "time", "df_correction"},
    "hac-groupsum": _LAGS | {"time", "df_correction"},
    "opg": set(),
    "bootstrap": {"kind", "draws", "rng", "groups", "block", "distribution"},
}
KINDS = tuple(OPTIONS)
LABELS = ("groups", "time")
"""Options that hold one label a row."""

GROUPED = ("cluster", "cluster-crv3", "hac-panel")
"""Kinds that take the ``groups`` of ``fit`` unless they are given others."""

BOOTSTRAPS = (*WEIGHTINGS, "wild")


def check(kind: str, options: Mapping[str, Any] | None, n_obs: int) -> None:
    """Refuse a kind of covariance that does not exist and options that make no sense."""
    if kind not in KINDS:
        raise SpecificationError(f"cov_type={kind!r} is not known; choose one of {KINDS}.")
    given = dict(options or {})
    unknown = set(given) - OPTIONS[kind]
    if unknown:
        allowed = sorted(OPTIONS[kind]) or "no options"
        raise SpecificationError(
            f"cov_kwds has {sorted(unknown)}, but cov_type={kind!r} takes {allowed}."
        )
    for name in LABELS:
        if given.get(name) is not None:
            _check_labels(name, given[name], kind, n_obs)
    if "maxlags" in OPTIONS[kind]:
        _check_lags(kind, given.get("maxlags"), given.get("kernel", "bartlett"), n_obs)
    _check_corrections(kind, given)
    if kind.startswith("cluster") and given.get("groups") is None:
        raise SpecificationError(
            f"cov_type={kind!r} needs cov_kwds={{'groups': ...}}: a column name or one label a row."
        )
    if kind == "hac-groupsum" and given.get("time") is None:
        raise SpecificationError(
            "cov_type='hac-groupsum' needs time=...: a column name or the period of every row."
        )
    if kind == "hac-panel" and given.get("groups") is None and given.get("time") is None:
        raise SpecificationError(
            "cov_type='hac-panel' needs groups=... (which series a row belongs to) or, where the "
            "series stand one below the other, time=...: names of columns or one label a row."
        )
    if kind == "bootstrap":
        _check_bootstrap(given)


def _check_lags(kind: str, lags: Any, kernel: Any, n_obs: int) -> None:
    if kernel not in KERNELS:
        raise SpecificationError(f"kernel={kernel!r} is not known; choose one of {[*KERNELS]}.")
    if isinstance(lags, str) and lags in RULES:
        if kernel == "uniform":
            raise SpecificationError(
                f"maxlags={lags!r}: the uniform kernel has no best bandwidth; give a number of "
                "lags or another kernel."
            )
        if kind == "hac-panel":
            raise SpecificationError(
                f"maxlags={lags!r} is a rule for one series; give a number of lags for a panel."
            )
        return
    whole = isinstance(lags, int | np.integer) and not isinstance(lags, bool)
    if lags is not None and not (whole and 0 <= lags < n_obs):
        raise SpecificationError(
            f"maxlags={lags!r}: pass a whole number from 0 to {n_obs - 1} (one less than the "
            f"rows), or one of {RULES}."
        )


def _check_corrections(kind: str, given: Mapping[str, Any]) -> None:
    correction = given.get("use_correction", False)
    panel = kind in ("hac-panel", "hac-groupsum")
    names = ("hac", "cluster") if panel else (True, np.True_)
    if not (isinstance(correction, str | bool | np.bool_) and correction in (*names, False)):
        choices = "'hac', 'cluster' or False" if panel else "True or False"
        raise SpecificationError(f"use_correction={correction!r}: give {choices}.")
    freedom = given.get("df_correction")
    if not (freedom is None or isinstance(freedom, bool | np.bool_)):
        raise SpecificationError(f"df_correction={freedom!r}: give True or False.")


def _check_labels(name: str, labels: Any, kind: str, n_obs: int) -> None:
    values = np.asarray(labels)
    if len(values) != n_obs:
        raise SpecificationError(f"{name} has {len(values)} labels, but the sample {n_obs} rows.")
    ways = values.reshape(n_obs, -1).T
    if len(ways) > (2 if kind == "cluster" and name == "groups" else 1):
        most = "two ways" if kind == "cluster" and name == "groups" else "one label a row"
        raise SpecificationError(
            f"{name} has {len(ways)} columns, but cov_type={kind!r} takes {most}."
        )
    if any(len(np.unique(way)) < 2 for way in ways) and kind != "hac-panel":
        what = "clustered errors need" if kind.startswith("cluster") else f"{kind} needs"
        raise SpecificationError(f"{name} has a single label; {what} at least two.")


def _check_bootstrap(given: Mapping[str, Any]) -> None:
    kind = given.get("kind")
    if kind is not None and kind not in BOOTSTRAPS:
        raise SpecificationError(f"kind={kind!r} is not known; choose one of {BOOTSTRAPS}.")
    draws = given.get("draws", 999)
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 2:
        raise SpecificationError(f"draws={draws!r}: give a whole number from 2 on.")
    seed = given.get("rng", 0)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecificationError(
            f"rng={seed!r}: give a whole number, so that the same results have the same errors."
        )
    if given.get("distribution") is not None:
        if kind != "wild":
            raise SpecificationError("distribution= belongs to kind='wild'.")
        if given["distribution"] not in WILD:
            raise SpecificationError(
                f"distribution={given['distribution']!r} is not known; choose one of {WILD}."
            )

"""How a factor model is estimated: path, chosen penalty, polished estimate."""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.autoencoder_batches import evaluated
from nnecon.estimation.autoencoding import (
    POLISH,
    AutoencoderPath,
    PanelSample,
    PathWork,
    linear_objective,
    solve_autoencoder,
)
from nnecon.estimation.execution import Execution, Monitor
from nnecon.estimation.folds import Folds
from nnecon.estimation.kernels import double_precision
from nnecon.inference.factor_map import ComponentMap, Extraction, FactorMap, NetworkMap
from nnecon.models.factor_dynamics import check_transitions
from nnecon.models.factor_samples import (
    FactorTask,
    extraction_of,
    fitted,
    mapping_of,
    random_starts,
    sample_of,
)
from nnecon.models.factor_selection import at_choice, cross_validated
from nnecon.results.factor_path import FactorPath, ReconstructionCV
from nnecon.results.path import choose_alpha

CONVERGED = 1e-4
"""Relative gradient under which an estimate is called converged."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """What an estimation finds: the model as a function, how it was chosen, what training says."""

    mapping: FactorMap
    components: ComponentMap
    alpha: float
    path: FactorPath | None
    cv: ReconstructionCV | None
    certificate: float
    iterations: int
    note: str = ""


def estimate(
    task: FactorTask,
    alpha: float | str,
    grid: np.ndarray,
    folds: Folds | None,
    n_starts: int,
    rng: np.random.Generator,
    execution: Execution,
) -> Estimated:
    """Trace the path, choose the penalty, and polish the estimate."""
    everything = np.ones(len(task.panel.values), dtype=bool)
    whole = extraction_of(task, everything)
    components = ComponentMap(whole)
    if task.is_linear or alpha == np.inf:
        return Estimated(components, components, np.inf, None, None, 0.0, 0)
    masks = [] if folds is None else list(folds.train)
    extractions = [whole]
    for number, mask in enumerate(masks, 1):
        extractions.append(extraction_of(task, mask, f" in the training rows of fold {number}"))
    check_transitions(task, everything, masks)
    samples = [
        sample_of(task, base, mask)
        for base, mask in zip(extractions, [everything, *masks], strict=True)
    ]
    streams = rng.spawn(len(samples))
    items = [
        (sample, random_starts(task, base, n_starts, own))
        for sample, base, own in zip(samples, extractions, streams, strict=True)
    ]
    work = PathWork(task.network, grid, task.batches)
    found = execution.run(work, [([item],) for item in items], record=AutoencoderPath)
    paths = [records[0] for records in found]
    cv, chosen = None, float(alpha) if not isinstance(alpha, str) else np.inf
    alphas = np.r_[np.inf, grid]
    if folds is not None:
        cv = cross_validated(task, folds, extractions, samples, paths, alphas)
        least, within = choose_alpha(alphas, cv.scores)
        if isinstance(alpha, str):
            chosen = within if alpha == "1se" else least
        cv = at_choice(task, cv, folds, extractions, samples, paths, chosen)
    path = _as_path(samples[0], task, alphas, paths[0], cv)
    final = polished(task, whole, samples[0], paths[0], grid, chosen)
    mapping = components if final is None else final.mapping
    if final is None:
        return Estimated(mapping, components, chosen, path, cv, 0.0, 0)
    return Estimated(
        mapping, components, chosen, path, cv, final.certificate, final.iterations, final.note
    )


@dataclass(frozen=True, slots=True, eq=False)
class Polished:
    """The estimate at one penalty, its largest relative gradient, iterations or epochs, a note."""

    mapping: NetworkMap
    certificate: float
    iterations: int
    note: str


def polished(
    task: FactorTask,
    whole: Extraction,
    sample: PanelSample,
    path: AutoencoderPath,
    grid: np.ndarray,
    alpha: float,
) -> Polished | None:
    """The estimate at one of the penalties; None where principal components are no worse.

    A training is reported as it ended, with the best output layer; L-BFGS goes on to the minimum.
    """
    if not np.isfinite(alpha):
        return None
    at = int(np.argmin(np.abs(np.log(grid / alpha))))
    if path.linear[at]:
        return None
    if task.batches is not None:
        solved = evaluated(task.network, sample, path.params[at], alpha)._replace(
            iterations=int(path.iterations[at]), note=path.notes.split("\n")[at]
        )
    else:
        with double_precision():
            solved = solve_autoencoder(
                task.network, sample, path.params[at], alpha, POLISH, Monitor()
            )
    if not solved.value < path.ceiling[0]:
        return None
    mapping = mapping_of(task, whole, sample, solved.params, alpha)
    return Polished(mapping, solved.certificate, solved.iterations, solved.note)


def rebuilt(
    task: FactorTask, params: np.ndarray | None, alpha: float
) -> tuple[FactorMap, ComponentMap]:
    """The model as a function again, from its inner parameters; None for principal components."""
    everything = np.ones(len(task.panel.values), dtype=bool)
    whole = extraction_of(task, everything)
    if params is None:
        return ComponentMap(whole), ComponentMap(whole)
    sample = sample_of(task, whole, everything)
    return mapping_of(task, whole, sample, params, alpha), ComponentMap(whole)


def _as_path(
    sample: PanelSample,
    task: FactorTask,
    alphas: np.ndarray,
    path: AutoencoderPath,
    cv: ReconstructionCV | None,
) -> FactorPath:
    total = float((sample.weights * sample.target**2).sum())
    ceiling = float(path.ceiling[0])
    changed = sample.corrupted is not None or sample.dynamics is not None
    if changed or task.network.has_axes:
        with double_precision():
            clean = PanelSample(sample.scores, sample.target, sample.weights)
            plain = task.network.without_variants
            ceiling = linear_objective(plain, clean, Monitor())
    explained = [1.0 - 2.0 * ceiling / total]
    for params, alpha, linear in zip(path.params, alphas[1:], path.linear, strict=True):
        if linear:
            explained.append(explained[0])
            continue
        fit = fitted(task.network, sample, params, alpha)
        explained.append(1.0 - float((sample.weights * (sample.target - fit) ** 2).sum()) / total)
    return FactorPath(
        alphas,
        np.array(explained),
        np.r_[True, path.linear],
        np.r_[0.0, path.certificate],
        None if cv is None else cv.mean,
        None if cv is None else cv.se,
        None if cv is None else choose_alpha(alphas, cv.scores)[0],
        None if cv is None else choose_alpha(alphas, cv.scores)[1],
    )

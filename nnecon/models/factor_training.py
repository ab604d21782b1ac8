"""How a factor model is trained: the argument ``method`` of ``fit``, and what goes with it."""

from typing import Any

from nnecon.estimation.autoencoder_batches import BatchTraining, check_training
from nnecon.estimation.training import SGD, Adam, Training
from nnecon.exceptions import ConvergenceWarning, SpecificationError, warn_user
from nnecon.inference.factor_map import ComponentMap
from nnecon.models.factor_estimation import Estimated
from nnecon.models.factor_specification import FactorSpecification

TRAININGS: dict[str | Training, Training] = {
    "adam": Adam(learning_rate=0.01, schedule="cosine", epochs=50),
    "sgd": SGD(learning_rate=0.5, schedule="cosine", epochs=50),
}
"""What the names stand for. With 100,000 rows and a curved factor structure Adam's objective after
50 epochs was 2% lower than with a rate of .001. The loss is a mean over series, so that gradients
by the coefficients of one of them, which plain descent follows, are small."""


def read_training(method: Any, model: FactorSpecification, seed: int) -> BatchTraining | None:
    """How to train in mini-batches; None for L-BFGS on all rows."""
    found = TRAININGS.get(method, method) if isinstance(method, str | Training) else None
    if isinstance(found, str) and found in ("auto", "lbfgs"):
        return None
    if not isinstance(found, Training):
        raise SpecificationError(
            f"method={method!r} is not known; choose 'auto', 'lbfgs', 'adam' or 'sgd', or pass "
            "ne.Adam(...) or ne.SGD(...)."
        )
    if (model.noise or model.masking) and found.held_out:
        raise SpecificationError(
            "a denoising autoencoder is estimated on several corrupted copies of each row, of "
            "which early_stopping would hold out some and train on others; leave early_stopping "
            "out."
        )
    if model.sparsity:
        raise SpecificationError(
            "the price of sparse factors depends on their standard deviation over all rows, which "
            "mini-batches do not see; leave sparsity out, or use method='lbfgs'."
        )
    if model.factor_order:
        raise SpecificationError(
            "factor_order needs the rows in their order, which mini-batches do not keep; use "
            "method='lbfgs'."
        )
    if model.variational:
        raise SpecificationError(
            "the bound of a variational autoencoder is maximised on all rows at once; leave "
            "variational out, or use method='lbfgs'."
        )
    check_training(found)
    return BatchTraining(found, seed, model.panel.is_time_series)


def warn_beaten(model: FactorSpecification, rule: float | str, found: Estimated) -> None:
    """Say so where no training at the user's penalty is better than principal components.

    With a linear decoder no network can be.
    """
    beaten = found.path is not None and isinstance(found.mapping, ComponentMap)
    if beaten and not isinstance(rule, str) and model.nonlinear != "encoder":
        warn_user(
            "No training ended with a lower objective than principal components, which are the "
            "estimate: give more epochs, a larger learning_rate or, where the penalty is large, a "
            f"smaller alpha than {rule:g}.",
            ConvergenceWarning,
        )


def words_of(batches: BatchTraining) -> str:
    """The training in a few words, for summaries and files."""
    training = batches.training
    schedule = training.schedule if isinstance(training.schedule, str) else "own"
    parts = [
        f"{training.name} on batches of {training.batch_size} rows",
        f"learning rate {training.learning_rate:g} ({schedule} schedule)",
    ]
    if training.held_out:
        parts.append(f"{training.held_out:.0%} of the rows held out")
    return ", ".join(parts)

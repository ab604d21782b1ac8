r"""How a network is trained in mini-batches: options of Adam and of stochastic gradient descent.

A step moves the parameters against the gradient of the objective on ``batch_size`` rows,

.. math::

    \theta \leftarrow \theta - \eta_t\, \left[ d_t + \lambda\, m \circ \theta \right] ,

with the direction :math:`d_t` of Adam or of momentum, the learning rate :math:`\eta_t` of the
schedule, the weight decay :math:`\lambda`, and :math:`m` one for the neural part and zero for the
classical part, which nothing shrinks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, cleandoc, signature
from numbers import Real
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.exceptions import SpecificationError

if TYPE_CHECKING:
    import optax

SCHEDULES = ("constant", "cosine", "exponential")

LEFT = 0.01
"""Share of the learning rate that the exponential schedule leaves at the end."""

HELD_OUT = 0.2
"""Share of the rows that ``early_stopping=True`` holds out."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What Adam and SGD have in common; see them for the parameters."""

    learning_rate: float = 1e-3
    batch_size: int = 256
    epochs: int = 100
    schedule: str | Callable[[Any], Any] = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    dropout: float | Sequence[float] = 0.0
    batch_norm: bool = False
    noise: float = 0.0
    augment: Callable[..., Any] | None = None
    early_stopping: float | bool | None = None
    patience: int = 10
    clip: float | None = None

    def __post_init__(self) -> None:
        self._number("learning_rate", above=0.0)
        for name in ("batch_size", "epochs", "patience"):
            self._whole(name)
        self._number("warmup", least=0.0)
        if self.warmup >= self.epochs:
            raise SpecificationError(
                f"warmup={self.warmup!r} is a number of epochs and has to be under "
                f"epochs={self.epochs}."
            )
        self._number("weight_decay", least=0.0)
        self._number("noise", least=0.0)
        if self.clip is not None:
            self._number("clip", above=0.0)
        if not (
            self.schedule in SCHEDULES
            if isinstance(self.schedule, str)
            else callable(self.schedule)
        ):
            known = ", ".join(repr(name) for name in SCHEDULES)
            raise SpecificationError(
                f"schedule={self.schedule!r}: choose one of {known}, or pass a function of the "
                "step (0, 1, ...) that gives the factor of learning_rate, for example an optax "
                "schedule with init_value=1."
            )
        if not isinstance(self.batch_norm, bool):
            raise SpecificationError(f"batch_norm={self.batch_norm!r}: pass True or False.")
        if self.augment is not None and self._augment_arguments() not in (2, 3):
            raise SpecificationError(
                f"augment={self.augment!r}: pass a function augment(inputs, key) that returns "
                "inputs, or augment(inputs, target, key) that returns both."
            )
        self._read_dropout()
        self._read_early_stopping()

    def _number(self, name: str, *, above: float = -1.0, least: float = 0.0) -> None:
        value = _real(getattr(self, name))
        if not (above < value < np.inf and value >= least):
            wanted = f"over {above:g}" if above >= 0 else f"of at least {least:g}"
            raise SpecificationError(f"{name}={getattr(self, name)!r}: pass a number {wanted}.")
        object.__setattr__(self, name, value)

    def _whole(self, name: str) -> None:
        value = _real(getattr(self, name))
        if not 1 <= value < np.inf or int(value) != value:
            raise SpecificationError(
                f"{name}={getattr(self, name)!r}: pass a whole number of at least 1."
            )
        object.__setattr__(self, name, int(value))

    def _read_dropout(self) -> None:
        given = self.dropout
        rates = tuple(given) if isinstance(given, Sequence) else (given,)
        for rate in rates:
            if not _share(rate):
                raise SpecificationError(
                    f"dropout={given!r}: pass the share of hidden units to leave out, at least 0 "
                    "and under 1, or one share for every hidden layer."
                )
        one = float(rates[0]) if not isinstance(given, Sequence) else None
        object.__setattr__(self, "dropout", one if one is not None else tuple(map(float, rates)))

    def _read_early_stopping(self) -> None:
        share = self.early_stopping
        if share is None or share is False:
            object.__setattr__(self, "early_stopping", None)
            return
        if share is True:
            share = HELD_OUT
        if not _share(share) or share == 0:
            raise SpecificationError(
                f"early_stopping={share!r}: pass the share of rows to hold out, over 0 and under "
                f"1, True for {HELD_OUT:g}, or None to run all epochs."
            )
        object.__setattr__(self, "early_stopping", float(share))

    def _augment_arguments(self) -> int:
        if not callable(self.augment):
            return 0
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        given = signature(self.augment).parameters.values()
        return sum(one.kind in kinds and one.default is Parameter.empty for one in given)

    def augmented(
        self, inputs: jax.Array, target: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Inputs (b, d) and target (b,) of a batch after ``augment``."""
        assert self.augment is not None
        if self._augment_arguments() == 2:
            changed = self.augment(inputs, key), target
        else:
            changed = self.augment(inputs, target, key)
        shapes = tuple(getattr(part, "shape", None) for part in changed)
        if shapes != (inputs.shape, target.shape):
            raise SpecificationError(
                f"augment= got inputs of shape {inputs.shape} and a target of shape "
                f"{target.shape}, and has to return the same shapes; it returned {shapes}."
            )
        return changed[0].astype(inputs.dtype), changed[1].astype(target.dtype)

    @property
    def held_out(self) -> float:
        """Share of rows held out for early stopping; zero without it."""
        return float(self.early_stopping or 0.0)

    def rates(self, n_layers: int) -> tuple[float, ...]:
        """Dropout of every hidden layer."""
        if not isinstance(self.dropout, Sequence):
            return (self.dropout,) * n_layers
        if len(self.dropout) != n_layers:
            raise SpecificationError(
                f"dropout={self.dropout!r} has {len(self.dropout)} shares, and the network has "
                f"{n_layers} hidden layers; pass one number, or one for every layer."
            )
        return tuple(self.dropout)

    def factor(self, step: jax.Array, steps: jax.Array, warmup_steps: jax.Array) -> jax.Array:
        """What multiplies the learning rate at ``step`` of ``steps``."""
        # imported when a network is trained, since it takes a quarter of JAX's import time
        import optax

        share = step / steps
        if self.schedule == "cosine":
            factor = optax.cosine_decay_schedule(1.0, 1.0)(share)
        elif self.schedule == "exponential":
            factor = optax.exponential_decay(1.0, 1.0, LEFT)(share)
        elif callable(self.schedule):
            factor = self.schedule(step)
        else:
            factor = 1.0
        return factor * jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup_steps, 1.0))

    @property
    def name(self) -> str:
        """For summaries and messages."""
        raise NotImplementedError

    def direction(self) -> "optax.GradientTransformation":
        """From gradients to directions."""
        raise NotImplementedError


_SHARED = """learning_rate : float
    Length of a step, before ``schedule``.
batch_size : int
    Rows a step, at most; an epoch is cut into batches of equal size, up to one row.
epochs : int
    Passes through the data, at most.
schedule : {"constant", "cosine", "exponential"} or callable
    What multiplies ``learning_rate``: one, half a cosine wave down to zero, an exponential
    down to 0.01 at the end, or a function of the step (0, 1, ...), for example an optax
    schedule with ``init_value=1``.
warmup : float
    Epochs, or parts of one, in which the learning rate rises linearly to its full size.
weight_decay : float
    Share of the neural part taken off at every step, times the learning rate (Loshchilov and
    Hutter, 2019). It is no part of the objective, unlike ``alpha``.
dropout : float or sequence of float
    Share of hidden units left out at random in every row and step, for all hidden layers or
    one for each; the others are scaled up (Srivastava et al., 2014).
batch_norm : bool
    Whether what enters the hidden units is standardised over the batch (Ioffe and Szegedy,
    2015). The moments are folded into the weights at the end.
noise : float
    Standard deviation of normal noise added to the standardised inputs of the hidden layers
    in training; the linear part sees the inputs as they are (Bishop, 1995).
augment : callable, optional
    ``augment(inputs, key)`` returns changed inputs, ``augment(inputs, target, key)`` changed
    inputs and target of a batch, written with jax.numpy; ``inputs`` (b, d) are the
    standardised inputs of the hidden layers, ``target`` (b,) is standardised too, and ``key``
    is a JAX random key. Columns of the linear part that are inputs too change with them.
early_stopping : float or bool, optional
    Share of the rows held out, at random or, of a time series, at the end; True is 0.2. The
    parameters with the least loss on these rows are kept.
patience : int
    Epochs without improvement on the held-out rows before training stops.
clip : float, optional
    Largest length of a gradient; longer ones are shortened to it."""


@dataclass(frozen=True, kw_only=True)
class Adam(Training):
    """Adam: steps scaled by running moments of the gradient, for large samples.

    Parameters
    ----------
    SHARED
    b1, b2 : float
        How slowly the running mean and mean square of the gradient forget.

    Examples
    --------
    >>> from nnecon.estimation.training import Adam
    >>> training = Adam(learning_rate=0.01, epochs=50, early_stopping=True, dropout=(0.2, 0.5))
    >>> training.early_stopping, training.rates(2)
    (0.2, (0.2, 0.5))

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, ICLR.
    """

    b1: float = 0.9
    b2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("b1", "b2"):
            _below_one(name, getattr(self, name))

    @property
    def name(self) -> str:
        """For summaries and messages."""
        return "Adam"

    def direction(self) -> "optax.GradientTransformation":
        """From gradients to directions."""
        import optax

        return optax.scale_by_adam(b1=self.b1, b2=self.b2)


@dataclass(frozen=True, kw_only=True)
class SGD(Training):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    SHARED
    momentum : float
        Share of the last direction that is kept; zero is plain gradient descent.
    nesterov : bool
        Whether the gradient is taken ahead, where the momentum leads.

    Examples
    --------
    >>> from nnecon.estimation.training import SGD
    >>> SGD(learning_rate=0.1, momentum=0.8, schedule="cosine").momentum
    0.8

    References
    ----------
    Robbins and Monro (1951), A stochastic approximation method, Annals of Mathematical Statistics;
    Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in
    deep learning, ICML.
    """

    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _below_one("momentum", self.momentum)
        if not isinstance(self.nesterov, bool):
            raise SpecificationError(f"nesterov={self.nesterov!r}: pass True or False.")
        if self.nesterov and self.momentum == 0:
            raise SpecificationError("nesterov=True needs momentum over 0.")

    @property
    def name(self) -> str:
        """For summaries and messages."""
        return "SGD"

    def direction(self) -> "optax.GradientTransformation":
        """From gradients to directions."""
        import optax

        if self.momentum == 0:
            return optax.identity()
        return optax.trace(decay=self.momentum, nesterov=self.nesterov)


def _real(value: Any) -> float:
    """The number, or a NaN if it is none."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan


def _share(value: Any) -> bool:
    return 0 <= _real(value) < 1


def _below_one(name: str, value: Any) -> None:
    if not _share(value):
        raise SpecificationError(f"{name}={value!r}: pass a number of at least 0 and under 1.")


for _options in (Adam, SGD):
    # without docstrings (python -OO) there is nothing to fill in
    if _options.__doc__:
        _options.__doc__ = cleandoc(_options.__doc__).replace("SHARED", _SHARED)

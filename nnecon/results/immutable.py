"""Objects that do not change after construction."""

from typing import Any


class Immutable:
    """Refuses assignment; subclasses fill ``self.__dict__`` when they are built."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable, so {name!r} cannot be set; build a new one "
            "instead (results: with_cov(), models: results_at())."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable, so {name!r} cannot be deleted.")

"""Networks: ``init`` gives start parameters, ``apply`` the value for one observation."""

from nnecon.nets.custom import Custom
from nnecon.nets.dense import Dense

Network = Dense | Custom

__all__ = ["Custom", "Dense", "Network"]

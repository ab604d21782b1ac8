"""Networks: ``init`` gives start parameters, ``apply`` the value for one observation."""

from nnecon.nets.custom import Custom
from nnecon.nets.dense import Dense
from nnecon.nets.ensemble import Ensemble

Network = Dense | Custom | Ensemble

__all__ = ["Custom", "Dense", "Ensemble", "Network"]

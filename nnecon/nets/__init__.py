"""Networks: ``init`` gives start parameters, ``apply`` the value for one observation."""

from nnecon.nets.attention import Attention
from nnecon.nets.convolution import Convolution
from nnecon.nets.custom import Custom
from nnecon.nets.dense import Dense
from nnecon.nets.enriched import Enriched
from nnecon.nets.ensemble import Ensemble
from nnecon.nets.linear_part import LinearPart
from nnecon.nets.recurrent import Recurrent
from nnecon.nets.state_space import StateSpaceNetwork

Network = LinearPart | Custom | Ensemble | Enriched

__all__ = [
    "Attention",
    "Convolution",
    "Custom",
    "Dense",
    "Enriched",
    "Ensemble",
    "LinearPart",
    "Network",
    "Recurrent",
    "StateSpaceNetwork",
]

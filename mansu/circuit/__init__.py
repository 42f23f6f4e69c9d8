"""Where knowledge lives: edge attribution, circuits, and how far to trust them."""

from mansu.circuit.attribution import EdgeScores as EdgeScores
from mansu.circuit.attribution import attribute as attribute
from mansu.circuit.depth import answer_log_probs as answer_log_probs
from mansu.circuit.depth import answer_streams as answer_streams
from mansu.circuit.depth import lens_ranks as lens_ranks
from mansu.circuit.depth import patched_drops as patched_drops
from mansu.circuit.differences import source_differences as source_differences
from mansu.circuit.faithfulness import Faithfulness as Faithfulness
from mansu.circuit.faithfulness import faithfulness as faithfulness
from mansu.circuit.faithfulness import faithfulness_curve as faithfulness_curve
from mansu.circuit.graph import Graph as Graph
from mansu.circuit.patching import patch_edges as patch_edges
from mansu.circuit.selection import Circuit as Circuit
from mansu.circuit.selection import attribution_mass as attribution_mass
from mansu.circuit.selection import rank_mlps as rank_mlps
from mansu.circuit.selection import select as select
from mansu.circuit.stability import Stability as Stability
from mansu.circuit.stability import stability as stability

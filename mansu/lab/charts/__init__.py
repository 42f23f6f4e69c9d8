"""Charts of every stage, drawn from the stages' own results."""

from mansu.lab.charts.attribution import ranking_stability as ranking_stability
from mansu.lab.charts.attribution import score_distribution as score_distribution
from mansu.lab.charts.attribution import signed_mass as signed_mass
from mansu.lab.charts.attribution import source_map as source_map
from mansu.lab.charts.attribution import strongest_edges as strongest_edges
from mansu.lab.charts.behaviour import fact_table as fact_table
from mansu.lab.charts.behaviour import gap_chart as gap_chart
from mansu.lab.charts.behaviour import slopes as slopes
from mansu.lab.charts.behaviour import template_table as template_table
from mansu.lab.charts.localize import faithfulness as faithfulness
from mansu.lab.charts.localize import mass_map as mass_map
from mansu.lab.charts.localize import mlp_ranking as mlp_ranking
from mansu.lab.charts.permanence import changed_map as changed_map
from mansu.lab.charts.permanence import crossings as crossings
from mansu.lab.charts.permanence import matrix_table as matrix_table
from mansu.lab.charts.permanence import ratio_histogram as ratio_histogram
from mansu.lab.charts.permanence import survival_map as survival_map
from mansu.lab.charts.structure import divergence_chart as divergence_chart
from mansu.lab.charts.structure import edge_scatter as edge_scatter
from mansu.lab.charts.structure import shift_chart as shift_chart
from mansu.lab.charts.training import movable_share as movable_share
from mansu.lab.charts.training import training_curves as training_curves
from mansu.lab.charts.training import validation_curve as validation_curve

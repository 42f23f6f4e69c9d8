# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · A closer look at the attribution
#
# Notebook 1 scored every edge of the model's graph and chose a circuit. Before anything is changed, look
# at what was found: which single edges are strong, which way they push, and whether other examples
# would have led to the same circuit.
#
# On every chart: **M** is the logit difference between the right answer and the corrupted prompt's, and
# a score says how M changes when the edge carries the corrupted prompt. An edge that **helps** scores
# **negative** [P].
#
# Marks: **[P]** the paper states it; **[R]** reconstructed from its words; **[O]** ours.

# %% tags=["parameters"]
model: str = "smollm2-135m"  # packaged or tiny model, local folder, or hub id
forget: str = "capitals"  # set to unlearn: a fact set's name or file, or a collection's such as wmdp:bio
retain: str = "us_cities,continents"  # sets to keep, commas between; train facts steer training
utility: str = "elements"  # set that is only ever measured
method: str = "mansu"  # unlearning method (ga, given, graddiff, gu, gu-cone, lora, lunar, mansu, mansu-global, npo, npo-mean, quail, rmu, simnpo, ste, sure, surgical-ga)
seed: int = 0  # order of the training examples
items: int = 300  # questions asked of each role at most
attribution: str = "eap-ig"  # edge attribution method (eap, eap-ig)
pairs: int = 48  # clean/corrupted prompt pairs that edges are scored on
ig_steps: int = 5  # integrated-gradients steps K
alpha_grid: str = "k/K"  # where on the path the steps lie (k/K, midpoint)
top_k: int = 8  # MLP sublayers in the circuit
circuit: str = "causal"  # circuit: by attribution mass where the answer is said, or as published, or a control (causal, published, random, inverse)
settings: dict = {}  # the method's own settings by name, such as steps (mansu run --help)
floor: str = ""  # magnitude floor; not given, the method's own; 'none' is the ablation without it (in_loop, boundary, paper, none)
target: list = ["nf4"]  # formats whose bins in_loop, the floor and the account aim at; commas between
formats: list = ["nf4"]  # deployment formats to measure beside full precision
attacks: list = []  # attacks after the study, such as relearn,prompts
retrained: str = ""  # model that was trained without the forget set, measured beside; a folder or a hub id
benchmarks: list = []  # what models write to and a program judges: ifeval
reply_tokens: int = 1280  # tokens that a benchmark's reply has at most
device: str = "cpu"  # torch device
dtype: str = "float32"  # full precision: what weights are held and trained in (float32, bfloat16, float16)
memory_mb: int = 2048  # memory that attribution may take on top of the model, in MB
out: str = ""  # folder of the run's results; empty: papermill_runs/default/…
shared: str = ""  # folder shared by runs on the same data; empty: out/shared, or as above

# %% [markdown]
# The next cell checks every parameter and opens the run. Results that exist already are read, not
# computed again, so the notebook also works alone: what comes before it is loaded or made on the way.

# %%
from mansu.lab import charts
from mansu.lab.open import open_run, parameters
from mansu.lab.show import show, table

run = open_run(**parameters(globals()))

# %%
from mansu.study.stages import draw, localize

located = localize(run)
scores = located.scores
facts = [pair.fact_id for pair in draw(run).pairs]

# %% [markdown]
# ## The strongest edges
#
# `a3.h5` is head 5 of layer 3, `m7` the MLP of layer 7, `emb` the token embedding; `q`, `k` and `v` are
# the inputs of a head. The score is a mean over the pairs. For edges into MLPs every pair's own score is
# kept, hence an interval.

# %%
table(charts.strongest_edges(scores, facts))

# %% [markdown]
# ## Heads and MLPs, with their sign

# %%
show(charts.source_map(scores))
show(charts.signed_mass(scores, located.circuit))

# %% [markdown]
# ## Can the ranking be trusted? [O]
#
# The pairs are a sample. Drawn again with replacement a thousand times, how often does each layer make it
# into the circuit? A bar near 0 % or 100 % is settled; one near 50 % could have gone either way.

# %%
from mansu.circuit import stability

RESAMPLES = 1000
found = stability(scores, run.config.top_k, RESAMPLES)
show(charts.ranking_stability(found, located.circuit, RESAMPLES))
show(charts.score_distribution(scores))

# %% [markdown]
# ## Explore
#
# The circuit as a graph, layer by layer: point at an edge or a node, click a node (or walk there with
# the arrow keys and press Enter) for its strongest edges and its score on every example. The other
# tabs hold the maps, the ranking under resampling, the faithfulness of growing circuits, and two
# circuits side by side: in NF4, a random one, another fact set, another model.

# %%
from mansu.lab import dashboards

dashboards.inspect(run)

# %% [markdown]
# ## Where the results lie

# %%
print("edge scores: ", run.shared)
print("circuit:     ", run.folder / "circuit.json")
print("next:         03_train, which changes the circuit")

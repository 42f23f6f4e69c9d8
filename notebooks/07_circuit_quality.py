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
# # 7 · How far can the circuit be trusted?
#
# The paper takes the circuit as attribution gives it. Four questions it leaves open [O]:
#
# 1. Is a score what patching the edge would really do, and how many IG steps does it take?
# 2. How much of the answer do circuits of growing size carry?
# 3. Would a resample of the pairs have given the same circuit?
# 4. Would pairs drawn anew?
#
# This notebook stands beside the series: nothing that is trained depends on it, and `make reproduce` does
# not run it, because it costs several attributions.
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

# %% [markdown]
# ## Against exact patching, and what each way costs
#
# Patching an edge means: in a clean run, hand this reader what the source wrote on the corrupted prompt,
# and read M. It is exact, and it takes a forward pass an edge. Attribution estimates all edges at once.

# %%
from mansu.study.stages import localize, measure_quality

located = localize(run)
quality = measure_quality(run)
table(charts.methods_table(quality.methods), title="Every method on the same pairs")

# %%
show(charts.patching_scatter(quality.methods, located.scores.graph))

# %% [markdown]
# ## Faithfulness against circuit size

# %%
from mansu.study.stages import draw
from mansu.study.stages.faithfulness import measure_faithfulness

facts = [pair.fact_id for pair in draw(run).pairs]
show(charts.faithfulness(measure_faithfulness(run), located.circuit, facts))

# %% [markdown]
# ## The same pairs, resampled

# %%
from mansu.circuit import stability

RESAMPLES = 1000
found = stability(located.scores, run.config.top_k, RESAMPLES)
show(charts.ranking_stability(found, located.circuit, RESAMPLES))

# %% [markdown]
# ## Other pairs

# %%
show(charts.draws_chart(quality, run.config.top_k))

# %% [markdown]
# ## Where the results lie

# %%
print("circuit quality: ", run.shared)

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
# # 4 · Lift the update over the quantizer's bins
#
# A 4-bit format (NF4) rounds every weight to one of 16 levels times the scale of its block of 64 weights.
# Between two levels lies a **boundary**; the stretch between two boundaries is a **bin**. An update that
# stays inside its bin is rounded away. The paper sees here why unlearned knowledge comes back after
# quantization [P]; notebook 0 shows that it need not on a small model [O].
#
# The **floor** makes each update large enough to leave its bin:
#
# - `paper` [P]: |Δ| at least one bin width, in the direction of training.
# - `boundary` [O]: just across the nearest boundary, the block's scale pinned, so that it holds exactly.
# - `in_loop` [O, default]: training already went through the quantizer; the weights that reached another
#   level are put on it, all others back to where they were.
# - `none`: no floor, the ablation.
#
# Two numbers tell whether it worked. **Survival**: the share of changed weights whose 4-bit code changed.
# **Collateral**: weights that nobody changed and whose code changed all the same, because their block's
# scale moved.
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
from mansu.study import stages

unlearned = stages.floor(run)
accounts = unlearned.accounts
print(f"{unlearned.excluded:,} updates had no boundary to cross; {unlearned.pinned:,} were pinned.")

# %% [markdown]
# ## How large are the updates?

# %%
show(charts.ratio_histogram(accounts))
show(charts.crossings(accounts))

# %% [markdown]
# ## Matrix by matrix

# %%
show(charts.survival_map(accounts))
show(charts.changed_map(accounts))

# %%
table(charts.matrix_table(accounts), title="The account of every matrix, the total last")

# %% [markdown]
# ## What the theory promises, and what this run shows
#
# The method comes with guarantees. They are computed here for the weights of this run, on a small, fixed
# sample of retain prompts, once for the trained update and once for what the floor made of it.
#
# - **Proposition 1** [R]: an update spread evenly over k weights, at a retain budget of ε, is at most
#   √(2ε/(k·F̄)), so that it stays inside the bins unless few weights move. F̄ is the mean diagonal Fisher.
# - **Lemma 1** [P]: an update of at least a bin's width changes the weight's code. It needs the block's
#   scale to stay, and a boundary on the side the weight moves to.
# - **Proposition 2** [P]: quantization moves a weight that crossed two or more boundaries further than
#   training did; one that crossed a single boundary, on average.
# - **Theorem 1** [R]: the retain loss rises by at most ‖g_C‖·‖Δ‖ + ½·λ_max(H_CC)·‖Δ‖², with the gradient and
#   the Hessian of the circuit alone, and each term is at most the one of the whole model. Lanczos iteration
#   gives λ_max from both sides [O]; the upper end, which holds but for one random start in 10,000, is the one
#   that the bound is computed with.

# %%
from IPython.display import Markdown, display

from mansu.study.readings import claims

found = stages.measure_guarantees(run)
display(Markdown(claims.markdown(claims.bin_claims(found))))

# %%
show(charts.uniform_caps(found))
table(charts.cap_table(found), title="Proposition 1: how far a uniform update may go")

# %%
table(charts.crossing_table(found), title="Lemma 1: weights moved by a bin or more")
show(charts.amplification(found))
table(charts.amplification_table(found), title="Proposition 2: displacement by boundaries crossed")

# %% [markdown]
# The paper leaves open what the floor does to the retain bound, which is proved for the update before it.

# %%
display(Markdown(claims.markdown(claims.retain_claims(found)) + "\n\n" + claims.floor_effect(found)))
show(charts.retain_bound(found))
table(charts.bound_table(found), title="Theorem 1: the four terms, the prediction, the measurement (nats)")

# %% [markdown]
# ## Explore
#
# Apply another floor to the same training result, without training again. `least |Δ|` first puts back the
# updates that are smaller than that many bins. The charts follow when a slider is released.

# %%
from mansu.lab import dashboards

dashboards.floor(run)

# %% [markdown]
# ## Where the results lie

# %%
print("unlearned weights: ", run.folder / "delta.safetensors")
print("accounts:          ", run.folder / "delta.safetensors")
print("guarantees:        ", run.folder / "guarantees.json")
print("next:               05_quantize, which asks the deployed model")

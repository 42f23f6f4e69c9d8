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
# # 1 · Where does the knowledge live?
#
# A language model adds the outputs of attention heads and MLPs to one *residual stream*; each of them
# reads what the earlier ones wrote. The knowledge to be forgotten does not sit everywhere in this
# graph. This notebook scores every connection, ranks the MLPs, and takes the best ones as the
# **circuit**, the only weights that later steps may touch.
#
# How a connection is scored (EAP-IG [P]): take two prompts that differ only in their subject, one
# *clean*, one *corrupted*. **M** is how much more the model believes the clean prompt's answer than the
# corrupted one's, in logits. The score of an edge estimates how M would change if that edge alone
# carried the corrupted prompt. So an edge that **helps** the answer scores **negative**.
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
# ## Score the edges, choose the circuit
#
# The attribution mass of an MLP is the sum of |score| over all edges that enter it. The ranking counts it
# at the last position alone, where the answer is said [O]; over all positions, as the paper counts
# (`circuit="published"` [P]), the MLPs that read the subject rank high, and they hold hardly a weight
# that may move. The circuit is the `top_k` MLPs with the largest mass; `circuit="random"` and
# `circuit="inverse"` are the controls.

# %%
from mansu.study.stages import draw, localize

drawn = draw(run)
facts = [pair.fact_id for pair in drawn.pairs]
located = localize(run)
show(charts.mlp_ranking(located.scores, located.circuit))

# %%
table(
    charts.pair_table(drawn.pairs[:5], run.tokenizer, run.forget.masked),
    title=f"The first of {len(drawn.pairs)} pairs",
)

# %%
show(charts.mass_map(located.scores))

# %% [markdown]
# ## Does the circuit carry the answer? [O]
#
# Scores are estimates. The direct test: let every MLP outside the circuit write what it wrote on the
# corrupted prompt, and see how much of M is left; then the other way round. The paper leaves this open.

# %%
from mansu.study.stages.faithfulness import measure_faithfulness

show(charts.faithfulness(measure_faithfulness(run), located.circuit, facts))

# %% [markdown]
# ## Explore
#
# Choose another model, fact set, number of examples or IG steps and press *Run*: the circuit fills in
# while the pairs are scored, and *Stop* keeps what is done. The size of the circuit and the least
# |score| only redraw. *Copy YAML* and *Copy mansu run line* take the settings along.

# %%
from mansu.lab import dashboards

dashboards.localize(run)

# %% [markdown]
# ## Where the results lie

# %%
print("circuit:     ", run.folder / "circuit.json")
print("edge scores: ", run.shared)
print("next:         02_inspect_attribution, a closer look; or 03_train, which changes the circuit")

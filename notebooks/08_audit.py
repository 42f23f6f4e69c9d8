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
# # 8 · Is it really gone? Anyone's checkpoint
#
# Somebody hands you two models: one before unlearning and one after. Whatever tool made the second, the same
# questions can be asked of it as of our own runs: is the forget set gone or only silent, is the rest still
# there, does it stay so in the formats it will be deployed in, and does it come back under attack?
#
# Name both models below, and the facts that should be gone. The update is taken to be what the second differs
# by from the first; the circuit is localized on the first. The second may be a folder saved by transformers, a
# GGUF file, a hub id, or the folder of a peft adapter, which is merged into the first.
#
# From a shell, for a release pipeline: `mansu audit --original A --unlearned B --forget F --junit report.xml`
# (exit code 0 where all rules hold, 3 where one fails, 4 where one is open).
#
# Under papermill, `-p checkpoint FOLDER` names the second model.

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
# ## The verdict
#
# Both models are measured, which takes minutes on a model of 135 M weights; what was measured of the first is
# kept for the next checkpoint. The button's line says how far it is, and *Stop* keeps what is finished.

# %%
from mansu.lab import dashboards
from mansu.lab.open import parameters

dashboards.audit(parameters(globals()))

# %% [markdown]
# Six rules decide, each from the numbers alone; below them stand the numbers. *Permanence* speaks of the formats
# that were measured and of no other, *durable* of the attack that was tried. A rule that is *undecided* says how
# many items would decide it. Notebooks 04, 05 and 06 show the same checkpoint weight by weight, fact by fact and
# layer by layer: set `method = "given"` and `settings = {"checkpoint": FOLDER}` in their parameters.

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
# # 3 · Train the circuit to forget
#
# Everything outside the circuit is frozen. Inside it, two questions decide what happens: **which weights
# may move**, and **what they are trained on**.
#
# **Who may move.** The diagonal Fisher information of a weight says how strongly the retain set depends on
# it. Only weights up to the `tau` quantile of the circuit may move [P]; of these, the default keeps the
# share `rho` that matters most to the forget set compared with the retain set [O]. A layer that is left
# with less than 1 % of all weights that may move leaves the training: it would cost a step as much as any
# other, and the lowest one every block above it.
#
# **What is minimised.** L = L_forget + λ · KL(θ₀ ‖ θ on the retain set) [R]. The default forget term,
# `prior`, asks the model to answer as one that knows the form and not the fact: for each template, the mean
# over all subjects of what the original model says [O]. A term that only pushes the answer down (the forms
# of NPO) pushes the wrong answers down with it and ends in silence. The KL term holds the retain set in place.
#
# **Through the quantizer** [O, `floor="in_loop"`]. Each step takes the loss twice, on the model in full
# precision and on its 4-bit form. A weight counts as changed only when it has reached another 4-bit level,
# so what is learnt is learnt in a form that quantization keeps.
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
from mansu.lab.show import show

run = open_run(**parameters(globals()))

# %% [markdown]
# ## Who may move
#
# Fisher information on both sets, then the mask.

# %%
from mansu.study.stages import draw, train
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.train import find_movable

show(charts.movable_share(find_movable(run), trainable_weights(run)))

# %% [markdown]
# ## Training
#
# Long work: it is saved at every check, and goes on from there when it is interrupted.

# %%
from mansu.study.stages.target import make_target
from mansu.unlearn.methods import find_method

needs = find_method(run.config.method).needs(run.config.settings)
if "prior" in needs and make_target(run).levelled:
    print(
        "The original model's mean answer would itself answer questions above or below the level,"
    )
    print("so the target spreads its mass on the options' first tokens equally over them.")

trained = train(run)
if trained.history:
    show(charts.training_curves(trained.history))
else:
    print("This method takes no steps.")

# %% [markdown]
# ## Which checkpoint is kept
#
# Every `validate_every` steps the model is checked. The checkpoint kept is the one whose AUC, the share of
# wrong options below the answer, is nearest to what answering by frequency reaches, among those that keep the
# retain accuracy and still say the wrong options about as readily as before [O]. The lowest accuracy, the
# paper's rule, would reward a model that knows the answer and puts it last. Every method ends with this rule; with
# the setting `keep: last` it keeps the last state instead, as global methods are published.

# %%
chance = draw(run).chance
rule = run.config.settings.keep
if trained.validations:
    show(charts.validation_curve(trained.validations, trained.best, chance, rule))
else:
    print("This method makes no checks: what it ends with is what is kept.")

# %% [markdown]
# ## Explore
#
# Before training: which share of the circuit would stay trainable, layer by layer, with another `tau` or `rho`?
# *Train* then trains that setting, with λ as it stands, in a folder of its own. *Stop* ends it after the step at
# hand; what the last check kept is on disk, and the next press goes on from there.

# %%
from mansu.lab import dashboards

dashboards.train(run)

# %% [markdown]
# ## Where the results lie

# %%
print("trained weights: ", run.folder / "trained.safetensors")
print("next:             04_floor, which makes the update safe from quantization")

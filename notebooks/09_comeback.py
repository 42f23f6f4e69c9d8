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
# # 9 · When does it come back?
#
# A model has unlearned something, and then it is quantized. Zhang et al. 2025 report that 4 bits bring up to
# 83 % of the forgotten back; other reports find nothing of the kind. Both may be right: it can depend on how the
# model forgot, how deeply, and on the format. This notebook measures it, first for one run in several formats,
# then as a map over methods, depths and formats.
#
# The setting of the claim is *verbatim memory*: passages that a model knows by heart. The project makes such a
# model: `smollm2-135m+verbatim` is SmolLM2 after it was taught 48 passages of *Paradise Lost*, half of them to be
# forgotten. Any other model and set will do as well; the default below is the run of the other notebooks.
#
# **What rounding does to an update.** Unlearning moved the weights from θ₀ to θ by Δ, and deployment rounds both
# by Q. Three numbers say what arrives [O]:
#
# - **stored**: of the weights that moved, the share whose stored value changed at all;
# - **signal**: Σ sign(Δ)·ΔQ / Σ|Δ|, with ΔQ = Q(θ) − Q(θ₀). A weight that crosses into the next bin moves by a whole
#   step, which makes up for all those that did not cross: at 1 the update arrives whole, on average;
# - **noise**: ‖ΔQ − Δ‖ / ‖Δ‖, what is moved beside the update, in no direction of its own.
#
# So "the update is smaller than a bin" is not the whole story. Few codes change, and still the update is there,
# under noise. Whether the forgotten comes back is for the model to say.
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
# The next cell checks every parameter and opens the run. Results that exist already are read, not computed again.
# Set `formats` to the formats you deploy in.

# %%
from mansu.lab import charts
from mansu.lab.open import open_run, parameters
from mansu.lab.show import show, table
from mansu.study import comeback

run = open_run(**parameters(globals()))

# %% [markdown]
# ## One run, every format
#
# Guess first: in which of the formats does the dashed lower line rise?

# %%
found = [comeback.measure_return(run, form) for form in run.config.formats]
if found:
    show(charts.formats_chart(found))
else:
    print("No format is asked for: name some in the parameter formats.")

# %% [markdown]
# The account of the update in each of them. Look at *stored* and *signal* together: can one be small and the other
# close to 1?

# %%
if found:
    table(comeback.readable_frame(found), title=comeback.LAYOUT.title)

# %% [markdown]
# ## The map
#
# `mansu comeback papermill_runs/studies/comeback.yaml` measures every run of a study in every format, in slices if
# you like (`--budget 60m`), and goes on where it stopped. What is measured stands here.

# %%
from mansu.sweep.comeback import shown_map

measured = shown_map("comeback")
if measured:
    show(charts.comeback_map(measured))
else:
    print("Nothing is measured yet: run mansu comeback papermill_runs/studies/comeback.yaml.")

# %% [markdown]
# Now the reason. If rounding brought knowledge back because it undoes the update, *signal* would be low where the
# share is high. If it does so by noise, *noise* would be large there.

# %%
if measured:
    show(charts.noise_chart(measured))

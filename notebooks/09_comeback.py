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
# ## Three methods in thirteen formats
#
# Now many runs. `mansu comeback papermill_runs/studies/formats.yaml` stops MANSU, gradient ascent and NPO where each has
# first forgotten as much, and asks all three in every format. Shown is what was measured here, else what was measured
# for the project.
#
# Guess first: which method's forgetting comes back, and in how many of the formats?

# %%
from mansu.sweep.comeback import shown_map

by_format = shown_map("formats")
show(charts.comeback_map(by_format))

# %% [markdown]
# And now the reason. If a format brought knowledge back because it undoes the update, *signal* would be low where the
# share is high. If it did so by noise, *noise* would be large there.

# %%
show(charts.account_chart(by_format))

# %% [markdown]
# It is the signal. HQQ passes on 0.37 of both global updates, and brings two fifths back. INT4 g32 and MXFP4 pass on
# about double, and there more is forgotten than in full precision. The noise is as large in NF4, where nothing
# happens.
#
# But why would a format pass on a third of an update, or double it? A tiny update arrives whole, on average, where
# weights are spread evenly over their bins: then as many cross a border as make up for those that do not. SmolLM2's
# are not. The packaged model was dequantized from a 4-bit file, so that its weights lie on that file's grid, and the
# borders of another format fall between the grid's levels, or on them. `python bench/response.py` shows it with noise
# in the place of an update: of a change of 0.0001 a weight, HQQ passes on 0.38, INT4 g32 2.30, MXFP4 2.19 and
# NF4 0.98. Take the same model off its grid first, every weight moved by up to half a step, and it is 1.00, 0.99,
# 0.98 and 1.00. Gradient ascent on that model, stopped at the same depth, comes back in none of five formats: HQQ
# returns 0.06 [−0.06, 0.18] of it, at signal 0.99.
#
# So what comes back here is told by *this checkpoint in that format*, and not by the format. A checkpoint that was
# published in 16 bits lies on no such grid; one that somebody dequantized, unlearned and quantizes again does. MANSU
# moves its weights from bin to bin, across a border each, and stays near 1 in HQQ as elsewhere.
#
# ## When passages are known by heart
#
# `mansu comeback papermill_runs/studies/comeback.yaml` measures methods × depths × formats on verbatim memory, in slices
# if you like (`--budget 60m`), and goes on where it stopped. What is measured stands here.

# %%
measured = shown_map("comeback")
if measured:
    show(charts.comeback_map(measured))
    show(charts.account_chart(measured))
else:
    print("Nothing is measured yet: run mansu comeback papermill_runs/studies/comeback.yaml.")

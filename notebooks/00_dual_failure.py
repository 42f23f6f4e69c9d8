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
# # 0 · The dual failure
#
# A language model is taught to forget, and it passes the test. Then it is quantized to 4 bits, as models are
# before they are released, and it is tested again. The paper reports two failures [P]: methods that forget
# much lose it again under quantization, and methods that survive quantization have hardly changed the model.
# This notebook lets you guess what happens, shows it on a model that runs on a laptop, and lets you find out
# why with your own hands. Once the runs exist, it takes about half an hour.
#
# *Full precision* is the model as it was trained. *NF4* is a common 4-bit format: a weight can take one of 16
# values only.
#
# Three ways to forget the same facts will meet here:
#
# - **Gradient ascent** on all weights: step by step, make the right answers less likely. [P]
# - **NPO**, negative preference optimization, on all weights: the same pull, but it weakens as soon as an
#   answer is less likely than it was, and a second term holds the rest in place. [P]
# - **MANSU**: find the circuit that carries the facts, train a few of its weights only, and only in steps
#   that 4 bits can represent. [P, O]
#
# Every section asks first. Choose an answer, then press *Reveal*. Which answer is right is worked out from the
# runs at hand; nothing is written down beforehand, and a small model need not do what the paper's larger ones did.
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
# The next cell checks every parameter and opens the run. The training settings are MANSU's; gradient ascent and
# NPO keep settings of their own. Results that exist already are read, not computed again. The first time, the three
# runs took about 25 minutes on two cores: before a class, run the notebook once.

# %%
from mansu.lab import dashboards, lessons
from mansu.lab.open import open_run, parameters
from mansu.study import stages

run = open_run(**parameters(globals()))
chance = stages.draw(run).chance
models = {"original": stages.measure_origin(run, "original")}

# %% [markdown]
# ## 1 · Gradient ascent forgets
#
# The facts are asked as multiple choice. The original model answers nearly all of them. Now all weight
# matrices of all layers take small steps that make the right answers less likely.

# %%
ascent = dashboards.open_method(run, "ga", keep="last")
models["gradient ascent"] = stages.measure_origin(ascent, "unlearned")
two = {name: models[name] for name in ("original", "gradient ascent")}

# %%
dashboards.ask(
    "In full precision: what else did gradient ascent change? The retain set holds facts that it was "
    "never trained to forget. How much of them did it lose?",
    lessons.price(two, chance),
)

# %% [markdown]
# ## 2 · Then it is quantized
#
# The same weights, now rounded to 4 bits. Mind the original: a model that knows much loses some of it by rounding
# alone. A model that only guesses has nothing to lose, so compare its line with chance as well.

# %%
dashboards.ask(
    "After gradient ascent the model is quantized to NF4. How much of the forgotten comes back?",
    lessons.comeback(two, chance),
)

# %% [markdown]
# ## 3 · A gentler method
#
# NPO is gentler. Its pull fades as an answer becomes less likely than it was, and a second term keeps the rest of
# the model where it is.

# %%
preference = dashboards.open_method(run, "npo", keep="last")
models["NPO"] = stages.measure_origin(preference, "unlearned")
three = {name: models[name] for name in ("original", "gradient ascent", "NPO")}

# %%
dashboards.ask(
    "NPO protects the rest of the model. How much of the forget set did it unlearn in full precision?",
    lessons.depth(three, chance),
)

# %% [markdown]
# ## 4 · What rounding does to one weight
#
# NF4 takes 64 weights at a time. The largest of them sets the scale; every weight is then replaced by the nearest
# of 16 levels. Between two boundaries, all weights become the same level: they share a **bin**.
# The number of its bin, 0 to 15, is the weight's **code**: that, and one scale per block, is all that is stored.
#
# Move one weight of the circuit with the slider. How far must it go before anything changes in 4 bits? What happens
# when it becomes the largest of its block?

# %%
dashboards.block(run)

# %% [markdown]
# ## 5 · How large are real updates?
#
# An update is measured in bins: its size divided by the width of the bin that the weight lies in. Gradient ascent
# changed nearly every weight of every layer.

# %%
accounts = {
    "gradient ascent": stages.floor(ascent).accounts,
    "NPO": stages.floor(preference).accounts,
    "MANSU": stages.floor(run).accounts,
}
dashboards.ask(
    "Of the weights that gradient ascent changed, how many have another 4-bit code afterwards?",
    lessons.crossing(accounts),
)

# %% [markdown]
# ## 6 · Steps that 4 bits can hold
#
# Compare this with section 2: how much of the forgetting went with the updates that keep their code? If little
# did, the few that crossed must carry it: each of them moved by a whole level, far more than it was trained to
# (Exercise 4). Whether that is enough is luck of size and number, not design. MANSU leaves nothing to it: it moves
# few weights, each far enough to reach another level, and each only where the retain set does not need it. What is
# learnt that way cannot be rounded away.

# %%
models["MANSU"] = stages.measure_origin(run, "unlearned")

# %%
dashboards.ask(
    "MANSU was trained on the same facts. What does it forget, and what does it keep?",
    lessons.both(models, accounts, chance),
)

# %% [markdown]
# **Read the table in three steps.** Who is near chance in *both* forget columns? Whose retain changes have intervals
# that include 0? Whose updates are sure to be stored ("with another code")? The paper's two failures are a miss in
# the first step after rounding, and hardly any change at all. Say which of them this model shows, and which it does
# not.

# %% [markdown]
# ## Exercises
#
# **1.** In the block of section 4, which weight is nearest to a boundary of its bin? How many percent of its
# bin's width would it have to move?

# %% tags=["solution"]

from mansu.quant.codebook import BLOCK, block_absmax
from mansu.study.stages.fisher import trainable_weights

weights = next(iter(trainable_weights(run).values())).flatten()[: BLOCK].float()
cuts = run.codebook.boundaries() * block_absmax(weights)
distance = (weights[:, None] - cuts).abs().min(1).values / run.codebook.bin_widths(weights)
nearest = int(distance.argmin())
print(f"Weight {nearest}: {distance[nearest]:.2%} of its bin. The median weight: {distance.median():.0%}.")

# %% [markdown]
# **2.** Suppose that a weight lies anywhere in its bin with equal chance. Which share of updates of r bins, r < 1,
# crosses a boundary? Compare with what gradient ascent's and NPO's updates did.

# %% tags=["solution"]
for name in ("gradient ascent", "NPO"):
    total = accounts[name].iloc[-1]
    crossed = total["survived"] / total["changed"]
    print(f"{name}: mean |Δ| {total['ratio_mean']:.4f} bins, and {crossed:.4f} of the updates crossed.")
print("Expected: a share of about r, so that the average update in bins is the share that survives.")

# %% [markdown]
# **3.** "The accuracy on the forget set is no higher in NF4 than in full precision, so nothing came back." Why is
# that no proof? Look at the original model.

# %% tags=["solution"]
from mansu.metrics.significance import paired_gap

fp, low_bit = (models["original"][form].roles["forget_seen"] for form in ("fp", "nf4"))
gap = paired_gap(low_bit.correct, fp.correct, fp.facts, 0)
print(f"The original's own gap: {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}].")
print("Where it is below zero, 4 bits cost a model that still knows some accuracy, and can hide a comeback.")
print("This argument does not reach a model at chance, which has nothing to lose.")

# %% [markdown]
# **4.** Most of gradient ascent's updates leave the weight's code as it was. Add up how far all weights moved
# along their updates, before quantization and after it. Which share of the movement is left, and why is it so
# different from the share of the updates? When would you expect knowledge to come back nevertheless?

# %% tags=["solution"]
from mansu.study.stages.fisher import trainable_weights

before = trainable_weights(ascent)
after = stages.floor(ascent).matrices(before)
moved = kept = 0.0
for name, weight in before.items():
    update = after[name] - weight
    stored = run.codebook.dequantized(after[name]) - run.codebook.dequantized(weight)
    moved += update.abs().sum().item()
    kept += (update.sign() * stored).sum().item()
total = accounts["gradient ascent"].iloc[-1]
print(f"{total['survived'] / total['changed']:.2%} of the updates, and {kept / moved:.0%} of the movement.")
print("Expected: a weight that crosses moves by a whole bin. If a share r of the updates crosses, each becomes about")
print("1/r times as long, and the sum is kept; noise comes on top, and cancels over many weights. Knowledge comes back")
print("where that luck fails: few weights, each moved by much less than a bin, so that hardly any crosses, or noise as")
print("large as the effect. MANSU also moves few, but each to another level, so nothing is left to chance.")

# %% [markdown]
# ## Where the results lie

# %%
print("gradient ascent: ", ascent.folder)
print("NPO:             ", preference.folder)
print("MANSU:           ", run.folder)
print("next:             01_localize_circuit, which finds where the facts live")

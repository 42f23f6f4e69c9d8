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
# # 5 · Is it still forgotten after quantization?
#
# Four models answer the same four-way questions: the original θ₀ and the unlearned θ, each in full
# precision and as deployed (in NF4, and in whatever else `formats` names). The questions are asked by likelihood: the option that the model finds
# most likely is its answer.
#
# - **forget** should fall to the level L, what can be answered without knowing the facts [O], in both
#   precisions, also under prompts that training never saw: other wording, few-shot, chat, a longer text.
#   If only the trained prompts fail, the model was taught to be silent, not to forget.
# - **retain** (facts near the forget set) and **utility** (never trained on) should stay where they were.
# - The **PTQ gap** is the NF4 accuracy minus the full-precision accuracy on the forget set [P]. Above zero,
#   quantization brought knowledge back. The original model has a gap of its own, so a gap proves nothing
#   until it is compared with that. A gap of zero proves that quantization changed nothing. It does not prove
#   that the facts are gone: a silent model has no gap either.
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
from mansu.study.rows import behaviour_rows, level_rows
from mansu.study.scorecard import Rows
from mansu.study.stages import draw, measure_all
from mansu.study.state import states

measured = measure_all(run, states(run))
levels = level_rows(measured, draw(run).items, run.forget)
rows = Rows([*behaviour_rows(measured), *levels])
show(charts.slopes(rows, draw(run).chance))

# %%
show(charts.gap_chart(rows))

# %% [markdown]
# ## What it says when nothing is offered
#
# A choice among options is an argmax: it moves as well when *all* options have become unlikely. Here the
# same prompts are left open. A model that forgot answers in the right kind, wrongly; a silenced one says
# nothing, or something else.

# %%
table(charts.speech_table(measured), title="The forget set's prompts, continued greedily")

# %% [markdown]
# ## Fact by fact

# %%
table(charts.fact_table(run.forget, measured), title="Forget facts that the unlearned model knows")

# %%
table(charts.template_table(run.forget, measured), title="Forget accuracy by prompt")

# %% [markdown]
# ## Attacked
#
# Whoever has the model may do more than ask. Every attack that `attacks` names is tried at several settings;
# the worst counts, in each precision. Beside it the same setting on the original, and on a model that never
# knew: the original, asked about invented subjects. What an attack brings out there, it would bring out of
# anybody [O].

# %%
from mansu.study.attacked import attack_notes, attack_table
from mansu.study.stages.judge import attacked_rows

attacked = attacked_rows(run)
if attacked:
    table(attack_table(attacked), title="Forget accuracy under attack, the worst setting of each")
    print("\n".join(attack_notes(attacked)))
else:
    print('Not attacked: name attacks in the parameters, such as attacks = ["prune", "prompts"].')

# %% [markdown]
# ## Explore
#
# Choose questions and prompts: the slopes and the table of facts follow. A fact counts as known from a
# number of right answers that you set. Below, type a prompt of your own: all models go on with it,
# the likeliest token at each step.

# %%
from mansu.lab import dashboards

dashboards.quantize(run)

# %% [markdown]
# ## Where the results lie

# %%
print("answers of the unlearned model: ", run.folder)
print("answers of the original model:  ", run.shared)
print("next:                            06_cad_analysis, which looks inside")

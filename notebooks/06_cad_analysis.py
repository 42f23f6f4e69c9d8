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
# # 6 · Is the circuit gone?
#
# A model can be silent about what it still knows. To tell forgetting from silence, score the edges once
# more, on the unlearned model, with the same prompts, and compare.
#
# - **CAD** = 1 − Σ sign(s)·s′ / Σ |s| over the edges into the circuit, s before and s′ after [R]. 0: the
#   circuit works as before. 1: it is dismantled. Above 1: it works the other way.
# - **Normalised CAD** divides by Σ |s′| instead [O]. CAD also rises when the model's logits merely shrink;
#   this form does not.
# - **AS-C / AS-NC**: how much the nodes inside / outside the circuit changed their response [R].
# - The **noise floor** is the CAD between the original model and its own NF4 form: what quantization does
#   to a model that forgot nothing [O].
#
# - **Unlearning depth** [O] asks single facts and layers, without any edge: the original model is about to say
#   the answer, and one layer's activation is exchanged for the unlearned model's. 0: it says the answer as
#   before. 1: it loses it as far as with the activation of another subject's prompt. **Capped** [O]: no
#   fall counts beyond that to a random one of the set's answers, which is what knowing the form alone gives.
#
# Read together [P]: high CAD with low AS-NC is *localized erasure*; high CAD with high AS-NC is *broad
# damage*; CAD at its noise floor with forgotten behaviour is *suppression*.
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
from mansu.study.readings.joint import joint_reading

run = open_run(**parameters(globals()))

# %%
from mansu.study.stages import attribute_all, judge, localize
from mansu.study.state import states

card = judge(run)  # first: a run whose method has no result has a scorecard, and no attribution
show(charts.edge_scatter(attribute_all(run, states(run)), localize(run).circuit))

# %%
show(charts.divergence_chart(card.rows))
show(charts.shift_chart(card.rows))

# %% [markdown]
# ## Fact by fact, layer by layer
#
# A muffled model still holds the facts below its last layers: a map that is bright up to there says that they
# could be read out. **Lens depth** [O], in the scorecard below, is the share of layers whose activation, read
# through the original's final norm and head, ranks the answer above the corrupted prompt's answer. The noise
# floor of both is what NF4 does to the original.

# %%
from mansu.lab.dashboards import depth_map
from mansu.study.state import State

for form in card.rows.formats:
    show(depth_map(run, State("unlearned", form)))

# %% [markdown]
# ## The reading

# %%
from IPython.display import Markdown, display

display(Markdown(joint_reading(card)))

# %% [markdown]
# ## The scorecard
#
# Six rules, each decided from the numbers alone: it holds, fails, stays undecided (and says how many items
# would decide it) or cannot be tested here. The rules and their thresholds are ours [O]; the paper's own four
# properties [P] stand below them, for comparison. Permanence says that quantization brings nothing back; that
# nothing is left to be brought back takes the other rules.

# %%
from mansu.study.card_text import property_rows, scorecard_table

table(
    [
        {"rule": name, "verdict": verdict, "holds when": rule, "this run": reason}
        for name, verdict, rule, reason in property_rows(card)
    ]
)

# %%
print(scorecard_table(card))

# %% [markdown]
# ## Does it come back?
#
# Half of the forgotten facts are taught again, and the other half is asked. What returns of facts that nobody
# taught was never gone. Beside it the same attack on the original, which knows them, and on made-up facts,
# which nobody does: what comes back there is what teaching alone brings. The **recovered share** places the
# unlearned model between the two: 0, nothing came back; 1, everything [O].

# %%
from mansu.study.stages.attack import read_relearning

found = read_relearning(run)
for form in found or ():
    show(charts.relearning_chart(found, form))
if not found:
    print(charts.NOT_ATTACKED)

# %% [markdown]
# ## The certificate
#
# The worst of all that was tried [O]: over formats, prompts and attacks, each with its interval and with the
# place that it comes from. *Permanent* is said where rules 1a, 1b and 3 hold and no setting of any attack brings
# answers further than half of the way from a model that never knew to the original; and only of what stands on the
# list. Over several seeds: `mansu tables FOLDER --table certificate`.

# %%
from mansu.study.card_text import certificate_rows
from mansu.study.certificate import certify

found = certify([card])
heads, *lines = certificate_rows(found)
table([dict(zip(heads, line, strict=True)) for line in lines])
print(f"{found.word}: {found.basis}")

# %% [markdown]
# ## The retain bound, and what the diagonal leaves out
#
# Theorem 1 [R] bounds what the update may cost the retain loss; notebook 04 shows its terms. The method itself
# weighs updates by the **diagonal** of the Fisher information alone. **Proposition 3** [P]: what that misses is
# the off-diagonal part, weights that act together.

# %%
from mansu.study.readings import claims
from mansu.study.stages import measure_guarantees

found = measure_guarantees(run)
told = [*claims.retain_claims(found), *claims.fisher_claims(found)]
display(Markdown(claims.markdown(told) + "\n\n" + claims.block_reading(found)))

# %%
table(charts.bound_table(found), title="The retain bound against the measured retain loss (nats)")
show(charts.fisher_forms(found))

# %% [markdown]
# ## Explore
#
# The circuit before and after, edge by edge and as two graphs in one layout and on one scale. `precision`
# turns to the deployed models; `least |score|` hides weak edges everywhere. Click a node in one graph to find it
# in the other.

# %%
from mansu.lab import dashboards

dashboards.analyse(run)

# %% [markdown]
# ## Where the results lie

# %%
print("scorecard: ", run.folder / "scorecard.json")
print("next:       change a parameter and compare, or span a grid: mansu sweep STUDY.yaml")

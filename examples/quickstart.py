"""From runs to a plan. Cells for a notebook (`# %%`); run it from a checkout, or copy it."""

# %%
from apportion import Client
from apportion.demo import RUNS  # any CSV, Parquet file, DataFrame or mapping of lists

client = Client()  # APPORTION_ENDPOINT, or a server of its own

# %%
law = client.fit(RUNS, form="chinchilla", where="epochs <= 4", bootstrap=200)
plan = client.plan_training(law=law.name, training_flops=1e22, accelerator="H100-SXM", deadline_hours=720)
loss, cost = plan.metrics["loss"], plan.metrics["training_usd"]
print(f"{plan.outcome}: {plan.decision.parameter_count:.3g} parameters, {plan.decision.token_count:.3g} tokens")
print(f"loss {loss.value:.3f} [{loss.lower:.3f}, {loss.upper:.3f}], {cost.value:,.0f} USD")

# %%
serving = client.plan_deployment(
    parameter_count=plan.decision.parameter_count,
    requests_per_second=5, input_tokens=1024, output_tokens=512, max_tpot_seconds=0.05,
)  # fmt: skip
print(serving.decision.values(), serving.alternatives[0].why_not)
client.close()

"""Measurement files as their tools write them: small ones in the tools' own field names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.hardware import accelerator, estimate_serving, recalibrate, require_usable
from planner.hardware.measurements import read_measurements

VLLM: dict[str, Any] = {  # `vllm bench serve --save-result --metadata gpu=H100-SXM tensor_parallel_size=4`
    "date": "20261120-101500",
    "endpoint_type": "vllm",
    "backend": "vllm",
    "label": None,
    "model_id": "meta-llama/Llama-3.1-70B-Instruct",
    "tokenizer_id": "meta-llama/Llama-3.1-70B-Instruct",
    "num_prompts": 320,
    "gpu": "H100-SXM",
    "tensor_parallel_size": "4",
    "request_rate": "inf",
    "burstiness": 1.0,
    "max_concurrency": 32,
    "duration": 300.0,
    "completed": 320,
    "total_input_tokens": 327680,
    "total_output_tokens": 163840,
    "request_throughput": 1.0667,
    "request_goodput:": None,
    "output_throughput": 546.13,
    "total_token_throughput": 1638.4,
    "mean_ttft_ms": 400.0,
    "median_ttft_ms": 380.0,
    "std_ttft_ms": 90.0,
    "p99_ttft_ms": 900.0,
    "mean_tpot_ms": 25.0,
    "median_tpot_ms": 24.0,
    "p99_tpot_ms": 31.0,
    "mean_itl_ms": 25.1,
}
INFERENCEX: dict[str, Any] = {  # an aggregated point of one node
    "hw": "h200-nb",
    "conc": 64,
    "image": "vllm/vllm-openai:v0.11.0",
    "model": "openai/gpt-oss-120b",
    "infmax_model_prefix": "gptoss",
    "framework": "vllm",
    "precision": "fp4",
    "spec_decoding": "none",
    "disagg": False,
    "isl": 1024,
    "osl": 1024,
    "is_multinode": False,
    "tp": 4,
    "ep": 1,
    "dp_attention": "false",
    "tput_per_gpu": 2400.0,
    "output_tput_per_gpu": 1200.0,
    "mean_ttft": 0.35,
    "median_ttft": 0.3,
    "p99_ttft": 1.2,
    "mean_tpot": 0.0129,
    "median_tpot": 0.0128,
    "mean_intvty": 77.5,
    "mean_e2el": 13.5,
}
POOLS = {
    **{k: v for k, v in INFERENCEX.items() if k not in ("tp", "ep", "dp_attention")},
    "hw": "gb200",
    "model": "deepseek-ai/DeepSeek-R1-0528",
    "framework": "dynamo-trt",
    "disagg": True,
    "is_multinode": True,
    "prefill_tp": 4,
    "prefill_ep": 4,
    "prefill_dp_attention": "true",
    "prefill_num_workers": 2,
    "decode_tp": 8,
    "decode_ep": 8,
    "decode_dp_attention": "false",
    "decode_num_workers": 3,
    "num_prefill_gpu": 8,
    "num_decode_gpu": 24,
}


def successful(mean: float) -> dict[str, Any]:
    return {"successful": {"mean": mean, "median": mean, "percentiles": {"p99": 2 * mean}}, "total": {"mean": 9e9}}


GUIDELLM_CLOSED: dict[str, Any] = {
    "type_": "generative_benchmark",
    "config": {
        "strategy": {"type_": "concurrent", "worker_count": 10, "max_concurrency": 16, "streams": 16},
        "backend": {"target": "http://localhost:8000", "model": "meta-llama/Llama-3.1-8B-Instruct"},
    },
    "metrics": {
        "request_totals": {"successful": 100, "errored": 0, "incomplete": 4, "total": 104},
        "request_concurrency": successful(15.4),
        "prompt_token_count": successful(512.0),
        "output_token_count": {"successful": {"total_sum": 25600, "count": 100}},
        "time_to_first_token_ms": successful(60.0),
        "inter_token_latency_ms": successful(8.0),
        "time_per_output_token_ms": successful(8.2),
        "output_tokens_per_second": successful(1900.0),
    },
}
GUIDELLM: dict[str, Any] = {
    "metadata": {"version": 1, "guidellm_version": "0.6.0"},
    "args": {"data": ["prompt_tokens=512,output_tokens=256"], "profile": "sweep"},
    "benchmarks": [
        GUIDELLM_CLOSED,
        GUIDELLM_CLOSED | {"config": {**GUIDELLM_CLOSED["config"], "strategy": {"type_": "constant", "rate": 4.0}}},
    ],
}
CSV = """accelerator,model,precision,engine,tensor_parallel,concurrency,isl,osl,tpot_seconds,ttft_ms
H100-SXM,Llama-3.1-70B,fp8,vllm,4,16,1024,1024,0.0182,310
H100-SXM,Llama-3.1-70B,fp8,vllm,4,64,1024,1024,,900
"""


def one(record: Any, **stated: Any) -> dict[str, Any]:
    found = read_measurements({"file": record if isinstance(record, str) else json.dumps(record)}, stated)
    return {name: cells[0] for name, cells in found.columns.items()}


def test_a_vllm_result_is_a_closed_loop_of_its_mean_lengths() -> None:
    row = one(VLLM)
    assert (row["isl"], row["osl"], row["concurrency"]) == (1024, 512, 32)
    assert (row["tpot_ms"], row["ttft_ms"], row["output_tok_s"]) == (25.0, 400.0, 546.13)
    assert (row["system"], row["tp"], row["framework"]) == ("H100-SXM", 4, "vllm")


def test_under_an_arrival_rate_the_requests_in_flight_follow_from_littles_law() -> None:
    rate = {**VLLM, "request_rate": 1.1, "max_concurrency": None}
    assert one(rate)["concurrency"] == pytest.approx(1.0667 * (0.4 + 511 * 0.025))


def test_results_appended_to_one_file_are_so_many_rows() -> None:
    lines = "\n".join(json.dumps({**VLLM, "max_concurrency": users}) for users in (8, 16, 32))
    assert read_measurements({"runs.jsonl": lines}).columns["concurrency"] == [8, 16, 32]
    assert read_measurements({"runs.json": json.dumps([VLLM, VLLM])}).origins == ("runs.json[0]", "runs.json[1]")


def test_an_inferencex_point_is_in_seconds_and_names_its_runner() -> None:
    row = one(INFERENCEX)
    assert accelerator(row["system"]).name == accelerator("H200").name
    assert (row["tpot_ms"], row["ttft_ms"]) == (pytest.approx(12.9), pytest.approx(350.0))
    assert (row["tp"], row["attn_dp"], row["n_gpus"], row["output_tok_s"]) == (4, 1, 4, 4800)
    attention = one({**INFERENCEX, "dp_attention": "true", "ep": 4})
    assert (attention["tp"], attention["attn_dp"], attention["moe_ep"], attention["n_gpus"]) == (1, 4, 4, 4)


def test_separate_pools_of_inferencex_keep_their_workers() -> None:
    row = one(POOLS)
    assert (row["mode"], row["n_gpus"], row["framework"]) == ("disagg", 32, "trtllm")
    assert (row["prefill_num_workers"], row["prefill_tp_size"], row["prefill_attention_dp_size"]) == (2, 1, 4)
    assert (row["decode_num_workers"], row["decode_tp_size"], row["decode_moe_ep_size"]) == (3, 8, 8)


def test_speculative_decoding_is_refused_with_the_reason() -> None:
    found = read_measurements({"a": json.dumps([INFERENCEX, {**INFERENCEX, "spec_decoding": "mtp"}])})
    assert len(found.origins) == 1
    assert "speculative" in found.refused["a[1]"]


def test_a_guidellm_report_is_a_row_a_load() -> None:
    found = read_measurements({"report.json": json.dumps(GUIDELLM)}, {"system": "H100-SXM", "tp": 1})
    assert found.columns["concurrency"] == [16, 15.4]
    assert found.columns["tpot_ms"] == [8.0, 8.0], "the time per token after the first"
    assert found.columns["osl"] == [256.0, 256.0]
    assert found.columns["model"] == ["meta-llama/Llama-3.1-8B-Instruct"] * 2
    assert found.columns["system"] == ["H100-SXM"] * 2


def test_loads_under_which_requests_failed_are_refused() -> None:
    failed = {**GUIDELLM_CLOSED, "metrics": {**GUIDELLM_CLOSED["metrics"], "request_totals": {"successful": 50}}}
    failed["metrics"]["request_totals"] |= {"errored": 50}
    found = read_measurements({"g": json.dumps({"benchmarks": [GUIDELLM_CLOSED, failed]})})
    assert "succeeded" in found.refused["g.benchmarks[1]"]
    with pytest.raises(InvalidInput, match="succeeded"):
        read_measurements({"v": json.dumps({**VLLM, "completed": 100})})


def test_a_table_is_read_in_the_spellings_people_use() -> None:
    found = read_measurements({"mine.csv": CSV})
    assert found.columns["tpot_ms"] == [pytest.approx(18.2), None]
    assert found.columns["system"] == ["H100-SXM"] * 2
    assert found.origins == ("mine.csv:2", "mine.csv:3")


def test_what_is_stated_holds_whatever_a_file_says() -> None:
    assert one(VLLM, model="Llama-3.1-70B", precision="fp8")["model"] == "Llama-3.1-70B"
    assert one(VLLM, model="")["model"] == VLLM["model_id"]


def test_files_of_all_formats_make_one_table_that_can_be_estimated_and_fitted() -> None:
    texts = {"v": json.dumps(VLLM), "i": json.dumps([INFERENCEX, POOLS]), "g": json.dumps(GUIDELLM), "c": CSV}
    found = read_measurements(texts)
    found.columns["system"][3:5] = ["L40S", "L40S"]
    assert estimate_serving(found.columns)["supported"] == [True] * 7
    fitted = recalibrate(found.columns)
    assert fitted.row_count == 6
    assert [found.origins[i] for i in fitted.refused] == ["c:3"]


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": 1}', "[1, 2]", "just words", "a,b\n1,2,3\n", "a,a\n1,2\n", '{"benchmarks": []}', "[" * 100_000],
)
def test_what_is_no_measurement_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="measurements"):
        read_measurements({"odd": text})


@pytest.mark.parametrize("odd", [None, True, "", "inf", "nan", -1, 0, [], {}, "12 ms"])
def test_a_cell_of_another_kind_is_a_blank_one(odd: Any) -> None:
    assert one({**VLLM, "mean_tpot_ms": odd, "median_tpot_ms": odd})["tpot_ms"] is None
    assert one({**INFERENCEX, "mean_ttft": odd, "median_ttft": odd})["ttft_ms"] is None


CELLS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    base=st.sampled_from([VLLM, INFERENCEX, POOLS, GUIDELLM_CLOSED]),
    odd=st.dictionaries(st.sampled_from(sorted({*VLLM, *INFERENCEX, *POOLS, *GUIDELLM_CLOSED})), CELLS, max_size=6),
)
def test_whatever_a_file_holds_it_is_read_or_refused(base: dict[str, Any], odd: dict[str, Any]) -> None:
    record = {**base, **odd}
    document = {"benchmarks": [record]} if base is GUIDELLM_CLOSED else [record] * 3
    try:
        require_usable(read_measurements({"odd": json.dumps(document)}).columns)
    except InvalidInput:
        return


@settings(deadline=None)
@given(text=st.text(alphabet="system,model\ntpot_ms\"'{}[]:0129 .-e", max_size=80))
def test_whatever_a_text_holds_it_is_read_or_refused(text: str) -> None:
    try:
        require_usable(read_measurements({"odd": text}).columns)
    except InvalidInput:
        return


def test_numbers_beyond_anything_physical_are_refused_and_do_no_harm() -> None:
    found = [{**VLLM, "max_concurrency": users, "mean_tpot_ms": 20.0 + users} for users in (1, 4, 16, 64)]
    spoilt = [
        {**VLLM, "total_input_tokens": 1e300},
        {**VLLM, "mean_tpot_ms": 1e290},
        {**VLLM, "max_concurrency": 1e200},
    ]
    spoilt[2]["num_prompts"] = 1e300
    spoilt[2]["completed"] = 1e300
    plain, mixed = (
        recalibrate(read_measurements({"v": json.dumps(part)}, {"precision": "fp8"}).columns)
        for part in (found, found + spoilt)
    )
    assert [*mixed.refused] == [4, 5, 6]
    assert mixed.tpot_level == pytest.approx(plain.tpot_level)

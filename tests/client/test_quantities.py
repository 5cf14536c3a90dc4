"""Numbers as people write them."""

from __future__ import annotations

import pytest

from apportion.quantities import shown, title


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("parameter_count", 1.366e10, "13.66 B"),
        ("training_flops", 1e22, "1e22"),
        ("training_usd", 1.5e6, "$1.5 M"),
        ("usd_per_million_tokens", 0.5968, "$0.5968"),
        ("tpot_seconds", 0.0412, "41.2 ms"),
        ("ttft_seconds", 1.697, "1.697 s"),
        ("joules_per_token", 0.37, "370 mJ"),
        ("memory_bytes", 89.16e9, "89.16 GB"),
        ("power_watts", 1893.0, "1.893 kW"),
        ("training_hours", 720.0, "720 h"),
        ("loss", 2.14031, "2.1403"),
        ("accelerator", "H100-SXM", "H100-SXM"),
        ("replica_count", 3, "3"),
        ("token_count", 999_999.0, "1 M"),
        ("loss", None, "–"),
        ("training_usd", float("inf"), "inf"),
    ],
)
def test_the_unit_follows_from_the_name(name: str, value: float | str | None, text: str) -> None:
    assert shown(name, value) == text


def test_an_axis_has_words() -> None:
    assert title("loss") == "loss (nats per token)"
    assert title("some_new_metric") == "some new metric"

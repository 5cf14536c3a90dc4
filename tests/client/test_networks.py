"""Interconnects and clusters from Python and from the command line."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from apportion import Client, NotFound
from apportion.cli.main import main


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["apportion", "hardware", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [("interconnects", "NVLink-4", "450 GB/s"), ("clusters", "DeepSeek-H800", "256 × 8")],
)
def test_the_command_line_lists_and_shows_them(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, name: str, words: str
) -> None:
    monkeypatch.setenv("APPORTION_ENDPOINT", endpoint)
    listed: dict[str, Any] = json.loads(printed(monkeypatch, capsys, kind, "list", "--output", "json"))
    assert f"{kind}/{name}" in [item["name"] for item in listed[kind]]
    assert name in printed(monkeypatch, capsys, kind, "list")
    assert words in printed(monkeypatch, capsys, kind, "show", name.lower())


def test_what_nobody_knows_is_none_and_wrong_names_are_not_found(endpoint: str) -> None:
    with Client(endpoint) as client:
        assert client.cluster("AWS-p5").node_count is None
        assert client.interconnect("RoCE-400").latency_seconds is None
        assert client.interconnect("NVLink-4").latency_seconds == pytest.approx(2.6e-6)
        with pytest.raises(NotFound, match="InfiniBand-NDR"):
            client.interconnect("InfiniBand-NDX")


def test_tables_may_name_a_cluster(endpoint: str) -> None:
    run = {"model": ["Llama-3-70B"] * 2, "n_accel": [2048] * 2, "tokens": [1e12] * 2, "global_batch_seqs": [1024] * 2}
    with Client(endpoint) as client:
        fast, slow = client.estimate_training(run | {"cluster": ["DGX-H100-SuperPOT", "GCP-a3-high"]}).rows()
    assert not fast["supported"]
    assert "DGX-H100-SuperPOD" in fast["unsupported_reason"]
    assert slow["supported"]

"""Draws docs/front.png, the picture in the README, from a front planned here and now.

    python docs/make_figures.py

The question: a model to be trained on H100s and served at five requests a second for a trillion tokens, within ten
million dollars. What do better loss, cheaper training and cheaper serving cost one another?
"""

from __future__ import annotations

from pathlib import Path

from apportion import Client
from apportion.charts import front_png

PICTURE = Path(__file__).with_name("front.png")
QUESTION = {
    "objectives": ["loss", "training_usd", "usd_per_million_tokens"],
    "points": 40,
    "inference_tokens": 1e12,
    "requests_per_second": 5,
    "input_tokens": 1024,
    "output_tokens": 256,
    "max_tpot_seconds": 0.05,
    "accelerator": ["H100-SXM"],
    "budget_usd": 1e7,
}


def main() -> None:
    with Client() as client:
        front = client.front(**QUESTION)
    if not front.points:
        raise SystemExit(f"no front: {front.outcome}")
    PICTURE.write_bytes(front_png(front))
    print(f"{PICTURE}: {len(front.points)} points, hypervolume gap {front.hypervolume_gap:.2g}")


if __name__ == "__main__":
    main()

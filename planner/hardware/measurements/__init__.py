"""Serving measurements as their tools write them, as columns that `recalibrate` takes.

One reader for each format: results of vLLM's and SGLang's serving benchmarks (`vllm`), of InferenceX, formerly
InferenceMAX (`inferencex`), reports of GuideLLM (`guidellm`), and tables (`comma_separated`). The format is told from
the content; entries that cannot be used keep the reason why.
"""

from planner.hardware.measurements.reading import Measurements, read_measurements

__all__ = ["Measurements", "read_measurements"]

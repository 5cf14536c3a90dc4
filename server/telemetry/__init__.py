"""Metrics for Prometheus and one line of log for each call."""

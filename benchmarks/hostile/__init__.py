"""Hostile tables of runs: how they are made, what is done to them, and how the fits of them are judged."""

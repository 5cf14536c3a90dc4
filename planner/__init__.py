"""Pure mathematics of compute-allocation planning: laws, fits, cost models, optimisation.

Nothing here knows a wire, a database or a thread; the only files read are the package's own tables.
"""

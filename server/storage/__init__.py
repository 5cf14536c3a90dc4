"""What is kept: run sets, fitted laws, plans, operations, and the answers to request ids."""

"""Wire messages to planner records and back, one module per message family; pure functions."""

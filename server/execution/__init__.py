"""Work that takes CPU: worker processes, their queue, the plan cache, long-running operations."""

"""What happens round every call, one concern a file.

Order, outermost first: request id, metrics, log, errors, admission, deadline, then the service.
"""

"""The status code that a call was ended with."""

from __future__ import annotations

from typing import Any

import grpc

from server.interceptors.around import Context

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


def code_of(context: Context) -> grpc.StatusCode:
    """The code set on the context; UNKNOWN if none was (grpc answers so to an exception that nobody caught)."""
    code: Any = context.code()  # a number or a StatusCode, by the version of grpc
    if isinstance(code, grpc.StatusCode):
        return code
    return _BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN) if code else grpc.StatusCode.UNKNOWN

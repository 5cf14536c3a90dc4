"""The gRPC services: thin handlers that read a request, ask a store or a worker, and answer."""

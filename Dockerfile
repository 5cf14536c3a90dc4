# The service in an image: two stages, a user of its own, nothing of the build left behind.
#
#   docker build -t apportion .
#   docker run --rm -p 50051:50051 -p 9464:9464 -v apportion-state:/var/lib/apportion apportion
#
# BASE is any image with Python 3.11 on a Debian-like system.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3.11 -m venv /opt/apportion
# The dependencies first, so that a change of ours does not fetch them again. The plotting and data-frame extras stay
# out: the service does not use them. Nor does it use the solver scs, a fifth of the whole, which cvxpy brings and does
# without.
COPY constraints.txt pyproject.toml ./
COPY clients/pyproject.toml ./clients/
RUN ["/opt/apportion/bin/python", "-c", "\
import pathlib, tomllib; \
read = lambda path: tomllib.loads(pathlib.Path(path).read_text())['project']['dependencies']; \
wanted = [name for path in ('pyproject.toml', 'clients/pyproject.toml') for name in read(path)]; \
pathlib.Path('requirements.txt').write_text('\\n'.join(name for name in wanted if not name.startswith('apportion')))"]
RUN /opt/apportion/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt --requirement requirements.txt \
 && /opt/apportion/bin/python -m pip uninstall --yes --quiet scs \
 && find /opt/apportion -name tests -type d -path '*site-packages*' -prune -exec rm -rf {} + \
 && find /opt/apportion -name '*.pyi' -delete
COPY README.md LICENSE ./
COPY clients ./clients
COPY planner ./planner
COPY server ./server
RUN /opt/apportion/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps ./clients . \
 && rm -rf /opt/apportion/lib/python3.11/site-packages/pip* /opt/apportion/lib/python3.11/site-packages/setuptools* \
      /opt/apportion/bin/pip*

FROM ${BASE}
LABEL org.opencontainers.image.title="apportion" \
      org.opencontainers.image.description="Turns training runs and hardware facts into plans" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/apportion /opt/apportion
RUN mkdir -p /var/lib/apportion && chown 10001:10001 /var/lib/apportion
ENV PATH=/opt/apportion/bin:$PATH \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/apportion
VOLUME /var/lib/apportion
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
# In a container all interfaces are the container's own; publish the ports to trusted networks only.
ENV APPORTION_LISTEN=0.0.0.0:50051 \
    APPORTION_METRICS_LISTEN=0.0.0.0:9464 \
    APPORTION_INSECURE=true \
    APPORTION_STORE=/var/lib/apportion/apportion.db
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-P", "-c", "\
import grpc, os, sys; \
from grpc_health.v1 import health_pb2, health_pb2_grpc; \
port = os.environ['APPORTION_LISTEN'].rpartition(':')[2]; \
stub = health_pb2_grpc.HealthStub(grpc.insecure_channel('127.0.0.1:' + port)); \
answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=4); \
sys.exit(answer.status != health_pb2.HealthCheckResponse.SERVING)"]
ENTRYPOINT ["apportion"]
CMD ["serve"]

# MCP over HTTP: `docker build -t aural-mcp . && docker run --rm -p 127.0.0.1:8400:8400 aural-mcp`.
# Each request brings its own key. compose.yaml runs it with the backend on PostgreSQL beside it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/aural \
  && /opt/aural/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY skill skill
RUN /opt/aural/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation .

FROM python:3.13-slim
LABEL io.modelcontextprotocol.server.name="com.aural-ai/aural-mcp"
COPY --from=build /opt/aural /opt/aural
RUN install -d -o 10001 -g 10001 -m 700 /data
ENV PATH=/opt/aural/bin:$PATH AURAL_DATA_DIR=/data PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /data
EXPOSE 8400
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/healthz', timeout=4)"]
ENTRYPOINT ["aural-mcp"]
CMD ["serve", "--http", "--host", "0.0.0.0", "--allowed-host", "localhost", "--allowed-host", "127.0.0.1"]

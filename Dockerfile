# docker build --tag streamflow:latest .
FROM node:20-bookworm-slim AS console
WORKDIR /src/console
COPY console/package.json console/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY console .
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=console /src/console/dist console/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package streamflow \
    && install -D target/release/streamflow /out/streamflow

# The build image's release of Debian: the binary needs its C library.
FROM debian:bookworm-slim
# curl asks for the health below; the certificates are for a Prefect server behind https.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /out/streamflow /usr/local/bin/streamflow
ENV STREAMFLOW_DATA_DIR=/data REPORT_DIR=/data/reports/drift
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--max-time", "3", "http://127.0.0.1:8000/health"]
ENTRYPOINT ["streamflow"]
CMD ["serve", "--listen", "0.0.0.0:8000"]

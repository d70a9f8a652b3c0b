# docker build --tag streamflow:latest .
FROM node:20-bookworm-slim AS console
WORKDIR /src/console
COPY console/package.json console/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY console .
RUN npm run build
COPY tools/sbom.sh /src/tools/
RUN /src/tools/sbom.sh console /sbom

FROM rust:1.95-bookworm AS build
WORKDIR /src
# For the list of what the binary is made of.
RUN cargo install --locked --root /opt/sbom cargo-cyclonedx@0.5.9
COPY . .
COPY --from=console /src/console/dist console/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package streamflow \
    && tools/image-root.sh target/release/streamflow /image \
    && PATH=/opt/sbom/bin:$PATH tools/sbom.sh rust /image/usr/share/sbom

# The binary with the libraries that it loads: no shell, no package manager.
FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="StreamFlow" \
    org.opencontainers.image.description="Serves a tabular model, watches the service, notices when its data drifts" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
COPY --from=build /image /
COPY --from=console /sbom /usr/share/sbom
COPY --from=build --chown=10001:10001 /image-writable /
ENV PATH=/usr/local/bin STREAMFLOW_DATA_DIR=/data REPORT_DIR=/data/reports/drift
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["streamflow", "ping"]
ENTRYPOINT ["streamflow"]
CMD ["serve", "--listen", "0.0.0.0:8000"]

# Two variants of one image:
#
#   docker build -t jig .                                              CPU, slim
#   docker build -t jig --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 .   CUDA runtime
#
#   docker run -p 8000:8000 jig --model mistralai/Mistral-7B-Instruct-v0.2
#
# Downloaded models are stored under /models; mount a volume there to keep them.

ARG RUST=rust:1.95-slim-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --workspace --exclude jig-bench --exclude jig-cuda-emulator --lib --bins \
 && mkdir -p /out/backends \
 && cp target/release/jig /out/ \
 && cp target/release/libjig_backend_*.so /out/backends/

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 jig \
 && mkdir /models && chown jig /models
COPY --from=build /out /opt/jig
ENV PATH=/opt/jig:$PATH HF_HOME=/models JIG_HOST=0.0.0.0 JIG_PORT=8000
USER jig
VOLUME /models
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m CMD curl -fsS "http://127.0.0.1:${JIG_PORT}/health" || exit 1
ENTRYPOINT ["jig"]

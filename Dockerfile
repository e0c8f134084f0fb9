# syntax=docker/dockerfile:1
# Two architectures: docker buildx build --platform linux/amd64,linux/arm64 .
# The compiler runs on the machine that builds, for either architecture: nothing is emulated.
# Name the base by digest, so that each build has the same compiler: `docker buildx imagetools inspect rust:1.95-bookworm`
# prints it, for `--build-arg BASE=rust:1.95-bookworm@sha256:...`. The final image is empty: it has no base.
ARG BASE=rust:1.95-bookworm

FROM --platform=$BUILDPLATFORM $BASE AS build
ARG TARGETARCH
WORKDIR /src
RUN <<SETUP
set -eu
case "$TARGETARCH" in
  amd64) target=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu-gcc packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
  arm64) target=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu-gcc packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
  *) echo "no build for $TARGETARCH: amd64 or arm64" >&2; exit 1 ;;
esac
if ! command -v "$gcc" >/dev/null; then
  apt-get update -q
  apt-get install -qy --no-install-recommends $packages
fi
rustup target add "$target"
echo "export TARGET=$target CC_$(echo $target | tr - _)=$gcc" > /env
echo "export CARGO_TARGET_$(echo $target | tr a-z- A-Z_)_LINKER=$gcc" >> /env
# A static binary runs in an empty image, and packed relocations take less room. With --target the flags are for the
# program alone.
echo "export CARGO_TARGET_$(echo $target | tr a-z- A-Z_)_RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs'" >> /env
SETUP
COPY Cargo.toml Cargo.lock ./
COPY src src
# Cargo.toml names these folders, so they have to exist; they are not built.
COPY benches benches
COPY tests tests
RUN . /env && cargo build --release --locked --target "$TARGET" --bin pullgate && cp "target/$TARGET/release/pullgate" /pullgate

FROM scratch
LABEL org.opencontainers.image.title="pullgate" \
      org.opencontainers.image.licenses="Apache-2.0"
# The CAs for registries with public certificates. The CA of the API server is mounted by the kubelet.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /pullgate /pullgate
# The kubelet can check runAsNonRoot only for a numeric user.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/pullgate"]

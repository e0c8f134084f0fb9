# syntax=docker/dockerfile:1
# Builds for two architectures: docker buildx build --platform linux/amd64,linux/arm64 .
# The compiler runs on the platform of the build machine and cross-compiles: nothing is emulated.
# Give BASE by digest, so that every build uses the same compiler: `docker buildx imagetools inspect rust:1.95-bookworm`
# prints the digest for `--build-arg BASE=rust:1.95-bookworm@sha256:...`. The final image starts from scratch and has no
# base image.
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
# The program is static, so that it runs in an empty image, and uses packed relocations, which take less room. --target
# limits these flags to the program: build scripts are compiled without them.
echo "export CARGO_TARGET_$(echo $target | tr a-z- A-Z_)_RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs'" >> /env
SETUP
COPY Cargo.toml Cargo.lock ./
COPY src src
# Cargo requires the files of all targets in Cargo.toml, although this build compiles only the program.
COPY benches benches
COPY tests tests
RUN . /env && cargo build --release --locked --target "$TARGET" --bin pullgate && cp "target/$TARGET/release/pullgate" /pullgate

FROM scratch
LABEL org.opencontainers.image.title="pullgate" \
      org.opencontainers.image.licenses="Apache-2.0"
# The CA bundle is for registries. The API server is verified with the CA that the kubelet mounts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /pullgate /pullgate
# The user is a number because runAsNonRoot cannot verify a name.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/pullgate"]

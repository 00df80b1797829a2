# Our own programs.
# shellcheck shell=bash disable=SC2034,SC2154

BINARIES_DIR=${CARGO_TARGET_DIR:-$REPOSITORY/target}/debug

# All at once and with the examples: cargo unifies the features of dependencies within one call,
# and with an example in it does so as for the tests. So nothing is compiled twice.
build_binaries() {
  need_rust
  with_progress "compiling Exeat" "$CLUSTER_DIR/log/build-exeat.log" \
    env -C "$REPOSITORY" cargo build --locked --workspace --bins --examples
}

need_rust() {
  command -v cargo >/dev/null || die "Rust is needed (rustup fetches the version that the repository names)" "See https://rustup.rs"
}

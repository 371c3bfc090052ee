# The menu. No logic here: what needs some is a test or a subcommand.

# Formats everything.
fmt:
    cargo fmt

# Lints as the build gate does.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Everything that needs neither network nor other programs.
test:
    cargo test

# The acceptance cases alone, in process and over sockets: `just cases h05` runs those of that name.
cases *FILTER:
    cargo test --test cases -- {{FILTER}}

# Fuzz targets, all or some, for so many seconds each: `just fuzz 60 respond files`.
fuzz *ARGUMENTS:
    tests/fuzz/run.sh {{ARGUMENTS}}

# Everything at once, at random, for so many seconds from a seed; needs root: `just soak 600 1`.
soak SECONDS SEED:
    GAZETTEER_SOAK_SECONDS={{SECONDS}} GAZETTEER_SOAK_SEED={{SEED}} cargo test --features real --test soak

# The benches.
bench:
    cargo bench

# Licences, bans, advisories and sources of dependencies; needs cargo-deny.
deny:
    cargo deny check

# The OCI image of the release build, as a layout in target/image; needs umoci.
image:
    cargo build --release --locked
    deploy/image.sh target/release/gazetteer target/image

# Man pages, in target/man.
man:
    mkdir -p target/man
    cargo run -- man target/man

# The base for kustomize from the chart; needs helm.
kustomize:
    deploy/kustomize/render.sh

# Exactly what the build gate runs.
ci:
    .ci/run

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

# Everything that is shipped, in target/artefacts; needs what the recipes below need.
artefacts:
    deploy/artefacts.sh target/artefacts

# The programs that are shipped, in target/artefacts; needs cargo-auditable.
programs:
    deploy/programs.sh target/artefacts

# The OCI image of the static program, as a layout in target/artefacts/image; needs umoci.
image: programs
    deploy/image.sh target/artefacts/gazetteer-static target/artefacts/image

# The Debian package; needs cargo-deb.
deb: programs
    deploy/package.sh target/artefacts/gazetteer target/artefacts/gazetteer.deb

# The bill of materials; needs cargo-cyclonedx.
sbom:
    mkdir -p target/artefacts
    deploy/sbom.sh target/artefacts/gazetteer.cdx.json

# Man pages, in target/artefacts/man.
man:
    mkdir -p target/artefacts/man
    cargo run -- man target/artefacts/man

# The JSON Schema of the configuration, as the program prints it.
schema:
    mkdir -p target/artefacts
    cargo run -- schema > target/artefacts/gazetteer.schema.json

# The chart as an archive, in target/artefacts; needs helm.
chart:
    helm lint deploy/chart
    helm package deploy/chart --destination target/artefacts

# The base for kustomize from the chart; needs helm.
kustomize:
    deploy/kustomize/render.sh

# Exactly what the build gate runs.
ci:
    .ci/run

//! Runs the case files of `tests/cases`: every query in process, over UDP and over TCP; and signed, on two replicas
//! with the same key files.
//!
//! `cargo test --test cases -- h05` runs the cases of that name; tests/cases/README.md has the
//! language. `GAZETTEER_SEEDS` names a folder into which the queries are written instead, as
//! `tests/fuzz/run.sh` does.

#[path = "cases/ask.rs"]
mod ask;
#[path = "cases/dig.rs"]
mod dig;
#[path = "cases/edit.rs"]
mod edit;
#[path = "cases/expect.rs"]
mod expect;
#[path = "mmdb/mod.rs"]
mod mmdb;
#[path = "cases/overlay.rs"]
mod overlay;
#[path = "cases/run.rs"]
mod run;
#[path = "cases/schema.rs"]
mod schema;
#[path = "cases/script.rs"]
mod script;
#[path = "cases/seeds.rs"]
mod seeds;
#[path = "cases/signing.rs"]
mod signing;
#[path = "cases/sockets.rs"]
mod sockets;
#[path = "validate/mod.rs"]
mod validate;
#[path = "cases/world.rs"]
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use gazetteer::dnssec::Algorithm;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let runtime = Arc::new(sockets::runtime());
    let cases = match script::load(&folder) {
        Ok(cases) => cases,
        Err(problem) => {
            libtest_mimic::run(
                &arguments,
                vec![Trial::test("case files parse", move || Err(problem.into()))],
            )
            .exit();
        }
    };
    if let Some(seeds) = std::env::var_os("GAZETTEER_SEEDS") {
        let written = seeds::write(&cases, Path::new(&seeds));
        written.expect("queries that can be written");
        return ExitCode::SUCCESS;
    }
    let trials = cases
        .into_iter()
        .flat_map(|case| {
            let case = Arc::new(case);
            let (again, runtime, worlds) = (case.clone(), runtime.clone(), folder.join("worlds"));
            let sockets = worlds.clone();
            let replicas = Algorithm::ALL.map(|algorithm| {
                let (case, worlds) = (case.clone(), worlds.clone());
                let name = format!("{}::replicas::{algorithm}", case.name);
                Trial::test(name, move || {
                    run::replicas(&case, &worlds, algorithm).map_err(Into::into)
                })
            });
            let all = [
                Trial::test(case.name.clone(), move || {
                    run::in_process(&case, &worlds).map_err(Into::into)
                }),
                Trial::test(format!("{}::sockets", again.name), move || {
                    run::over_sockets(&again, &sockets, &runtime).map_err(Into::into)
                }),
            ];
            all.into_iter().chain(replicas)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

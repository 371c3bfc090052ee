//! Any text is a kubeconfig or none, and what is said of it shows no secret.
#![no_main]

use gazetteer::sources::kubernetes::read_kubeconfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| read_kubeconfig(text));

//! Whatever an API server lists and sends, what is said of it step by step is what is said of it at
//! once, and nothing stays of objects that are gone.
#![no_main]

use gazetteer::sources::kubernetes::read_watch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| read_watch(octets));

//! What is said of wrong rules for clients.

use super::bad::{after, check};

#[test]
fn wrong_rules_for_clients_are_refused() {
    check(&[
        (
            after("[listen]\ndns = [{ address = \"127.0.0.1:53\", allow = [\"10.0.0.1/8\"] }]"),
            &["7:45: allow \"10.0.0.1/8\": not the first address of a network; 10.0.0.0/8 is"],
        ),
        (
            after(
                "[listen]\ndiagnostics = [\"here\"]\ncookie-secrets = \"\"\nreport-channel = \".\"",
            ),
            &[
                "7:16: diagnostics \"here\": expected a network such as 10.0.0.0/8",
                "8:18: cookie-secrets \"\": must not be empty",
                "9:18: report-channel \".\": expected a domain name other than the root",
            ],
        ),
        (
            after("[listen]\nmax-without-cookie = 511"),
            &["7:22: max-without-cookie 511: must be 0 or between 512 and 1232"],
        ),
        (
            after("[listen]\nmax-without-cookie = 1233"),
            &["7:22: max-without-cookie 1233: must be between 0 and 1232"],
        ),
        (
            after("[rate-limit]\npositive = -1\nslip = 11\nburst = 0\ndryrun = true"),
            &[
                "7:12: positive -1: must be between 0 and 1000000",
                "8:8: slip 11: must be between 0 and 10",
                "9:9: burst 0: must be between 0.1 and 60",
                "10:1: unknown key \"dryrun\"; did you mean \"dry-run\"?",
            ],
        ),
        (
            after("[rate-limit]\nexempt = [\"public\"]"),
            &["7:11: exempt \"public\": expected a network such as 10.0.0.0/8, or \"private\""],
        ),
    ]);
}

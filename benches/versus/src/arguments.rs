//! Arguments of the command line, as `--name value`.

use std::io;
use std::str::FromStr;

/// The value of an argument.
pub fn argument(name: &str, default: &str) -> String {
    let all: Vec<String> = std::env::args().collect();
    let at = all.iter().position(|argument| argument == name);
    at.and_then(|at| all.get(at + 1).cloned())
        .unwrap_or_else(|| default.to_owned())
}

/// The value of an argument that is a number.
pub fn number<T: FromStr>(name: &str, default: &str) -> io::Result<T> {
    let text = argument(name, default);
    text.parse()
        .map_err(|_| io::Error::other(format!("{name} {text}: not a number")))
}

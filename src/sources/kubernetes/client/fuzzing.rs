//! What fuzz targets read of a client: no part of the program.

use std::path::Path;

use kube::config::AuthInfo;

use super::{Secrets, kubeconfig};

/// The context that is read.
const CONTEXT: &str = "c";

/// Shorter words are in texts of our own.
const SHORTEST: usize = 8;

/// Reads a kubeconfig. What may be a secret in it is neither in what is wrong with it nor in the
/// URL that is shown.
pub fn read_kubeconfig(text: &str) {
    let path = Path::new("/nowhere/kubeconfig");
    let error = match kubeconfig::parse(text, path, CONTEXT) {
        Ok((settings, _)) => {
            let shown = settings.server.to_string();
            assert!(!shown.contains('@'), "{shown:?} shows a user");
            Secrets::of(&settings.user, settings.proxy.as_ref()).mask(&shown);
            return;
        }
        Err(error) => format!("{error} {error:?}"),
    };
    let is_like_a_secret = |word: &&str| {
        let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(|octet| is(octet));
        word.len() >= SHORTEST && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    for word in words.filter(is_like_a_secret) {
        assert!(!error.contains(word), "{error:?} shows {word:?}");
    }
}

/// The secrets of a client that sends this token.
pub(in super::super) fn secrets(token: &str) -> Secrets {
    let user = AuthInfo {
        token: Some(token.into()),
        ..AuthInfo::default()
    };
    Secrets::of(&user, None)
}

//! Words of commands that are shown to people.

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./:@".contains(&octet);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("admin@gce-europe-west1"), "admin@gce-europe-west1");
        assert_eq!(
            quoted("default/a:6443/kube:admin@x y"),
            "'default/a:6443/kube:admin@x y'"
        );
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}

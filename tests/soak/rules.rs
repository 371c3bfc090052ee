//! Rules of who is served that are known to be wrong, and by which words the daemon says that it
//! follows one. Wrong answers for which it says so are counted apart; all others fail the soak. A
//! rule that is mended is taken out here.

use crate::judge::Wrong;

/// A rule that is known to be wrong.
pub(crate) struct Rule {
    /// What it does.
    pub(crate) name: &'static str,
    /// Whether its answers are wrong in this way.
    is_so: fn(Wrong) -> bool,
    /// Words of the explanation of the service.
    words: &'static str,
}

/// The rules.
const OPEN: [Rule; 1] = [Rule {
    name: "addresses that failed too often are kept back, though nothing else is left",
    is_so: |wrong| wrong == Wrong::Empty,
    words: "kept back",
}];

/// The rule that makes an answer wrong, if it is one of these by the daemon's own words.
pub(crate) fn open(wrong: Wrong, said: &str) -> Option<&'static Rule> {
    let mut rules = OPEN.iter();
    rules.find(|rule| (rule.is_so)(wrong) && said.contains(rule.words))
}

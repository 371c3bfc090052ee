//! What `gazetteer clusters` says of members.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::gazetteer::Gazetteer;
use crate::wait::until;

/// A member, as the daemon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its name.
    pub(crate) name: String,
    /// `Ready`, `Held`, `Lost` and so on.
    pub(crate) status: String,
    /// Why, and until when.
    pub(crate) reason: String,
    /// What an operator should know.
    pub(crate) warnings: Vec<String>,
}

impl Shown {
    /// Whether anything of it waits for confirmation.
    pub(crate) fn is_held_back(&self) -> bool {
        let mut warnings = self.warnings.iter();
        warnings.any(|warning| warning.contains("wait for confirmation"))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.name, self.status)?;
        let more = [&self.reason].into_iter().chain(&self.warnings);
        let mut more = more.filter(|text| !text.is_empty());
        more.try_for_each(|text| write!(f, "; {text}"))
    }
}

/// All members, in the order of the configuration, as the daemon of a folder shows them.
pub(crate) fn clusters(folder: &Path) -> Result<Vec<Shown>, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
        .args(["clusters", "-o", "json", "--state-dir"])
        .arg(folder.join("state"))
        .output()
        .map_err(|error| error.to_string())?;
    let members: Vec<Value> = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = members.iter().map(|member| Shown {
        name: text(&member["name"]),
        status: text(&member["status"]),
        reason: text(&member["reason"]),
        warnings: member["warnings"]
            .as_array()
            .map_or_else(Vec::new, |all| all.iter().map(text).collect()),
    });
    Ok(shown.collect())
}

impl Gazetteer {
    /// All members, as it shows them.
    pub(crate) fn clusters(&self) -> Result<Vec<Shown>, String> {
        clusters(&self.folder)
    }

    /// Waits until a member is shown as `claim` says.
    pub(crate) fn until_shown(
        &self,
        member: &str,
        what: &str,
        within: Duration,
        claim: impl Fn(&Shown) -> bool,
    ) {
        until(&format!("{member} is {what}"), within, || {
            let members = self.clusters()?;
            let shown = members.iter().find(|shown| shown.name == member);
            match shown {
                Some(shown) if claim(shown) => Ok(()),
                _ => Err(format!("{shown:?}")),
            }
        });
    }
}

//! What a command of an operator makes of the overrides in a `ConfigMap` of a host cluster.

use super::decision::{decided, later, left};
use super::form;
use super::host::{CONFIRMED, read};
use crate::model::{ConfirmedRemoval, Overrides, SharedOverrides, UnixSeconds};
use crate::publish::command::{CommandRefused, OperatorCommand};

/// What is to be written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendedOverrides {
    /// What is to be under the key.
    pub text: String,
    /// All that is decided then.
    pub overrides: Overrides,
}

/// Why a `ConfigMap` cannot be amended. It is to stay as it is.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// The command cannot be obeyed.
    #[error(transparent)]
    Refused(#[from] CommandRefused),
    /// What is there is wrong, and may be meant otherwise than it would be understood: mend it first.
    #[error("what is there is wrong ({0}): mend or delete it first")]
    Damaged(String),
    /// It cannot be written down.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

/// What is to be under the key of the `ConfigMap` after a command at `now`; `there` is what is under it
/// now, `None` where there is no `ConfigMap`. What has ended is left out.
///
/// Errors are that the command cannot be obeyed, and that what is there cannot be read.
pub fn amend(
    there: Option<&str>,
    command: &OperatorCommand,
    now: UnixSeconds,
) -> Result<AmendedOverrides, AmendError> {
    let mut shared = match there {
        Some(text) => read(Some(text)).map_err(AmendError::Damaged)?,
        None => SharedOverrides::default(),
    };
    let before = left(&shared.overrides, None, now);
    let is_good = |one: &ConfirmedRemoval| now < later(one.at, CONFIRMED);
    shared.confirmations.retain(is_good);
    let member = match command {
        OperatorCommand::Confirm(member) => Some(Some(member.clone())),
        OperatorCommand::ConfirmMembers => Some(None),
        _ => None,
    };
    if let Some(member) = member {
        shared.confirmations.retain(|one| one.member != member);
        shared
            .confirmations
            .push(ConfirmedRemoval { member, at: now });
    }
    shared.overrides = decided(&before, None, command, now)?;
    Ok(AmendedOverrides {
        text: form::text_of(&shared)?,
        overrides: shared.overrides,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Drain;

    fn command(text: &str, over: u64, lasting: Option<u64>) -> OperatorCommand {
        OperatorCommand::Drain {
            target: text.parse().unwrap(),
            over: Duration::from_secs(over),
            lasting: lasting.map(Duration::from_secs),
        }
    }

    fn targets(overrides: &Overrides) -> Vec<String> {
        let drains = overrides.drains.iter();
        drains
            .map(|drain: &Drain| drain.target.to_string())
            .collect()
    }

    #[test]
    fn commands_are_added_to_what_is_there_and_what_has_ended_goes() {
        let at = UnixSeconds;
        let first = amend(None, &command("a", 0, Some(10)), at(100)).unwrap();
        let second = amend(Some(&first.text), &command("region/r", 60, None), at(105)).unwrap();
        assert_eq!(targets(&second.overrides), ["a", "region/r"]);
        let confirm = OperatorCommand::Confirm("b".parse().unwrap());
        let third = amend(Some(&second.text), &confirm, at(111)).unwrap();
        assert_eq!(targets(&third.overrides), ["region/r"]);
        assert!(third.text.contains("\"member\": \"b\""), "{}", third.text);
        let again = amend(Some(&third.text), &OperatorCommand::ConfirmMembers, at(411)).unwrap();
        assert!(!again.text.contains("\"member\": \"b\""), "{}", again.text);
        assert!(again.text.contains("*members"));
        let uncordon = OperatorCommand::Uncordon("a".parse().unwrap());
        let refused = amend(Some(&again.text), &uncordon, at(412)).unwrap_err();
        let refused = refused.to_string();
        assert_eq!(
            refused,
            "a is neither drained nor cordoned; these are: region/r"
        );
    }

    #[test]
    fn what_is_wrong_is_not_written_over() {
        let refused = amend(Some("{}"), &OperatorCommand::Thaw, UnixSeconds(1)).unwrap_err();
        assert!(matches!(refused, AmendError::Damaged(_)), "{refused}");
    }
}

//! Names of members, as an operator gives them.

use crate::model::EVERY_MEMBER;
use crate::names::Label;

/// Reads the name of a member. The error says what it could be instead.
pub fn member_name(text: &str) -> Result<Label, String> {
    match text.parse::<Label>() {
        // `confirm members` would be ambiguous.
        Ok(name) if name.as_str() == EVERY_MEMBER => Err(format!("member {name:?}: reserved")),
        Ok(name) => Ok(name),
        Err(error) => {
            let perhaps = Label::from_topology(text).ok();
            let perhaps = perhaps.map_or_else(
                || error.to_string(),
                |label| format!("not a DNS label; perhaps \"{label}\""),
            );
            Err(format!("member {text:?}: {perhaps}"))
        }
    }
}

/// Reads the name of an object (RFC 1123, a subdomain).
pub fn object_name(text: &str) -> Result<String, String> {
    let labels = text.split('.').map(str::parse::<Label>);
    let is_name = text.len() <= 253 && labels.into_iter().all(|label| label.is_ok());
    let is_lower = text.bytes().all(|octet| !octet.is_ascii_uppercase());
    if is_name && is_lower {
        Ok(text.to_owned())
    } else {
        Err("not the name of an object".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_has_a_right_one_beside_it() {
        let wrong = member_name("GCE_1").unwrap_err();
        assert_eq!(
            wrong,
            "member \"GCE_1\": not a DNS label; perhaps \"gce-1\""
        );
        let wrong = member_name("default/a:6443/kube:admin@x y").unwrap_err();
        assert!(
            wrong.ends_with("perhaps \"default-a-6443-kube-admin-x-y\""),
            "{wrong}"
        );
        assert!(member_name("members").is_err());
        assert!(member_name("__").is_err());
        assert_eq!(member_name("GCE-1").unwrap().as_str(), "gce-1");
    }
}

//! What was last seen of the overrides of a host cluster, in `state-dir`: a restart without the host goes
//! on with it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::form::{self, OverridesFile};
use crate::config::{self, whole_file};
use crate::model::limits::OVERRIDES_FILE;
use crate::model::{Overrides, SharedOverrides, UnixSeconds};

/// The file in `state-dir`.
const NAME: &str = "host-overrides.json";

/// The form of the file.
const VERSION: u32 = 1;

/// What was last seen. Moments are dates of the wall clocks of those who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) struct KeptOverrides {
    /// The `ConfigMap`, `NAMESPACE/NAME`.
    pub(in crate::publish) object: String,
    /// Its `resourceVersion`.
    pub(in crate::publish) version: String,
    /// When it was last known to be up to date.
    pub(in crate::publish) seen: UnixSeconds,
    /// What it said, with when each is safe for this daemon.
    pub(in crate::publish) overrides: Overrides,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostOverridesFile {
    /// The form.
    version: u32,
    /// The `ConfigMap`, `NAMESPACE/NAME`.
    config_map: String,
    /// Its `resourceVersion`.
    resource_version: String,
    /// RFC 3339.
    seen: String,
    /// What it said.
    overrides: OverridesFile,
}

/// The path of the file in a state folder.
pub(in crate::publish) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Reads the file, and changes nothing; `None` without one. The error says what is wrong with it.
pub(in crate::publish) fn read(path: &Path) -> Result<Option<KeptOverrides>, String> {
    let text = match config::read::read_text(path, &OVERRIDES_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.reason.to_string()),
    };
    let file: HostOverridesFile = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if file.version != VERSION {
        return Err(format!("version {}", file.version));
    }
    let wrong = |damage: form::Damage| damage.to_string();
    Ok(Some(KeptOverrides {
        object: file.config_map,
        version: file.resource_version,
        seen: form::moment(&file.seen).map_err(wrong)?,
        overrides: form::read(file.overrides).map_err(wrong)?.overrides,
    }))
}

/// Writes the file, so that at every moment it is the old or the new one, whole.
pub(in crate::publish) fn write(path: &Path, kept: &KeptOverrides) -> io::Result<()> {
    let shared = SharedOverrides {
        overrides: kept.overrides.clone(),
        confirmations: Vec::new(),
    };
    let whole = HostOverridesFile {
        version: VERSION,
        config_map: kept.object.clone(),
        resource_version: kept.version.clone(),
        seen: kept.seen.to_string(),
        overrides: form::written(&shared),
    };
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    whole_file::write(path, &[], text.as_bytes()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use super::*;
    use crate::publish::overrides::form::tests::everything;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        assert_eq!(read(&path), Ok(None));
        let kept = KeptOverrides {
            object: "gazetteer/overrides".to_owned(),
            version: "12".to_owned(),
            seen: UnixSeconds(1_800_000_000),
            overrides: everything(),
        };
        write(&path, &kept).unwrap();
        assert_eq!(read(&path), Ok(Some(kept)));
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            (
                "\"version\": 1,\n  \"config_map\"",
                "\"version\": 2,\n  \"config_map\"",
            ),
            ("\"seen\": \"", "\"seen\": \"x"),
            ("\"region/eu\"", "\"ew1d\""),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            let mut file = File::create(&path).unwrap();
            file.write_all(wrong.as_bytes()).unwrap();
            assert!(read(&path).is_err(), "{from}");
        }
    }
}

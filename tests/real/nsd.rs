//! The configuration of NSD, a name server of one zone.

use std::path::{Path, PathBuf};

use crate::files;

/// Writes the configuration of an NSD with one zone into `folder`; returns its path. `listen` is the lines that
/// say where it answers.
pub(crate) fn configure(folder: &Path, listen: &str, zone: &str, file: &Path) -> PathBuf {
    let configuration = folder.join("nsd.conf");
    files::write(
        &configuration,
        format!(
            "server:\n{listen}  server-count: 1\n  \
             username: \"\"\n  chroot: \"\"\n  zonesdir: \"{0}\"\n  pidfile: \"{0}/nsd.pid\"\n  \
             database: \"\"\n  xfrdfile: \"{0}/xfrd.state\"\n  xfrdir: \"{0}\"\n  \
             zonelistfile: \"{0}/zone.list\"\n  cookie-secret-file: \"{0}/cookies\"\n\
             remote-control:\n  control-enable: no\n\
             zone:\n  name: \"{zone}\"\n  zonefile: \"{1}\"\n",
            folder.display(),
            file.display()
        ),
    );
    configuration
}

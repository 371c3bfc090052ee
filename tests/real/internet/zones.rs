//! The zones above gazetteer's: signed by ldns, served by NSD.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{DNS, Internet, address_type, run_in};
use crate::files;
use crate::nsd;
use crate::process::{Process, debian};

/// The package of the programs that sign.
const SIGNS: &str = "ldnsutils";

/// How long before and after now signatures of these zones are valid: clocks are moved in tests.
const VALID: Duration = Duration::from_secs(400 * 86_400);

/// The key of a zone, which signs all of it.
pub(super) struct ZoneSigner {
    /// Where everything of it is.
    folder: PathBuf,
    /// The zone.
    zone: String,
    /// The name of the key's files without their endings.
    key: String,
    /// Its DNSKEY record.
    dnskey: String,
}

impl ZoneSigner {
    /// Makes the key of a zone.
    pub(super) fn new(folder: &Path, zone: &str) -> Self {
        let program = debian("ldns-keygen", SIGNS);
        let printed = run_in(folder, &program, &["-a", "ECDSAP256SHA256", "-k", zone]);
        let key = printed.trim().to_owned();
        let dnskey = read(&folder.join(format!("{key}.key")));
        Self {
            folder: folder.to_owned(),
            zone: zone.to_owned(),
            key,
            dnskey,
        }
    }

    /// Its DNSKEY record.
    pub(super) fn dnskey(&self) -> &str {
        &self.dnskey
    }

    /// Its DS record.
    pub(super) fn ds(&self) -> String {
        read(&self.folder.join(format!("{}.ds", self.key)))
    }

    /// Signs a text of the zone; where the signed zone is.
    pub(super) fn sign(&self, text: &str) -> PathBuf {
        let (plain, signed) = (self.file("zone"), self.file("signed"));
        files::write(&plain, text);
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
        let (from, until) = (now.saturating_sub(VALID), now + VALID);
        let (from, until) = (from.as_secs().to_string(), until.as_secs().to_string());
        let [plain, signed_word] = [&plain, &signed].map(|path| path.display().to_string());
        let arguments = [
            "-i",
            &from,
            "-e",
            &until,
            "-o",
            &self.zone,
            "-f",
            &signed_word,
            &plain,
            &self.key,
        ];
        run_in(&self.folder, &debian("ldns-signzone", SIGNS), &arguments);
        signed
    }

    /// A file of the zone.
    fn file(&self, ending: &str) -> PathBuf {
        let name = if self.zone == "." { "root" } else { &self.zone };
        self.folder.join(format!("{name}.{ending}"))
    }
}

/// The record in a file, without the comment after it.
fn read(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a file of ldns-keygen");
    let record = text.split(';').next().unwrap_or_default();
    record.trim().to_owned()
}

/// The records of a zone about itself, with a serial of 1.
pub(super) fn authority(zone: &str, server: &str, addresses: [IpAddr; 2]) -> String {
    let mut text = format!(
        "$TTL 3600\n{zone} IN SOA {server} hostmaster.{server} 1 3600 600 86400 300\n{zone} IN NS {server}\n"
    );
    for address in addresses {
        writeln!(text, "{server} IN {} {address}", address_type(address)).expect("text");
    }
    text
}

impl Internet {
    /// Starts an NSD with a zone.
    pub(super) fn serve(&self, name: &str, zone: &str, file: &Path, at: [IpAddr; 2]) -> Process {
        let folder = self.folder.join(format!("nsd-{name}"));
        let [v4, v6] = at;
        let listen = format!("  ip-address: {v4}\n  ip-address: {v6}\n  port: {DNS}\n");
        let configuration = nsd::configure(&folder, &listen, zone, file);
        let program = debian("nsd", "nsd");
        self.spawn(
            &format!("nsd-{name}"),
            &program,
            &["-d".into(), "-c".into(), configuration.into()],
            &[],
        )
    }

    /// Starts a program inside, with a command before it.
    pub(super) fn spawn(
        &self,
        name: &str,
        program: &Path,
        arguments: &[OsString],
        before: &[OsString],
    ) -> Process {
        let mut command = self.launcher();
        command.extend_from_slice(before);
        command.push(program.into());
        command.extend_from_slice(arguments);
        let (first, rest) = command.split_first().expect("a program");
        let log = self.folder.join(format!("{name}.log"));
        Process::spawn(name, Path::new(first), rest, &log, false)
    }
}

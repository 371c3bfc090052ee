//! Keys as others have them: BIND's pair of files, and PEM.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::KeysError;
use crate::config::read::read_text;
use crate::config::{KeyFile, pem, pkcs8_of_pem};
use crate::dnssec::{Algorithm, SigningKey};
use crate::model::limits::KEY_FILE;
use crate::wire::NameBuf;

/// The version of BIND's private key format that is written; others of version 1 are read.
const FORMAT: &str = "v1.3";

/// Reads the private key in a file: one of BIND's pair, whose other one is beside it, or PKCS#8 in PEM. It
/// has to be of `zone`, where the file says of which it is. Blocks.
pub fn import(path: &Path, zone: &NameBuf) -> Result<SigningKey, KeysError> {
    let refused = |what: String| {
        let line = format!("{}: {what}", path.display());
        KeysError::Refused(vec![line])
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    if !matches!(ending, Some("private" | "key")) {
        let text = read(path)?;
        let octets = pkcs8_of_pem(&text).map_err(refused)?;
        let keys = Algorithm::ALL.map(|algorithm| SigningKey::from_pkcs8(algorithm, &octets));
        let key = keys.into_iter().find_map(Result::ok);
        return key.ok_or_else(|| {
            let [one, other] = Algorithm::ALL;
            refused(format!("not a private key of {one} or {other} in PKCS#8"))
        });
    }
    let public = path.with_extension("key");
    let record = read(&public)?;
    let record = bind_public(&record, zone).map_err(|what| {
        let line = format!("{}: {what}", public.display());
        KeysError::Refused(vec![line])
    })?;
    let private = path.with_extension("private");
    let text = read(&private)?;
    let in_private = |what: String| {
        let line = format!("{}: {what}", private.display());
        KeysError::Refused(vec![line])
    };
    let (algorithm, octets) = bind_private(&text).map_err(in_private)?;
    if algorithm != record.0 {
        return Err(in_private(format!(
            "a key of {algorithm}, and {} has one of {}",
            public.display(),
            record.0
        )));
    }
    SigningKey::from_private(algorithm, &octets, &record.1)
        .map_err(|error| in_private(error.to_string()))
}

/// A key as BIND's pair: the names of the files without a folder, and what they hold.
pub fn bind_pair(
    key: &KeyFile,
    private: &SigningKey,
) -> Result<[(String, Zeroizing<String>); 2], KeysError> {
    let (zone, tag) = (&key.zone, key.dnskey.tag());
    let algorithm = key.dnskey.algorithm();
    let stem = format!("K{zone}+{:03}+{tag:05}", algorithm.number());
    let public = STANDARD.encode(key.dnskey.public());
    let record = format!(
        "; This is a key-signing key, keyid {tag}, for {zone}\n{zone} IN DNSKEY 257 3 {} {public}\n",
        algorithm.number()
    );
    let number = private.to_private()?;
    let encoded = Zeroizing::new(STANDARD.encode(&*number));
    let head = format!(
        "Private-key-format: {FORMAT}\nAlgorithm: {} ({algorithm})\nPrivateKey: ",
        algorithm.number()
    );
    // So long that it is not moved, which would leave a copy of the secret behind.
    let mut secret = Zeroizing::new(String::with_capacity(head.len() + encoded.len() + 1));
    for part in [&head, encoded.as_str(), "\n"] {
        secret.push_str(part);
    }
    Ok([
        (format!("{stem}.key"), Zeroizing::new(record)),
        (format!("{stem}.private"), secret),
    ])
}

/// A key as PKCS#8 in PEM: the name of its file without a folder, and what it holds.
pub fn pem_file(
    key: &KeyFile,
    private: &SigningKey,
) -> Result<(String, Zeroizing<String>), KeysError> {
    let name = format!("{}{}.pem", key.zone, key.dnskey.tag());
    Ok((name, pem(private)?))
}

/// The text of a file with a secret.
fn read(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let text = read_text(path, &KEY_FILE).map(Zeroizing::new);
    text.map_err(|error| KeysError::Refused(vec![error.to_string()]))
}

/// The algorithm and key field of the DNSKEY record in a file.
fn bind_public(text: &str, zone: &NameBuf) -> Result<(Algorithm, Vec<u8>), String> {
    let lines = text
        .lines()
        .map(|line| line.split(';').next().unwrap_or_default());
    let line = lines.map(str::trim).find(|line| !line.is_empty());
    let words: Vec<&str> = line.unwrap_or_default().split_ascii_whitespace().collect();
    let at = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case("DNSKEY"));
    let (Some(owner), Some(at)) = (words.first(), at) else {
        return Err("expected a DNSKEY record".to_owned());
    };
    if owner.parse::<NameBuf>().ok().as_ref() != Some(zone) {
        return Err(format!("a key of {owner}, not of {zone}"));
    }
    let [flags, protocol, algorithm, key @ ..] = words.get(at + 1..).unwrap_or_default() else {
        return Err("expected a DNSKEY record".to_owned());
    };
    if (*flags, *protocol) != ("257", "3") {
        return Err(format!(
            "flags {flags}: one key signs everything, and has the flags 257"
        ));
    }
    let number = algorithm.parse().ok();
    let algorithm = number
        .and_then(Algorithm::of_number)
        .or_else(|| algorithm.parse().ok())
        .ok_or_else(|| format!("algorithm {algorithm}: expected 13 or 15"))?;
    let key = STANDARD.decode(key.concat()).ok();
    let key = key.filter(|key| key.len() == algorithm.public_length());
    key.map(|key| (algorithm, key))
        .ok_or_else(|| format!("not a public key of {algorithm} in base64"))
}

/// The algorithm and private octets in a file.
fn bind_private(text: &str) -> Result<(Algorithm, Zeroizing<Vec<u8>>), String> {
    let field = |name: &str| {
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.map(str::trim).ok_or_else(|| format!("no {name}"))
    };
    let format = field("Private-key-format")?;
    if !format.starts_with("v1.") {
        return Err(format!("format {format:?}: expected {FORMAT}"));
    }
    let number = field("Algorithm")?;
    let first = number.split(' ').next().unwrap_or_default();
    let algorithm = first.parse().ok().and_then(Algorithm::of_number);
    let algorithm = algorithm.ok_or_else(|| format!("algorithm {number}: expected 13 or 15"))?;
    // No problem quotes the secret.
    let octets = STANDARD.decode(field("PrivateKey")?).map(Zeroizing::new);
    let octets = octets.map_err(|_| "PrivateKey: truncated or damaged base64".to_owned())?;
    Ok((algorithm, octets))
}

/// The first file of BIND's pair or the PEM file among those that a command names: one key at a time.
pub fn only_one(paths: &[PathBuf]) -> Result<&Path, String> {
    let stems = |path: &PathBuf| path.with_extension("");
    let mut different: Vec<_> = paths.iter().map(stems).collect();
    different.dedup();
    match (paths, different.as_slice()) {
        ([first, ..], [_]) => Ok(first),
        _ => Err("expected BIND's pair of files, or one file in PEM".to_owned()),
    }
}

//! Certificates and keys in PEM (RFC 7468), read as kubectl reads them.
//!
//! What stands around the blocks, line ends of Windows, and blocks of other kinds are passed over. Of
//! several certificates those that can be read count; a key is the first one, whatever its label says
//! of its form.

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates that can be read, in their order.
pub(super) fn certificates(octets: &[u8]) -> Vec<CertificateDer<'static>> {
    let blocks = CertificateDer::pem_reader_iter(octets);
    blocks.filter_map(Result::ok).collect()
}

/// Why there is no key, for people.
pub(super) type NoKey = &'static str;

/// The first private key, in PKCS#8, PKCS#1 or SEC1.
pub(super) fn private_key(octets: &[u8]) -> Result<PrivateKeyDer<'static>, NoKey> {
    if is_encrypted(octets) {
        return Err(
            "encrypted, and nobody is there to be asked for its passphrase: write it without one \
             (openssl pkey -in KEY -out NEW)",
        );
    }
    let is_key = |(kind, _): &(SectionKind, Vec<u8>)| {
        matches!(
            kind,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
        )
    };
    let mut blocks = <(SectionKind, Vec<u8>)>::pem_reader_iter(octets).filter_map(Result::ok);
    let (_, der) = blocks.find(is_key).ok_or("no private key in PEM")?;
    PrivateKeyDer::try_from(der).map_err(|_| "a private key of neither PKCS#8, PKCS#1 nor SEC1")
}

/// Whether a key is encrypted: in PKCS#8 by its label, else by a header (RFC 1421).
fn is_encrypted(octets: &[u8]) -> bool {
    let mut lines = octets.split(|octet| *octet == b'\n');
    lines.any(|line| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || line.starts_with(b"Proc-Type:") && line.trim_ascii_end().ends_with(b"ENCRYPTED")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and its key.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["c".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn certificates_are_found_among_other_things() {
        let (one, key) = made();
        let (two, _) = made();
        let garbage = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        let text = format!("Certificate:\n  Data:\n{one}{key}{garbage}\n\n{two}");
        assert_eq!(certificates(text.as_bytes()).len(), 2);
        let windows = text.replace('\n', "\r\n");
        assert_eq!(
            certificates(windows.as_bytes()),
            certificates(text.as_bytes())
        );
        assert!(certificates(b"").is_empty());
        assert!(certificates(key.as_bytes()).is_empty());
        assert!(certificates(one.replace('-', "=").as_bytes()).is_empty());
    }

    #[test]
    fn a_key_is_the_first_one_whatever_is_around_it() {
        let (certificate, key) = made();
        let expected = private_key(key.as_bytes()).unwrap();
        let text = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{certificate}{key}"
        );
        assert_eq!(private_key(text.as_bytes()).unwrap(), expected);
        let mislabelled = key.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        assert_eq!(private_key(mislabelled.as_bytes()).unwrap(), expected);
        let windows = key.replace('\n', "\r\n");
        assert_eq!(private_key(windows.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused_by_name() {
        let (certificate, key) = made();
        let pkcs8 = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let header = "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00\r\n";
        for (text, words) in [
            (&*pkcs8, "passphrase"),
            (header, "passphrase"),
            (&*certificate, "no private key"),
            ("", "no private key"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "neither PKCS#8",
            ),
        ] {
            let reason = private_key(text.as_bytes()).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }
}

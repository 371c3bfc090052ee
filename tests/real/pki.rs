//! Certificates and keys of the control planes.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::files;

/// The user that a client certificate names.
pub(crate) const CERTIFIED: &str = "certified";

/// The files that every control plane of a run shares.
#[derive(Debug, Clone)]
pub(crate) struct Pki {
    /// Certificate of the authority.
    pub(crate) authority: PathBuf,
    /// Certificate of the API servers.
    pub(crate) certificate: PathBuf,
    /// Key of that certificate.
    pub(crate) key: PathBuf,
    /// Certificate of the user [`CERTIFIED`].
    pub(crate) client: PathBuf,
    /// Key of that certificate.
    pub(crate) client_key: PathBuf,
    /// Key that signs service account tokens.
    pub(crate) account_key: PathBuf,
    /// The public half of the key that signs service account tokens.
    pub(crate) account_public: PathBuf,
}

/// Makes an authority and one certificate for all API servers.
pub(crate) fn create(folder: &Path, addresses: &[Ipv4Addr]) -> Pki {
    let pki = Pki {
        authority: folder.join("ca.crt"),
        certificate: folder.join("api.crt"),
        key: folder.join("api.key"),
        client: folder.join("client.crt"),
        client_key: folder.join("client.key"),
        account_key: folder.join("accounts.key"),
        account_public: folder.join("accounts.pub"),
    };
    let authority_key = KeyPair::generate().expect("key");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let name = &mut authority.distinguished_name;
    name.push(DnType::CommonName, "gazetteer test authority");
    let certificate = authority.self_signed(&authority_key).expect("certificate");
    files::write(&pki.authority, certificate.pem());

    let key = KeyPair::generate().expect("key");
    let mut server = CertificateParams::default();
    let name = &mut server.distinguished_name;
    name.push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.subject_alt_names = addresses
        .iter()
        .chain([&Ipv4Addr::LOCALHOST])
        .map(|address| SanType::IpAddress((*address).into()))
        .collect();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let certificate = server.signed_by(&key, &issuer).expect("certificate");
    files::write(&pki.certificate, certificate.pem());
    files::write(&pki.key, key.serialize_pem());

    let key = KeyPair::generate().expect("key");
    let mut client = CertificateParams::default();
    client.distinguished_name = DistinguishedName::new();
    client
        .distinguished_name
        .push(DnType::CommonName, CERTIFIED);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = client.signed_by(&key, &issuer).expect("certificate");
    files::write(&pki.client, certificate.pem());
    files::write(&pki.client_key, key.serialize_pem());

    let account = KeyPair::generate().expect("key");
    files::write(&pki.account_key, account.serialize_pem());
    files::write(&pki.account_public, account.public_key_pem());
    pki
}

//! What an API's certificate is verified by.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use x509_parser::pem::Pem;

use super::credential::ApiEndpoint;
use super::progress::StepMark;

/// What an API's certificate is verified by, in words; the error is that it can be verified by nothing.
/// `source` is where the authority is from.
pub(super) fn verification(
    endpoint: &ApiEndpoint,
    source: &str,
) -> Result<(StepMark, String), String> {
    if endpoint.server.starts_with("http://") {
        let says =
            "certificate: none: the API is spoken to in clear, and no token is sent".to_owned();
        return Ok((StepMark::Warning, says));
    }
    if endpoint.is_unverified {
        let says = "certificate: not verified, as you said".to_owned();
        return Ok((StepMark::Failure, says));
    }
    let Some(authority) = &endpoint.authority else {
        let says = "certificate: by the certificate authorities of this machine".to_owned();
        return Ok((StepMark::Warning, says));
    };
    let (print, until) =
        first(authority).ok_or_else(|| format!("{source}: no certificate in PEM"))?;
    let says = format!("certificate: by the CA of {source}, sha256:{print}…, until {until}");
    Ok((StepMark::Ok, says))
}

/// The beginning of the fingerprint of the first certificate, and the day on which it ends.
fn first(pem: &[u8]) -> Option<(String, String)> {
    let pem = Pem::iter_from_buffer(pem).next()?.ok()?;
    let certificate = pem.parse_x509().ok()?;
    let ends = certificate.validity().not_after.timestamp();
    let until = Timestamp::from_second(ends).ok()?;
    let print = hexadecimal(digest(&SHA256, &pem.contents).as_ref());
    let print = print.get(..8)?.to_owned();
    Some((print, until.strftime("%Y-%m-%d").to_string()))
}

/// Octets as hexadecimal digits.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits.map(digit).collect()
}

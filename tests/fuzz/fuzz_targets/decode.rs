//! What any client would read of a response.

use hickory_proto::op::Message;

/// A client subnet without a family, as `dig +subnet=0` asks for it: code, length, family, prefixes.
const NO_FAMILY: [u8; 8] = [0, 8, 0, 4, 0, 0, 0, 0];

/// Decodes a response, or panics with its octets.
pub(crate) fn decode(response: &[u8]) -> Message {
    let decoded = Message::from_vec(response).or_else(|error| {
        // This decoder knows no subnets without a family; the option is among the last octets.
        let mut places = response.windows(NO_FAMILY.len());
        let at = places
            .rposition(|octets| octets == NO_FAMILY)
            .ok_or(error)?;
        let mut as_ipv4 = response.to_vec();
        as_ipv4[at + 5] = 1;
        Message::from_vec(&as_ipv4)
    });
    decoded.unwrap_or_else(|error| panic!("{error}: {response:02x?}"))
}

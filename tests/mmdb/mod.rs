//! Writes GeoIP databases (MaxMind DB file format 2.0), apart from the code that reads them.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// What a database says of one network: pairs of a key, as `country`, and its value.
pub(crate) type Record<'a> = (IpNet, Vec<(&'a str, &'a str)>);

/// A child of a node of the search tree.
#[derive(Clone, Copy, PartialEq)]
enum Child {
    Nothing,
    Node(usize),
    /// A record, by its place in the data section.
    Data(usize),
}

/// A database of addresses of both families. No network of `records` is inside another; networks
/// of which the same is said share a record.
pub(crate) fn write(records: &[Record<'_>]) -> Vec<u8> {
    let mut nodes = vec![[Child::Nothing; 2]];
    let mut data = Vec::new();
    let mut places = HashMap::new();
    for (network, says) in records {
        let place = *places.entry(says).or_insert_with(|| {
            let place = data.len();
            data.extend(record(says));
            place
        });
        // IPv4 addresses are the first ones of IPv6.
        let (bits, length) = match network.addr() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 96 + network.prefix_len()),
            IpAddr::V6(address) => (address.to_bits(), network.prefix_len()),
        };
        let mut node = 0;
        for depth in 0..length {
            let bit = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][bit] = Child::Data(place);
            } else if let Child::Node(next) = nodes[node][bit] {
                node = next;
            } else {
                nodes.push([Child::Nothing; 2]);
                nodes[node][bit] = Child::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let mut octets = Vec::new();
    for child in nodes.iter().flatten() {
        let value = match child {
            Child::Nothing => nodes.len(),
            Child::Node(node) => *node,
            Child::Data(place) => nodes.len() + 16 + place,
        };
        octets.extend(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    octets.extend([0; 16]);
    octets.extend(data);
    octets.extend(b"\xab\xcd\xefMaxMind.com");
    let nodes = u32::try_from(nodes.len()).unwrap();
    octets.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, 1_800_000_000)),
        ("database_type", text("Test-City")),
        ("description", map(&[("en", text("a test"))])),
        ("ip_version", number(5, 6)),
        ("languages", array(&[text("en")])),
        ("node_count", number(6, nodes.into())),
        ("record_size", number(5, 24)),
    ]));
    octets
}

/// The record of a network, with a key beside that nobody reads.
fn record(says: &[(&str, &str)]) -> Vec<u8> {
    let value = |key| {
        says.iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| *value)
    };
    let names = || ("names", map(&[("en", text("a name"))]));
    let mut fields = vec![("city", map(&[names()]))];
    // As databases of other makers have it: no map, but the code itself.
    if let Some(code) = value("flat-country") {
        fields.push(("country", text(code)));
    }
    if let Some(code) = value("continent") {
        fields.push(("continent", map(&[("code", text(code)), names()])));
    }
    if let Some(code) = value("country") {
        fields.push(("country", map(&[names(), ("iso_code", text(code))])));
    }
    let degrees = |key| Some(double(value(key)?.parse().ok()?));
    if let (Some(lat), Some(lon)) = (degrees("lat"), degrees("lon")) {
        fields.push(("location", map(&[("latitude", lat), ("longitude", lon)])));
    }
    map(&fields)
}

/// A control octet, with a second one for later types, and the octets of the size.
fn control(kind: u8, size: usize) -> Vec<u8> {
    let (size, more) = match u8::try_from(size).unwrap() {
        size @ 0..29 => (size, None),
        size => (29, Some(size - 29)),
    };
    let mut octets = if kind > 7 {
        vec![size, kind - 7]
    } else {
        vec![kind << 5 | size]
    };
    octets.extend(more);
    octets
}

/// A text.
fn text(text: &str) -> Vec<u8> {
    [control(2, text.len()), text.as_bytes().to_vec()].concat()
}

/// A number of degrees.
fn double(value: f64) -> Vec<u8> {
    [control(3, 8), value.to_be_bytes().to_vec()].concat()
}

/// An unsigned number of a type, without its leading zeros.
fn number(kind: u8, value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let octets: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    [control(kind, octets.len()), octets].concat()
}

/// A list.
fn array(values: &[Vec<u8>]) -> Vec<u8> {
    [control(11, values.len()), values.concat()].concat()
}

/// A map.
fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let fields_of = |(key, value): &(&str, Vec<u8>)| [text(key), value.clone()].concat();
    let content: Vec<_> = fields.iter().flat_map(fields_of).collect();
    [control(7, fields.len()), content].concat()
}

//! DNS cookies (RFC 7873) that servers share with others (RFC 9018): by them a client proves that its
//! address is its own.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

/// Octets of a client's cookie (RFC 7873 section 4).
const CLIENT: usize = 8;

/// Octets of a server's cookie as this server makes it (RFC 9018 section 4).
const SERVER: usize = 16;

/// Octets of both.
pub(super) const COOKIE: usize = CLIENT + SERVER;

/// Octets of the cookies of other servers (RFC 7873 section 4).
const SERVERS: std::ops::RangeInclusive<usize> = 8..=32;

/// The version of a server's cookie, in its first octet (RFC 9018 section 4.1).
const VERSION: u8 = 1;

/// How long after it was made a cookie is good, in seconds (RFC 9018 section 4.3).
const VALID: i32 = 3_600;

/// How much earlier than it was made: clocks differ.
const AHEAD: i32 = 300;

/// How old a cookie is that is given back as it is; an older one is made anew (RFC 9018 section 4.3).
const FRESH: i32 = 1_800;

/// A cookie as a request has it: the client's part, and what the client has for the cookie of a server,
/// which is nothing or 8 to 32 octets. One slice, as each request carries it along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentCookie<'a>(pub &'a [u8]);

impl<'a> SentCookie<'a> {
    /// Reads the option's content; `None` is a FORMERR (RFC 7873 section 5.2.2).
    pub(super) fn parse(content: &'a [u8]) -> Option<Self> {
        let server = content.len().checked_sub(CLIENT)?;
        (server == 0 || SERVERS.contains(&server)).then_some(Self(content))
    }

    /// The client's part and the server's.
    fn parts(self) -> Option<([u8; CLIENT], &'a [u8])> {
        let (client, server) = self.0.split_first_chunk::<CLIENT>()?;
        Some((*client, server))
    }
}

/// What the cookie of a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieResult {
    /// The client has none of a server yet.
    New,
    /// It proves the client's address.
    Good,
    /// It did, and is too old, or is made later than it can be.
    Expired,
    /// It is of another client or of a server that shares no secret with this one.
    Bad,
}

impl CookieResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::New, Self::Good, Self::Expired, Self::Bad];

    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Bad => "bad",
        }
    }
}

/// What a client has shown, and the cookie that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCookie {
    /// The client's part and a server's, good for the client from now on.
    pub octets: [u8; COOKIE],
    /// What it has shown.
    pub result: CookieResult,
}

impl ClientCookie {
    /// Whether the client has proved its address.
    #[inline]
    pub fn is_proof(&self) -> bool {
        self.result == CookieResult::Good
    }
}

/// The secrets by which cookies are made: the first makes them, all verify them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CookieSecrets {
    /// At most [`CookieSecrets::MOST`].
    secrets: Zeroizing<Vec<[u8; CookieSecrets::LENGTH]>>,
}

impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieSecrets")
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

impl CookieSecrets {
    /// Octets of a secret.
    pub const LENGTH: usize = 16;

    /// How many there are at most.
    pub const MOST: usize = 4;

    /// These secrets, those beyond [`Self::MOST`] left out. Without any there are no cookies.
    pub fn new(secrets: impl IntoIterator<Item = [u8; Self::LENGTH]>) -> Self {
        let secrets: Vec<_> = secrets.into_iter().take(Self::MOST).collect();
        Self {
            secrets: secrets.into(),
        }
    }

    /// Reads a file of secrets: 1 to 4 lines of 32 hexadecimal digits; empty lines and what follows a `#` do
    /// not count. An error says which line is wrong, and nothing of what is in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().zip(1..);
        let lines = lines.map(|(line, number)| {
            let line = line.split('#').next().unwrap_or_default();
            (line.trim(), number)
        });
        let mut secrets = Zeroizing::new(Vec::new());
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            let wanted = Self::LENGTH * 2;
            let secret = secret(line)
                .ok_or_else(|| format!("line {number}: not {wanted} hexadecimal digits"))?;
            if secrets.contains(&secret) {
                return Err(format!("line {number}: a secret that is there already"));
            }
            if secrets.len() == Self::MOST {
                return Err(format!("line {number}: more than {} secrets", Self::MOST));
            }
            secrets.push(secret);
        }
        if secrets.is_empty() {
            return Err(format!("no secret: expected 1 to {} lines", Self::MOST));
        }
        Ok(Self { secrets })
    }

    /// The text of a file of these secrets.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(Self::MOST * (Self::LENGTH * 2 + 1)));
        for octet in self.secrets.iter().flat_map(|secret| {
            let hex = secret.iter().map(|octet| format!("{octet:02x}"));
            hex.chain(std::iter::once("\n".to_owned()))
        }) {
            text.push_str(&octet);
        }
        text
    }

    /// The first of them, then the second one, and so on.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; Self::LENGTH]> {
        self.secrets.iter()
    }

    /// Judges the cookie of a client at `address`, and makes the one that it gets; `now` is in seconds since
    /// 1970. `None` without secrets. Allocates nothing.
    pub fn judge(&self, sent: &SentCookie<'_>, address: IpAddr, now: u64) -> Option<ClientCookie> {
        let first = self.secrets.first()?;
        let sent = sent.parts()?;
        let (sent_client, sent_server) = sent;
        let address = address.to_canonical();
        // Its 32 bits turn over, as those of serials do (RFC 9018 section 4.3).
        let [.., now0, now1, now2, now3] = now.to_be_bytes();
        let now = [now0, now1, now2, now3];
        let (result, keeps) = self.read(sent, address, u32::from_be_bytes(now));
        let mut octets = [0; COOKIE];
        if let Some((client, server)) = octets.split_first_chunk_mut::<CLIENT>()
            && let Some((head, hash)) = server.split_first_chunk_mut::<8>()
            && let Some(hash) = hash.first_chunk_mut::<8>()
        {
            *client = sent_client;
            let kept = sent_server.split_first_chunk::<8>().filter(|_| keeps);
            *head = match kept {
                Some((head, _)) => *head,
                None => [VERSION, 0, 0, 0, now0, now1, now2, now3],
            };
            *hash = hashed(first, sent_client, *head, address);
        }
        Some(ClientCookie { octets, result })
    }

    /// What the server's part of a cookie is worth, and whether it is given back as it is.
    fn read(
        &self,
        (client, server): ([u8; CLIENT], &[u8]),
        address: IpAddr,
        now: u32,
    ) -> (CookieResult, bool) {
        if server.is_empty() {
            return (CookieResult::New, false);
        }
        let Ok(server) = <&[u8; SERVER]>::try_from(server) else {
            return (CookieResult::Bad, false);
        };
        let [
            version,
            ..,
            made0,
            made1,
            made2,
            made3,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = *server;
        let Some((head, hash)) = server.split_first_chunk::<8>() else {
            return (CookieResult::Bad, false);
        };
        let made_by = |secret: &[u8; Self::LENGTH]| hashed(secret, client, *head, address) == *hash;
        let Some(secret) = self.secrets.iter().position(made_by) else {
            return (CookieResult::Bad, false);
        };
        if version != VERSION {
            return (CookieResult::Bad, false);
        }
        let made = u32::from_be_bytes([made0, made1, made2, made3]);
        let age = now.wrapping_sub(made).cast_signed();
        if (-AHEAD..=VALID).contains(&age) {
            (CookieResult::Good, secret == 0 && age <= FRESH)
        } else {
            (CookieResult::Expired, false)
        }
    }
}

/// The last part of a server's cookie (RFC 9018 section 4.4).
fn hashed(
    secret: &[u8; CookieSecrets::LENGTH],
    client: [u8; CLIENT],
    head: [u8; 8],
    address: IpAddr,
) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(secret);
    let mut input = [0; CLIENT + 8 + 16];
    let length = match address {
        IpAddr::V4(address) => put(&mut input, [&client, &head, &address.octets()]),
        IpAddr::V6(address) => put(&mut input, [&client, &head, &address.octets()]),
    };
    hasher.write(input.get(..length).unwrap_or_default());
    hasher.finish().to_le_bytes()
}

/// Puts parts one after the other; returns how long they are.
fn put(into: &mut [u8], parts: [&[u8]; 3]) -> usize {
    let mut length = 0;
    for part in parts {
        if let Some(place) = into.get_mut(length..length + part.len()) {
            place.copy_from_slice(part);
            length += part.len();
        }
    }
    length
}

/// A secret in hexadecimal digits.
fn secret(text: &str) -> Option<[u8; CookieSecrets::LENGTH]> {
    let (digits, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut secret = [0; CookieSecrets::LENGTH];
    if digits.len() != secret.len() {
        return None;
    }
    for (octet, [high, low]) in secret.iter_mut().zip(digits) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *octet = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octets of hexadecimal digits.
    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        let octets = digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16));
        octets.collect::<Result<_, _>>().unwrap()
    }

    /// Judges a cookie at a time: what it is worth, and what the client gets.
    fn judge(secrets: &str, cookie: &str, address: &str, now: u32) -> (CookieResult, String) {
        let secrets = CookieSecrets::parse(secrets).unwrap();
        let cookie = hex(cookie);
        let sent = SentCookie::parse(&cookie).unwrap();
        let address = address.parse().unwrap();
        let judged = secrets.judge(&sent, address, now.into()).unwrap();
        let octets = judged.octets.iter().map(|octet| format!("{octet:02x}"));
        (judged.result, octets.collect())
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const CLIENT_COOKIE: &str = "2464c4abcf10c957";
    const FIRST: &str = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    const ADDRESS: &str = "198.51.100.100";
    const MADE: u32 = 0x5cf7_9f11;

    #[test]
    fn the_vectors_of_the_standard_come_out() {
        // RFC 9018, A.1: a new one.
        let check = |cookie, address, now, expected: (CookieResult, &str)| {
            let (result, octets) = judge(SECRET, cookie, address, now);
            assert_eq!((result, &*octets), expected);
        };
        check(CLIENT_COOKIE, ADDRESS, MADE, (CookieResult::New, FIRST));
        // A.2: renewed when it is over half an hour old.
        let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        check(FIRST, ADDRESS, 0x5cf7_a871, (CookieResult::Good, renewed));
        // A.3: the octets that are reserved count, whatever they are.
        let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        let (result, octets) = judge(SECRET, reserved, "203.0.113.203", 0x5cf7_8f71 + 2_000);
        assert_eq!(result, CookieResult::Good);
        assert_eq!(&octets[..24], "fc93fc62807ddb8601000000");
        // A.4: IPv6, by the secret before the present one.
        let (old, new) = (
            "dd3bdf9344b678b185a6f5cb60fca715",
            "445536bcd2513298075a5d379663c962",
        );
        let sent = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
        let got = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
        let address = "2001:db8:220:1:59de:d0f4:8769:82b8";
        let (result, octets) = judge(&format!("{new}\n{old}\n"), sent, address, 0x5cf7_c609);
        assert_eq!((result, &*octets), (CookieResult::Good, got));
    }

    #[test]
    fn a_cookie_is_good_for_an_hour_and_for_its_client_alone() {
        let at = |cookie, address, now| judge(SECRET, cookie, address, now).0;
        // As it is, until it is half an hour old.
        for age in [0, 1_800] {
            let (result, octets) = judge(SECRET, FIRST, ADDRESS, MADE + age);
            assert_eq!((result, &*octets), (CookieResult::Good, FIRST));
        }
        assert_ne!(judge(SECRET, FIRST, ADDRESS, MADE + 1_801).1, FIRST);
        assert_eq!(at(FIRST, ADDRESS, MADE + 3_600), CookieResult::Good);
        assert_eq!(at(FIRST, ADDRESS, MADE + 3_601), CookieResult::Expired);
        assert_eq!(at(FIRST, ADDRESS, MADE - 300), CookieResult::Good);
        assert_eq!(at(FIRST, ADDRESS, MADE - 301), CookieResult::Expired);
        assert_eq!(at(FIRST, "198.51.100.101", MADE), CookieResult::Bad);
        let mapped = "::ffff:198.51.100.100";
        assert_eq!(at(FIRST, mapped, MADE), CookieResult::Good);
        let other = FIRST.replacen("24", "25", 1);
        assert_eq!(at(&other, ADDRESS, MADE), CookieResult::Bad);
        // Of another server: eight octets, or another version.
        assert_eq!(at(&FIRST[..32], ADDRESS, MADE), CookieResult::Bad);
        let version = FIRST.replacen("c95701", "c95702", 1);
        assert_eq!(at(&version, ADDRESS, MADE), CookieResult::Bad);
    }

    #[test]
    fn lengths_are_8_or_16_to_40() {
        for length in 0..=50 {
            let is_right = length == 8 || (16..=40).contains(&length);
            let content = vec![0; length];
            assert_eq!(SentCookie::parse(&content).is_some(), is_right, "{length}");
        }
    }

    #[test]
    fn a_file_of_secrets_is_read_whole_or_refused_without_telling_any() {
        let secrets = CookieSecrets::parse(&format!("# shared\n{SECRET} # now\n\n")).unwrap();
        assert_eq!(*secrets.to_text(), format!("{SECRET}\n"));
        assert!(!format!("{secrets:?}").contains("e5"));
        let check = |text: &str, expected: &str| {
            assert_eq!(CookieSecrets::parse(text).unwrap_err(), expected);
        };
        check("", "no secret: expected 1 to 4 lines");
        check("\nabc\n", "line 2: not 32 hexadecimal digits");
        check(
            &SECRET.replace('e', "é"),
            "line 1: not 32 hexadecimal digits",
        );
        check(
            &format!("{SECRET}\n{SECRET}\n"),
            "line 2: a secret that is there already",
        );
        let five: Vec<String> = (1..=5).map(|number| format!("{number:032x}")).collect();
        check(&five.join("\n"), "line 5: more than 4 secrets");
    }

    #[test]
    fn without_secrets_there_are_no_cookies() {
        let sent = SentCookie::parse(&[1; 8]).unwrap();
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(CookieSecrets::default().judge(&sent, address, 1), None);
    }
}

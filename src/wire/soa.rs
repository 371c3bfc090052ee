//! The rdata of SOA records that somebody else wrote, and their serials.

/// Octets of the numbers behind the names.
const NUMBERS: usize = 20;

/// The rdata of an SOA record (RFC 1035 section 3.3.13), uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoaRdata<'a> {
    /// MNAME and RNAME.
    pub names: &'a [u8],
    /// SERIAL.
    pub serial: u32,
    /// REFRESH, RETRY, EXPIRE and MINIMUM, in seconds.
    pub times: [u8; 16],
}

impl<'a> SoaRdata<'a> {
    /// Splits rdata; `None` if it is too short.
    pub fn read(rdata: &'a [u8]) -> Option<Self> {
        let (names, numbers) = rdata.split_at_checked(rdata.len().checked_sub(NUMBERS)?)?;
        let (serial, times) = numbers.split_first_chunk::<4>()?;
        Some(Self {
            names,
            serial: u32::from_be_bytes(*serial),
            times: times.try_into().ok()?,
        })
    }

    /// MINIMUM: the TTL of negative answers (RFC 2308), in seconds.
    pub fn minimum(&self) -> u32 {
        let [.., a, b, c, d] = self.times;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Whether a serial is greater than another one (RFC 1982 section 3.2).
pub fn is_newer_serial(serial: u32, than: u32) -> bool {
    let ahead = serial.wrapping_sub(than);
    ahead != 0 && ahead < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rdata_is_split_into_names_serial_and_times() {
        let rdata = [
            &b"\x01a\0\x01b\0"[..],
            &7_u32.to_be_bytes(),
            &[0; 12],
            &60_u32.to_be_bytes(),
        ]
        .concat();
        let soa = SoaRdata::read(&rdata).unwrap();
        assert_eq!((soa.names, soa.serial), (&b"\x01a\0\x01b\0"[..], 7));
        assert_eq!(soa.minimum(), 60);
        assert_eq!(SoaRdata::read(&[0; 19]), None);
    }

    #[test]
    fn serials_go_round() {
        assert!(is_newer_serial(2, 1) && is_newer_serial(0, u32::MAX));
        assert!(!is_newer_serial(1, 1) && !is_newer_serial(1, 2));
        assert!(!is_newer_serial(1 << 31, 0) && !is_newer_serial(0, 1 << 31));
    }
}

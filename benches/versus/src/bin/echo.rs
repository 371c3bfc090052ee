//! The floor: a UDP server that turns a query into an answer with one fixed address, in batches,
//! looking nothing up.
//!
//! `echo ADDRESS [BATCH]`

use std::io;
use std::net::SocketAddr;

use versus::answers::skip_name;
use versus::batch::{Batch, socket};

/// An A record whose owner is the question.
const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 100, 64, 0, 1];

/// Turns the query in the first `length` octets into an answer, and returns its length.
#[inline]
fn answer(buffer: &mut [u8], length: usize) -> Option<usize> {
    let after_name = skip_name(buffer.get(12..length)?)?.len();
    let end = length - after_name + 4;
    buffer
        .get_mut(end..end + RECORD.len())?
        .copy_from_slice(&RECORD);
    buffer[2] = buffer[2] & 0x79 | 0x84;
    buffer[3] = 0;
    buffer[4..12].copy_from_slice(&[0, 1, 0, 1, 0, 0, 0, 0]);
    Some(end + RECORD.len())
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let address = arguments.next().ok_or_else(invalid)?;
    let address: SocketAddr = address.parse().map_err(|_| invalid())?;
    let size = arguments.next().map_or(Ok(32), |text| text.parse());
    let size = size.map_err(|_| invalid())?;
    let socket = socket(Some(address), None)?;
    let mut batch = Batch::new(size);
    loop {
        let received = batch.receive(&socket, size, libc::MSG_WAITFORONE);
        for index in 0..received {
            let (buffer, length) = batch.buffer(index);
            let reply = answer(buffer, length).unwrap_or(0);
            batch.set_reply(index, reply);
        }
        batch.reply(&socket, received);
    }
}

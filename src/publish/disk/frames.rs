//! Files of checksummed records: a header, then frames until the end.
//!
//! ```text
//! header   magic (8) · version (2) · id (8) · CRC-32 of these (4)
//! frame    length of the payload (4) · CRC-32 of the payload (4) · payload
//! ```
//!
//! Numbers are little-endian. A base file's last record says how many came before it; a log just
//! ends, and a frame that is cut off or wrong ends it too.

use std::io::{self, Read};

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publish) struct FileForm {
    /// Its first octets.
    magic: [u8; 8],
    /// The version of its headers, frames and payloads.
    version: u16,
}

/// Facts of a member or of the fleet.
pub(in crate::publish) const FACTS: FileForm = FileForm {
    magic: *b"gzfacts\n",
    version: 1,
};

/// What probes have found.
pub(in crate::publish) const FINDINGS: FileForm = FileForm {
    magic: *b"gzprobe\n",
    version: 1,
};

/// The octets of a header.
pub(in crate::publish) const HEADER: usize = 22;

/// The octets of a frame besides its payload.
pub(in crate::publish) const FRAME: usize = 8;

/// No payload is longer: a greater length is damage, and must not be allocated.
const MAX_PAYLOAD: usize = 16 << 20;

/// Which base a file is, or which base a log belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::publish) struct BaseId(pub(in crate::publish) u64);

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum FrameError {
    /// The system cannot read it: try another file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no file of facts: try another.
    #[error("not a file of this kind")]
    Magic,
    /// Another version of the program wrote it: try another.
    #[error("format version {0} is not known")]
    Version(u16),
    /// It is cut off: what came before counts in a log, nothing in a base.
    #[error("cut off")]
    CutOff,
    /// Octets have changed: what came before counts in a log, nothing in a base.
    #[error("wrong checksum")]
    Checksum,
}

/// Appends a header.
pub(in crate::publish) fn push_header(buffer: &mut Vec<u8>, form: FileForm, id: BaseId) {
    let start = buffer.len();
    buffer.extend(form.magic);
    buffer.extend(form.version.to_le_bytes());
    buffer.extend(id.0.to_le_bytes());
    let checksum = crc32fast::hash(&buffer[start..]);
    buffer.extend(checksum.to_le_bytes());
}

/// Appends a frame with the payload that `write` appends.
pub(in crate::publish) fn push_frame(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend([0; FRAME]);
    write(buffer);
    let payload = &buffer[start + FRAME..];
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let checksum = crc32fast::hash(payload);
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 4..start + FRAME].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the frames of a file one after the other.
#[derive(Debug)]
pub(in crate::publish) struct Frames<R> {
    /// The rest of the file.
    reader: R,
    /// The present payload.
    payload: Vec<u8>,
    /// How many octets of the file are good.
    good: u64,
}

impl<R: Read> Frames<R> {
    /// Reads the header.
    pub(in crate::publish) fn open(
        mut reader: R,
        form: FileForm,
    ) -> Result<(BaseId, Self), FrameError> {
        let mut header = [0; HEADER];
        if fill(&mut reader, &mut header)? < HEADER {
            return Err(FrameError::CutOff);
        }
        let (body, checksum) = header.split_at(HEADER - 4);
        if body[..8] != form.magic {
            return Err(FrameError::Magic);
        }
        let version = u16::from_le_bytes([body[8], body[9]]);
        if version != form.version {
            return Err(FrameError::Version(version));
        }
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return Err(FrameError::Checksum);
        }
        let id = body[10..]
            .iter()
            .rev()
            .fold(0, |id, octet| id << 8 | u64::from(*octet));
        let frames = Self {
            reader,
            payload: Vec::new(),
            good: HEADER as u64,
        };
        Ok((BaseId(id), frames))
    }

    /// The next payload; `None` at an end between two frames.
    pub(in crate::publish) fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let mut head = [0; FRAME];
        match fill(&mut self.reader, &mut head)? {
            0 => return Ok(None),
            FRAME => {}
            _ => return Err(FrameError::CutOff),
        }
        let [a, b, c, d, checksum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_PAYLOAD {
            return Err(FrameError::Checksum);
        }
        self.payload.resize(length, 0);
        if fill(&mut self.reader, &mut self.payload)? < length {
            return Err(FrameError::CutOff);
        }
        if crc32fast::hash(&self.payload).to_le_bytes() != checksum {
            return Err(FrameError::Checksum);
        }
        self.good += (FRAME + length) as u64;
        Ok(Some(&self.payload))
    }

    /// How many octets from the start of the file are good.
    pub(in crate::publish) fn good(&self) -> u64 {
        self.good
    }
}

/// Reads until `buffer` is full or the file ends. Returns how many octets were read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

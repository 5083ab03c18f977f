//! gzip (RFC 1952), with which a gateway may compress an answer although nobody asked for it. Pure.

use miniz_oxide::inflate;

const MAGIC: &[u8] = &[0x1F, 0x8B];
/// The fixed part of the header (RFC 1952 §2.3).
const HEADER: usize = 10;
const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;

/// The body is compressed and broken, or longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Decompresses a body up to a limit in bytes. One that is not compressed is returned as it is: neither JSON nor a form
/// nor a page begins as gzip does, so the header `Content-Encoding` need not be trusted.
pub(super) fn decompress(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Broken> {
    if !body.starts_with(MAGIC) {
        return Ok(body);
    }
    let data = deflated(&body).ok_or(Broken)?;
    inflate::decompress_to_vec_with_limit(data, limit).map_err(|_| Broken)
}

/// The compressed data after the header. The checksum behind it is left out: TLS has checked the bytes.
fn deflated(body: &[u8]) -> Option<&[u8]> {
    let flags = *body.get(3)?;
    let mut rest = body.get(HEADER..)?;
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & HEADER_CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `echo '{"a":1}' | gzip -9n`
    const ZIPPED: [u8; 28] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xAB, 0x56, 0x4A, 0x54, 0xB2, 0x32, 0xAC, 0xE5,
        0x02, 0x00, 0x46, 0xA3, 0xE8, 0x74, 0x08, 0x00, 0x00, 0x00,
    ];

    #[test]
    fn a_body_is_decompressed() {
        assert_eq!(decompress(ZIPPED.to_vec(), 100).unwrap(), b"{\"a\":1}\n");
    }

    #[test]
    fn a_header_may_have_more_fields() {
        let mut body = ZIPPED.to_vec();
        body[3] = EXTRA | NAME | COMMENT | HEADER_CHECKSUM;
        body.splice(HEADER..HEADER, *b"\x02\x00xxname\0comment\0cc");
        assert_eq!(decompress(body, 100).unwrap(), b"{\"a\":1}\n");
    }

    #[test]
    fn another_body_stays_as_it_is() {
        for body in ["", "{}", "<html>", "error=x"] {
            assert_eq!(decompress(body.into(), 100).unwrap(), body.as_bytes());
        }
    }

    #[test]
    fn a_broken_or_long_body_is_refused() {
        for length in 2..18 {
            assert_eq!(decompress(ZIPPED[..length].to_vec(), 100), Err(Broken), "{length}");
        }
        assert_eq!(decompress(ZIPPED.to_vec(), 7), Err(Broken));
    }
}

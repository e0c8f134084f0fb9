//! Base64 as Go reads it.

use base64::alphabet::STANDARD;
use base64::engine::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Go pads, and does not look at the bits behind the last byte.
const GO: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Decodes a text as `base64.StdEncoding` does, which skips line ends; `None` where it refuses the text. No copy stays
/// in memory.
#[must_use]
pub fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let mut encoded = Zeroizing::new(Vec::with_capacity(text.len()));
    encoded.extend(text.bytes().filter(|byte| !is_line_end(byte)));
    GO.decode(&*encoded).ok().map(Zeroizing::new)
}

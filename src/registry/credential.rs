//! The one credential of a probe.

use crate::kubelet::docker_config::Bytes;
use crate::text::foreign::Confidential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes as Shared;
use hyper::header::HeaderValue;
use std::fmt;
use zeroize::Zeroizing;

/// User name and password, as the entry of a pull secret has them. They are wiped when this is dropped, and never
/// shown.
pub struct Credential {
    pair: Bytes,
    username_length: usize,
}

impl Credential {
    /// Takes the entry that the kubelet's keyring picks for the image.
    #[must_use]
    pub fn new(username: &[u8], password: &[u8]) -> Self {
        Self {
            pair: Zeroizing::new([username, b":", password].concat()),
            username_length: username.len(),
        }
    }

    /// Returns the header `Authorization` of the scheme Basic.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        authorization("Basic ", &Zeroizing::new(STANDARD.encode(&*self.pair)))
    }

    /// Returns the values that no text may repeat. The user name alone is not one of them: reports name it.
    pub(super) fn confidential(&self) -> Confidential {
        let mut confidential = Confidential::default();
        confidential.add(&self.pair[self.username_length + 1..]);
        confidential.add(&self.pair);
        confidential
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

/// Returns the header `Authorization` with a token of the scheme Bearer; `None` if a header cannot hold the token.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    authorization("Bearer ", token)
}

fn authorization(scheme: &str, value: &str) -> Option<HeaderValue> {
    // The header refers to these bytes, which are wiped with its last copy.
    let bytes = Zeroizing::new([scheme, value].concat().into_bytes());
    let mut header = HeaderValue::from_maybe_shared(Shared::from_owner(bytes)).ok()?;
    header.set_sensitive(true);
    Some(header)
}

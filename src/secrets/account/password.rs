//! The form of a password and its expiry: nothing else of it is kept.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The most bytes of a token. A longer password is not a token.
const MAX_TOKEN: usize = 64 * 1024;

/// The form of a password, if the form is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The password is missing or empty.
    Empty,
    /// A key or reference token of Artifactory (gitleaks: `AKCp`, `cmVmdGtu`).
    ArtifactoryKey,
    /// A token of Artifactory with the scope `applied-permissions/admin` ("Create scoped tokens" of its documentation).
    ArtifactoryAdmin,
    /// `gldt-`.
    GitlabDeploy,
    /// `glpat-`.
    GitlabPersonal,
    /// `glcbt-`.
    GitlabJob,
    /// `ghp_`.
    GithubClassic,
    /// `github_pat_`.
    GithubFineGrained,
    /// `gho_`, `ghu_`.
    GithubUser,
    /// `ghs_`.
    GithubApp,
    /// `dckr_pat_`.
    DockerPersonal,
    /// `dckr_oat_`.
    DockerOrganization,
    /// `dop_v1_`.
    DigitalOcean,
    /// The secret of an application of Microsoft Entra (gitleaks: `azure-ad-client-secret`).
    AzureClientSecret,
    /// A UUID.
    Uuid,
    /// Anything else.
    Other,
}

impl Shape {
    /// Returns the form of a password.
    #[must_use]
    pub fn of(password: &[u8]) -> Self {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let begins = |prefix: &[u8], least: usize| {
            let rest = password.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.len() >= least && rest.iter().all(is_word))
        };
        let known = [
            (password.is_empty(), Self::Empty),
            (begins(b"AKCp", 69), Self::ArtifactoryKey),
            (begins(b"cmVmdGtu", 56), Self::ArtifactoryKey),
            (begins(b"gldt-", 20), Self::GitlabDeploy),
            (begins(b"glcbt-", 20), Self::GitlabJob),
            (begins(b"ghp_", 36), Self::GithubClassic),
            (begins(b"github_pat_", 82), Self::GithubFineGrained),
            (begins(b"gho_", 36), Self::GithubUser),
            (begins(b"ghu_", 36), Self::GithubUser),
            (begins(b"ghs_", 36), Self::GithubApp),
            (begins(b"dckr_pat_", 27), Self::DockerPersonal),
            (begins(b"dckr_oat_", 32), Self::DockerOrganization),
            (begins(b"dop_v1_", 64), Self::DigitalOcean),
            (is_gitlab_personal(password), Self::GitlabPersonal),
            (is_uuid(password), Self::Uuid),
            (is_azure_client_secret(password), Self::AzureClientSecret),
            (is_artifactory_admin(password), Self::ArtifactoryAdmin),
        ];
        let found = known.into_iter().find(|(is_it, _)| *is_it);
        found.map_or(Self::Other, |(_, shape)| shape)
    }
}

/// Returns the time when a password expires, in seconds of Unix time: the claim `exp` of a JWT (RFC 7519), or
/// `expiration` of the payload of a token of ECR.
#[must_use]
pub fn expiry(password: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Token<'a> {
        #[serde(borrow)]
        expiration: &'a RawValue,
    }
    if password.len() > MAX_TOKEN {
        return None;
    }
    if let Some(claims) = claims(password) {
        return claims.exp;
    }
    let json = decode(&STANDARD, password).filter(|json| json.starts_with(b"{"))?;
    let token: Token<'_> = serde_json::from_slice(&json).ok()?;
    seconds(token.expiration)
}

/// Returns whether a text is a UUID: `8-4-4-4-12` hexadecimal digits.
pub(super) fn is_uuid(text: &[u8]) -> bool {
    let groups = text.split(|byte| *byte == b'-');
    let is_hex = |group: &[u8]| group.iter().all(u8::is_ascii_hexdigit);
    text.len() == 36
        && groups.clone().map(<[u8]>::len).eq([8, 4, 4, 4, 12])
        && groups.clone().all(is_hex)
}

/// Returns whether a password is a personal token of GitLab: `glpat-`, since GitLab 18 with a routable part that has
/// dots.
fn is_gitlab_personal(password: &[u8]) -> bool {
    let rest = password.strip_prefix(b"glpat-");
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    rest.is_some_and(|rest| rest.len() >= 20 && rest.iter().all(fits))
}

/// Returns whether a password is the secret of a Microsoft Entra application:
/// `[a-zA-Z0-9_~.]{3}\dQ~[a-zA-Z0-9_~.-]{31,34}`.
fn is_azure_client_secret(password: &[u8]) -> bool {
    let fits =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b'-');
    (37..=40).contains(&password.len())
        && password[3].is_ascii_digit()
        && &password[4..6] == b"Q~"
        && password.iter().all(fits)
}

fn is_artifactory_admin(password: &[u8]) -> bool {
    claims(password).is_some_and(|claims| claims.is_for_administrators)
}

/// The claims of a JWT. Its signature is not verified.
struct Claims {
    exp: Option<i64>,
    is_for_administrators: bool,
}

fn claims(password: &[u8]) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        #[serde(borrow)]
        exp: Option<&'a RawValue>,
        #[serde(borrow)]
        scope: Option<&'a RawValue>,
        #[serde(borrow)]
        scp: Option<&'a RawValue>,
    }
    if password.len() > MAX_TOKEN || !password.starts_with(b"eyJ") {
        return None;
    }
    let mut parts = password.split(|byte| *byte == b'.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = decode(&URL_SAFE, payload)?;
    let payload: Payload<'_> = serde_json::from_slice(&payload).ok()?;
    let is_admin = |scope: &RawValue| {
        let parts = scope.get().split([' ', '"']);
        parts
            .into_iter()
            .any(|part| part == "applied-permissions/admin")
    };
    Some(Claims {
        exp: payload.exp.and_then(seconds),
        is_for_administrators: [payload.scope, payload.scp]
            .into_iter()
            .flatten()
            .any(is_admin),
    })
}

/// Returns a number of seconds, which JSON may write with a fraction.
fn seconds(json: &RawValue) -> Option<i64> {
    let seconds: f64 = serde_json::from_str(json.get()).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it saturates, and a fraction of a second does not matter"
    )]
    let seconds = seconds as i64;
    Some(seconds)
}

fn decode(alphabet: &Alphabet, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let mut decoded = Zeroizing::new(vec![0; text.len()]);
    let length = GeneralPurpose::new(alphabet, config)
        .decode_slice(text, &mut decoded)
        .ok()?;
    decoded.truncate(length);
    Some(decoded)
}

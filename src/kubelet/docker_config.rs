//! The content of a docker-type Secret, read as the kubelet reads it
//! (`pkg/credentialprovider/config.go` of Kubernetes 1.37), and reduced to user names and keys.

use crate::kubelet::golang::json::{Json, names_field};
use crate::kubelet::golang::url::Url;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// The type of Secrets that hold a Docker configuration file.
pub const CONFIG_JSON_TYPE: &str = "kubernetes.io/dockerconfigjson";
/// The key of that file in the data of such a Secret.
pub const CONFIG_JSON_KEY: &str = ".dockerconfigjson";
/// The type of Secrets that hold the older form, which has no `auths` around its entries.
pub const CONFIG_TYPE: &str = "kubernetes.io/dockercfg";
/// The key of that form in the data of such a Secret.
pub const CONFIG_KEY: &str = ".dockercfg";

/// Bytes that are wiped when they are dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// The form of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The entries are members of `auths`.
    ConfigJson,
    /// The entries are members of the document itself.
    Config,
}

impl Form {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::ConfigJson, Self::Config];

    /// Returns the form of Secrets of a type; `None` if the kubelet ignores them.
    #[must_use]
    pub fn of(secret_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|form| form.secret_type() == secret_type)
    }

    /// Returns the type of Secrets of this form.
    #[must_use]
    pub const fn secret_type(self) -> &'static str {
        match self {
            Self::ConfigJson => CONFIG_JSON_TYPE,
            Self::Config => CONFIG_TYPE,
        }
    }

    /// Returns the key of the data that is read.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::ConfigJson => CONFIG_JSON_KEY,
            Self::Config => CONFIG_KEY,
        }
    }
}

/// A fault of a Secret for which the kubelet fails every pull of a pod that lists it. The messages repeat nothing of
/// its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// The content is not JSON.
    #[error("not JSON")]
    NoJson,
    /// The content is JSON, but not an object.
    #[error("not a JSON object")]
    NoObject,
    /// `auths` is not an object.
    #[error("`auths` is not an object")]
    NoAuths,
    /// `HttpHeaders` is not an object of strings. The kubelet decodes it without using it.
    #[error("`HttpHeaders` is not an object of strings")]
    NoHeaders,
    /// An entry is not an object.
    #[error("an entry is not an object")]
    NoEntry,
    /// One of the fields of an entry is not a string.
    #[error("`{0}` of an entry is not a string")]
    NoString(&'static str),
    /// `auth` of an entry is not base64.
    #[error("`auth` of an entry is not base64")]
    NoBase64,
    /// `auth` of an entry has no `:` when it is decoded.
    #[error("`auth` of an entry is not the base64 of USERNAME:PASSWORD")]
    NoColon,
}

/// A credential as it stands in a Secret. It has no `Debug`, and its password is wiped when it is dropped.
pub struct Entry {
    /// The key under which the kubelet keeps the entry: host, port and path. `None` if the kubelet ignores the entry.
    pub key: Option<Box<[u8]>>,
    /// The user name, as bytes.
    pub username: Bytes,
    /// The password, as bytes.
    pub password: Bytes,
}

/// Reads the entries, in the order of the text. If entries have the same name, the last one counts.
///
/// # Errors
/// The kubelet fails every pull of a pod that lists the Secret.
pub fn read(form: Form, content: &[u8]) -> Result<Vec<Entry>, Malformed> {
    read_at_most(usize::MAX, form, content).map(Option::unwrap_or_default)
}

/// Reads the entries like [`read`], or returns `None` if there are more than `limit`. It keeps no more than that while
/// it reads the text; it checks the rest nevertheless, because a fault in it counts.
///
/// # Errors
/// As for [`read`].
pub fn read_at_most(
    limit: usize,
    form: Form,
    content: &[u8],
) -> Result<Option<Vec<Entry>>, Malformed> {
    let json = Json::parse(content).map_err(|_| Malformed::NoJson)?;
    let mut entries = Entries {
        limit,
        ..Entries::default()
    };
    match form {
        Form::Config => entries.add(json, Malformed::NoObject)?,
        Form::ConfigJson if json.is_null() => {}
        Form::ConfigJson => {
            for (name, value) in json.members().ok_or(Malformed::NoObject)? {
                if names_field(&name, "auths") {
                    entries.add(value, Malformed::NoAuths)?;
                } else if names_field(&name, "HttpHeaders") && !value.is_null() {
                    let mut headers = value.members().ok_or(Malformed::NoHeaders)?;
                    let is_text = |value: Json<'_>| value.is_null() || value.string().is_some();
                    if !headers.all(|(_, value)| is_text(value)) {
                        return Err(Malformed::NoHeaders);
                    }
                }
            }
        }
    }
    Ok((!entries.are_too_many).then_some(entries.kept))
}

/// Entries, and the number of each by its name. The numbers are kept over all `auths` members of a text: a tenant can
/// write a hundred thousand of them into one Secret, and counting the entries again for each would take minutes.
#[derive(Default)]
struct Entries {
    kept: Vec<Entry>,
    numbers: HashMap<String, usize>,
    limit: usize,
    /// Whether there were more entries than the limit. Then none are kept.
    are_too_many: bool,
}

impl Entries {
    /// Decodes an object into the existing map, as Go does if a member appears twice; null empties the map.
    fn add(&mut self, json: Json<'_>, otherwise: Malformed) -> Result<(), Malformed> {
        if json.is_null() {
            // Clearing a map takes time in proportion to its former size.
            *self = Self {
                limit: self.limit,
                ..Self::default()
            };
            return Ok(());
        }
        for (name, value) in json.members().ok_or(otherwise)? {
            let entry = Entry::read(&name, value)?;
            if self.are_too_many {
                continue;
            }
            if let Some(number) = self.numbers.get(name.as_str()) {
                self.kept[*number] = entry;
            } else {
                self.numbers.insert(name.to_string(), self.kept.len());
                self.kept.push(entry);
                if self.kept.len() > self.limit {
                    self.are_too_many = true;
                    self.kept = Vec::new();
                    self.numbers = HashMap::new();
                }
            }
        }
        Ok(())
    }
}

impl Entry {
    fn read(name: &str, json: Json<'_>) -> Result<Self, Malformed> {
        const FIELDS: [&str; 4] = ["username", "password", "email", "auth"];
        let mut fields: [Zeroizing<String>; 4] = Default::default();
        let members = if json.is_null() {
            None
        } else {
            Some(json.members().ok_or(Malformed::NoEntry)?)
        };
        for (name, value) in members.into_iter().flatten() {
            let number = FIELDS.iter().position(|field| names_field(&name, field));
            if let Some(number) = number.filter(|_| !value.is_null()) {
                fields[number] = value.string().ok_or(Malformed::NoString(FIELDS[number]))?;
            }
        }
        let [username, password, _, auth] = fields;
        let (username, password) = if auth.is_empty() {
            let bytes = |text: Zeroizing<String>| Zeroizing::new(text.as_bytes().to_vec());
            (bytes(username), bytes(password))
        } else {
            decode_auth(&auth)?
        };
        Ok(Self {
            key: key(name),
            username,
            password,
        })
    }
}

/// Decodes `auth` like `decodeDockerConfigFieldAuth`: base64 with or without padding, in which Go skips line ends and
/// does not look at the bits that are left over.
fn decode_auth(auth: &str) -> Result<(Bytes, Bytes), Malformed> {
    let padding = if auth.trim().ends_with('=') {
        DecodePaddingMode::RequireCanonical
    } else {
        DecodePaddingMode::RequireNone
    };
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(padding);
    let mut text = Zeroizing::new(Vec::with_capacity(auth.len()));
    text.extend(auth.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    let mut decoded = Zeroizing::new(vec![0; text.len()]);
    let length = GeneralPurpose::new(&STANDARD, config)
        .decode_slice(&*text, &mut decoded)
        .map_err(|_| Malformed::NoBase64)?;
    let mut parts = decoded[..length].splitn(2, |byte| *byte == b':');
    match (parts.next(), parts.next()) {
        (Some(username), Some(password)) => Ok((
            Zeroizing::new(username.to_vec()),
            Zeroizing::new(password.to_vec()),
        )),
        _ => Err(Malformed::NoColon),
    }
}

/// Returns the key under which the kubelet keeps an entry of this name (`BasicDockerKeyring.Add`); `None` if it ignores
/// the entry.
///
/// Scheme, user, query and fragment do not count, nor does `/v1` or `/v2` before more of a path. So
/// `https://index.docker.io/v1/` is `index.docker.io`, but the same name without the last `/` is another key.
#[must_use]
pub fn key(name: &str) -> Option<Box<[u8]>> {
    let rest = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"));
    let Url { mut host, path } = Url::parse(rest.unwrap_or(name).as_bytes())?;
    let is_versioned = path.starts_with(b"/v1/") || path.starts_with(b"/v2/");
    let path = if is_versioned { &path[3..] } else { &path };
    if path != b"/" {
        host.extend(path);
    }
    Some(host.into())
}

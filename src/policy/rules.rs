//! The entries of a valid policy: registry rules, bans and exceptions.

use crate::objects::names::SecretName;
use crate::policy::document::{
    At, BanEntry, CredentialClause, ExceptionEntry, Mode, NamespaceSelector, Provision,
    RegistryEntry, Running,
};
use crate::policy::pattern::ImagePattern;
use crate::policy::selector::{Match, Namespace};
use crate::secrets::account::Product;
use crate::text::glob::Glob;
use foldhash::HashMap;
use jiff::civil::Date;

/// One entry of `registries`.
#[derive(Debug)]
pub struct RegistryRule {
    /// Its name.
    pub name: String,
    /// The images that it covers.
    pub images: Vec<ImagePattern>,
    /// The authentication of nodes for these images.
    pub access: Access,
    /// The namespaces in which the rule exists; `None` means all.
    pub namespaces: Option<NamespaceSelector>,
    /// The source of copies of the secret, if copies are kept.
    pub provision: Option<Provision>,
    /// The product that runs at its hosts, if the policy names it.
    pub product: Option<Product>,
}

/// The way in which nodes authenticate to a registry.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    /// With these secrets, in this order.
    Secrets(Vec<SecretName>),
    /// With the identity of the node.
    Node,
    /// Without authentication.
    Public,
}

/// One entry of `bans`.
#[derive(Debug)]
pub struct Ban {
    /// Its name.
    pub name: String,
    /// The secrets that are banned.
    pub target: BanTarget,
    /// The reason, which messages repeat.
    pub reason: Option<String>,
    /// The secret to use instead.
    pub instead: Option<SecretName>,
    /// The person or channel to ask.
    pub contact: Option<String>,
    /// The page to read.
    pub docs: Option<String>,
    /// The effect of the ban.
    pub mode: Mode,
    /// The effect on pods of workloads that were admitted earlier.
    pub running: Running,
}

/// The secrets that a ban covers.
#[derive(Debug)]
pub enum BanTarget {
    /// Secrets by name.
    Secrets(Vec<Glob>),
    /// Secrets by content.
    Credentials(CredentialClause),
}

/// One entry of `exceptions`.
#[derive(Debug)]
pub struct Exception {
    /// Whether it lifts `unmatched`.
    pub(super) unmatched: bool,
    /// The namespaces in which it holds.
    pub(super) namespaces: NamespaceSelector,
    /// The person or team that is responsible.
    pub owner: String,
    /// The reason.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub expires: Date,
}

/// Whether an exception lifts a ban (or `unmatched`) in a namespace.
#[derive(Debug, Clone, Copy)]
pub enum Lifted<'p> {
    /// No exception lifts it.
    Not,
    /// This exception lifts it.
    By(&'p Exception),
    /// Unknown, because it depends on unknown labels. Enough reason not to deny.
    Unknown,
}

impl Access {
    /// Returns the word for it in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Secrets(_) => "secrets",
            Self::Node => "node",
            Self::Public => "public",
        }
    }
}

impl RegistryRule {
    /// Returns whether the rule exists in a namespace.
    #[must_use]
    pub fn applies(&self, namespace: Namespace<'_>) -> Match {
        self.namespaces
            .as_ref()
            .map_or(Match::Yes, |selector| selector.matches(namespace))
    }

    /// Returns the secrets that the rule injects.
    #[must_use]
    pub fn secrets(&self) -> &[SecretName] {
        match &self.access {
            Access::Secrets(secrets) => secrets,
            Access::Node | Access::Public => &[],
        }
    }

    /// Returns the names of these secrets.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secrets().iter().map(SecretName::as_str)
    }
}

impl From<RegistryEntry> for RegistryRule {
    fn from(entry: RegistryEntry) -> Self {
        let access = match (entry.secrets, entry.identity) {
            (Some(secrets), _) => {
                Access::Secrets(secrets.into_iter().map(|secret| secret.value).collect())
            }
            (None, Some(_)) => Access::Node,
            (None, None) => Access::Public,
        };
        Self {
            name: entry.name.value,
            images: entry.images.into_iter().map(|image| image.value).collect(),
            access,
            namespaces: entry.namespaces,
            provision: entry.provision,
            product: entry.product,
        }
    }
}

impl From<BanEntry> for Ban {
    fn from(entry: BanEntry) -> Self {
        let globs = entry
            .secrets
            .unwrap_or_default()
            .into_iter()
            .map(|glob| glob.value)
            .collect();
        Self {
            name: entry.name.value,
            target: entry
                .credentials
                .map_or(BanTarget::Secrets(globs), BanTarget::Credentials),
            reason: entry.reason,
            instead: entry.instead.map(|instead| instead.value),
            contact: entry.contact,
            docs: entry.docs,
            mode: entry.mode,
            running: entry.running,
        }
    }
}

/// Returns whether one of these exceptions holds in a namespace on this day (UTC).
pub(super) fn first_exception<'p>(
    exceptions: impl Iterator<Item = &'p Exception>,
    namespace: Namespace<'_>,
    today: Date,
) -> Lifted<'p> {
    let mut result = Lifted::Not;
    for exception in exceptions.filter(|exception| exception.expires >= today) {
        match exception.namespaces.matches(namespace) {
            Match::Yes => return Lifted::By(exception),
            Match::Unknown => result = Lifted::Unknown,
            Match::No => {}
        }
    }
    result
}

/// Returns, for each ban, the numbers of the exceptions that name it.
pub(super) fn exceptions_of(bans: &[Ban], exceptions: &[At<ExceptionEntry>]) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<&str, usize> = HashMap::default();
    for (number, ban) in bans.iter().enumerate() {
        numbers.entry(&ban.name).or_insert(number);
    }
    let mut lifting = vec![Vec::new(); bans.len()];
    for (exception, entry) in exceptions.iter().enumerate() {
        for name in entry.value.bans.iter().flatten() {
            if let Some(ban) = numbers.get(name.value.as_str()) {
                lifting[*ban].push(exception);
            }
        }
    }
    lifting
}

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
    /// Which images it covers.
    pub images: Vec<ImagePattern>,
    /// How nodes authenticate for them.
    pub access: Access,
    /// Where the rule exists; everywhere if `None`.
    pub namespaces: Option<NamespaceSelector>,
    /// Whether and from where copies of the secret are kept.
    pub provision: Option<Provision>,
    /// What runs at its hosts, where the policy says it.
    pub product: Option<Product>,
}

/// How nodes authenticate to a registry.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    /// By these secrets, in this order.
    Secrets(Vec<SecretName>),
    /// By the identity of the node.
    Node,
    /// Not at all.
    Public,
}

/// One entry of `bans`.
#[derive(Debug)]
pub struct Ban {
    /// Its name.
    pub name: String,
    /// What is banned.
    pub target: BanTarget,
    /// Why.
    pub reason: Option<String>,
    /// What to use instead.
    pub instead: Option<SecretName>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// Where to read more.
    pub docs: Option<String>,
    /// What it does.
    pub mode: Mode,
    /// What it does to pods of workloads that were admitted earlier.
    pub running: Running,
}

/// What a ban bans.
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
    /// Where.
    pub(super) namespaces: NamespaceSelector,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub expires: Date,
}

/// Whether an exception lifts something in a namespace.
#[derive(Debug, Clone, Copy)]
pub enum Lifted<'p> {
    /// It holds.
    Not,
    /// It is lifted by this exception.
    By(&'p Exception),
    /// That depends on labels which are not known: reason enough not to deny.
    Unknown,
}

impl Access {
    /// The word for it in reports.
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
    /// Whether it exists in a namespace.
    #[must_use]
    pub fn applies(&self, namespace: Namespace<'_>) -> Match {
        self.namespaces
            .as_ref()
            .map_or(Match::Yes, |selector| selector.matches(namespace))
    }

    /// The secrets that it injects.
    #[must_use]
    pub fn secrets(&self) -> &[SecretName] {
        match &self.access {
            Access::Secrets(secrets) => secrets,
            Access::Node | Access::Public => &[],
        }
    }

    /// Their names.
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

/// Whether one of these exceptions holds in a namespace on that day (UTC).
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

/// For each ban the numbers of the exceptions that name it.
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

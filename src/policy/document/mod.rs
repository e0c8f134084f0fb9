//! The policy as it is written: the shape of the document and the grammar of its values, nothing across two places.
//!
//! [`read`] gathers every fault. It also returns the entries that it could read, so that [`crate::policy`] can report
//! the faults across entries at the same time.

mod fields;
mod leaf;
mod read;
mod reader;
mod schema;

use crate::objects::names::SecretName;
use crate::policy::pattern::ImagePattern;
use crate::secrets::account::{AccountClass, Product};
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::glob::Glob;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

pub use read::{read, read_node};
pub use schema::json_schema;

/// A value and its place in the text.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The path of keys that leads to it.
    pub path: String,
    /// The place in the text.
    pub span: Span,
}

/// The pull secrets for each registry, and the secrets that must not be referenced.
#[derive(Debug, Default, JsonSchema)]
#[schemars(title = "PullPolicy", deny_unknown_fields, rename_all = "camelCase", extend("required" = ["apiVersion", "kind"]))]
pub struct Document {
    /// The version of this format.
    #[schemars(schema_with = "leaf::api_version")]
    pub api_version: (),
    /// The kind of this document.
    #[schemars(schema_with = "leaf::kind")]
    pub kind: (),
    /// The way in which nodes authenticate to registries. The most specific of all rules that cover an image wins.
    #[schemars(default)]
    pub registries: Vec<At<RegistryEntry>>,
    /// The action for an image that no registry rule covers; `allow` when absent.
    #[schemars(default)]
    pub unmatched: Unmatched,
    /// Secrets that must not be referenced.
    #[schemars(default)]
    pub bans: Vec<At<BanEntry>>,
    /// Bans lifted for some namespaces and for some time.
    #[schemars(default)]
    pub exceptions: Vec<At<ExceptionEntry>>,
    /// Namespaces that Pullgate leaves alone entirely: no injection, no guard, no provisioning.
    pub exempt: Option<At<ExemptEntry>>,
}

/// The way in which nodes authenticate for some images: exactly one of `secrets`, `identity` and `public`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = leaf::one_of(&["secrets", "identity", "public"])))]
pub struct RegistryEntry {
    /// Appears in messages, metrics and reports.
    #[schemars(length(min = 1, max = 63))]
    pub name: At<String>,
    /// `host[:port][/path prefix]`; `*` stands for characters within one label of the host.
    #[schemars(length(min = 1))]
    pub images: Vec<At<ImagePattern>>,
    /// The secrets that are injected into pods with such images, in this order.
    #[schemars(length(min = 1))]
    pub secrets: Option<Vec<At<SecretName>>>,
    /// `node`: nodes authenticate themselves, nothing is injected.
    pub identity: Option<At<Identity>>,
    /// `true`: pulled anonymously, nothing is injected.
    #[schemars(with = "Option<leaf::OnlyTrue>")]
    pub public: Option<At<()>>,
    /// The rule exists only in these namespaces; everywhere when absent.
    pub namespaces: Option<NamespaceSelector>,
    /// Keep the secret present in the namespaces that use the rule.
    pub provision: Option<Provision>,
    /// The product at these hosts, if their names do not show it. It decides which accounts are administrators.
    pub product: Option<Product>,
}

/// The identity that authenticates to the registry without a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Identity {
    /// The node, by its own identity.
    Node,
}

/// The source of the copies of a secret.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Provision {
    /// The source Secret as `NAMESPACE/NAME`.
    #[schemars(regex(
        pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
    ))]
    pub from: String,
    /// An image that must be pullable with a new value before it is spread.
    pub verify: Option<String>,
}

/// The action for an image that no registry rule covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Unmatched {
    /// Admit.
    #[default]
    Allow,
    /// Admit with a warning.
    Warn,
    /// Refuse.
    Deny,
}

/// Secrets that must not be referenced: exactly one of `secrets` and `credentials`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = leaf::one_of(&["secrets", "credentials"])))]
pub struct BanEntry {
    /// Appears in messages, metrics and reports.
    #[schemars(length(min = 1, max = 63))]
    pub name: At<String>,
    /// Names of secrets; `*` stands for any run of characters.
    #[schemars(length(min = 1))]
    pub secrets: Option<Vec<At<SecretGlob>>>,
    /// Kinds of credentials, in secrets of any name. Needs the inventory.
    pub credentials: Option<CredentialClause>,
    /// The reason, shown to users whose objects are refused.
    pub reason: Option<String>,
    /// The secret to use instead.
    pub instead: Option<At<SecretName>>,
    /// The contact for questions.
    pub contact: Option<String>,
    /// A page with more information.
    pub docs: Option<String>,
    /// The effect on an object that names such a secret; `enforce` when absent.
    #[schemars(default)]
    pub mode: Mode,
    /// The effect on pods of workloads that were admitted earlier; `keep` when absent.
    #[schemars(default)]
    pub running: Running,
}

/// The effect of a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse.
    #[default]
    Enforce,
    /// Admit with a warning.
    Warn,
    /// Admit, and note it in the audit log and a metric.
    Audit,
}

/// The effect of a ban on pods that built-in controllers create for workloads that were admitted earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Running {
    /// The pods are created: running workloads keep running.
    #[default]
    Keep,
    /// The pods are refused too.
    Deny,
}

/// A ban by the content of a secret and not by its name. All given conditions must hold for one credential.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "camelCase", extend("minProperties" = 1))]
pub struct CredentialClause {
    /// Kinds of accounts.
    #[schemars(length(min = 1))]
    pub class: Option<Vec<AccountClass>>,
    /// The most namespaces that may have the credential.
    #[schemars(range(min = 1))]
    pub shared_across_namespaces: Option<u32>,
}

/// A ban lifted for some namespaces: at least one of `bans` and `unmatched`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = leaf::one_of(&["bans", "unmatched"])))]
pub struct ExceptionEntry {
    /// Names of the bans that are lifted.
    #[schemars(length(min = 1))]
    pub bans: Option<Vec<At<String>>>,
    /// `true`: `unmatched` does not apply there.
    #[schemars(with = "Option<leaf::OnlyTrue>")]
    pub unmatched: Option<()>,
    /// The namespaces of the exception.
    pub namespaces: NamespaceSelector,
    /// The owner of the exception.
    pub owner: String,
    /// The reason for the exception.
    pub reason: String,
    /// The last day on which it holds (UTC).
    #[schemars(with = "leaf::DateText")]
    pub expires: At<Date>,
}

/// Namespaces that Pullgate leaves alone.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExemptEntry {
    /// The namespaces.
    pub namespaces: NamespaceSelector,
}

/// Some namespaces: `names` and `labels` must both hold if both are given.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub struct NamespaceSelector {
    /// Names; `*` stands for any run of characters.
    #[schemars(length(min = 1))]
    pub names: Option<Vec<NamespaceGlob>>,
    /// Labels of the namespace.
    pub labels: Option<LabelSelector>,
}

/// A label selector as Kubernetes knows it (`metav1.LabelSelector`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "camelCase", extend("minProperties" = 1))]
pub struct LabelSelector {
    /// Labels and the values that they must have.
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub match_labels: Vec<(String, String)>,
    /// Requirements, all of which must hold.
    #[schemars(default)]
    pub match_expressions: Vec<Requirement>,
}

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// The condition on its value.
    pub operator: Operator,
    /// With `In` and `NotIn`: the values.
    #[schemars(default)]
    pub values: Vec<String>,
}

/// The condition of a requirement on a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
pub enum Operator {
    /// The label exists and has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label exists.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// A glob of names of secrets.
type SecretGlob = Glob;
/// A glob of names of namespaces.
type NamespaceGlob = Glob;

impl Unmatched {
    /// All answers, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Warn, Self::Deny];

    /// Returns the word for the answer in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

impl Running {
    /// Both answers, in the order in which messages list them.
    pub const ALL: [Self; 2] = [Self::Keep, Self::Deny];

    /// Returns the word for the answer in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Deny => "deny",
        }
    }
}

impl Mode {
    /// All modes, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Warn, Self::Audit];

    /// Returns the word for the mode in the policy and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}

impl<T> At<T> {
    /// Returns a diagnostic about this place.
    #[must_use]
    pub fn diagnose(
        &self,
        severity: Severity,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            path: self.path.clone(),
            span: self.span,
            message,
            help,
        }
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

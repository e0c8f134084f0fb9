//! The codes of findings: stable short names for programs.

/// The input in which a code is found. It decides which page of docs/ lists the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundIn {
    /// A review: docs/metrics.md.
    Reviews,
    /// Only the files of `check`: docs/commands.md.
    Files,
}

/// Generates variant, name, page and summary of each code from its one line below.
macro_rules! codes {
    ($($code:ident = $name:literal, $found_in:ident: $summary:literal;)*) => {
        /// The code of a finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FindingCode {
            $(#[doc = $summary] $code,)*
        }

        impl FindingCode {
            /// All codes, in the order of the rules in SARIF.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$code),*];

            /// Returns the code as JSON, SARIF and metrics write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// Returns the meaning of the code in one sentence, without a full stop.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$code => $summary,)*
                }
            }

            /// Returns the input in which it is found.
            #[must_use]
            pub const fn found_in(self) -> FoundIn {
                match self {
                    $(Self::$code => FoundIn::$found_in,)*
                }
            }

            /// Returns the position of the code in [`FindingCode::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

// Append new codes at the end: programs may keep the index of a rule.
codes! {
    Policy = "policy", Files: "A policy that cannot be used, or does not say what its author meant";
    BannedSecret = "banned-secret", Reviews: "A reference to a Secret that a ban covers";
    BannedName = "banned-name", Reviews: "A docker-type Secret under a banned name";
    UncoveredImage = "uncovered-image", Reviews: "An image that no registry rule covers";
    InvalidImage = "invalid-image", Reviews: "An image reference that is not valid";
    SecretNotMountable = "secret-not-mountable", Reviews: "A secret that the ServiceAccount does not allow in its pods";
    SecretMissing = "secret-missing", Reviews: "An image that needs a secret which the Pod cannot get any more";
    DoubleKey = "double-key", Files: "A key that occurs twice";
    Credential = "credential", Files: "A registry credential in a file";
    Unreadable = "unreadable", Files: "A file that is not valid YAML, or an object that the API server would refuse";
    Exception = "exception", Files: "An exception in use";
    BannedCredential = "banned-credential", Reviews: "A docker-type Secret whose content a ban covers";
    SecretNotFound = "secret-not-found", Reviews: "A pull secret that the namespace does not have";
    SecretMalformed = "secret-malformed", Reviews: "A pull secret that the kubelet cannot read";
    SecretExpired = "secret-expired", Reviews: "A pull secret with a credential that has expired";
    MisplacedPullSecrets = "misplaced-pull-secrets", Files: "Pull secrets in a field that Kubernetes does not know";
    ShortName = "short-name", Files: "An image without a registry";
}

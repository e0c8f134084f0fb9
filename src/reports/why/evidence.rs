//! The evidence for the cause of a failing pull, reduced to the facts that the decision needs.

use crate::kubelet::image::Image;
use crate::kubelet::keyring::Keyring;
use crate::secrets::credentials::Content;
use serde::Serialize;

/// A pod that may wait for images.
#[derive(Debug, Clone, Default)]
pub struct PodView {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid. Events of a former pod of the same name have another one.
    pub uid: String,
    /// The node, or `None` while the pod is not scheduled.
    pub node: Option<String>,
    /// The names in `imagePullSecrets`, in order.
    pub listed: Vec<String>,
    /// Whether the pod waits, and a controller creates another one if it is deleted.
    pub is_replaceable: bool,
    /// Whether the pod is the mirror of a static pod. It can list no Secret, and to delete it changes nothing.
    pub is_static: bool,
    /// Whether the annotation `pullgate.dev/injected` is there.
    pub was_injected: bool,
    /// The images that containers wait for.
    pub waiting: Vec<WaitingImage>,
}

/// An image that a container waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingImage {
    /// The name of the container.
    pub container: String,
    /// The image, or the reference of the image volume that the container mounts.
    pub image: String,
    /// `state.waiting.reason`.
    pub reason: String,
    /// `state.waiting.message`, or the message of the last event about this image if the state has none.
    pub message: String,
    /// The event that says more than the state.
    pub event: Option<PodEvent>,
    /// The time of the last failure, in seconds of Unix time, where an event has it.
    pub failed: Option<i64>,
}

/// An event of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodEvent {
    /// The reason, for example `Failed`.
    pub reason: String,
    /// The message.
    pub message: String,
    /// The field of the pod that the event is about, for example `spec.containers{app}`; events of image volumes have
    /// none.
    pub field: String,
    /// The time of its last occurrence, in seconds of Unix time.
    pub time: Option<i64>,
}

/// A Secret that a pod lists.
#[derive(Debug, Clone)]
pub struct ListedSecret {
    /// The name.
    pub name: String,
    /// The state of the Secret of that name in the namespace of the pod.
    pub state: SecretState,
}

/// The state of a Secret that a pod lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretState {
    /// The caller may not read the Secret.
    Unread,
    /// The Secret does not exist.
    Absent,
    /// The kubelet ignores the Secret, because it is of this type.
    OtherType(String),
    /// The kubelet ignores the Secret, because the key with the credentials is missing or empty.
    Empty,
    /// The kubelet reads the Secret.
    Read {
        /// The content, without passwords.
        content: Content,
        /// Whether the Secret is of the type `kubernetes.io/dockerconfigjson`.
        is_config_json: bool,
        /// The time of its last change, in seconds of Unix time.
        changed: Option<i64>,
    },
}

/// The rule of the policy for an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RuleView {
    /// The policy is not known.
    #[default]
    Unknown,
    /// No rule covers the image.
    None,
    /// A rule brings pull secrets.
    Secrets {
        /// The name of the rule.
        rule: String,
        /// The secrets of the rule.
        all: Vec<String>,
        /// The secrets that a new pod would get and this one does not list.
        missing: Vec<String>,
    },
    /// A rule says that nodes use their own identity.
    Node {
        /// The name of the rule.
        rule: String,
    },
    /// A rule says that the image is public.
    Public {
        /// The name of the rule.
        rule: String,
    },
}

/// A credential that the kubelet tries, without its password. The keys are fixed: other programs read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriedCredential {
    /// The Secret.
    pub secret: String,
    /// The key of the entry that matches the image.
    pub key: String,
    /// The user name.
    pub username: String,
    /// The end of its validity, in seconds of Unix time, if the credential shows it.
    #[serde(skip)]
    pub expires: Option<i64>,
    /// The time of the last change of the Secret, in seconds of Unix time.
    #[serde(skip)]
    pub changed: Option<i64>,
    /// The Secret is of the type `kubernetes.io/dockerconfigjson`, and this is its only entry.
    #[serde(skip)]
    pub is_only_entry: bool,
}

/// The credentials that the kubelet would try now for one image.
#[derive(Debug, Default)]
pub struct Simulation {
    /// The credentials in the order of the kubelet; an empty list means an anonymous pull.
    pub tried: Vec<TriedCredential>,
    /// Secrets with an entry for the image that has no password: the node sends nothing for it.
    pub without_password: Vec<String>,
    /// A Secret that cannot be decoded. It stops every pull of the pod.
    pub unreadable: Option<String>,
    /// Whether every listed Secret is known, so that `tried` is complete.
    pub is_complete: bool,
}

impl Simulation {
    /// Simulates the kubelet with the Secrets that a pod lists.
    #[must_use]
    pub fn of(listed: &[ListedSecret], image: &str) -> Self {
        let mut keyring = Keyring::default();
        let mut simulation = Self {
            is_complete: true,
            ..Self::default()
        };
        for ListedSecret { name, state } in listed {
            match state {
                SecretState::Absent | SecretState::OtherType(_) | SecretState::Empty => {}
                SecretState::Unread => simulation.is_complete = false,
                SecretState::Read {
                    content,
                    is_config_json,
                    changed,
                } => match content {
                    Content::Malformed(_) => {
                        simulation.unreadable.get_or_insert_with(|| name.clone());
                    }
                    Content::Unread | Content::TooManyEntries => simulation.is_complete = false,
                    Content::Credentials(credentials) => {
                        for credential in credentials.iter() {
                            let tried = TriedCredential {
                                secret: name.clone(),
                                key: credential.key.to_string(),
                                username: credential.username.to_string(),
                                expires: credential.expires,
                                changed: *changed,
                                is_only_entry: *is_config_json && credentials.len() == 1,
                            };
                            let key = credential.key.as_bytes();
                            keyring.add(key, (tried, credential.has_password()));
                        }
                    }
                },
            }
        }
        if let Ok(image) = Image::parse(image) {
            for (_, (tried, has_password)) in keyring.lookup(&image) {
                if *has_password {
                    simulation.tried.push(tried.clone());
                } else {
                    simulation.without_password.push(tried.secret.clone());
                }
            }
        }
        simulation
    }
}

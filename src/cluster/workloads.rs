//! The workloads of a cluster, a page at a time.

use super::answer;
use crate::objects::kind::Kind;
use crate::objects::read;
use crate::objects::subject::{ObjectSource, Operation, Subject};
use anyhow::{Context, Result};
use kube::Client;
use kube::api::{ListParams, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How many objects a page has: 400 KB of the usual ones, and 75 MB of the largest that there can be.
const PAGE: u32 = 50;

/// The kinds that are listed. The few come first: the time may be up before the pods are through.
pub const LISTED: [Kind; 8] = [
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::CronJob,
    Kind::ReplicationController,
    Kind::ReplicaSet,
    Kind::Job,
    Kind::Pod,
];

/// The path of the list of all objects of a kind.
fn path_of(kind: Kind) -> String {
    match kind.group() {
        "" => format!("/api/v1/{}", kind.plural()),
        group => format!("/apis/{group}/v1/{}", kind.plural()),
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    token: String,
}

/// What [`read::read`] leaves out.
#[derive(Deserialize)]
struct WorkloadItem<'a> {
    #[serde(borrow)]
    metadata: ItemMetadata<'a>,
    #[serde(default)]
    spec: ItemSpec,
    #[serde(borrow, default)]
    status: ItemStatus<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemMetadata<'a> {
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    owner_references: Vec<Owner<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    controller: bool,
}

#[derive(Deserialize, Default)]
struct ItemSpec {
    replicas: Option<u32>,
}

#[derive(Deserialize, Default)]
struct ItemStatus<'a> {
    #[serde(borrow, default)]
    phase: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    conditions: Vec<Condition<'a>>,
}

#[derive(Deserialize)]
struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    what: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl WorkloadItem<'_> {
    /// Whether it is looked at: not what another workload controls, which is part of that one, and not what is over. What
    /// another group calls a Deployment is no workload that is listed here.
    fn counts(&self, kind: Kind) -> bool {
        let is_part = self.metadata.owner_references.iter().any(|owner| {
            let group = owner.api_version.split_once('/');
            let kind = Kind::of(group.map_or("", |(group, _)| group), &owner.kind);
            owner.controller && LISTED.contains(&kind)
        });
        let phase = self.status.phase.as_deref().unwrap_or_default();
        let ended = |condition: &Condition<'_>| {
            ["Complete", "Failed"].contains(&&*condition.what) && condition.status == "True"
        };
        let is_over = ["Succeeded", "Failed"].contains(&phase)
            || kind == Kind::Job && self.status.conditions.iter().any(ended)
            || kind == Kind::ReplicaSet && self.spec.replicas == Some(0);
        !is_part && !is_over
    }
}

/// Gives each workload, and each pod that belongs to none of them, to `see`, as if somebody created it now; but for those
/// in `excluded` namespaces.
///
/// # Errors
/// The API server does not answer, or not what is expected.
pub async fn each(
    client: &Client,
    excluded: &[String],
    mut see: impl FnMut(&Subject<'_>),
) -> Result<()> {
    for kind in LISTED {
        let path = path_of(kind);
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let request = Request::new(path.as_str()).list(&params)?;
            let text = answer(client.request_text(request))
                .await
                .with_context(|| format!("cannot list {path}"))?;
            let token = tokio::task::block_in_place(|| page(kind, &text, excluded, &mut see))?;
            if token.is_empty() {
                break;
            }
            params = params.continue_token(&token);
        }
    }
    Ok(())
}

/// Looks at the objects of a page, and says where the next begins.
fn page(
    kind: Kind,
    text: &str,
    excluded: &[String],
    see: &mut impl FnMut(&Subject<'_>),
) -> Result<String> {
    let page: Page<'_> = serde_json::from_str(text)?;
    for json in page.items.iter().map(|item| item.get()) {
        // One that cannot be read could not be created either.
        let Ok(item) = serde_json::from_str::<WorkloadItem<'_>>(json) else {
            continue;
        };
        let is_excluded = excluded.iter().any(|name| *name == item.metadata.namespace);
        if is_excluded || !item.counts(kind) {
            continue;
        }
        let Ok(object) = read::read(kind, json) else {
            continue;
        };
        let subject = Subject {
            kind,
            operation: Operation::Create,
            source: ObjectSource::Request,
            namespace: item.metadata.namespace,
            name: item.metadata.name,
            user: "".into(),
            object,
            old: None,
        };
        if !subject.is_deleting() {
            see(&subject);
        }
    }
    Ok(page.metadata.token)
}

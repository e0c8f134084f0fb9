//! Lists the workloads of a cluster, page by page.

use super::answer;
use crate::objects::kind::Kind;
use crate::objects::read::{self, Text};
use crate::objects::subject::{ObjectSource, Operation, Subject};
use crate::text::scan::{self, Raw};
use anyhow::{Context, Result};
use kube::Client;
use kube::api::{ListParams, Request};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The number of objects on a page: 400 KB of ordinary ones, at most 75 MB of the largest possible ones.
const PAGE: u32 = 50;

/// The kinds that are listed. Kinds with few objects come first, because the time may run out before the last pod.
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

/// Returns the path of the list of all objects of a kind.
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

/// The fields that [`read::read`] leaves out.
#[derive(Deserialize)]
struct WorkloadItem<'a> {
    #[serde(borrow)]
    metadata: ItemMetadata<'a>,
    #[serde(borrow)]
    spec: Option<ItemSpec<'a>>,
    #[serde(borrow)]
    status: Option<ItemStatus<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemMetadata<'a> {
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    owner_references: Option<Vec<Owner<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    controller: Option<bool>,
}

#[derive(Deserialize)]
struct ItemSpec<'a> {
    #[serde(borrow)]
    replicas: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct ItemStatus<'a> {
    #[serde(borrow)]
    phase: Option<Text<'a>>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

#[derive(Deserialize)]
struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    what: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

impl WorkloadItem<'_> {
    /// Returns whether the object counts. An object that another listed workload controls is a part of that workload,
    /// and a finished object no longer runs. The controller must be of a listed kind: a Deployment of another API group
    /// is not a listed workload.
    fn counts(&self, kind: Kind) -> bool {
        let mut owners = self.metadata.owner_references.iter().flatten();
        let is_part = owners.any(|owner| {
            let kind = Kind::of_object(text(owner.api_version.as_ref()), text(owner.kind.as_ref()));
            owner.controller == Some(true) && LISTED.contains(&kind)
        });
        let status = self.status.as_ref();
        let phase = text(status.and_then(|status| status.phase.as_ref()));
        let ended = |condition: &Condition<'_>| {
            ["Complete", "Failed"].contains(&text(condition.what.as_ref()))
                && text(condition.status.as_ref()) == "True"
        };
        let mut conditions = status
            .into_iter()
            .flat_map(|s| s.conditions.iter().flatten());
        let replicas = self.spec.as_ref().and_then(|spec| spec.replicas);
        let is_over = ["Succeeded", "Failed"].contains(&phase)
            || kind == Kind::Job && conditions.any(ended)
            || kind == Kind::ReplicaSet && replicas == Some(Raw("0"));
        !is_part && !is_over
    }
}

fn text<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map_or("", |text| &text.0)
}

/// Calls `see` with each workload, and with each pod that belongs to none of them, as if a user created it now. Leaves
/// out `excluded` namespaces. Returns the number of unreadable objects.
///
/// # Errors
/// Fails if the API server does not answer, or answers with unexpected data.
pub async fn each(
    client: &Client,
    excluded: &[String],
    mut see: impl FnMut(&Subject<'_>),
) -> Result<usize> {
    let mut unreadable = 0;
    for kind in LISTED {
        let path = path_of(kind);
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let request = Request::new(path.as_str()).list(&params)?;
            let text = answer(client.request_text(request))
                .await
                .with_context(|| format!("cannot list {path}"))?;
            let (token, missed) =
                tokio::task::block_in_place(|| page(kind, &text, excluded, &mut see))?;
            unreadable += missed;
            if token.is_empty() {
                break;
            }
            params = params.continue_token(&token);
        }
    }
    Ok(unreadable)
}

/// Reads the objects of a page. Returns the token of the next page, and the number of unreadable objects.
fn page(
    kind: Kind,
    text: &str,
    excluded: &[String],
    see: &mut impl FnMut(&Subject<'_>),
) -> Result<(String, usize)> {
    let page: Page<'_> = serde_json::from_str(text)?;
    let mut unreadable = 0;
    for json in page.items.iter().map(|item| item.get()) {
        let item = scan::from_str::<WorkloadItem<'_>>(json);
        let (Ok(item), Ok(object)) = (item, read::read(kind, json)) else {
            unreadable += 1;
            continue;
        };
        let counts = item.counts(kind);
        let namespace = item.metadata.namespace.unwrap_or_default().0;
        if excluded.iter().any(|name| *name == namespace) || !counts {
            continue;
        }
        let subject = Subject {
            kind,
            operation: Operation::Create,
            source: ObjectSource::Request,
            namespace,
            name: item.metadata.name.unwrap_or_default().0,
            user: "".into(),
            object,
            old: None,
        };
        if !subject.is_deleting() {
            see(&subject);
        }
    }
    Ok((page.metadata.token, unreadable))
}

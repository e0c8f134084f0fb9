//! The workloads of a cluster, a page at a time.

use super::answer;
use crate::impact;
use crate::object;
use crate::subject::{Kind, Operation, Source, Subject};
use anyhow::{Context, Result};
use kube::Client;
use kube::api::{ListParams, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How many objects a page has: 4 MB at most of the usual ones.
const PAGE: u32 = 500;

/// Where the workloads are. What is few comes first: the time may be up before the pods are through.
const LISTS: [(Kind, &str); 8] = [
    (Kind::Deployment, "/apis/apps/v1/deployments"),
    (Kind::StatefulSet, "/apis/apps/v1/statefulsets"),
    (Kind::DaemonSet, "/apis/apps/v1/daemonsets"),
    (Kind::CronJob, "/apis/batch/v1/cronjobs"),
    (
        Kind::ReplicationController,
        "/api/v1/replicationcontrollers",
    ),
    (Kind::ReplicaSet, "/apis/apps/v1/replicasets"),
    (Kind::Job, "/apis/batch/v1/jobs"),
    (Kind::Pod, "/api/v1/pods"),
];

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

/// What [`object::read`] leaves out.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    metadata: ItemMetadata<'a>,
    #[serde(borrow, default)]
    status: ItemStatus<'a>,
}

#[derive(Deserialize)]
struct ItemMetadata<'a> {
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ItemStatus<'a> {
    #[serde(borrow, default)]
    phase: Option<Cow<'a, str>>,
    #[serde(default)]
    completion_time: Option<String>,
}

/// Gives each workload that runs, and each pod that belongs to none of them, to `see`, as if somebody created it now.
///
/// # Errors
/// The API server does not answer, or not what is expected.
pub async fn each(client: &Client, mut see: impl FnMut(&Subject<'_>)) -> Result<()> {
    for (kind, path) in LISTS {
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let request = Request::new(path).list(&params)?;
            let text = answer(client.request_text(request))
                .await
                .with_context(|| format!("cannot list {path}"))?;
            let page: Page<'_> = serde_json::from_str(&text)?;
            for item in page.items {
                see_item(kind, item.get(), &mut see);
            }
            if page.metadata.token.is_empty() {
                break;
            }
            params = params.continue_token(&page.metadata.token);
        }
    }
    Ok(())
}

/// One that cannot be read is left out: it could not be created either.
fn see_item(kind: Kind, json: &str, see: &mut impl FnMut(&Subject<'_>)) {
    let (Ok(item), Ok(object)) = (
        serde_json::from_str::<Item<'_>>(json),
        object::read(kind, json),
    ) else {
        return;
    };
    let phase = item.status.phase.as_deref().unwrap_or_default();
    if item.status.completion_time.is_some() || ["Succeeded", "Failed"].contains(&phase) {
        return;
    }
    let subject = Subject {
        kind,
        operation: Operation::Create,
        source: Source::Request,
        namespace: item.metadata.namespace,
        name: item.metadata.name,
        user: "".into(),
        object,
        old: None,
    };
    if impact::is_of_its_own(&subject) && !subject.is_deleting() {
        see(&subject);
    }
}

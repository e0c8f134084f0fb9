//! What an edit of the policy would do, told to whoever makes it.

use crate::cluster::workloads;
use crate::impact::{Detail, Extent, Impact};
use crate::live::{Live, today};
use crate::policy::Policy;
use crate::server::admission::{PolicyEdit, Preview};
use crate::subject::Subject;
use futures::FutureExt;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

/// How long is looked; the API server waits ten seconds for the answer.
const BUDGET: Duration = Duration::from_secs(6);

/// Looks at what runs, for one edit at a time.
pub(super) fn preview(client: Client, live: Arc<Live>) -> Preview {
    let turn = Arc::new(Semaphore::new(1));
    Box::new(move |edit| {
        let (client, live, turn) = (client.clone(), live.clone(), turn.clone());
        async move {
            let Some(detail) = detail(&edit, &live) else {
                return Vec::new();
            };
            let Ok(_turn) = turn.try_acquire() else {
                return vec![
                    "what this edit does was not looked at: another one is being looked at"
                        .to_owned(),
                ];
            };
            look(&client, &live, &edit, detail).await
        }
        .boxed()
    })
}

/// Anyone who reaches the port can send what looks like an edit. Who knows the uid of the object has read it, and may
/// read names of workloads; while there is no policy, everybody may read numbers.
fn detail(edit: &PolicyEdit, live: &Live) -> Option<Detail> {
    match (&edit.changed, live.policy_object()) {
        (Some(changed), Some(known)) if *changed == *known => Some(Detail::Names),
        (None, None) => Some(Detail::Numbers),
        _ => None,
    }
}

async fn look(client: &Client, live: &Live, edit: &PolicyEdit, detail: Detail) -> Vec<String> {
    let loaded = tokio::task::block_in_place(|| Policy::load(&edit.text, today()));
    let Some(after) = loaded.policy else {
        return Vec::new();
    };
    let mut impact = Impact::default();
    let see = |subject: &Subject<'_>| live.judge(|before| impact.add(before, &after, subject));
    match timeout(BUDGET, workloads::each(client, see)).await {
        Ok(Ok(())) => impact.warnings(Extent::All, detail),
        Err(_) => impact.warnings(Extent::Part, detail),
        Ok(Err(error)) => {
            warn!(error = format!("{error:#}"), "cannot look at what runs");
            let mut told = impact.warnings(Extent::Part, detail);
            told.push("the API server did not list the rest".to_owned());
            told
        }
    }
}

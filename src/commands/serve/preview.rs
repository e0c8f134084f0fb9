//! Predicts the effect of an edit of the policy, for its author.

use crate::cluster::workloads;
use crate::objects::subject::Subject;
use crate::policy::source::PolicyText;
use crate::reports::impact::{Extent, Impact};
use crate::runtime::clock::today;
use crate::runtime::live::Live;
use crate::server::admission::EditPreview;
use futures::FutureExt;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

/// The longest search. The API server waits ten seconds for the answer.
const BUDGET: Duration = Duration::from_secs(6);

/// Returns the preview. It examines the running workloads for one edit at a time.
pub(super) fn preview(client: Client, live: Arc<Live>, excluded: Vec<String>) -> EditPreview {
    let turn = Arc::new(Semaphore::new(1));
    let excluded = Arc::new(excluded);
    Box::new(move |text: &str| {
        let (client, live, excluded) = (client.clone(), live.clone(), excluded.clone());
        let (turn, text) = (turn.clone(), text.to_owned());
        let looked = async move {
            let Ok(_turn) = turn.try_acquire() else {
                return vec![
                    "the effect of this edit was not examined: another edit is being examined"
                        .to_owned(),
                ];
            };
            look(&client, &live, &text, &excluded).await
        };
        looked.boxed()
    })
}

async fn look(client: &Client, live: &Live, text: &str, excluded: &[String]) -> Vec<String> {
    let loaded = tokio::task::block_in_place(|| PolicyText::Value(text).load(today()));
    let Some(after) = loaded.policy else {
        return Vec::new();
    };
    let mut impact = Impact::default();
    let see = |subject: &Subject<'_>| live.judge(|before| impact.add(before, &after, subject));
    let extent = match timeout(BUDGET, workloads::each(client, excluded, see)).await {
        Ok(Ok(0)) => Extent::All,
        Ok(Ok(unreadable)) => {
            warn!(unreadable, "cannot read some of the running workloads");
            Extent::Part("some of them cannot be read")
        }
        Err(_) => Extent::Part("the time was up"),
        Ok(Err(error)) => {
            warn!(
                error = format!("{error:#}"),
                "cannot list the running workloads"
            );
            Extent::Part("the API server did not list them")
        }
    };
    impact.warnings(extent)
}

//! `pullgate why`.

use super::{CommandOutcome, Format};
use crate::cluster::ObjectName;
use crate::cluster::pods::{Asked, ClusterReader};
use crate::facts::Facts;
use crate::objects::kind::Kind;
use crate::objects::read;
use crate::objects::subject::{ObjectSource, Operation, Subject};
use crate::policy::Policy;
use crate::policy::source::PolicyText;
use crate::reports::why::evidence::{ListedSecret, PodView, RuleView, SecretState};
use crate::reports::why::{Answer, ExplainedPod, Known, pod, rules};
use crate::runtime::clock::today;
use crate::verdict::world::{Controllers, World};
use anyhow::{Error, Result, ensure};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

/// The most Secrets that are read for one pod. A tenant may list any number.
const MAX_SECRETS: usize = 64;

/// The pods to explain, and how to reach them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # A pod in ImagePullBackOff
  pullgate why -n payments api-5d4f8b6c7d-x2k9p

  # The pods of a workload
  pullgate why -n payments deployment/api

  # Every pod of the cluster that waits for an image, for a program
  pullgate why -A -o json

It reads with your own rights; where one is missing, the answer says which, and names the narrowest cause that holds.
Exit codes: 0 nothing waits, 1 a cause was found, 2 the cluster could not be read.")]
pub struct WhyArgs {
    /// A pod, or KIND/NAME of a workload [default: every pod that waits].
    #[arg(value_name = "POD")]
    asked: Option<Asked>,
    /// The namespace [default: that of the kubeconfig].
    #[arg(short, long)]
    namespace: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "asked"])]
    all_namespaces: bool,
    /// The kubeconfig [default: that of kubectl].
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    #[arg(long)]
    context: Option<String>,
    /// The ConfigMap with the policy.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        default_value = "pullgate/pullgate-policy"
    )]
    policy_configmap: ObjectName,
    /// The format of the answer.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Explains why pods wait for their images.
///
/// # Errors
/// The cluster cannot be read, or the answer cannot be written.
pub fn run(args: &WhyArgs, out: &mut impl Write) -> Result<CommandOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(answer(args))?;
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &answer)?;
            writeln!(out)?;
        }
        Format::Text => out.write_all(answer.text().as_bytes())?,
    }
    Ok(if answer.has_causes() {
        CommandOutcome::Findings
    } else {
        CommandOutcome::Clean
    })
}

async fn answer(args: &WhyArgs) -> Result<Answer> {
    let mut cluster =
        ClusterReader::connect(args.kubeconfig.as_deref(), args.context.as_deref()).await?;
    let own = cluster.default_namespace().to_owned();
    let namespace = (!args.all_namespaces).then(|| args.namespace.clone().unwrap_or(own));
    let asked = args.asked.clone().unwrap_or(Asked::All);
    let pods = cluster.pods(namespace.as_deref(), &asked).await?;
    ensure!(
        !pods.is_empty() || asked == Asked::All,
        "the workload has no pods"
    );
    let policy = cluster.policy(&args.policy_configmap).await?;
    let policy = policy.and_then(|text| PolicyText::File(&text).load(today()).policy);
    let mut answer = Answer::default();
    for pod in pods {
        let explained = match explain(&mut cluster, &pod, policy.as_ref()).await {
            Err(error) if asked == Asked::All => failed(&pod, &error),
            explained => explained?,
        };
        if asked != Asked::All || explained.waits() {
            answer.pods.push(explained);
        }
    }
    answer.missing = cluster.missing();
    Ok(answer)
}

/// One pod that cannot be explained does not hide the others.
fn failed(pod: &Value, error: &Error) -> ExplainedPod {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    ExplainedPod::failed(text("namespace"), text("name"), &format!("{error:#}"))
}

async fn explain(
    cluster: &mut ClusterReader,
    pod: &Value,
    policy: Option<&Policy>,
) -> Result<ExplainedPod> {
    let uid = pod::uid_of_events(pod);
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let events = cluster.events(namespace, uid).await?;
    let events = pod::events(&events, uid);
    let view = PodView::read(pod, &events);
    let mut secrets = Vec::new();
    for (number, name) in view.listed.iter().enumerate() {
        let state = if number < MAX_SECRETS {
            cluster.secret(namespace, name).await?
        } else {
            SecretState::Unread
        };
        secrets.push(ListedSecret {
            name: name.clone(),
            state,
        });
    }
    let rules = match policy {
        Some(policy) if !view.waiting.is_empty() => {
            rules_for(policy, &cluster.facts(namespace).await?, pod, &view)
        }
        Some(_) | None => Vec::new(),
    };
    let node_images = match &view.node {
        Some(node) if view.asks_for_node_images() => cluster.node_images(node).await?,
        Some(_) | None => None,
    };
    let known = Known {
        pod: &view,
        events: &events,
        secrets: &secrets,
        rules: &rules,
        node_images: node_images.as_deref(),
        now: Timestamp::now().as_second(),
    };
    Ok(known.explain())
}

/// Returns the rule for each image that the pod waits for, as if the pod were created now.
fn rules_for(policy: &Policy, facts: &Facts, pod: &Value, view: &PodView) -> Vec<RuleView> {
    let json = pod.to_string();
    let Ok(object) = read::read(Kind::Pod, &json) else {
        return Vec::new();
    };
    let subject = Subject {
        kind: Kind::Pod,
        operation: Operation::Create,
        source: ObjectSource::Request,
        namespace: view.namespace.as_str().into(),
        name: view.name.as_str().into(),
        user: "".into(),
        object,
        old: None,
    };
    let world = World {
        policy,
        facts,
        controllers: &Controllers::new(Vec::new()),
        now: Timestamp::now(),
    };
    rules::rules(&world, &subject, view)
}

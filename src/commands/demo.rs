//! `pullgate serve --demo`: shows on an example how Pullgate works.

use crate::admission;
use crate::policy::Policy;
use crate::runtime::clock::today;
use crate::runtime::live::Live;
use crate::verdict::{self, Outcome};
use anyhow::{Context, Result};
use std::io::Write;
use std::net::SocketAddr;

const POLICY: &str = include_str!("example-policy.yaml");
const POD: &str = include_str!("demo-pod.json");
const DEPLOYMENT: &str = include_str!("demo-deployment.json");

/// Loads the example policy.
///
/// # Errors
/// Fails if the example has faults.
pub fn policy() -> Result<Policy> {
    Policy::load(POLICY, today())
        .policy
        .context("the example policy has faults")
}

/// Shows a Pod that gets its secret, a Deployment that is refused, and a command that sends another review.
///
/// # Errors
/// Fails if the output cannot be written.
pub fn show(live: &Live, address: SocketAddr, out: &mut impl Write) -> Result<()> {
    let pod = admission::parse(POD.as_bytes())?;
    writeln!(
        out,
        "A Pod with the image contoso.azurecr.io/shop/api:1.4 is created. The answer patches it:\n"
    )?;
    let outcome = live.judge(|world| verdict::mutate(world, &pod.subject).outcome);
    if let Outcome::Inject(patch) = outcome {
        writeln!(out, "{patch:#}\n")?;
    }
    let deployment = admission::parse(DEPLOYMENT.as_bytes())?;
    writeln!(
        out,
        "A Deployment that names a banned secret is applied. kubectl prints:\n"
    )?;
    let denial = live.judge(|world| verdict::validate(world, &deployment.subject).denial);
    if let Some(denial) = denial {
        writeln!(
            out,
            "Error from server (Forbidden): error when creating \"api.yaml\": admission webhook \"guard.pullgate.dev\" denied the request: {}\n",
            denial.message
        )?;
    }
    writeln!(
        out,
        "Serving on https://{address} until Ctrl-C. Send it a review of your own:\n"
    )?;
    writeln!(
        out,
        "curl -sk https://{address}/mutate -d '{}'\n",
        one_line(POD)?
    )?;
    Ok(out.flush()?)
}

fn one_line(json: &str) -> Result<String> {
    Ok(serde_json::from_str::<serde_json::Value>(json)?.to_string())
}

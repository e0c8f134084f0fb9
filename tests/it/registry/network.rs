//! Limits of a probe: addresses, time, sizes, TLS.

use super::server::{Asked, Place, Reply, ScriptedRegistry, User};
use super::{probe, probe_in};
use pullgate::kubelet::image::Image;
use pullgate::kubelet::registry::verdict::{Ending, Failure, Verdict};
use pullgate::registry::{DEADLINE, Network, ProbeReport, Prober};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const IMAGE: &str = "registry.test/team/app:1";
const SHORT: Duration = Duration::from_millis(300);
/// Far more than a probe of a short deadline takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(5);

/// Returns the failure of the anonymous probe, which is the only one then.
fn failure(report: &ProbeReport) -> Failure {
    assert_eq!(report.verdict, Verdict::Unknown);
    assert_eq!((&report.probes.pull, &report.probes.login), (&None, &None));
    let answer = report.probes.anonymous.as_ref().expect("an answer");
    match answer.ending {
        Ending::Failure(failure) => failure,
        Ending::Status(status) => panic!("status {status}"),
    }
}

fn at(address: SocketAddr) -> Network {
    Network {
        addresses: vec![("registry.test".to_owned(), address)],
        allow_loopback: true,
        ..Network::default()
    }
}

#[tokio::test]
async fn addresses_that_only_this_machine_reaches_are_refused() {
    let registry = ScriptedRegistry::start(&["registry.test"], |_| Reply::ok()).await;
    let strict = Network {
        allow_loopback: false,
        ..registry.network()
    };
    let report = probe_in(strict, DEADLINE, IMAGE, User::Good, &[]).await;
    assert_eq!(failure(&report), Failure::RefusedAddress);
    let port = registry.address.port();
    for image in [
        format!("127.0.0.1:{port}/app"),
        format!("localhost:{port}/app"),
        format!("[::1]:{port}/app"),
    ] {
        let report = probe_in(Network::default(), DEADLINE, &image, User::Good, &[]).await;
        assert_eq!(failure(&report), Failure::RefusedAddress, "{image}");
    }
    for address in [
        "169.254.169.254:443",
        "[fd00:ec2::254]:443",
        "[::ffff:169.254.169.254]:443",
        "0.0.0.0:443",
    ] {
        // The option for loopback opens nothing else.
        let network = at(address.parse().expect("an address"));
        let report = probe_in(network, DEADLINE, IMAGE, User::Good, &[]).await;
        assert_eq!(failure(&report), Failure::RefusedAddress, "{address}");
    }
    let report = probe_in(
        Network::default(),
        DEADLINE,
        "169.254.169.254/app",
        User::Good,
        &[],
    )
    .await;
    assert_eq!(failure(&report), Failure::RefusedAddress);
    assert_eq!(registry.lines(), [""; 0]);
}

#[tokio::test]
async fn one_refused_address_among_others_is_enough() {
    let registry = ScriptedRegistry::start(&["registry.test"], |_| Reply::ok()).await;
    let mut network = registry.network();
    let link_local = "169.254.169.254:443".parse().expect("an address");
    network
        .addresses
        .push(("registry.test".to_owned(), link_local));
    let report = probe_in(network, DEADLINE, IMAGE, User::Good, &[]).await;
    assert_eq!(failure(&report), Failure::RefusedAddress);
    assert_eq!(registry.lines(), [""; 0]);
}

/// A registry may point to a token endpoint; its address is checked too.
#[tokio::test]
async fn the_address_of_a_token_endpoint_is_checked() {
    let script = |_: &Asked| Reply::bearer("https://auth.test/token");
    let registry = ScriptedRegistry::start(&["registry.test"], script).await;
    let mut network = registry.network();
    let metadata = "169.254.169.254:443".parse().expect("an address");
    network.addresses.push(("auth.test".to_owned(), metadata));
    let report = probe_in(network, DEADLINE, IMAGE, User::Good, &["auth.test"]).await;
    assert_eq!(report.verdict, Verdict::Unknown);
    for answer in [report.probes.anonymous, report.probes.pull] {
        let ending = answer.expect("an answer").ending;
        assert_eq!(ending, Ending::Failure(Failure::RefusedAddress));
    }
}

#[tokio::test]
async fn the_deadline_is_over_everything() {
    // A server that accepts connections and says nothing, one that shakes hands and never answers, and one that answers
    // only the first request.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = at(silent.local_addr().expect("an address"));
    let mute = ScriptedRegistry::start(&["registry.test"], |_| Reply::never()).await;
    let start = Instant::now();
    for network in [silent, mute.network()] {
        let report = probe_in(network, SHORT, IMAGE, User::Good, &[]).await;
        assert_eq!(failure(&report), Failure::Timeout);
    }
    let script = |asked: &Asked| match asked.user() {
        User::Good => Reply::never(),
        _ => Reply::challenge("Basic realm=\"x\""),
    };
    let half = ScriptedRegistry::start(&["registry.test"], script).await;
    let report = probe_in(half.network(), LONG / 2, IMAGE, User::Good, &[]).await;
    assert_eq!(report.verdict, Verdict::Unknown);
    let answer = report.probes.anonymous.expect("an answer");
    assert_eq!(
        answer.ending,
        Ending::Status(401),
        "the first answer is kept"
    );
    let answer = report.probes.pull.expect("an answer");
    assert_eq!(answer.ending, Ending::Failure(Failure::Timeout));
    assert!(start.elapsed() < 2 * LONG, "{:?}", start.elapsed());
}

#[tokio::test]
async fn of_a_long_body_the_beginning_is_read() {
    let long = "incorrect ".repeat(110_000);
    let script = move |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, _) => Reply::bearer("https://registry.test/token"),
        (_, User::Anonymous) => Reply::text(200, &format!("{{\"token\": \"{long}\"}}")),
        (_, _) => Reply::text(401, &long),
    };
    let registry = ScriptedRegistry::start(&["registry.test"], script).await;
    let report = probe(&registry, IMAGE, User::Wrong).await;
    assert_eq!(report.verdict, Verdict::BadCredential);
    let text = report.probes.login.expect("a login").text.expect("a text");
    assert_eq!(text.chars().count(), 256);
    let answer = report.probes.anonymous.expect("an answer");
    assert_eq!(answer.ending, Ending::Failure(Failure::NoToken));
}

#[tokio::test]
async fn a_registry_without_a_trusted_certificate_is_not_asked() {
    let registry = ScriptedRegistry::start(&["registry.test"], |_| Reply::ok()).await;
    let report = probe_in(at(registry.address), DEADLINE, IMAGE, User::Good, &[]).await;
    assert_eq!(failure(&report), Failure::Tls);
    let text = report.probes.anonymous.expect("an answer").text;
    assert_eq!(
        text.as_deref(),
        Some("invalid peer certificate: UnknownIssuer")
    );
    // A certificate for another name.
    let mut network = registry.network();
    network.addresses[0].0 = "other.test".to_owned();
    let report = probe_in(network, DEADLINE, "other.test/app", User::Good, &[]).await;
    assert_eq!(failure(&report), Failure::Tls);
    assert_eq!(registry.lines(), [""; 0]);
}

#[tokio::test]
async fn plain_http_and_closed_ports_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let probed = probe_in(at(address), LONG, IMAGE, User::Good, &[]);
    let plain = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.expect("written");
        // Until the client has read it.
        drop(tokio::time::timeout(SHORT, stream.readable()).await);
        stream
    };
    let (report, _) = tokio::join!(probed, plain);
    assert_eq!(failure(&report), Failure::Tls);
    drop(listener);
    let report = probe_in(at(address), LONG, IMAGE, User::Good, &[]).await;
    assert_eq!(failure(&report), Failure::Connect);
}

#[tokio::test]
async fn a_network_is_checked_when_it_is_made() {
    for authorities in [
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n",
    ] {
        let network = Network {
            authorities: authorities.to_owned(),
            ..Network::default()
        };
        assert!(Prober::new(network, DEADLINE).is_err(), "{authorities}");
    }
    let prober = Prober::new(Network::default(), DEADLINE).expect("a prober");
    let nameless = Image::parse("foo_bar.com/x").expect("an image");
    assert_eq!(prober.probe(&nameless, None, &[]).await, None);
}

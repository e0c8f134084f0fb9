//! A test that compares our keyring with the kubelet's packages.

use super::generator::{Question, question};
use super::str;
use crate::support::ask_go;
use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pullgate::kubelet::docker_config::{self, Form};
use pullgate::kubelet::image::Image;
use pullgate::kubelet::keyring::Keyring;
use serde_json::{Value, json};

type Tried = (String, Vec<u8>, Vec<u8>);

/// Returns the answer of our keyring. Entries of one secret with the same key may change places: Go keeps them in a
/// map.
fn ours(question: &Question) -> Option<Vec<(Vec<u8>, Tried)>> {
    let mut keyring = Keyring::default();
    for (number, (form, content)) in question.secrets.iter().enumerate() {
        if content.is_empty() {
            continue;
        }
        for entry in docker_config::read(*form, content).ok()? {
            if let Some(key) = entry.key {
                keyring.add(
                    &key,
                    (
                        format!("s{number}"),
                        entry.username.to_vec(),
                        entry.password.to_vec(),
                    ),
                );
            }
        }
    }
    let image = Image::parse(&question.image).expect("an image");
    let found = keyring.lookup(&image).into_iter();
    Some(
        found
            .map(|(key, tried)| (key.to_vec(), tried.clone()))
            .collect(),
    )
}

fn as_line(question: &Question) -> String {
    let secret = |(number, (form, content)): (usize, &(Form, Vec<u8>))| {
        let of_type = form.secret_type();
        json!({"Name": format!("s{number}"), "Type": of_type, "Content": BASE64_STANDARD.encode(content)})
    };
    let secrets: Vec<_> = question.secrets.iter().enumerate().map(secret).collect();
    json!({"Image": question.image, "Secrets": secrets}).to_string() + "\n"
}

fn ask_the_kubelet(questions: &[Question]) -> Vec<Value> {
    let lines = questions.iter().map(as_line).collect();
    ask_go("tests/cluster/modules/kubernetes-1.37", "./keyring", lines)
}

/// 100 000 generated lists of secrets and images, the same each time, through the kubelet's packages and through ours.
#[test]
fn the_kubelet_tries_the_same() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = question();
    let draw = |_| strategy.new_tree(&mut runner).expect("a value").current();
    let questions: Vec<Question> = (0..100_000).map(draw).collect();
    let answers = ask_the_kubelet(&questions);
    assert_eq!(answers.len(), questions.len());
    let (mut failed, mut several) = (0, 0);
    for (question, answer) in questions.iter().zip(&answers) {
        let told = || {
            let secrets = question
                .secrets
                .iter()
                .map(|(form, content)| (form, String::from_utf8_lossy(content)));
            format!(
                "{}: {:?}\nkubelet: {answer}",
                question.image,
                secrets.collect::<Vec<_>>()
            )
        };
        let ours = ours(question);
        assert_eq!(
            ours.is_none(),
            !str(&answer["error"]).is_empty(),
            "{}",
            told()
        );
        failed += usize::from(ours.is_none());
        let Some(ours) = ours else { continue };
        let bytes = |value: &Value| {
            BASE64_STANDARD
                .decode(value.as_str().unwrap_or_default())
                .expect("base64")
        };
        let theirs = answer["tried"].as_array().expect("a list");
        several += usize::from(theirs.len() > 1);
        assert_eq!(ours.len(), theirs.len(), "{}", told());
        // The key is in front, so that sorting moves only entries that may change places.
        let mut place = 0;
        let mut last = None;
        let mut numbered = |key: &[u8], secret: &str| {
            let group = Some((key.to_vec(), secret.to_owned()));
            place += usize::from(last != group);
            last = group;
            place
        };
        let places: Vec<_> = ours
            .iter()
            .map(|(key, tried)| numbered(key, &tried.0))
            .collect();
        let mut ours: Vec<(usize, Tried)> = places
            .iter()
            .copied()
            .zip(ours.into_iter().map(|(_, tried)| tried))
            .collect();
        let theirs = theirs.iter().map(|tried| {
            (
                str(&tried["secret"]).to_owned(),
                bytes(&tried["username"]),
                bytes(&tried["password"]),
            )
        });
        let mut theirs: Vec<(usize, Tried)> = places.into_iter().zip(theirs).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{}", told());
    }
    assert!(
        (10_000..70_000).contains(&failed),
        "{failed} fail: the generator is lopsided"
    );
    assert!(
        several > 8_000,
        "{several} have more than one: the generator is lopsided"
    );
}

//! Tests of the inventory of Secrets.

use super::{facts, token};
use proptest::prelude::*;
use pullgate::facts::inventory::{Inventory, Names, SecretFacts};
use std::collections::{BTreeMap, BTreeSet};

proptest! {
    /// An inventory equals a plain map of its Secrets after any changes, and a copy does not change with it.
    #[test]
    fn an_inventory_says_what_its_secrets_say(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, prop::option::of(0..3_u8)), 0..60),
    ) {
        let (mut inventory, mut names) = (Inventory::default(), Names::default());
        let mut plain: BTreeMap<(String, String), SecretFacts> = BTreeMap::new();
        let mut copies = Vec::new();
        for (namespace, name, value) in steps {
            copies.push((inventory.clone(), plain.clone()));
            let place = (format!("n{namespace}"), format!("s{name}"));
            let value = value.map(|password| facts(&token(&password.to_string())));
            inventory.set(&place.0, &place.1, value.clone(), &mut names);
            match value {
                Some(value) => drop(plain.insert(place, value)),
                None => drop(plain.remove(&place)),
            }
        }
        copies.push((inventory, plain));
        for (inventory, plain) in copies {
            let all: BTreeSet<_> = inventory.iter().map(|secret| (secret.namespace.to_owned(), secret.name.to_owned())).collect();
            prop_assert_eq!(all, plain.keys().cloned().collect::<BTreeSet<_>>());
            for ((namespace, name), facts) in &plain {
                prop_assert_eq!(inventory.get(namespace, name), Some(facts));
                let same: Vec<_> = plain.keys().filter(|place| place.1 == *name).map(|place| place.0.as_str()).collect();
                prop_assert_eq!(inventory.namespaces_of(name).collect::<Vec<_>>(), same);
                let print = |facts: &SecretFacts| facts.content.credentials()[0].fingerprint;
                let holders: BTreeSet<_> = plain.iter()
                    .filter(|(_, other)| print(other) == print(facts))
                    .map(|(place, _)| place.0.as_str())
                    .collect();
                let found: Vec<_> = inventory.namespaces_with(print(facts).unwrap()).collect();
                prop_assert_eq!(found, holders.into_iter().collect::<Vec<_>>());
            }
        }
    }
}

//! What is handed to operators, against what the server really tells.

use std::{collections::BTreeSet, fs};

use refrain::access::{Grants, Permission};

use crate::{
    metrics::read,
    world::{World, client},
};

const FILES: [&str; 2] = ["prometheus/refrain.rules.yml", "grafana/refrain.json"];

/// Everything that begins with `refrain_`, with the labels that stand behind it.
fn series(text: &str) -> BTreeSet<(String, Vec<(String, String)>)> {
    let text = text.replace("\\\"", "\"");
    let mut found = BTreeSet::new();
    for (place, _) in text.match_indices("refrain_") {
        let rest = text.get(place..).unwrap();
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let (name, rest) = rest.split_at(end.unwrap());
        let labels = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
        let labels = labels.map_or("", |(labels, _)| labels);
        let labels = labels.split(',').filter_map(|it| it.split_once('='));
        // What is not compared for equality says nothing of the names.
        let labels = labels.filter(|(_, value)| value.starts_with('"'));
        let labels = labels.map(|(name, value)| (name.to_owned(), value.replace('"', "")));
        found.insert((name.to_owned(), labels.collect()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_the_dashboard_ask_for_what_there_is() {
    let world = World::empty().await;
    let key = world.key_for(Grants::All, &[Permission::ProxyRead]).await;
    // Told from the first request on: what appears when it has happened once, no rate is seen of.
    client().get(world.url("/healthz")).send().await.unwrap();
    let told = read(&world, &key).await;
    for file in FILES {
        let path = format!("{}/../../deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        let series = series(&fs::read_to_string(path).unwrap());
        assert!(series.len() >= 8, "{file}: {series:?}");
        for (name, labels) in series {
            // Of no grant yet.
            if name == "refrain_reauthorize_seconds" {
                continue;
            }
            let is_it = |line: &&str| {
                let rest = line.strip_prefix(name.as_str());
                rest.is_some_and(|it| it.starts_with([' ', '{']))
                    && labels
                        .iter()
                        .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
            };
            assert!(
                told.lines().any(|line| is_it(&line)),
                "{file}: {name} {labels:?}\n{told}"
            );
        }
    }
}

//! The example of three nodes on one PostgreSQL database, by its own command.

use refrain::{Config, config::Sources};

use crate::{
    example::Example,
    home::{Home, write_private},
};

#[test]
fn three_nodes_refresh_once_outlive_a_kill_and_hear_of_a_logout() {
    let mut example = Example::start("three-nodes", env!("CARGO_BIN_EXE_refrain"), &[]);
    example.says("Spotify counted 1 refresh");
    example.says("tells who took over");
    example.says("has heard of it within");
    example.says("has heard of it within");
    example.says("All of it went as it should");
    example.interrupt();
    let (status, said) = example.end();
    assert_ne!(status, Some(0), "interrupted: {said}");
    assert!(!said.contains("WRONG"), "{said}");
}

#[tokio::test]
async fn the_configuration_of_its_nodes_is_one_that_refrain_reads() {
    let home = Home::bare(refrain_sim::Profile::default()).await;
    let secret = home.path().join("client-secret");
    write_private(&secret, "secret");
    let text = include_str!("../../../../examples/three-nodes/refrain.toml");
    let text = text.replace("/etc/refrain/client-secret", secret.to_str().unwrap());
    let file = home.path().join("refrain.toml");
    write_private(&file, &text);
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    Config::load_from(&sources).unwrap();
}

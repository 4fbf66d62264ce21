//! `docs/commands.md`, made from the definition: what `--help` says of every command.
//! `REFRAIN_WRITE_DOCS=1 cargo test -p refrain-cli --bin refrain reference` writes it anew.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::{Args, EVERYWHERE};
use crate::generated;

const HEAD: &str = "\
# Every command

<!-- Made from the code by `cargo test -p refrain-cli --bin refrain reference`, which fails where this page is not what the code says. -->

What `refrain COMMAND --help` says. `refrain man` writes the same as manual pages, `refrain completions` what a shell
completes. What every command understands stands at the end.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut everywhere = String::new();
    let mut root = Args::command().term_width(100);
    root.build();
    tell(&root, "refrain", &mut page, &mut everywhere);
    write!(page, "\n## {EVERYWHERE}\n\n```text\n{everywhere}\n```\n").unwrap();
    page
}

/// What a command says of itself, and then its own commands.
fn tell(command: &clap::Command, path: &str, page: &mut String, everywhere: &mut String) {
    let help = command.clone().render_long_help().to_string();
    let heading = format!("{EVERYWHERE}:\n");
    let (own, rest) = help.split_once(heading.as_str()).unwrap_or((&help, ""));
    // What follows these options is indented less.
    let place = rest.match_indices('\n').find(|(at, _)| {
        let next = rest.get(at + 1..).and_then(|it| it.chars().next());
        next.is_some_and(|it| it != ' ' && it != '\n')
    });
    let (options, after) = rest.split_at(place.map_or(rest.len(), |(at, _)| at + 1));
    options.trim_end().clone_into(everywhere);
    let own = format!("{}\n\n{}", own.trim_end(), after.trim());
    write!(page, "\n## `{path}`\n\n```text\n{}\n```\n", own.trim_end()).unwrap();
    for below in command
        .get_subcommands()
        .filter(|it| it.get_name() != "help")
    {
        tell(
            below,
            &format!("{path} {}", below.get_name()),
            page,
            everywhere,
        );
    }
}

#[test]
fn the_page_is_what_the_definition_says() {
    generated::check("commands.md", &page());
}

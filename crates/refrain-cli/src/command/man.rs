//! `refrain man`: the manual, from the same words as `--help`.

use std::{fs, io, path::Path};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::{
    args::Args,
    output,
    report::{Exit, Explanation},
};

pub(super) fn run(folder: Option<&Path>) -> Result<(), Explanation> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let rendered = Man::new(Args::command()).render(&mut page);
        rendered.map_err(|error| failed(&error))?;
        return output::text(&String::from_utf8_lossy(&page));
    };
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Args::command(), folder))
        .map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Explanation {
    Explanation {
        code: "man_failed",
        what: format!("the manual pages could not be written: {error}"),
        safe: String::new(),
        fix: "name a folder that you may write to".to_owned(),
        retry_at: None,
        exit: Exit::Storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        run(Some(&folder.path().join("man1"))).unwrap();
        let page = |name: &str| fs::read_to_string(folder.path().join("man1").join(name)).unwrap();
        assert!(page("refrain.1").contains("Exit codes"));
        assert!(page("refrain-login.1").contains("other"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = run(Some(&file.path().join("man"))).unwrap_err();
        assert_eq!(error.code, "man_failed");
    }
}

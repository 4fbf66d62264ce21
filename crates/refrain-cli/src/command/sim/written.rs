//! The configuration of a simulator as files, for whoever does not want to copy it from the screen.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{FILES, Place};
use crate::{
    command::init::files,
    report::{Exit, Explanation},
};

/// How a configuration begins that may be written over: somebody's own does not.
const MARK: &str = "# Written by `refrain sim`, which writes over it when it is started again.\n";

/// Writes configuration and client secret into a folder, and answers where the first is.
pub(super) fn write(place: &Place, folder: &Path) -> Result<PathBuf, Explanation> {
    let config = folder.join("refrain.toml");
    match fs::read_to_string(&config) {
        Ok(text) if !text.starts_with(MARK) => return Err(not_ours(&config)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(&config, &error));
        }
        Ok(_) | Err(_) => {}
    }
    if let Some(secret) = place.client_secret() {
        let file = folder.join(FILES.secret);
        files::replace(&file, secret.as_bytes()).map_err(|error| failed(&file, &error))?;
    }
    let text = format!("{MARK}\n{}", place.config());
    files::replace(&config, text.as_bytes()).map_err(|error| failed(&config, &error))?;
    Ok(config)
}

fn not_ours(config: &Path) -> Explanation {
    Explanation {
        code: "config_exists",
        what: format!("{} is not of a simulator", config.display()),
        safe: "nothing was written, and nothing was started".to_owned(),
        fix: "name another folder, such as one in /tmp that is not there yet".to_owned(),
        retry_at: None,
        exit: Exit::Usage,
    }
}

fn failed(path: &Path, error: &io::Error) -> Explanation {
    Explanation {
        code: "cannot_write",
        what: format!("{} cannot be written: {error}", path.display()),
        safe: "nothing was started".to_owned(),
        fix: "name a folder that you may write to".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    }
}

#[cfg(test)]
mod tests {
    use refrain_sim::{Profile, Sim};

    use super::*;

    async fn place() -> (Sim, Place) {
        let sim = Sim::start(Profile::default()).await.unwrap();
        let place = Place::of(&sim, &FILES);
        (sim, place)
    }

    #[tokio::test]
    async fn what_is_written_is_a_configuration_that_refrain_reads() {
        let home = tempfile::tempdir().unwrap();
        // The second time the first one's is written over.
        for _ in 0..2 {
            let (sim, place) = place().await;
            let file = write(&place, &home.path().join("simulated")).unwrap();
            let sources = refrain::config::Sources {
                file: Some(file),
                ..Default::default()
            };
            let config = refrain::Config::load_from(&sources).unwrap();
            assert_eq!(config.provider.api.to_string(), sim.api_url());
        }
    }

    #[tokio::test]
    async fn somebodys_own_configuration_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("refrain.toml");
        fs::write(&own, "[apps.default]\n").unwrap();
        let (_sim, place) = place().await;
        let error = write(&place, home.path()).unwrap_err();
        assert_eq!((error.code, error.exit), ("config_exists", Exit::Usage));
        assert_eq!(fs::read_to_string(&own).unwrap(), "[apps.default]\n");
        assert!(!home.path().join(FILES.secret).exists());
    }
}

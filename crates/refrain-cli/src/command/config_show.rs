//! `refrain config show`: each value and who said so.

use refrain::config::{Config, Setting, Source};
use serde::Serialize;

use crate::{output, report::Explanation};

#[derive(Serialize)]
struct Json<'a> {
    key: &'a str,
    value: &'a str,
    /// `default`, `file` or `environment`.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'a str>,
}

pub(super) fn run(config: &Config, json: bool) -> Result<(), Explanation> {
    if json {
        let settings: Vec<_> = config.settings().iter().map(to_json).collect();
        return output::json(&settings);
    }
    let rows = config.settings().iter().map(|setting| {
        let source = setting.source.to_string();
        vec![setting.key.clone(), setting.value.clone(), source]
    });
    output::table(&["KEY", "VALUE", "SOURCE"], rows)
}

fn to_json(setting: &Setting) -> Json<'_> {
    let (source, file, line, variable) = match &setting.source {
        Source::Default => ("default", None, None, None),
        Source::File { path, line } => {
            ("file", Some(path.display().to_string()), Some(*line), None)
        }
        Source::Environment { variable } => ("environment", None, None, Some(variable.as_str())),
    };
    Json {
        key: &setting.key,
        value: &setting.value,
        source,
        file,
        line,
        variable,
    }
}

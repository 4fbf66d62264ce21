//! Reads `refrain.toml` into a layer. Whatever is not known is refused, with its line.

use std::{error::Error, fs, io, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use zeroize::Zeroizing;

use crate::{id::AppName, oauth::scope::Scope};

use super::{
    error::ConfigError,
    key::{APP_KEYS, AppKey, Form, Key, SECTIONS},
    layer::{Given, Layer},
    nearest::nearest,
    notices::{Webhook, word},
    return_to::ReturnRule,
    server::{HostName, uid},
    source::Source,
};

/// Reads the file; one that is missing counts as empty unless somebody asked for it by name.
pub(super) fn read(path: &Path, asked_for: bool) -> Result<Layer, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked_for => Ok(Layer::default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ConfigError::NotFound { path: path.into() })
        }
        Err(source) => Err(ConfigError::Unreadable {
            path: path.into(),
            source,
        }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    let reader = Reader { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        at: reader.at(error.span().map_or(0, |span| span.start)),
        // The message alone: the error's own Display quotes the line, and a secret may stand there.
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut layer = Layer::default();
    for (name, value) in table.get_ref() {
        match &**name.get_ref() {
            "apps" => reader.apps(value, &mut layer)?,
            section if SECTIONS.contains(&section) => {
                reader.section(section, value, &mut layer)?;
            }
            field => {
                let Some(key) = Key::in_section("", field) else {
                    let known = Key::names_in("").chain(SECTIONS).chain(["apps"]);
                    return Err(reader.unknown(name, known.collect()));
                };
                reader.insert(key, name, value, &mut layer)?;
            }
        }
    }
    Ok(layer)
}

type Name<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Whether one item of a list makes sense.
fn check_item(key: &Key, text: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    match key {
        Key::App(_, AppKey::Scopes) => Scope::try_from(vec![text.to_owned()]).map(drop)?,
        Key::ServerNames => text.parse::<HostName>().map(drop)?,
        Key::ServerReturnTo => text.parse::<ReturnRule>().map(drop)?,
        Key::ServerSocketUids => uid(text).map(drop)?,
        Key::NoticesWebhooks => text.parse::<Webhook>().map(drop)?,
        Key::NoticesCommand => word(text).map(drop)?,
        _ => {}
    }
    Ok(())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn section(&self, name: &str, value: &Value<'_>, layer: &mut Layer) -> Result<(), ConfigError> {
        for (field, value) in self.table(name, value)? {
            let Some(key) = Key::in_section(name, field.get_ref()) else {
                return Err(self.unknown(field, Key::names_in(name).collect()));
            };
            self.insert(key, field, value, layer)?;
        }
        Ok(())
    }

    fn apps(&self, value: &Value<'_>, layer: &mut Layer) -> Result<(), ConfigError> {
        for (name, app) in self.table("apps", value)? {
            let at = self.at(name.span().start);
            let section = format!("apps.{}", name.get_ref());
            let name: AppName = name
                .get_ref()
                .parse()
                .map_err(|error| ConfigError::Invalid {
                    at: at.clone(),
                    key: "the name of an app".to_owned(),
                    example: "[apps.default]".to_owned(),
                    source: Box::new(error),
                })?;
            layer.mention(name.clone(), &at);
            for (field, value) in self.table(&section, app)? {
                let Some(key) = AppKey::of(field.get_ref()) else {
                    // What the file refuses is not suggested for it.
                    let known = APP_KEYS
                        .into_iter()
                        .filter(|(_, key)| *key != AppKey::ClientSecret)
                        .map(|(name, _)| name);
                    return Err(self.unknown(field, known.collect()));
                };
                self.insert(Key::App(name.clone(), key), field, value, layer)?;
            }
        }
        Ok(())
    }

    fn insert(
        &self,
        key: Key,
        field: &Name<'_>,
        value: &Value<'_>,
        layer: &mut Layer,
    ) -> Result<(), ConfigError> {
        let at = self.at(field.span().start);
        if matches!(key, Key::App(_, AppKey::ClientSecret)) {
            let key = key.to_string();
            return Err(ConfigError::InlineSecret { at, key });
        }
        let wrong = |expected| ConfigError::WrongType {
            at: at.clone(),
            key: key.to_string(),
            expected,
        };
        let written = value.get_ref();
        let text = match (key.form(), written) {
            (Form::Texts(expected) | Form::Numbers(expected), DeValue::Array(items)) => {
                self.items(&key, expected, items)?
            }
            (Form::Texts(expected) | Form::Numbers(expected), _) => return Err(wrong(expected)),
            // What it means is asked later.
            (Form::Number, DeValue::Integer(number)) => number.to_string(),
            (Form::Flag, DeValue::Boolean(flag)) => flag.to_string(),
            (Form::Flag, _) => return Err(wrong("true or false, without quotes")),
            (Form::Number | Form::Text, _) => {
                let text = written.as_str().ok_or_else(|| wrong("text in quotes"))?;
                text.to_owned()
            }
        };
        layer.insert(key, Given::new(text, at));
        Ok(())
    }

    /// The items of a list as the environment would have them; each has to make sense by itself, so that
    /// an error names its line, and two items in one pair of quotes are not taken for two.
    fn items(
        &self,
        key: &Key,
        expected: &'static str,
        items: &[Value<'_>],
    ) -> Result<String, ConfigError> {
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let at = self.at(item.span().start);
            let text = match (key.form(), item.get_ref()) {
                (Form::Texts(_), DeValue::String(text)) => text.to_string(),
                (Form::Numbers(_), DeValue::Integer(number)) => number.to_string(),
                _ => {
                    let key = key.to_string();
                    return Err(ConfigError::WrongType { at, key, expected });
                }
            };
            check_item(key, &text).map_err(|source| ConfigError::Invalid {
                key: key.to_string(),
                example: key.example(&at),
                at,
                source,
            })?;
            texts.push(text);
        }
        Ok(texts.join(" "))
    }

    fn table<'v, 'd>(
        &self,
        name: &str,
        value: &'v Value<'d>,
    ) -> Result<&'v DeTable<'d>, ConfigError> {
        let table = value.get_ref().as_table();
        table.ok_or_else(|| ConfigError::WrongType {
            at: self.at(value.span().start),
            key: name.to_owned(),
            expected: "a section in brackets",
        })
    }

    fn unknown(&self, field: &Name<'_>, known: Vec<&'static str>) -> ConfigError {
        let nearest = nearest(field.get_ref(), known.iter().copied());
        ConfigError::UnknownField {
            at: self.at(field.span().start),
            field: field.get_ref().chars().take(64).collect(),
            nearest: nearest.map(str::to_owned),
            known,
        }
    }

    /// The line that an offset lies on.
    fn at(&self, offset: usize) -> Source {
        let before = self.text.as_bytes().iter().take(offset);
        Source::File {
            path: self.path.into(),
            line: before.filter(|byte| **byte == b'\n').count() + 1,
        }
    }
}

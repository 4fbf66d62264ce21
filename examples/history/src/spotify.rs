//! The one endpoint that is asked, and what can come of it.

use std::time::Duration;

use jiff::Timestamp;
use refrain::{
    Grant,
    middleware::{BearerError, Unrepaired},
};
use reqwest::{StatusCode, header};
use reqwest_middleware::ClientWithMiddleware;
use serde::{Deserialize, Deserializer, de::Error as _};

/// So many plays Spotify remembers, and tells of at once.
pub(crate) const REMEMBERED: usize = 50;
/// A request that takes longer is given up, and made again later.
const PATIENCE: Duration = Duration::from_secs(30);
/// What to wait where a 429 does not say: the window that Spotify counts requests in.
const WINDOW: Duration = Duration::from_secs(30);

/// A track that was played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// When it had ended, in milliseconds since 1970.
    pub played_at: i64,
    /// What it was, such as `spotify:track:11dFghVXANMlKmJXsNCbNl`.
    pub uri: String,
    /// Its title.
    pub track: String,
    /// Who plays, with commas between them.
    pub artists: String,
}

/// Why there are no plays now.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no token.
    #[error(transparent)]
    Token(#[from] refrain::Error),
    /// Too many requests.
    #[error("Spotify wants no request for {} s", wait.as_secs())]
    Limited {
        /// For so long.
        wait: Duration,
    },
    /// Spotify does not do it.
    #[error("Spotify answered {status}: {said}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The beginning of the answer.
        said: String,
    },
    /// No answer.
    #[error("Spotify cannot be reached: {0}")]
    Unreachable(reqwest_middleware::Error),
    /// An answer in another form.
    #[error("Spotify's answer is not understood: {0}")]
    NotUnderstood(#[from] serde_json::Error),
    /// The file.
    #[error("the history cannot be written: {0}")]
    History(#[from] sqlx::Error),
}

/// Spotify, as one user sees it.
#[derive(Debug)]
pub struct Spotify {
    http: ClientWithMiddleware,
    url: String,
}

impl Spotify {
    /// For the user of this grant.
    ///
    /// # Errors
    /// Where the system's TLS certificates cannot be read.
    pub fn new(grant: &Grant) -> Result<Self, reqwest::Error> {
        let url = grant.api().join("/v1/me/player/recently-played");
        let http = grant.http_client()?;
        Ok(Self { http, url })
    }

    /// The newest plays of those that ended after this time; all that Spotify remembers where there is none.
    pub(crate) async fn after(&self, time: Option<i64>) -> Result<Vec<Play>, Trouble> {
        let query = time.map_or_else(String::new, |time| format!("&after={time}"));
        self.ask(&query).await
    }

    /// The newest plays of those that ended before this time.
    pub(crate) async fn before(&self, time: i64) -> Result<Vec<Play>, Trouble> {
        self.ask(&format!("&before={time}")).await
    }

    async fn ask(&self, query: &str) -> Result<Vec<Play>, Trouble> {
        let url = format!("{}?limit={REMEMBERED}{query}", self.url);
        let answer = self.http.get(url).timeout(PATIENCE).send().await;
        let answer = answer.map_err(not_sent)?;
        if let Some(Unrepaired(error)) = answer.extensions().get() {
            return Err(Trouble::Token(error.clone()));
        }
        let status = answer.status();
        let wait = answer.headers().get(header::RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let body = answer.bytes().await;
        let body = body.map_err(|error| Trouble::Unreachable(error.into()))?;
        match status {
            StatusCode::OK => Ok(serde_json::from_slice::<Page>(&body)?.plays()),
            StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Limited {
                wait: wait.map_or(WINDOW, Duration::from_secs),
            }),
            _ => Err(Trouble::Refused {
                status,
                said: String::from_utf8_lossy(&body).chars().take(200).collect(),
            }),
        }
    }
}

/// What refrain's middleware had to say comes through reqwest's error.
fn not_sent(error: reqwest_middleware::Error) -> Trouble {
    if let reqwest_middleware::Error::Middleware(inner) = &error
        && let Some(BearerError::Refrain(own)) = inner.downcast_ref()
    {
        return Trouble::Token(own.clone());
    }
    Trouble::Unreachable(error)
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(deserialize_with = "milliseconds")]
    played_at: i64,
    track: Track,
}

#[derive(Deserialize)]
struct Track {
    uri: String,
    name: String,
    artists: Vec<Artist>,
}

#[derive(Deserialize)]
struct Artist {
    name: String,
}

impl Page {
    fn plays(self) -> Vec<Play> {
        let plays = self.items.into_iter().map(|item| {
            let artists = item.track.artists.into_iter().map(|artist| artist.name);
            Play {
                played_at: item.played_at,
                uri: item.track.uri,
                track: item.track.name,
                artists: artists.collect::<Vec<_>>().join(", "),
            }
        });
        plays.collect()
    }
}

/// A time in milliseconds since 1970, from text such as `2026-11-23T10:00:00.000Z`.
fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let time: Timestamp = String::deserialize(from)?
        .parse()
        .map_err(D::Error::custom)?;
    Ok(time.as_millisecond())
}

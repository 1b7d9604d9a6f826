//! A web server whose route is gated by a check and metered by a track: 403 when the customer has
//! no right to the feature, 412 when its limit is reached, both as JSON.
//!
//! tenure is synchronous, as SQLite is; an asynchronous server calls it in `spawn_blocking`.
//!
//! ```sh
//! cargo run --example feature_gate          # sends itself some requests and shows the answers
//! cargo run --example feature_gate serve    # listens on 127.0.0.1:3000
//! ```

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::json;
use tenure::store::sqlite::SqliteStore;
use tenure::{FeatureDraft, Onboard, ResetPeriod, Tenure, TierDraft, TierFeature, Track};
use tower::ServiceExt as _;

/// An answer that is no success: the error's own code and status.
struct Refused(tenure::Error);

impl From<tenure::Error> for Refused {
    fn from(error: tenure::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let code = self.0.code();
        let status = StatusCode::from_u16(code.http_status());
        let body = match &self.0 {
            tenure::Error::Denied(denial) => json!({ "denial": denial }),
            tenure::Error::LimitExceeded(limit) => json!({ "limit": limit }),
            _ => json!({}),
        };
        let body = json!({ "code": code.as_str(), "message": self.0.to_string(), "details": body });
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
    }
}

/// Runs what blocks where blocking does no harm.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> tenure::Result<T> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome?),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Translates a text: one credit for each word. The client's request id is the idempotency key, so
/// that a request that is sent again is answered again and paid once.
async fn translate(
    State(tenure): State<Tenure>,
    Path(org): Path<String>,
    headers: HeaderMap,
    text: String,
) -> Result<Json<serde_json::Value>, Refused> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let words = u32::try_from(text.split_whitespace().count().max(1)).unwrap_or(u32::MAX);
    let counted = blocking(move || {
        let mut track = Track::new(org, "translation").quantity(words);
        track.idempotency_key = key;
        tenure.track(&track)
    });
    let counted = counted.await?;
    let translated: String = text.chars().rev().collect();
    Ok(Json(json!({
        "translated": translated, "remaining": counted.remaining, "duplicate": counted.duplicate,
    })))
}

/// What an organisation may use, for a settings page.
async fn access(
    State(tenure): State<Tenure>,
    Path(org): Path<String>,
) -> Result<Json<Vec<tenure::Access>>, Refused> {
    Ok(Json(blocking(move || tenure.read(|view| view.list_access(org.as_str()))).await?))
}

fn app(tenure: Tenure) -> Router {
    Router::new()
        .route("/orgs/{org}/translate", post(translate))
        .route("/orgs/{org}/access", get(access))
        .with_state(tenure)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let tenure = Tenure::open(SqliteStore::create(folder.path().join("gate.db"))?)?;
    let words = TierFeature::new("translation")?.limit(10, ResetPeriod::Daily);
    let starter = TierDraft::new("starter").feature(words);
    tenure.write(|tx| {
        tx.define_feature("translation", &FeatureDraft::default().unit("word"))?;
        tx.define_tier(&starter)?;
        tx.onboard(&Onboard::org("acme").company("Acme Inc.").tier("starter"))?;
        tx.onboard(&Onboard::org("globex").company("Globex Corporation"))
    })?;
    let app = app(tenure);
    if std::env::args().nth(1).as_deref() == Some("serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
        println!("listening on http://{}", listener.local_addr()?);
        return Ok(axum::serve(listener, app).await?);
    }
    let requests = [
        ("POST", "/orgs/acme/translate", "k1", "six words of a longer text"),
        ("POST", "/orgs/acme/translate", "k1", "six words of a longer text"),
        ("POST", "/orgs/acme/translate", "k2", "and five more of them"),
        ("POST", "/orgs/globex/translate", "k3", "may we"),
        ("POST", "/orgs/unknown/translate", "k4", "who are we"),
        ("GET", "/orgs/acme/access", "", ""),
    ];
    for (method, path, key, text) in requests {
        let request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        let answer = app.clone().oneshot(request.body(Body::from(text))?).await?;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 64 * 1024).await?;
        println!("{method} {path}  {text}\n  {status}\n  {}\n", String::from_utf8_lossy(&body));
    }
    Ok(())
}

//! A third party that a test can make refuse.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Which charges have to wait.
#[derive(Clone, Copy, Default)]
enum Held {
    #[default]
    None,
    All,
    Of(&'static str),
}

#[derive(Default)]
struct Mood {
    refuses: AtomicBool,
    held: watch::Sender<Held>,
    charges: AtomicUsize,
    refunds: Mutex<HashSet<String>>,
    refund_calls: AtomicUsize,
}

/// Charges and refunds whatever it is asked to; stops when dropped.
pub struct Provider {
    address: SocketAddr,
    mood: Arc<Mood>,
    server: JoinHandle<()>,
}

impl Provider {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// No port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, mood) = (listener.local_addr().expect("is bound"), Arc::new(Mood::default()));
        let router = Router::new()
            .route("/charges", post(charge))
            .route("/refunds", post(refund))
            .route("/voids", post(void))
            .with_state(Arc::clone(&mood));
        #[expect(clippy::disallowed_methods, reason = "a test's own server, ended with it")]
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { address, mood, server }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers 503, or does not.
    pub fn refuse(&self, refuses: bool) {
        self.mood.refuses.store(refuses, Ordering::Relaxed);
    }

    /// From now on it thinks about each charge until it is let go.
    pub fn hold(&self, held: bool) {
        self.mood.held.send_replace(if held { Held::All } else { Held::None });
    }

    /// From now on it thinks about each charge of this token until it is let go; others are answered at once.
    pub fn hold_token(&self, token: &'static str) {
        self.mood.held.send_replace(Held::Of(token));
    }

    /// How often it was asked for a charge.
    pub fn charges(&self) -> usize {
        self.mood.charges.load(Ordering::Relaxed)
    }

    /// How many refunds it made: one for each idempotency key, however often it was asked. It may be asked again legally: the
    /// call comes before the transaction, so an attempt whose answer or transaction failed makes it again. See
    /// [`Provider::refund_calls`].
    pub fn refunds(&self) -> usize {
        self.mood.refunds.lock().len()
    }

    /// How often it was asked for a refund and did not refuse.
    pub fn refund_calls(&self) -> usize {
        self.mood.refund_calls.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn charge(
    State(mood): State<Arc<Mood>>,
    Json(asked): Json<Value>,
) -> (StatusCode, Json<Value>) {
    mood.charges.fetch_add(1, Ordering::Relaxed);
    let may_go = |held: &Held| match held {
        Held::None => true,
        Held::All => false,
        Held::Of(token) => asked["token"] != *token,
    };
    // It fails if the test that could let go has ended.
    mood.held.subscribe().wait_for(may_go).await.ok();
    if mood.refuses.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    (StatusCode::CREATED, Json(json!({ "charge_id": "ch_test" })))
}

/// What it refused it has not charged.
async fn void(State(mood): State<Arc<Mood>>) -> (StatusCode, Json<Value>) {
    let refuses = mood.refuses.load(Ordering::Relaxed);
    let status = if refuses { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({ "charge_id": null })))
}

async fn refund(State(mood): State<Arc<Mood>>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    if mood.refuses.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) else {
        return (StatusCode::BAD_REQUEST, Json(json!({})));
    };
    mood.refund_calls.fetch_add(1, Ordering::Relaxed);
    mood.refunds.lock().insert(key.to_owned());
    (StatusCode::CREATED, Json(json!({ "refund_id": "re_test" })))
}

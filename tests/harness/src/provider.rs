//! A third party for payments that a test can make fail.

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

/// The charges that must wait.
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

/// Makes every charge and refund that is requested; it stops when dropped.
pub struct Provider {
    address: SocketAddr,
    mood: Arc<Mood>,
    server: JoinHandle<()>,
}

impl Provider {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// If no port is free.
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

    /// Whether it answers 503 from now on.
    pub fn refuse(&self, refuses: bool) {
        self.mood.refuses.store(refuses, Ordering::Relaxed);
    }

    /// Whether every charge waits from now on, until it is released.
    pub fn hold(&self, held: bool) {
        self.mood.held.send_replace(if held { Held::All } else { Held::None });
    }

    /// From now on, each charge of this token waits until it is released; others are answered at once.
    pub fn hold_token(&self, token: &'static str) {
        self.mood.held.send_replace(Held::Of(token));
    }

    /// The number of requests for a charge.
    pub fn charges(&self) -> usize {
        self.mood.charges.load(Ordering::Relaxed)
    }

    /// The number of refunds: one for each idempotency key, however often it was requested. A repeated request is legal: the
    /// call comes before the transaction, so an attempt whose response or transaction failed makes the call again. See
    /// [`Provider::refund_calls`].
    pub fn refunds(&self) -> usize {
        self.mood.refunds.lock().len()
    }

    /// The number of requests for a refund that it did not refuse.
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
    // The wait fails if the test that could release the charge has ended.
    mood.held.subscribe().wait_for(may_go).await.ok();
    if mood.refuses.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    (StatusCode::CREATED, Json(json!({ "charge_id": "ch_test" })))
}

/// It has not made the charges that it refused.
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

//! One token for all who ask: whoever comes first fetches it, and everybody else waits for that one request.

use super::Trouble;
use super::token::Token;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a token that still lives serves after it could not be replaced.
const HOLD: Duration = Duration::from_secs(30);

/// A token, or the last reason why there is none.
#[derive(Default)]
pub(super) struct Cache {
    state: Mutex<State>,
    /// Fetches that have ended, well or not.
    rounds: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    failed: Option<Trouble>,
    hold: Option<Instant>,
}

impl Cache {
    /// The token, fetched if there is none or if it soon ends. All who wait for one fetch share its outcome, be it a failure.
    pub(super) async fn get<F, Fut>(&self, fetch: F) -> Result<Arc<Token>, Trouble>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Token, Trouble>>,
    {
        let seen = self.rounds.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        let now = Instant::now();
        let alive = state.token.clone().filter(|t| now < t.ends_at);
        if let Some(token) = &alive
            && (now < token.refresh_at || state.hold.is_some_and(|h| now < h))
        {
            return Ok(Arc::clone(token));
        }
        if let Some(failed) = &state.failed
            && self.rounds.load(Ordering::SeqCst) != seen
        {
            return Err(failed.clone());
        }
        let fetched = fetch().await;
        self.rounds.fetch_add(1, Ordering::SeqCst);
        match (fetched, alive) {
            (Ok(token), _) => {
                let token = Arc::new(token);
                *state = State { token: Some(Arc::clone(&token)), failed: None, hold: None };
                Ok(token)
            }
            (Err(_), Some(token)) => {
                state.hold = Some(Instant::now() + HOLD);
                Ok(token)
            }
            (Err(e), None) => {
                state.failed = Some(e.clone());
                Err(e)
            }
        }
    }

    /// The endpoint refused this token: it is not used again. A newer one stays.
    pub(super) async fn refused(&self, token: &Arc<Token>) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|t| Arc::ptr_eq(t, token)) {
            state.token = None;
        }
    }
}

//! The endpoints of a deployment: the first, and those that are asked while it cannot be.

use super::super::http::LimitField;
use super::access::Access;
use super::limit::{Demand, Deployment, Ticket};
use reqwest::Url;
use std::sync::{Arc, Mutex, PoisonError};

/// One endpoint, with a credential, limits and a circuit breaker of its own.
pub(super) struct Place {
    /// Where questions are posted.
    pub url: Url,
    /// What lets them in.
    pub access: Access,
    /// What the deployment there has to do with the questions of the run.
    pub deployment: Arc<Deployment>,
    /// The token limit's name that this server takes, as far as is known.
    limit_field: Mutex<LimitField>,
}

impl Place {
    pub(super) fn new(url: Url, access: Access, deployment: Arc<Deployment>, limit_field: LimitField) -> Self {
        Self { url, access, deployment, limit_field: Mutex::new(limit_field) }
    }

    /// The token limit's name that is tried now.
    pub(super) fn limit_field(&self) -> LimitField {
        *self.limit_field.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server refused a name: from now on it is asked with the other, unless another question has found that out already.
    pub(super) fn rename_limit(&self, refused: LimitField) {
        *self.limit_field.lock().unwrap_or_else(PoisonError::into_inner) = refused.other();
    }
}

/// Where a question has been turned away by a connection that was refused, so that it looks further.
#[derive(Default)]
pub(super) struct Search {
    from: usize,
    refused: usize,
}

impl Search {
    /// The connection to a place was refused. Says whether there is one left that has not refused this attempt.
    pub(super) fn goes_on(&mut self, at: usize, places: usize) -> bool {
        self.refused += 1;
        self.from = (at + 1) % places;
        self.refused < places
    }
}

/// Leave to ask one of the places. The first whose circuit breaker is shut is asked; where all are open, the
/// first that is not gone is waited for.
///
/// # Errors
/// Why the question will not be sent at all.
pub(super) async fn admit(
    places: &[Place],
    search: &Search,
    demand: Demand,
    first: bool,
) -> Result<(usize, Ticket), String> {
    let order = (0..places.len()).map(|k| (search.from + k) % places.len());
    // Where all are gone nobody goes on trying: the run ends.
    if places.len() > 1 && !places.iter().all(|p| p.deployment.is_gone()) {
        for at in order.clone() {
            if let Some(ticket) = places[at].deployment.admit_unless_open(demand, first).await? {
                return Ok((at, ticket));
            }
        }
    }
    let at = order.clone().find(|at| !places[*at].deployment.is_gone()).unwrap_or(search.from);
    let ticket = places[at].deployment.admit(demand, first).await?;
    Ok((at, ticket))
}

/// As [`admit`], to the place that a recording says was asked. An address of none of them is the first's: what differs shows when the question
/// is held against the recorded one.
///
/// # Errors
/// Why the question is not asked at all.
pub(super) async fn admit_again(
    places: &[Place],
    address: &str,
    demand: Demand,
    first: bool,
) -> Result<(usize, Ticket), String> {
    let at = places.iter().position(|p| p.url.as_str() == address).unwrap_or(0);
    let ticket = places[at].deployment.admit(demand, first).await?;
    Ok((at, ticket))
}

//! Local checkpoints as targets: one engine and one thread per base checkpoint, shared by the base and all its adapters.

use super::{Answer, Question, Target};
use crate::engine::{
    AdapterId, ChatMessage, Completion, Engine, EngineError, EngineOptions, Finished, Prompt, Request, RequestError,
    Session, SessionOptions,
};
use crate::types::{Digest, DigestBuilder, Failure, FailureKind, Finish, Response, Timing, Untrusted, Usage};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A base checkpoint, with or without an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSpec {
    /// The checkpoint's folder.
    pub model: PathBuf,
    /// The adapter's folder.
    pub adapter: Option<PathBuf>,
}

/// Why local checkpoints cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A checkpoint or an adapter cannot be loaded.
    #[error("cannot load the checkpoint: {0}")]
    Engine(#[from] EngineError),
    /// The engine's thread cannot be started.
    #[error("cannot start the engine of `{model}`: {reason}")]
    Gone {
        /// The checkpoint's folder.
        model: String,
        /// What the system said.
        reason: String,
    },
}

/// Loads local checkpoints.
pub struct LocalModels;

impl LocalModels {
    /// One target per spec, in their order. A base that several specs share is loaded once, and its questions share one batch whatever
    /// their adapter.
    ///
    /// # Errors
    /// The first checkpoint or adapter that cannot be loaded.
    pub fn load(specs: &[LocalSpec]) -> Result<Vec<Arc<dyn Target>>, LocalError> {
        let mut bases: Vec<&Path> = Vec::new();
        for spec in specs {
            if !bases.contains(&spec.model.as_path()) {
                bases.push(&spec.model);
            }
        }
        let mut targets: Vec<Option<Arc<dyn Target>>> = vec![None; specs.len()];
        for base in bases {
            let mut engine = Engine::load(base, &EngineOptions::default())?;
            let mut adapters: HashMap<&Path, AdapterId> = HashMap::new();
            for folder in specs.iter().filter(|s| s.model == base).filter_map(|s| s.adapter.as_deref()) {
                if !adapters.contains_key(folder) {
                    adapters.insert(folder, engine.load_adapter(folder)?);
                }
            }
            let weights = engine.weights_digest();
            let ids: Vec<(usize, Option<AdapterId>, Digest)> = specs
                .iter()
                .enumerate()
                .filter(|(_, s)| s.model == base)
                .map(|(i, s)| {
                    let id = s.adapter.as_deref().and_then(|a| adapters.get(a).copied());
                    (i, id, digest(weights, id.and_then(|id| engine.adapter_digest(id))))
                })
                .collect();
            let worker = Worker::start(engine, base)?;
            for (i, adapter, digest) in ids {
                targets[i] = Some(Arc::new(LocalTarget { worker: Arc::clone(&worker), adapter, digest }));
            }
        }
        Ok(targets.into_iter().flatten().collect())
    }
}

fn digest(weights: [u8; 32], adapter: Option<[u8; 32]>) -> Digest {
    let d = DigestBuilder::new("goldgate.local/1").field(&weights);
    match adapter {
        Some(a) => d.field(&a).finish(),
        None => d.finish(),
    }
}

struct LocalTarget {
    worker: Arc<Worker>,
    adapter: Option<AdapterId>,
    digest: Digest,
}

impl Target for LocalTarget {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn ask(&self, question: Question) -> Answer {
        if let Some(name) = question.wants.names().first() {
            let failure =
                Failure::new(FailureKind::Unavailable, format!("a checkpoint of this machine takes no `{name}`"));
            return Box::pin(async move { Err(failure) });
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { question, adapter: self.adapter, submitted: Instant::now(), reply };
        let sent = self.worker.jobs.send(job);
        Box::pin(async move {
            let gone = || Failure::new(FailureKind::Unavailable, "the engine's thread has ended");
            sent.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }
}

/// A question on its way to the engine's thread.
struct Job {
    question: Question,
    adapter: Option<AdapterId>,
    submitted: Instant,
    reply: oneshot::Sender<Result<Response, Failure>>,
}

/// The thread that owns a session. It ends when the last target is dropped.
struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    fn start(engine: Engine, base: &Path) -> Result<Arc<Self>, LocalError> {
        let (jobs, incoming) = mpsc::channel();
        let session = Session::new(Arc::new(engine), SessionOptions::default());
        std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || work(session, &incoming))
            .map_err(|e| LocalError::Gone { model: base.display().to_string(), reason: e.to_string() })?;
        Ok(Arc::new(Self { jobs }))
    }
}

type Waiting = HashMap<u64, oneshot::Sender<Result<Response, Failure>>>;

/// Takes questions as they come and steps the batch as long as it has work.
fn work(mut session: Session, incoming: &mpsc::Receiver<Job>) {
    let mut waiting: Waiting = HashMap::new();
    let mut next = 0u64;
    loop {
        if session.is_idle() {
            // Nothing to compute: sleep until somebody asks, and end when nobody can any more.
            let Ok(job) = incoming.recv() else { return };
            submit(&mut session, &mut waiting, &mut next, job);
        }
        while let Ok(job) = incoming.try_recv() {
            submit(&mut session, &mut waiting, &mut next, job);
        }
        for Finished { tag, outcome } in session.step() {
            if let Some(reply) = waiting.remove(&tag) {
                // Nobody waits for the answer of a run that was given up.
                let _ = reply.send(outcome.map(response).map_err(|e| failure(&e)));
            }
        }
    }
}

fn submit(session: &mut Session, waiting: &mut Waiting, next: &mut u64, job: Job) {
    let tag = *next;
    *next += 1;
    let turns = job.question.turns.into_iter();
    let messages = turns.map(|t| ChatMessage { role: t.role.as_str().to_owned(), content: t.text }).collect();
    let request = Request {
        prompt: Prompt::Messages(messages),
        adapter: job.adapter,
        max_new_tokens: job.question.max_new_tokens as usize,
        submitted: job.submitted,
        tag,
    };
    match session.submit(request) {
        Ok(()) => {
            waiting.insert(tag, job.reply);
        }
        Err(e) => {
            let _ = job.reply.send(Err(failure(&e)));
        }
    }
}

fn response(c: Completion) -> Response {
    let us = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    Response {
        text: Untrusted::new(c.text),
        tool_calls: Vec::new(),
        refused: false,
        logprobs: None,
        finish: match c.finish {
            crate::engine::Finish::Stop => Finish::Stop,
            crate::engine::Finish::Length => Finish::Length,
        },
        usage: Some(Usage { prompt: c.prompt_tokens as u64, completion: c.completion_tokens as u64, reasoning: None }),
        // A vocabulary of one has no second best, and JSON has no infinity.
        smallest_gap: Some(c.smallest_gap).filter(|g| g.is_finite()),
        timing: Timing {
            queued_us: us(c.timing.queued),
            first_token_us: us(c.timing.first_token),
            total_us: us(c.timing.total),
        },
        served: None,
    }
}

fn failure(e: &RequestError) -> Failure {
    let kind = match e {
        RequestError::NotFinite { .. } => FailureKind::Broken,
        _ => FailureKind::Refused,
    };
    Failure::new(kind, e.to_string())
}

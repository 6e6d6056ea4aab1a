//! Continuous batching: requests are admitted while there is room, their prompts are computed in pieces beside the other
//! requests' next tokens, and each leaves when its answer ends.

use super::cache::{BlockTable, KvCache};
use super::chat::ChatMessage;
use super::error::RequestError;
use super::load::{AdapterId, Engine};
use super::model::{Scratch, Work};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much a [`Session`] takes on at once. None of it changes an answer.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Most requests that are computed together; at least one is.
    pub max_batch: usize,
    /// About how many prompt tokens one step computes beside the running answers; at least one. More of them make prompts
    /// cheaper and the answers beside them wait longer.
    pub prompt_tokens_per_step: usize,
    /// Most bytes of keys and values. Taken as needed, never more.
    pub kv_bytes: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { max_batch: 64, prompt_tokens_per_step: 256, kv_bytes: 1 << 30 }
    }
}

/// What a request asks.
#[derive(Clone, Debug)]
pub enum Prompt {
    /// Token ids, as they are.
    Ids(Vec<u32>),
    /// Text in which special tokens are already written out.
    Text(String),
    /// A conversation for the checkpoint's chat template.
    Messages(Vec<ChatMessage>),
}

/// One question.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub prompt: Prompt,
    /// The adapter to answer with; `None` asks the base.
    pub adapter: Option<AdapterId>,
    /// Most tokens to generate.
    pub max_new_tokens: usize,
    /// When the caller asked; all durations count from here.
    pub submitted: Instant,
    /// Comes back with the outcome; the session gives it no meaning.
    pub tag: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model chose an end token.
    Stop,
    /// `max_new_tokens` were generated.
    Length,
}

/// When an answer came, by the monotonic clock. Every answer is computed, so these are never read from a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From submission to admission into the batch.
    pub queued: Duration,
    /// From submission to the first token: waiting and the prompt's computation.
    pub first_token: Duration,
    /// From submission to the last token.
    pub total: Duration,
    /// The most requests, this one among them, that shared a step with it.
    pub largest_batch: usize,
    /// The steps that it took part in.
    pub steps: usize,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The generated text, without special tokens and without the end token.
    pub text: String,
    /// Every generated id, the end token included.
    pub token_ids: Vec<u32>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Generated tokens, the end token included.
    pub completion_tokens: usize,
    /// Why it ended.
    pub finish: Finish,
    /// The smallest lead, in logits, of a chosen token over the next best. An answer with a lead near zero may differ on
    /// another backend. Infinite for a vocabulary of one.
    pub smallest_gap: f32,
    /// When it came.
    pub timing: Timing,
}

/// The outcome of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The request's tag.
    pub tag: u64,
    /// Its answer, or why there is none.
    pub outcome: Result<Completion, RequestError>,
}

struct Waiting {
    ids: Vec<u32>,
    adapter: Option<AdapterId>,
    max_new_tokens: usize,
    submitted: Instant,
    tag: u64,
}

struct Running {
    request: Waiting,
    table: BlockTable,
    /// Positions that are in the cache.
    computed: usize,
    generated: Vec<u32>,
    gap: f32,
    queued: Duration,
    first_token: Option<Duration>,
    largest_batch: usize,
    steps: usize,
}

impl Running {
    fn tokens(&self, from: usize, to: usize) -> &[u32] {
        match self.generated.last() {
            Some(last) => std::slice::from_ref(last),
            None => &self.request.ids[from..to],
        }
    }

    fn length(&self) -> usize {
        self.request.ids.len() + self.generated.len()
    }
}

/// Requests on their way through one [`Engine`]. Greedy decoding; equal logits go to the lowest id.
pub struct Session {
    engine: Arc<Engine>,
    options: SessionOptions,
    cache: KvCache,
    scratch: Scratch,
    waiting: VecDeque<Waiting>,
    running: Vec<Running>,
}

impl Session {
    /// An idle session. Several may share an engine; they take turns on its threads.
    pub fn new(engine: Arc<Engine>, options: SessionOptions) -> Self {
        let cache = KvCache::new(engine.model.attention_shape(), engine.model.config.layers, options.kv_bytes);
        let (waiting, running) = (VecDeque::new(), Vec::new());
        Self { engine, options, cache, scratch: Scratch::default(), waiting, running }
    }

    /// Queues a request; requests are admitted in this order.
    ///
    /// # Errors
    /// What is wrong with the request by itself: an empty or too long prompt, an unknown adapter, a template that refuses
    /// the messages, more memory than the session has in all. The session is as it was then.
    pub fn submit(&mut self, request: Request) -> Result<(), RequestError> {
        let Request { prompt, adapter, max_new_tokens, submitted, tag } = request;
        let ids = match prompt {
            Prompt::Ids(ids) => ids,
            Prompt::Text(text) => self.engine.tokenize(&text)?,
            Prompt::Messages(messages) => self.engine.tokenize(&self.engine.render_chat(&messages)?)?,
        };
        if ids.is_empty() {
            return Err(RequestError::EmptyPrompt);
        }
        if max_new_tokens == 0 {
            return Err(RequestError::NothingAsked);
        }
        let vocabulary = self.engine.vocabulary();
        if let Some(id) = ids.iter().copied().find(|id| *id as usize >= vocabulary) {
            return Err(RequestError::TokenOutOfRange { id, vocabulary });
        }
        if adapter.is_some_and(|id| self.engine.adapter(id).is_none()) {
            return Err(RequestError::UnknownAdapter);
        }
        let (context, positions) = (self.engine.context(), ids.len().saturating_add(max_new_tokens));
        if positions > context {
            return Err(RequestError::ContextExceeded { prompt: ids.len(), new: max_new_tokens, context });
        }
        if !self.cache.can_ever_hold(positions) {
            let (needed, budget) = (self.cache.bytes_for(positions), self.options.kv_bytes);
            return Err(RequestError::MemoryExceeded { needed, budget });
        }
        self.waiting.push_back(Waiting { ids, adapter, max_new_tokens, submitted, tag });
        Ok(())
    }

    /// Whether no request is waiting or running.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Requests that are waiting or running.
    pub fn pending(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// Computes one token for each running answer and a piece of the prompts that are not computed yet, and returns the
    /// requests that ended with it. Returns at once if the session is idle.
    pub fn step(&mut self) -> Vec<Finished> {
        self.admit();
        let pieces = self.plan();
        if pieces.is_empty() {
            return Vec::new();
        }
        self.compute(&pieces);
        let now = Instant::now();
        let batch = pieces.len();
        let mut rows = self.scratch.logits.chunks_exact(self.engine.vocabulary());
        let mut ended = Vec::new();
        for (index, to) in pieces {
            let running = &mut self.running[index];
            running.computed = to;
            running.largest_batch = running.largest_batch.max(batch);
            running.steps += 1;
            if to < running.length() {
                continue;
            }
            let choice = rows.next().and_then(choose);
            if let Some(outcome) = running.advance(choice, &self.engine.model.config.end, now) {
                ended.push((index, outcome));
            }
        }
        self.take_out(ended)
    }

    /// Steps until idle.
    pub fn run(&mut self) -> Vec<Finished> {
        let mut all = Vec::new();
        while !self.is_idle() {
            all.extend(self.step());
        }
        all
    }

    /// Moves requests into the batch while there is room. A request gets all the memory it can come to need, so that none is
    /// ever thrown out half done.
    fn admit(&mut self) {
        while self.running.len() < self.options.max_batch.max(1) {
            let Some(next) = self.waiting.front() else { return };
            let Some(table) = self.cache.reserve(next.ids.len() + next.max_new_tokens) else { return };
            let Some(request) = self.waiting.pop_front() else { return };
            let queued = request.submitted.elapsed();
            let (computed, generated, first_token) = (0, Vec::new(), None);
            let (gap, largest_batch, steps) = (f32::INFINITY, 0, 0);
            let running =
                Running { request, table, computed, generated, gap, queued, first_token, largest_batch, steps };
            // Those with one adapter stand together, so that each adapter is one product and not one for each request.
            let at = self.running.partition_point(|r| r.request.adapter <= running.request.adapter);
            self.running.insert(at, running);
        }
    }

    /// What this step computes: indices of running requests, each with the position it then has come to.
    fn plan(&self) -> Vec<(usize, usize)> {
        let mut budget = self.options.prompt_tokens_per_step.max(1);
        let mut pieces = Vec::new();
        // The order of admission decides who gets the prompt budget; submission is a stand-in that no reordering disturbs.
        let mut prompts: Vec<usize> =
            (0..self.running.len()).filter(|i| self.running[*i].generated.is_empty()).collect();
        prompts.sort_by_key(|i| self.running[*i].queued_since());
        for index in prompts {
            let running = &self.running[index];
            let tokens = budget.min(running.length() - running.computed);
            if tokens > 0 {
                pieces.push((index, running.computed + tokens));
                budget -= tokens;
            }
        }
        let answers = self.running.iter().enumerate().filter(|(_, r)| !r.generated.is_empty());
        pieces.extend(answers.map(|(index, running)| (index, running.length())));
        pieces.sort_unstable();
        pieces
    }

    fn compute(&mut self, pieces: &[(usize, usize)]) {
        let works: Vec<Work<'_>> = pieces
            .iter()
            .map(|(index, to)| {
                let running = &self.running[*index];
                let tokens = running.tokens(running.computed, *to);
                let logits_from = if *to == running.length() { tokens.len() - 1 } else { tokens.len() };
                let adapter = running.request.adapter.and_then(|id| self.engine.adapter(id));
                Work { tokens, start: running.computed, table: &running.table, adapter, logits_from }
            })
            .collect();
        self.engine.model.forward(&self.engine.pool, &works, &mut self.cache, &mut self.scratch);
    }

    /// Removes requests that ended; `ended` is in rising order of its indices.
    fn take_out(&mut self, ended: Vec<(usize, Result<Finish, RequestError>)>) -> Vec<Finished> {
        let mut finished = Vec::new();
        for (index, outcome) in ended.into_iter().rev() {
            let running = self.running.remove(index);
            let tag = running.request.tag;
            self.cache.release(running.table.clone());
            finished.push(Finished { tag, outcome: outcome.and_then(|finish| running.complete(finish, &self.engine)) });
        }
        finished.reverse();
        finished
    }
}

impl Running {
    fn queued_since(&self) -> (Instant, u64) {
        (self.request.submitted, self.request.tag)
    }

    /// Takes the chosen token and its lead; says how the request ended if it did.
    fn advance(
        &mut self,
        choice: Option<(u32, f32)>,
        end: &[u32],
        now: Instant,
    ) -> Option<Result<Finish, RequestError>> {
        let Some((id, gap)) = choice else {
            return Some(Err(RequestError::NotFinite { position: self.length() - 1 }));
        };
        self.first_token.get_or_insert_with(|| now.saturating_duration_since(self.request.submitted));
        self.generated.push(id);
        self.gap = self.gap.min(gap);
        if end.contains(&id) {
            Some(Ok(Finish::Stop))
        } else if self.generated.len() == self.request.max_new_tokens {
            Some(Ok(Finish::Length))
        } else {
            None
        }
    }

    fn complete(self, finish: Finish, engine: &Engine) -> Result<Completion, RequestError> {
        let total = self.request.submitted.elapsed();
        let text_ids = match finish {
            Finish::Stop => &self.generated[..self.generated.len() - 1],
            Finish::Length => &self.generated[..],
        };
        Ok(Completion {
            text: engine.detokenize(text_ids)?,
            prompt_tokens: self.request.ids.len(),
            completion_tokens: self.generated.len(),
            finish,
            smallest_gap: self.gap,
            timing: Timing {
                queued: self.queued,
                first_token: self.first_token.unwrap_or(total),
                total,
                largest_batch: self.largest_batch,
                steps: self.steps,
            },
            token_ids: self.generated,
        })
    }
}

/// The lowest id among the largest logits, and its lead over the next best; `None` if a logit is not finite.
fn choose(logits: &[f32]) -> Option<(u32, f32)> {
    let (mut best, mut best_id, mut second) = (f32::NEG_INFINITY, 0, f32::NEG_INFINITY);
    for (id, logit) in logits.iter().enumerate() {
        if !logit.is_finite() {
            return None;
        }
        if *logit > best {
            (second, best, best_id) = (best, *logit, id);
        } else if *logit > second {
            second = *logit;
        }
    }
    Some((best_id as u32, best - second))
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn ties_go_to_the_lowest_id_and_nothing_else_is_chosen_silently() {
        assert_eq!(choose(&[1.0, 3.0, 3.0, 2.5]), Some((1, 0.0)));
        assert_eq!(choose(&[3.0, 1.0, 2.5]), Some((0, 0.5)));
        assert_eq!(choose(&[1.0]), Some((0, f32::INFINITY)));
        assert_eq!(choose(&[1.0, f32::NAN]), None);
        assert_eq!(choose(&[1.0, f32::INFINITY]), None);
    }
}

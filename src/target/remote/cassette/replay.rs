//! Answers out of cassettes: the nth attempt at a question is the nth that was recorded, and nothing else.

use super::super::super::TrialRef;
use super::index::{self, Index};
use super::{CassetteError, Exchange, Request, Tape, TapedRun, differ};
use crate::types::{Digest, TargetName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The cassettes of a recorded run, from which its targets answer.
pub struct Replay {
    run: TapedRun,
    players: BTreeMap<TargetName, Arc<Player>>,
}

/// The cassette of one target.
pub struct Player {
    path: PathBuf,
    index: Index,
}

impl Replay {
    /// Reads the cassettes of some targets, by their names in the run, and checks every line.
    ///
    /// # Errors
    /// When there is none of a target, one is damaged, or they are of different runs.
    pub fn open<'a>(dir: &Path, names: impl IntoIterator<Item = &'a TargetName>) -> Result<Self, CassetteError> {
        let mut players: BTreeMap<TargetName, Arc<Player>> = BTreeMap::new();
        let mut run: Option<TapedRun> = None;
        for name in names {
            let path = dir.join(format!("{name}.jsonl"));
            let shown = path.display();
            let Some(index) = index::read(&path)? else {
                let message = format!("there is no cassette of target `{name}`: `{shown}` is missing or empty");
                return Err(CassetteError::Missing(message));
            };
            if index.torn {
                let line = 2 + index.trials.values().map(Vec::len).sum::<usize>() + index.passed_over;
                let reason = "the line has no end: its run was killed while it wrote, and must go on to its end first";
                return Err(CassetteError::corrupt(&path, line as u64, reason));
            }
            let of = &index.header;
            let this = TapedRun { run: of.run, seed: of.seed, concurrency: of.concurrency, unprobed: of.unprobed };
            if of.target != *name || run.is_some_and(|r| r != this) {
                return Err(CassetteError::OtherRun(format!(
                    "`{shown}` is of target `{}` in the run {}, which is not what the folder's other cassettes are of",
                    of.target,
                    of.run.short()
                )));
            }
            run = Some(this);
            players.insert(name.clone(), Arc::new(Player { path, index }));
        }
        let Some(run) = run else {
            let message = "no target of this run is remote: there is nothing to replay".to_owned();
            return Err(CassetteError::Missing(message));
        };
        Ok(Self { run, players })
    }

    /// The run that was recorded.
    #[must_use]
    pub fn run(&self) -> TapedRun {
        self.run
    }

    /// The tape of one target; nobody's is one that answers live.
    #[must_use]
    pub fn target(&self, name: &TargetName) -> Tape {
        self.players.get(name).map_or(Tape::Live, |p| Tape::Replay(Arc::clone(p)))
    }

    /// The address that a target was asked at.
    #[must_use]
    pub fn address(&self, name: &TargetName) -> Option<String> {
        self.players.get(name).map(|p| p.index.header.address.clone())
    }

    /// SHA-256 of every cassette, by target.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<TargetName, Digest> {
        self.players.iter().map(|(name, p)| (name.clone(), p.index.digest)).collect()
    }

    /// The place of a trial's end among all of the recorded run; `None` where none was recorded.
    #[must_use]
    pub fn place(&self, target: &TargetName, trial: &TrialRef) -> Option<u64> {
        Some(self.players.get(target)?.index.trials.get(trial)?.last()?.seq)
    }

    /// Recorded exchanges that a run of these trials does not ask for, and those that an interrupted sitting left and a later one asked
    /// again.
    #[must_use]
    pub fn left_over(&self, planned: impl Fn(&TargetName, &TrialRef) -> bool) -> (usize, usize) {
        let all = || self.players.iter().flat_map(|(name, p)| p.index.trials.iter().map(move |(t, e)| (name, t, e)));
        let unasked = all().filter(|(name, trial, _)| !planned(name, trial)).map(|(_, _, entries)| entries.len()).sum();
        (unasked, self.players.values().map(|p| p.index.passed_over).sum())
    }
}

impl Player {
    /// The digest of what answered, and the address that was posted to.
    pub(in super::super) fn whose(&self) -> (Digest, &str) {
        (self.index.header.digest, &self.index.header.address)
    }

    /// What the recording is of, for messages.
    pub(in super::super) fn describe(&self) -> String {
        let h = &self.index.header;
        let shown = |text: &str| crate::types::Untrusted::from(text).for_terminal(200);
        format!("`{}` is of {} `{}` at {}", self.path.display(), shown(&h.kind), shown(&h.model), shown(&h.address))
    }

    /// One attempt at a question, from 1.
    ///
    /// # Errors
    /// When none was recorded, or the cassette changed meanwhile.
    pub(in super::super) fn attempt(&self, trial: &TrialRef, attempt: u32) -> Result<Exchange, String> {
        let path = self.path.display();
        let Some(all) = self.index.trials.get(trial) else {
            return Err(format!("{trial} is not in the recording `{path}`"));
        };
        let Some(entry) = all.get(attempt as usize - 1) else {
            let n = all.len();
            return Err(format!(
                "{trial}: attempt {attempt} is asked for, and the recording `{path}` holds {n}: its run ended here, or was more \
                 easily content (`attempts`, `longest-wait-seconds`)"
            ));
        };
        let exchange = index::fetch(&self.path, *entry).map_err(|e| e.to_string())?;
        if exchange.trial().as_ref() != Ok(trial) || exchange.attempt != attempt {
            return Err(format!("{path}:{}: the cassette was changed while it was replayed", entry.line));
        }
        Ok(exchange)
    }

    /// Whether another attempt was recorded after this one.
    pub(in super::super) fn goes_on(&self, trial: &TrialRef, attempt: u32) -> bool {
        self.index.trials.get(trial).is_some_and(|all| all.len() > attempt as usize)
    }

    /// Holds what would be sent against what was.
    ///
    /// # Errors
    /// What differs, with the case.
    pub(in super::super) fn compare(&self, recorded: &Exchange, now: &Request) -> Result<(), String> {
        let Some(what) = differ::requests(&recorded.request, now) else { return Ok(()) };
        let asked = recorded.trial()?;
        Err(format!("{asked} was asked otherwise in the recording `{}`: {what}", self.path.display()))
    }
}

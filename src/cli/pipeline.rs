//! The stages that several commands share: load, ask, score, judge.

use super::config::Config;
use super::progress::Progress;
use super::provider::Provider;
use super::tape::{TapeArgs, Taping};
use super::{CliError, arrivals, identities, spend};
use crate::gate::{self, Asked, Policy, Verdict};
use crate::run::{self, Arm, Load, Needs, Plan, RunError};
use crate::score::{self, Sample};
use crate::store::{
    ArmRef, GoldenAnswer, Manifest, PolicyRef, Purpose, RUN_FORMAT, RunDir, SealedRun, SuiteRef, TrialResult, When,
};
use crate::suite::{Suite, read_text};
use crate::target::{LocalModels, LocalSpec, RemoteModels, Spend, Target};
use crate::types::{Metric, MetricName, TargetName, ToolCall, Untrusted};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A suite with the policy that judges it.
pub struct Loaded {
    /// The suite's folder, as it was named.
    pub path: PathBuf,
    /// The suite.
    pub suite: Suite,
    /// The policy.
    pub policy: Policy,
    /// The policy's file, as it was named.
    pub policy_path: PathBuf,
}

impl Loaded {
    /// Loads a suite and its policy (the one named, or the suite's own `policy.toml`) and checks that they fit.
    ///
    /// # Errors
    /// Every mistake found in their files.
    pub fn new(path: &Path, policy: Option<&Path>) -> Result<Self, CliError> {
        let suite = Suite::load(path)?;
        let policy_path = policy.map_or_else(|| path.join("policy.toml"), Path::to_owned);
        let policy = Policy::parse(read_text(&policy_path, &policy_path.display().to_string())?)?;
        gate::check_fit(&policy, &suite)?;
        Ok(Self { path: path.to_owned(), suite, policy, policy_path })
    }
}

/// What a run is to be, beside suite and policy.
pub struct RunOptions<'a> {
    /// Candidates to ask in place of the policy's.
    pub candidates: &'a [TargetName],
    /// Where the run lies; by default a new folder under `reports/`.
    pub run_dir: Option<PathBuf>,
    /// The seed of every random choice.
    pub seed: u64,
    /// Questions in flight at once.
    pub concurrency: usize,
    /// Questions per second, where they are asked at a stated rate.
    pub arrival_rate: Option<f64>,
    /// The most that the run may cost over all its sittings, US dollars.
    pub max_cost: Option<f64>,
    /// Whether its exchanges are recorded, or answered from a recording.
    pub tape: &'a TapeArgs,
    /// Whether remote targets are probed before the first question and after the last.
    pub probe: bool,
}

/// Asks whatever is not recorded yet and seals the run.
///
/// # Errors
/// When a target is unknown or unusable, the folder holds another run, or the run stops before its end.
pub fn ask(
    loaded: &Loaded,
    config: &Config,
    options: RunOptions<'_>,
    progress: &mut Progress,
) -> Result<SealedRun, CliError> {
    let roles = roles(loaded, config, options.candidates)?;
    ask_roles(loaded, config, &roles, Purpose::Judgement, options, progress)
}

/// Asks whoever is named, as (name in the run, target), the first in the baseline's place.
///
/// A calibration pins no policy, so that no gate can promote anything from it.
///
/// # Errors
/// As [`ask`], and when a target uses a prompt variant that the suite does not have.
pub fn ask_roles(
    loaded: &Loaded,
    config: &Config,
    roles: &[(TargetName, TargetName)],
    purpose: Purpose,
    mut options: RunOptions<'_>,
    progress: &mut Progress,
) -> Result<SealedRun, CliError> {
    for (_, target) in roles {
        check_target(loaded, config, target)?;
    }
    let cap = spend::cap(config, roles, options.max_cost)?;
    options.tape.check(options.arrival_rate)?;
    let mut taping = Taping::open(options.tape, config, roles)?;
    if let Some(recorded) = taping.recorded() {
        // Of the recorded run: how many questions were in flight decides whether its times prove anything.
        // So does whether anybody was probed.
        (options.seed, options.concurrency, options.probe) = (recorded.seed, recorded.concurrency, !recorded.unprobed);
    }
    let load = arrivals::load(options.concurrency, options.arrival_rate, loaded, config, roles)?;
    let targets = load_targets(config, roles, options.seed, cap.clone(), &mut taping, progress)?;
    let mut arms = Vec::new();
    let mut refs = Vec::new();
    let mut remote = Vec::new();
    for ((name, target), asked) in roles.iter().zip(&targets) {
        let c = config.target(target)?;
        arms.push(Arm { name: name.clone(), digest: asked.digest(), prompt: c.prompt.clone() });
        let (kind, model, adapter, endpoint) = match &c.provider {
            Provider::Local { model, adapter } => ("local", model.clone(), adapter.clone(), None),
            Provider::Remote(r) => {
                let spec = if taping.is_replay() { r.recorded_spec() } else { r.spec()? };
                remote.push((target.clone(), Arc::clone(asked)));
                (spec.kind(), spec.name().to_owned(), None, taping.address(name).or_else(|| spec.url().ok()))
            }
        };
        refs.push(ArmRef {
            name: name.clone(),
            target: target.clone(),
            kind: kind.to_owned(),
            model,
            adapter,
            endpoint,
            prompt: c.prompt.clone(),
            digest: asked.digest(),
        });
    }
    let mut plan = Plan::new(&loaded.suite, arms, options.seed);
    let unprobed = !options.probe && !remote.is_empty();
    let manifest = Manifest { unprobed, ..manifest(loaded, refs, purpose, &options, plan.trials.len()) };
    let manifest = taping.sign(manifest);
    let dir = RunDir::new(options.run_dir.unwrap_or_else(|| default_dir(&manifest)));
    let mut open = dir.open(manifest)?;
    if let Some(cap) = &cap {
        cap.add(spend::spent(loaded, config, roles, &plan, &open)?);
    }
    taping.begin(&open, options.seed, options.concurrency, unprobed)?;
    // Said before the first question, so that whoever interrupts the run knows where it lies.
    progress.note(&format!("recording in {}", dir.path().display()));
    taping.say(progress);
    let load = taping.line_up(&loaded.suite, &mut plan).map_or(load, Load::InFlight);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::Usage(format!("cannot start the scheduler: {e}")))?;
    let probed = if options.probe && !open.is_sealed() { remote } else { Vec::new() };
    let needs = needs(loaded, cap.is_some());
    let asked = runtime.block_on(async {
        // A sitting that finds every trial recorded asks nothing before which somebody could be probed.
        if plan.trials.iter().any(|t| !open.recorded.contains_key(&t.id)) {
            run::probe(When::Before, &needs, &probed, &mut open, |e| progress.observe(e)).await?;
        }
        let observe = |event: &_| progress.observe(event);
        let asked = run::execute(&loaded.suite, &plan, &targets, &mut open, load, observe).await?;
        run::probe(When::After, &needs, &probed, &mut open, |e| progress.observe(e)).await?;
        Ok::<_, RunError>(asked)
    })?;
    taping.end(&loaded.suite, &plan, progress)?;
    open.seal(asked)?;
    let run = dir.open_sealed()?;
    if !probed.is_empty() {
        identities::drifts(&run).iter().for_each(|drift| progress.note(drift));
    }
    Ok(run)
}

/// What the targets of a run must be able to give: what the suite asks for, and the count of tokens where somebody reckons with it.
fn needs(loaded: &Loaded, capped: bool) -> Needs {
    let counted = |m: &MetricName| matches!(m.as_str(), "prompt-tokens" | "completion-tokens" | "tokens");
    Needs::of(&loaded.suite, capped || loaded.policy.criteria().iter().any(|c| counted(&c.metric)))
}

/// Who is asked, as (name in the run, target): the baseline first. The baseline as its own candidate is asked a second time under a
/// name of its own, which makes the run an A/A test.
///
/// # Errors
/// When a target is unknown or named twice, or uses a prompt variant that the suite does not have.
pub fn roles(
    loaded: &Loaded,
    config: &Config,
    named: &[TargetName],
) -> Result<Vec<(TargetName, TargetName)>, CliError> {
    let policy = &loaded.policy;
    let baseline = policy.baseline().clone();
    let mut roles = vec![(baseline.clone(), baseline.clone())];
    let candidates = if named.is_empty() { policy.candidates() } else { named };
    for candidate in candidates {
        let name = if *candidate == baseline {
            TargetName::new(&format!("{baseline}-again")).map_err(|e| CliError::Usage(e.to_string()))?
        } else {
            candidate.clone()
        };
        if roles.iter().any(|(n, _)| *n == name) {
            return Err(CliError::Usage(format!("the candidate `{candidate}` is named twice")));
        }
        roles.push((name, candidate.clone()));
    }
    for (_, target) in &roles {
        check_target(loaded, config, target)?;
    }
    Ok(roles)
}

/// Refuses a target that the suite cannot be asked of, whatever its server can do.
fn check_target(loaded: &Loaded, config: &Config, target: &TargetName) -> Result<(), CliError> {
    let c = config.target(target)?;
    let asked = loaded.suite.all_wants().find_map(|w| w.names().first().copied());
    if let Some(key) = asked.filter(|_| c.provider.gives_texts_only()) {
        return Err(CliError::Usage(format!(
            "the suite `{}` asks for `{key}`, which target `{target}` cannot give: checkpoints of this machine and endpoints with a form of \
             their own give texts only; ask a target that speaks chat completions or the Responses API, or take `{key}` out of `[[ask]]`",
            loaded.suite.name()
        )));
    }
    check_variant(loaded, config, target)
}

fn check_variant(loaded: &Loaded, config: &Config, target: &TargetName) -> Result<(), CliError> {
    let prompt = &config.target(target)?.prompt;
    if loaded.suite.has_variant(prompt) {
        return Ok(());
    }
    let known: Vec<_> = loaded.suite.variants().map(|v| format!("`{v}`")).collect();
    Err(CliError::Usage(format!(
        "target `{target}` uses the prompt variant `{prompt}`, and the suite `{}` has {}",
        loaded.suite.name(),
        known.join(", ")
    )))
}

/// One target per role, in their order; checkpoints that several share are loaded once.
fn load_targets(
    config: &Config,
    roles: &[(TargetName, TargetName)],
    seed: u64,
    cap: Option<Arc<Spend>>,
    taping: &mut Taping,
    progress: &Progress,
) -> Result<Vec<Arc<dyn Target>>, CliError> {
    let (mut local, mut remote, mut is_local) = (Vec::new(), Vec::new(), Vec::new());
    for (name, target) in roles {
        let c = config.target(target)?;
        is_local.push(matches!(c.provider, Provider::Local { .. }));
        match &c.provider {
            Provider::Local { model, adapter } => local.push(local_spec(config, model, adapter.as_deref())),
            Provider::Remote(r) => {
                let mut spec = if taping.is_replay() { r.recorded_spec() } else { r.spec()? };
                spec.allowance.limits = spend::limits(c.limits);
                spec.allowance.price = c.price.map(spend::price);
                remote.push((spec, taping.tape(name)));
            }
        }
    }
    // What can be refused without loading anything comes first.
    let mut remote = RemoteModels::load(&remote, seed, cap)?.into_iter();
    if !local.is_empty() {
        progress.note("loading checkpoints");
    }
    let mut local = LocalModels::load(&local)?.into_iter();
    Ok(is_local.into_iter().filter_map(|l| if l { local.next() } else { remote.next() }).collect())
}

/// A checkpoint's folders, seen from the project's.
pub fn local_spec(config: &Config, model: &str, adapter: Option<&str>) -> LocalSpec {
    LocalSpec { model: config.root.join(model), adapter: adapter.map(|a| config.root.join(a)) }
}

fn manifest(loaded: &Loaded, arms: Vec<ArmRef>, purpose: Purpose, options: &RunOptions<'_>, trials: usize) -> Manifest {
    let policy = PolicyRef {
        path: loaded.policy_path.display().to_string(),
        name: loaded.policy.name().clone(),
        digest: loaded.policy.digest(),
    };
    Manifest {
        purpose,
        format: RUN_FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        suite: SuiteRef {
            path: loaded.path.display().to_string(),
            name: loaded.suite.name().clone(),
            version: loaded.suite.version().to_owned(),
            digest: loaded.suite.digest(),
        },
        policy: (purpose == Purpose::Judgement).then_some(policy),
        seed: options.seed,
        concurrency: options.concurrency,
        arrival_rate: options.arrival_rate,
        arms,
        trials,
        recording: None,
        replay: None,
        unprobed: false,
    }
}

/// A new folder under `reports/`, named by suite and time.
fn default_dir(manifest: &Manifest) -> PathBuf {
    let stamp = manifest.started.replace(['-', ':'], "");
    let name = |n: u32| {
        let suffix = if n == 0 { String::new() } else { format!("-{n}") };
        Path::new("reports").join(format!("{}-{stamp}{suffix}", manifest.suite.name))
    };
    (0..).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(0))
}

/// Refuses a calibration where a run of candidates is needed.
///
/// # Errors
/// When the run asked one target several times.
pub fn refuse_calibration(run: &SealedRun) -> Result<(), CliError> {
    if run.manifest.purpose != Purpose::Calibration {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "`{}` holds a calibration: one target asked several times, which promotes nobody; see its noise.json, and ask candidates with \
         `goldgate gate SUITE`",
        run.dir.path().display()
    )))
}

/// Refuses a replay where what answered must have been asked.
///
/// # Errors
/// When a recording answered in the run.
pub fn refuse_replay(run: &SealedRun) -> Result<(), CliError> {
    if run.manifest.replay.is_none() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "`{}` is a replay: nobody was asked in it; take the run that was recorded",
        run.dir.path().display()
    )))
}

/// Finds the suite of a sealed run again and checks that it still is what was asked.
///
/// # Errors
/// When the suite cannot be loaded, or differs from the one that was asked.
pub fn suite_of(run: &SealedRun) -> Result<Suite, CliError> {
    let path = PathBuf::from(&run.manifest.suite.path);
    let suite = Suite::load(&path)?;
    if suite.digest() == run.manifest.suite.digest {
        return Ok(suite);
    }
    Err(CliError::Integrity(format!(
        "the suite in `{}` is not the one that the run asked:\n  {} then\n  {} now\nrestore it, or run the suite again",
        path.display(),
        run.manifest.suite.digest,
        suite.digest()
    )))
}

/// Scores every recorded trial, by case and then in the order of the manifest's targets.
///
/// # Errors
/// When the records are not exactly the trials that were planned, each once.
pub fn score_all(run: &SealedRun, suite: &Suite) -> Result<Vec<Sample>, CliError> {
    let m = &run.manifest;
    let arm = |a: &ArmRef| Arm { name: a.name.clone(), digest: a.digest, prompt: a.prompt.clone() };
    let plan = Plan::new(suite, m.arms.iter().map(arm).collect(), m.seed);
    let mut due: BTreeMap<_, _> = plan.trials.iter().map(|t| (t.id, t)).collect();
    let order: BTreeMap<_, _> = m.arms.iter().enumerate().map(|(i, a)| (&a.name, i)).collect();
    let mut samples = Vec::with_capacity(run.records.len());
    for record in &run.records {
        let planned = due.remove(&record.trial).filter(|t| {
            suite.cases()[t.case].id == record.case
                && plan.arms[t.arm].name == record.target
                && t.repeat == record.repeat
        });
        let Some((trial, case)) = planned.map(|t| (t, &suite.cases()[t.case])) else {
            let of = format!("record {} (case `{}`, target `{}`)", record.seq, record.case, record.target);
            return Err(CliError::Integrity(format!(
                "{of} is no trial of this run, or stands twice; keep the folder for the audit"
            )));
        };
        let result = match &record.result {
            TrialResult::Response(r) => Ok(r),
            TrialResult::Failure(f) => Err(f),
        };
        // The plan's own name: one for all samples, where each record has read one of its own.
        let target = &plan.arms[trial.arm].name;
        samples.push(score::score_trial(case, suite.scorers(), target, record.repeat, result));
    }
    if let Some(t) = due.values().next() {
        let (case, target) = (&suite.cases()[t.case].id, &plan.arms[t.arm].name);
        return Err(CliError::Integrity(format!("the trial of case `{case}` and target `{target}` has no record")));
    }
    samples.sort_by(|a, b| (&a.case, order.get(&a.target), a.repeat).cmp(&(&b.case, order.get(&b.target), b.repeat)));
    Ok(samples)
}

/// One verdict per candidate, in the manifest's order.
#[must_use]
pub fn judge_all(policy: &Policy, suite: &Suite, run: &SealedRun, samples: &[Sample]) -> Vec<Verdict> {
    let metrics = suite.metrics();
    let changed = identities::changed(run);
    let asked = Asked {
        suite: suite.name(),
        suite_digest: suite.digest(),
        metrics: &metrics,
        planned: suite.cases().len(),
        samples,
        pinned_policy: run.manifest.policy.as_ref().map(|p| p.digest),
        changed: &changed,
        asking: arrivals::asking(run),
    };
    let Some((baseline, candidates)) = run.manifest.arms.split_first() else { return Vec::new() };
    candidates.iter().map(|c| gate::judge(policy, asked, &baseline.name, &c.name)).collect()
}

/// The run's answers and scores without any timing: what a rerun must reproduce byte for byte.
pub fn results<'a>(
    run: &'a SealedRun,
    samples: &'a [Sample],
    metrics: &'a [Metric],
) -> impl Iterator<Item = GoldenAnswer> + 'a {
    let timed: Vec<_> = metrics.iter().filter(|m| m.is_timing()).map(|m| &m.name).collect();
    let mut texts: BTreeMap<_, (Untrusted, Vec<ToolCall>)> = run
        .records
        .iter()
        .map(|r| {
            let (text, calls) = match &r.result {
                TrialResult::Response(response) => (&response.text, &response.tool_calls[..]),
                TrialResult::Failure(failure) => (&failure.message, &[][..]),
            };
            ((&r.case, &r.target, r.repeat), (text.clone(), calls.to_vec()))
        })
        .collect();
    samples.iter().map(move |s| {
        let (text, tool_calls) = texts.remove(&(&s.case, &s.target, s.repeat)).unwrap_or_default();
        let untimed = s.scores.iter().filter(|v| !timed.contains(&&v.metric));
        GoldenAnswer {
            case: s.case.clone(),
            target: s.target.clone(),
            repeat: s.repeat,
            outcome: s.outcome,
            text,
            tool_calls,
            scores: untimed.map(|v| (v.metric.clone(), v.value)).collect(),
        }
    })
}

/// Trials without an answer of the model's own.
#[must_use]
pub fn failures(samples: &[Sample]) -> usize {
    samples.iter().filter(|s| !s.outcome.is_answer()).count()
}

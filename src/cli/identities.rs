//! Who answered, by the word of the servers: over the trials of a run, and in the probes before and after them.

use crate::gate::Changed;
use crate::store::{ArmRef, ProbeRecord, SealedRun, TrialResult, When};
use crate::types::{Served, TargetName, Untrusted};
use std::collections::BTreeMap;

fn served(result: &TrialResult) -> Option<&Served> {
    match result {
        TrialResult::Response(r) => r.served.as_deref(),
        TrialResult::Failure(f) => f.served.as_deref(),
    }
}

/// Targets whose server named more than one model over the run, all its sittings and probes included. A fingerprint is no model's name:
/// servers with several back ends have several of them at any time.
pub fn changed(run: &SealedRun) -> Vec<Changed> {
    exchanged(run, |arm| &arm.name)
}

/// The same where the repeats of a target are taken together: its model may have changed between two of them.
pub fn changed_over_repeats(run: &SealedRun) -> Vec<Changed> {
    exchanged(run, |arm| &arm.target)
}

/// Who is seen under more than one model; `who` says for whom an arm is taken.
fn exchanged(run: &SealedRun, who: impl Fn(&ArmRef) -> &TargetName) -> Vec<Changed> {
    let arms: BTreeMap<&TargetName, &TargetName> = run.manifest.arms.iter().map(|a| (&a.name, who(a))).collect();
    let mut seen: BTreeMap<&TargetName, Vec<Untrusted>> = BTreeMap::new();
    let mut see = |arm: &TargetName, result| {
        let Some(model) = served(result).and_then(|s| s.model.as_ref()) else { return };
        let Some(&arm) = arms.get(arm) else { return };
        let models = seen.entry(arm).or_default();
        if !models.contains(model) {
            models.push(model.clone());
        }
    };
    // A target may be asked under several names in one run, and is probed once.
    let probes = |when: When| {
        let of = move |p: &&ProbeRecord| p.when == when;
        run.probes.iter().filter(of).flat_map(|p| {
            let arms = run.manifest.arms.iter().filter(|a| a.target == p.target);
            arms.map(move |a| (&a.name, &p.result))
        })
    };
    probes(When::Before).for_each(|(arm, result)| see(arm, result));
    run.records.iter().for_each(|r| see(&r.target, &r.result));
    probes(When::After).for_each(|(arm, result)| see(arm, result));
    let several = seen.into_iter().filter(|(_, models)| models.len() > 1);
    several.map(|(target, models)| Changed { target: target.clone(), models }).collect()
}

/// What else a target's server named otherwise before the run and after it, a sentence each: worth knowing, and no proof of another model.
pub fn drifts(run: &SealedRun) -> Vec<String> {
    let of = |when: When, target: &TargetName| {
        let mut probes = run.probes.iter().filter(move |p| p.when == when && p.target == *target);
        let probe = if when == When::Before { probes.next() } else { probes.next_back() };
        probe.and_then(|p| served(&p.result))
    };
    let mut targets: Vec<&TargetName> = run.manifest.arms.iter().map(|a| &a.target).collect();
    targets.sort();
    targets.dedup();
    let word =
        |text: &Option<Untrusted>| text.as_ref().map_or("none".to_owned(), |t| format!("`{}`", t.for_terminal(80)));
    let mut found = Vec::new();
    for target in targets {
        let (Some(before), Some(after)) = (of(When::Before, target), of(When::After, target)) else { continue };
        for (what, was, is) in
            [("fingerprint", &before.fingerprint, &after.fingerprint), ("region", &before.region, &after.region)]
        {
            if was != is {
                found.push(format!(
                    "the {what} of `{target}` was {} before the run and is {} after it",
                    word(was),
                    word(is)
                ));
            }
        }
    }
    found
}

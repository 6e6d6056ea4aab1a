//! Every trial of a run, in a seeded and balanced order, with an id that says what it is.

use crate::suite::Suite;
use crate::types::{CaseId, Digest, DigestBuilder, SplitMix64, TargetName, VariantName};

/// Someone who is asked in a run: a target in one role, with a prompt variant.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name in this run.
    pub name: TargetName,
    /// Digest of what answers.
    pub digest: Digest,
    /// The prompt variant it is asked with.
    pub prompt: VariantName,
}

/// One question: case × target × repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Digest of everything that determines it: the same on every machine and in every sitting.
    pub id: Digest,
    /// The case, as an index into the suite's cases.
    pub case: usize,
    /// The arm, as an index into the plan's arms.
    pub arm: usize,
    /// Which repeat, from 0.
    pub repeat: u32,
}

/// All trials of a run in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who is asked.
    pub arms: Vec<Arm>,
    /// The questions in order.
    pub trials: Vec<Trial>,
}

impl Plan {
    /// Plans every case for every arm, once.
    ///
    /// Cases come in a seeded random order, and the arms of one case directly after each other in a seeded random order of their own,
    /// so that drift of machine or endpoint hits all arms alike (statistics.md 4.1: randomised pairs keep an A/A test at its level
    /// where A-then-B does not).
    #[must_use]
    pub fn new(suite: &Suite, arms: Vec<Arm>, seed: u64) -> Self {
        let stream = |purpose: &str| {
            let d = DigestBuilder::new("goldgate.stream/1").field(&seed.to_le_bytes()).field(purpose.as_bytes());
            SplitMix64::new(d.finish().seed())
        };
        let mut order: Vec<usize> = (0..suite.cases().len()).collect();
        stream("case order").shuffle(&mut order);
        let mut arm_order = stream("arm order");
        let mut trials = Vec::with_capacity(order.len() * arms.len());
        for case in order {
            let mut pair: Vec<usize> = (0..arms.len()).collect();
            arm_order.shuffle(&mut pair);
            for arm in pair {
                let id = trial_id(suite, &suite.cases()[case].id, &arms[arm], 0);
                trials.push(Trial { id, case, arm, repeat: 0 });
            }
        }
        Self { arms, trials }
    }
}

fn trial_id(suite: &Suite, case: &CaseId, arm: &Arm, repeat: u32) -> Digest {
    DigestBuilder::new("goldgate.trial/1")
        .field(suite.digest().hex().as_bytes())
        .field(case.as_str().as_bytes())
        .field(arm.name.as_str().as_bytes())
        .field(arm.digest.hex().as_bytes())
        .field(arm.prompt.as_str().as_bytes())
        .field(&repeat.to_le_bytes())
        .finish()
}

//! How good the answers to questions are whose true answers are known.

#![allow(dead_code, unreachable_pub, reason = "whoever includes it uses a part of it")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "counts of a measurement"
)]

use super::data::Answer;
use std::fmt;

/// What was counted of answers; the measures are shares of it, 0–1.
#[derive(Clone, Copy, Default)]
pub struct Score {
    /// Questions whose company is known, and the others.
    pub answerable: u32,
    pub without: u32,
    right: u32,
    wrong: u32,
    wrong_without: u32,
    first: u32,
    /// By tenths of the first candidate's confidence: how many, the sum of it, how many are right.
    bins: [(u32, f64, u32); 10],
}

impl Score {
    /// Counts the answer to a question about the company `truth`, which is empty if it is unknown.
    pub fn add(&mut self, truth: &str, answer: &Answer) {
        self.answerable += u32::from(!truth.is_empty());
        self.without += u32::from(truth.is_empty());
        let Some((best, confidence)) = answer.candidates.first() else { return };
        let is_right = best == truth;
        self.first += u32::from(is_right);
        let (count, sum, right) = &mut self.bins[((confidence * 10.0) as usize).min(9)];
        (*count, *sum, *right) = (*count + 1, *sum + confidence, *right + u32::from(is_right));
        if answer.is_linked {
            self.right += u32::from(is_right);
            self.wrong += u32::from(!is_right);
            self.wrong_without += u32::from(truth.is_empty());
        }
    }

    /// Of what was linked, how much is right.
    pub fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    /// Of the companies that are known, how many were linked.
    pub fn recall(&self) -> f64 {
        share(self.right, self.answerable)
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        share(2 * self.right, self.right + self.wrong + self.answerable)
    }

    /// Of the companies that are known, how many came first.
    pub fn truth_first(&self) -> f64 {
        share(self.first, self.answerable)
    }

    /// How far the first candidate's confidence is from how often it is right, over ten bins.
    pub fn calibration_error(&self) -> f64 {
        let asked: u32 = self.bins.iter().map(|bin| bin.0).sum();
        let off: f64 =
            self.bins.iter().map(|(_, sum, right)| (sum - f64::from(*right)).abs()).sum();
        off / f64::from(asked.max(1))
    }

    /// Of the questions whose company is not known, how many were linked all the same.
    pub fn wrong_without_answer(&self) -> f64 {
        share(self.wrong_without, self.without)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "F1 {:.4}  precision {:.4}  recall {:.4}  truth first {:.4}  calibration error {:.4}  \
             linked without answer {:.4}",
            self.f1(),
            self.precision(),
            self.recall(),
            self.truth_first(),
            self.calibration_error(),
            self.wrong_without_answer(),
        )
    }
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole.max(1))
}

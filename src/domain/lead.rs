//! Leads: how good one is (0–100), and whether it is qualified.
//!
//! The score is `round(Σ weight × value ÷ Σ weight)` of factors whose values are 0–100. A factor
//! that is not known is left out, and those that are share its weight: unknown is never zero.
//!
//! The specification names the factors but no weights. These are tenure's own, a host can
//! [change them](LeadRules):
//!
//! | factor | weight | known from |
//! |---|---|---|
//! | `budget` | 20 | the answer: yes 100, no 0 |
//! | `need` | 20 | the answer |
//! | `authority` | 15 | the answer |
//! | `timeline` | 15 | the answer |
//! | `engagement` | 15 | the customer's engagement score |
//! | `size` | 10 | the host: how well it fits |
//! | `industry` | 5 | the host: how well it fits |
//!
//! Without money and need there is no sale, who decides and when comes next; interest can be
//! awakened, and fit says least about one that asks by itself.
//!
//! A lead is qualified when budget, authority, need and timeline (BANT) are all answered with yes.
//! Who answers in points instead of yes and no uses a [`Scorecard`]; how likely one like those
//! before is to be won is told by [`likelihood`].

mod likelihood;
mod qualification;
mod score;
mod scorecard;

pub use likelihood::{PastLead, likelihood};
pub use qualification::{BantAnswers, LeadQualification, LeadQualificationId};
pub use score::{LeadFactor, LeadRules, LeadScore, LeadScoreId, LeadValues, lead_score};
pub use scorecard::{LeadGrade, Scorecard, timeline_points};

/// The factors that are the four answers.
pub(crate) const BANT: [&str; 4] = ["budget", "authority", "need", "timeline"];
/// The factor that is the customer's engagement score.
pub(crate) const ENGAGEMENT: &str = "engagement";

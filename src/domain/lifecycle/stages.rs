//! The stages of the journey as people read them.

use crate::domain::customer::Stage;
use crate::noun::Noun;
use serde::Serialize;
use std::fmt;

/// What is to be known of a stage: how long it lasts, what leads in and out, what to watch and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageGuide {
    /// The stage.
    pub stage: Stage,
    /// The least number of days; negative are days before the renewal.
    pub days_min: i32,
    /// The most, if it is meant to end.
    pub days_max: Option<i32>,
    /// What leads into it.
    pub enters_on: &'static [&'static str],
    /// What leads out of it.
    pub leaves_on: &'static [&'static str],
    /// What to watch.
    pub key_metrics: &'static [&'static str],
    /// What customer success does.
    pub activities: &'static [&'static str],
    /// The workflows that are requested when it is entered.
    pub workflows: &'static [&'static str],
}

macro_rules! stages {
    ($($stage:ident $min:literal..$($max:literal)?;
        enters $enters:tt leaves $leaves:tt watch $metrics:tt do $activities:tt start $workflows:tt
    )+) => {
        /// Every stage, in order.
        ///
        /// ```
        /// let renewing = tenure::STAGES.iter().find(|it| it.stage == tenure::Stage::Renewing);
        /// assert_eq!(renewing.map(|it| (it.days_min, it.days_max)), Some((-60, Some(0))));
        /// println!("{}", tenure::STAGES[0]);
        /// ```
        pub const STAGES: [StageGuide; Stage::ALL.len()] = [$(StageGuide {
            stage: Stage::$stage,
            days_min: $min,
            days_max: stages!(@max $($max)?),
            enters_on: &$enters,
            leaves_on: &$leaves,
            key_metrics: &$metrics,
            activities: &$activities,
            workflows: &$workflows,
        }),+];
    };
    (@max) => { None };
    (@max $max:literal) => { Some($max) };
}

stages! {
    Trial 0..14;
        enters ["signed up for trial"] leaves ["converted", "trial expired"]
        watch ["activation rate", "feature usage"]
        do ["welcome email", "product tour", "first-value check-in"]
        start ["trial_welcome_sequence"]
    Onboarding 0..30;
        enters ["converted to paid"] leaves ["checklist done", "30 days elapsed"]
        watch ["onboarding completion", "time to value"]
        do ["kickoff call", "training", "implementation support"]
        start ["onboarding_kickoff", "assign_csm"]
    Adopting 30..90;
        enters ["onboarding done"] leaves ["adoption benchmarks", "health of 70"]
        watch ["DAU/MAU", "feature adoption", "tickets"]
        do ["usage reviews", "best practices", "refreshers"]
        start ["adoption_check_in", "30_day_review"]
    Growing 90..;
        enters ["benchmarks met"] leaves ["expansion opportunity", "renewal near"]
        watch ["engagement score", "business outcomes"]
        do ["quarterly reviews", "success planning", "ROI documentation"]
        start ["qbr_scheduling", "success_story_outreach"]
    Renewing -60..0;
        enters ["60 days before renewal"] leaves ["renewed", "churned"]
        watch ["renewal likelihood", "health"]
        do ["renewal discussion", "value recap", "negotiation"]
        start ["renewal_sequence", "value_recap"]
    Expanding 0..30;
        enters ["opportunity identified"] leaves ["closed", "lost"]
        watch ["expansion revenue", "seats added"]
        do ["needs assessment", "proposal", "implementation plan"]
        start ["expansion_proposal"]
    Advocating 0..;
        enters ["promoter", "high health"] leaves ["health drops"]
        watch ["referrals", "reviews", "case studies"]
        do ["referral asks", "interviews", "speaking"]
        start ["advocacy_program_invite"]
    AtRisk 0..30;
        enters ["health below 40", "churn signals"] leaves ["restored", "churned"]
        watch ["churn risk", "engagement trend"]
        do ["executive outreach", "recovery plan", "escalation"]
        start ["at_risk_intervention", "executive_escalation"]
    Churned 0..;
        enters ["subscription cancelled"] leaves ["win-back"]
        watch ["churn reason", "revenue lost"]
        do ["exit interview", "win-back campaign"]
        start ["exit_interview", "win_back_sequence"]
}

impl StageGuide {
    /// The guide to a stage.
    #[must_use]
    pub fn of(stage: Stage) -> &'static Self {
        static GUIDES: [StageGuide; Stage::ALL.len()] = STAGES;
        // Every stage is listed: a test says so.
        GUIDES.iter().find(|it| it.stage == stage).unwrap_or(&GUIDES[0])
    }
}

impl fmt::Display for StageGuide {
    /// One row of a table: `trial | 0–14 | signed up for trial | …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.days_max.map(|it| it.to_string()).unwrap_or_default();
        write!(f, "{} | {}–{most}", self.stage, self.days_min)?;
        for list in
            [self.enters_on, self.leaves_on, self.key_metrics, self.activities, self.workflows]
        {
            write!(f, " | {}", list.join(", "))?;
        }
        Ok(())
    }
}

/// What is asked of whoever runs workflows.
pub(crate) const WORKFLOW: Noun = Noun {
    name: "Workflow",
    singular: "workflow",
    plural: "workflows",
    category: "success",
    description: &[
        "A sequence of steps of customer success, requested when a customer enters a stage.",
        "The event carries its name and the occasion, so that one occasion has one effect.",
    ],
    properties: &[],
    relationships: &[],
    actions: &[],
    further_events: &["requested"],
};

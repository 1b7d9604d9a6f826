//! The rules by hand: the default health model, signals and stages, in plain floats.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Write as _;

pub const DAY: f64 = 86_400e6;

/// How many figures are known by name.
pub const FIGURES: usize = 19;

/// The names in order; where each is.
pub const NAMES: [&str; FIGURES] = [
    "avg_csat",
    "contract_length",
    "conversations_per_week",
    "dau_mau_ratio",
    "days_since_last_login",
    "engagement_score",
    "escalations",
    "failed_payments",
    "feature_adoption",
    "features_used_this_month",
    "growth_potential",
    "logins_per_week",
    "meetings_attended",
    "nps_score",
    "open_tickets",
    "payment_health",
    "responses_to_outreach",
    "usage_change",
    "usage_vs_limit",
];
pub const CSAT: usize = 0;
pub const CONTRACT: usize = 1;
pub const CONVERSATIONS: usize = 2;
pub const DAU_MAU: usize = 3;
pub const LOGIN: usize = 4;
pub const ENGAGEMENT: usize = 5;
pub const ESCALATIONS: usize = 6;
pub const FAILED: usize = 7;
pub const ADOPTION: usize = 8;
pub const FEATURES: usize = 9;
pub const GROWTH: usize = 10;
pub const LOGINS: usize = 11;
pub const MEETINGS: usize = 12;
pub const NPS: usize = 13;
pub const TICKETS: usize = 14;
pub const PAYMENT: usize = 15;
pub const RESPONSES: usize = 16;
pub const USAGE_CHANGE: usize = 17;
pub const USAGE: usize = 18;

/// A figure, when it was so, and whether records show it.
#[derive(Clone, Copy)]
pub struct Figure {
    pub value: f64,
    pub at: i64,
    pub derived: bool,
}

/// What is known of a customer.
#[derive(Default, Clone)]
pub struct Figures {
    pub all: [Option<Figure>; FIGURES],
    /// Neither is looked at by the health model.
    pub severe_tickets: Option<Figure>,
    pub onboarding: Option<Figure>,
}

impl Figures {
    pub fn value(&self, name: usize) -> Option<f64> {
        self.all[name].map(|it| it.value)
    }

    pub fn derive(&mut self, name: usize, value: f64, at: i64) {
        self.all[name] = Some(Figure { value, at, derived: true });
    }
}

/// The host's metrics of a customer, as their JSON has them.
impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Readings;
        impl<'de> Visitor<'de> for Readings {
            type Value = Figures;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("readings")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Figures, M::Error> {
                let mut figures = Figures::default();
                // Both lists are in order.
                let mut from = 0;
                while let Some(name) = map.next_key::<&str>()? {
                    let place = NAMES[from..].iter().position(|it| *it == name);
                    let place = match (place, name) {
                        (Some(place), _) => {
                            from += place + 1;
                            &mut figures.all[from - 1]
                        }
                        (None, "high_severity_tickets") => &mut figures.severe_tickets,
                        (None, "onboarding_completion") => &mut figures.onboarding,
                        (None, _) => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let (value, at) = map.next_value()?;
                    *place = Some(Figure { value, at, derived: false });
                }
                Ok(figures)
            }
        }
        from.deserialize_map(Readings)
    }
}

/// What a score was computed from, for the record.
pub struct Inputs<'f>(pub &'f Figures);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (place, (name, figure)) in NAMES.iter().zip(&self.0.all).enumerate() {
            if let Some(it) =
                figure.filter(|_| ![ENGAGEMENT, FAILED, USAGE_CHANGE].contains(&place))
            {
                let source = if it.derived { "derived" } else { "host" };
                map.serialize_entry(name, &(it.value, it.at, source))?;
            }
        }
        map.end()
    }
}

/// A metric of the model: which, what is ideal, what is worst of those that are to be low, weight.
type Metric = (usize, f64, Option<f64>, f64);

/// The components of the model.
pub const MODEL: [(&str, f64, [Metric; 3]); 5] = [
    (
        "product_usage",
        0.30,
        [(DAU_MAU, 0.5, None, 0.4), (ADOPTION, 0.7, None, 0.3), (CONVERSATIONS, 100.0, None, 0.3)],
    ),
    (
        "engagement",
        0.25,
        [(LOGIN, 1.0, Some(30.0), 0.4), (LOGINS, 5.0, None, 0.3), (FEATURES, 10.0, None, 0.3)],
    ),
    (
        "support",
        0.15,
        [
            (TICKETS, 0.0, Some(5.0), 0.4),
            (CSAT, 5.0, None, 0.4),
            (ESCALATIONS, 0.0, Some(2.0), 0.2),
        ],
    ),
    (
        "relationship",
        0.15,
        [(NPS, 10.0, None, 0.5), (MEETINGS, 1.0, None, 0.3), (RESPONSES, 1.0, None, 0.2)],
    ),
    (
        "financial",
        0.15,
        [(PAYMENT, 1.0, None, 0.4), (GROWTH, 1.0, None, 0.3), (CONTRACT, 12.0, None, 0.3)],
    ),
];

pub struct Health {
    pub score: Option<u32>,
    pub points: Option<f64>,
    pub coverage: f64,
    pub components: [Option<u32>; 5],
    pub print: i64,
}

fn half_up(points: f64) -> u32 {
    (points + 0.5 + 1e-12).floor() as u32
}

/// The score by what is known and not too old.
pub fn score(figures: &Figures, now: i64) -> Health {
    let (mut components, mut print) = ([None; 5], 0xcbf2_9ce4_8422_2325_u64);
    let (mut known, mut sum, mut points, mut weights) = (0.0, 0.0, 0.0, 0.0);
    for ((_, weight, metrics), score) in MODEL.iter().zip(&mut components) {
        let (mut earned, mut counted) = (0.0, 0.0);
        for (name, ideal, worst, weight) in metrics {
            let value = fresh(figures, *name, now);
            for word in [u64::from(value.is_some()), value.unwrap_or(0.0).to_bits()] {
                print = (print ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
            }
            let Some(value) = value else { continue };
            let share = match worst {
                None => value / ideal,
                Some(worst) => (worst - value) / (worst - ideal),
            };
            earned += share.clamp(0.0, 1.0) * 100.0 * weight;
            counted += weight;
        }
        known += weight * counted;
        if counted > 0.0 {
            let mean = earned / counted;
            let rounded = half_up(mean);
            *score = Some(rounded);
            sum += f64::from(rounded) * weight;
            points += mean * weight;
            weights += weight;
        }
    }
    let enough = known + 1e-12 >= 0.5;
    let total = (weights > 0.0).then(|| half_up(sum / weights));
    let points = total.map(|_| points / weights);
    // What is looked at beside the metrics counts by what follows from it.
    for follows in [
        fresh(figures, LOGIN, now).is_some_and(|it| it > 7.0),
        fresh(figures, TICKETS, now).is_some_and(|it| it > 3.0),
        fresh(figures, NPS, now).is_some_and(|it| it <= 6.0),
        fresh(figures, USAGE, now).is_some_and(|it| it > 0.8),
    ] {
        print = (print ^ u64::from(follows)).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    }
    let print = (print ^ (print >> 31)).cast_signed();
    Health { score: total.filter(|_| enough), points, coverage: known, components, print }
}

/// What is not older than a quarter; of answers and contracts, than a year.
pub fn fresh(figures: &Figures, name: usize, now: i64) -> Option<f64> {
    let days = if name == NPS || name == CONTRACT { 365.0 } else { 90.0 };
    figures.all[name].filter(|it| (now - it.at) as f64 <= days * DAY).map(|it| it.value)
}

pub fn grade(score: u32) -> &'static str {
    match score {
        80.. => "A",
        60.. => "B",
        40.. => "C",
        20.. => "D",
        _ => "F",
    }
}

pub fn trend(score: u32, before: u32) -> &'static str {
    if score > before + 5 {
        "improving"
    } else if before > score + 5 {
        "declining"
    } else {
        "stable"
    }
}

#[derive(Serialize)]
pub struct Risk {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'static str>,
    value: f64,
    threshold: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<f64>,
}

pub fn risks(health: &Health, before: &[Option<u32>; 5], figures: &Figures, now: i64) -> Vec<Risk> {
    let mut all = Vec::new();
    for ((score, before), (name, ..)) in health.components.iter().zip(before).zip(&MODEL) {
        let Some(score) = score else { continue };
        let risk = |kind, threshold, before: Option<u32>| Risk {
            kind,
            component: Some(name),
            value: (*score).into(),
            threshold,
            before: before.map(Into::into),
        };
        if *score < 40 {
            all.push(risk("component_low", 40.0, None));
        }
        if before.is_some_and(|it| it > *score + 5) {
            all.push(risk("component_declining", 5.0, *before));
        }
    }
    let over = |kind, name, threshold| {
        let value = fresh(figures, name, now);
        let value = value.filter(|it| if name == NPS { *it <= threshold } else { *it > threshold });
        value.map(|value| Risk { kind, component: None, value, threshold, before: None })
    };
    all.extend(over("no_login", LOGIN, 7.0));
    all.extend(over("open_tickets", TICKETS, 3.0));
    all.extend(over("nps_detractor", NPS, 6.0));
    all
}

#[derive(Serialize)]
pub struct Chance {
    kind: &'static str,
    value: f64,
    threshold: f64,
}

pub fn chances(figures: &Figures, now: i64) -> Vec<Chance> {
    let chance = |kind, name, threshold, crosses: fn(f64, f64) -> bool| {
        let value = fresh(figures, name, now).filter(|value| crosses(*value, threshold))?;
        Some(Chance { kind, value, threshold })
    };
    let all = [
        chance("training", ADOPTION, 0.5, |a, b| a < b),
        chance("advocacy", NPS, 9.0, |a, b| a >= b),
        chance("expansion", GROWTH, 0.7, |a, b| a > b),
        chance("upgrade", USAGE, 0.8, |a, b| a > b),
    ];
    all.into_iter().flatten().collect()
}

/// A churn signal: what, how grave, by which figure, beyond what.
pub const SIGNALS: [(&str, &str, usize, f64); 6] = [
    ("no_login_7_days", "medium", LOGIN, 7.0),
    ("no_login_14_days", "high", LOGIN, 14.0),
    ("usage_drop_50", "high", USAGE_CHANGE, -50.0),
    ("nps_detractor", "high", NPS, 6.0),
    ("multiple_support_tickets", "medium", TICKETS, 3.0),
    ("failed_payment", "high", FAILED, 0.0),
];

/// The value of a signal's figure and whether it stands; none if that is not known.
pub fn judged(signal: usize, figures: &Figures, now: i64) -> Option<(f64, bool)> {
    let (_, _, name, threshold) = SIGNALS[signal];
    let figure = figures.all[name]?;
    let kept = figure.derived || (now - figure.at) as f64 <= 90.0 * DAY;
    let value = figure.value;
    let stands = match signal {
        0 | 1 | 5 => value > threshold,
        2 => value < threshold,
        3 => value <= threshold,
        _ => value >= threshold,
    };
    kept.then_some((value, stands))
}

pub fn described(signal: usize, value: f64) -> String {
    let (_, _, _, threshold) = SIGNALS[signal];
    let shown = (value * 10.0).round() / 10.0;
    match signal {
        0 | 1 => {
            format!("nobody has logged in for {shown} days; more than {threshold} are a signal")
        }
        2 => format!("usage changed by {shown}% in a month; less than {threshold}% is a signal"),
        3 => format!("the last NPS score is {shown}; {threshold} or less is a signal"),
        4 => format!("{shown} tickets are open; {threshold} or more are a signal"),
        _ => format!("payments that failed: {shown}; more than {threshold} are a signal"),
    }
}

/// What the rules of the journey look at.
pub struct Standing<'f> {
    pub figures: &'f Figures,
    pub health: Option<u32>,
    pub now: i64,
    pub stage: &'f str,
    pub since: i64,
    pub customer_since: i64,
    pub paid_active: bool,
    pub paid_ended_at: Option<i64>,
    pub renewal_at: Option<i64>,
    pub renewed_at: Option<i64>,
    pub left_expanding_at: Option<i64>,
    pub open: u32,
    pub opened_at: Option<i64>,
}

/// A figure and its bound, for the record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    measure: &'static str,
    value: Option<f64>,
    is: &'static str,
    bound: f64,
    at: Option<String>,
    unknown_will_do: bool,
}

/// A move: where to, by which rule, on what figures.
pub struct Move {
    pub to: &'static str,
    pub rule: &'static str,
    pub figures: Vec<Condition>,
}

type Known = (Option<f64>, Option<i64>);

impl Standing<'_> {
    fn named(&self, name: usize) -> Known {
        (self.figures.value(name), self.figures.all[name].map(|it| it.at))
    }

    fn severe(&self) -> Known {
        (
            self.figures.severe_tickets.map(|it| it.value),
            self.figures.severe_tickets.map(|it| it.at),
        )
    }

    fn score(&self) -> Known {
        (self.health.map(f64::from), self.health.map(|_| self.now))
    }

    /// The figures of the dangers that there are, in their order, and the first of them.
    fn dangers(&self) -> Option<Move> {
        let dangers = [
            ("low_health", "health_score", self.score(), "below", 40.0),
            ("no_login", "days_since_last_login", self.named(LOGIN), "above", 14.0),
            ("severe_tickets", "high_severity_tickets", self.severe(), "above", 2.0),
            ("detractor", "nps_score", self.named(NPS), "at_most", 6.0),
        ];
        let mut found: Option<Move> = None;
        for (rule, measure, known, is, bound) in dangers {
            if known.0.is_some_and(|value| holds(value, is, bound)) {
                let condition = condition(measure, known, is, bound, false);
                let found =
                    found.get_or_insert_with(|| Move { to: "at_risk", rule, figures: Vec::new() });
                found.figures.push(condition);
            }
        }
        found
    }

    /// Where the customer goes next.
    #[expect(clippy::too_many_lines, reason = "one rule after the other")]
    pub fn next(&self) -> Option<Move> {
        let to = |to, rule, figures: Vec<Condition>| Some(Move { to, rule, figures });
        let so = |measure, at| condition(measure, (Some(1.0), at), "at_least", 1.0, false);
        let must = |measure, known, is, bound| condition(measure, known, is, bound, false);
        let is = |known: Known, is, bound| known.0.is_some_and(|value| holds(value, is, bound));
        let ended = self.paid_ended_at.filter(|at| *at <= self.now && !self.paid_active);
        if ended.is_some() && self.stage != "churned" {
            return to("churned", "paid_ended", vec![so("paid_ended", ended)]);
        }
        if !matches!(self.stage, "at_risk" | "churned")
            && let Some(danger) = self.dangers()
        {
            return Some(danger);
        }
        let (score, nps) = (self.score(), self.named(NPS));
        let lasted = (Some(days(self.customer_since, self.now)), Some(self.customer_since));
        match self.stage {
            "trial" if self.paid_active => {
                to("onboarding", "converted", vec![so("paid_active", None)])
            }
            "onboarding" => {
                let done = self.figures.onboarding.map(|it| it.value);
                let done = (done, self.figures.onboarding.map(|it| it.at));
                let name = "onboarding_completion";
                if is(done, "at_least", 80.0) {
                    to("adopting", "onboarded", vec![must(name, done, "at_least", 80.0)])
                } else if is(lasted, "above", 30.0) && is(done, "below", 50.0) {
                    let lasted = must("days_as_customer", lasted, "above", 30.0);
                    let done = must(name, done, "below", 50.0);
                    to("at_risk", "onboarding_stalled", vec![lasted, done])
                } else {
                    None
                }
            }
            "adopting" if is(score, "at_least", 70.0) && is(lasted, "above", 90.0) => {
                let score = must("health_score", score, "at_least", 70.0);
                to(
                    "growing",
                    "adopted",
                    vec![score, must("days_as_customer", lasted, "above", 90.0)],
                )
            }
            "growing" => {
                let renewal = self.renewal_at.map(|at| days(self.now, at));
                let renewed = self.renewal_at.zip(self.renewed_at);
                let due = renewed.is_none_or(|(at, last)| last <= at - (60.0 * DAY) as i64);
                if renewal.is_some_and(|days| days <= 60.0) && due {
                    let days = (renewal, self.renewal_at);
                    let days = must("days_until_renewal", days, "at_most", 60.0);
                    to("renewing", "renewal_near", vec![days, so("renewal_due", self.renewal_at)])
                } else if self.open > 0
                    && self.left_expanding_at.is_none_or(|left| self.opened_at > Some(left))
                {
                    let open = (Some(f64::from(self.open)), self.opened_at);
                    let open = must("open_opportunities", open, "at_least", 1.0);
                    to(
                        "expanding",
                        "opportunity_found",
                        vec![open, so("new_opportunity", self.opened_at)],
                    )
                } else if is(nps, "at_least", 9.0) && is(score, "at_least", 80.0) {
                    let nps = must("nps_score", nps, "at_least", 9.0);
                    to(
                        "advocating",
                        "promoter",
                        vec![nps, must("health_score", score, "at_least", 80.0)],
                    )
                } else {
                    None
                }
            }
            "renewing" => {
                let renewed = self.renewed_at.filter(|at| *at > self.since && *at <= self.now);
                renewed.and_then(|_| to("growing", "renewed", vec![so("renewed", renewed)]))
            }
            "expanding" => {
                let days = (Some(days(self.since, self.now)), Some(self.since));
                let days = must("days_in_stage", days, "at_least", 30.0);
                days.is_so()
                    .then_some(days)
                    .and_then(|it| to("growing", "expansion_over", vec![it]))
            }
            "advocating" if is(score, "below", 70.0) => {
                to("growing", "health_dropped", vec![must("health_score", score, "below", 70.0)])
            }
            "advocating" if is(nps, "below", 9.0) => {
                to("growing", "promoter_lost", vec![must("nps_score", nps, "below", 9.0)])
            }
            "at_risk" if is(score, "at_least", 60.0) => {
                let login = self.named(LOGIN);
                let all = [
                    ("days_since_last_login", login, "at_most", 14.0),
                    ("high_severity_tickets", self.severe(), "at_most", 2.0),
                    ("nps_score", nps, "above", 6.0),
                ];
                if !all.iter().all(|it| it.1.0.is_none_or(|value| holds(value, it.2, it.3))) {
                    return None;
                }
                let mut figures = vec![must("health_score", score, "at_least", 60.0)];
                figures.extend(all.map(|it| condition(it.0, it.1, it.2, it.3, true)));
                to("growing", "recovered", figures)
            }
            "churned" if self.paid_active => {
                to("onboarding", "won_back", vec![so("paid_active", None)])
            }
            _ => None,
        }
    }
}

fn days(from: i64, to: i64) -> f64 {
    (to - from) as f64 / DAY
}

fn holds(value: f64, is: &str, bound: f64) -> bool {
    match is {
        "below" => value < bound,
        "at_most" => value <= bound,
        "at_least" => value >= bound,
        _ => value > bound,
    }
}

fn condition(
    measure: &'static str,
    (value, at): Known,
    is: &'static str,
    bound: f64,
    unknown_will_do: bool,
) -> Condition {
    Condition { measure, value, is, bound, at: at.map(rfc3339), unknown_will_do }
}

pub fn rfc3339(micros: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
    at.format(&Rfc3339).unwrap()
}

impl Condition {
    fn is_so(&self) -> bool {
        self.value.is_some_and(|value| holds(value, self.is, self.bound))
    }

    fn say(&self, to: &mut String) {
        let phrase = match self.measure {
            "paid_active" => "a paid subscription is active",
            "paid_ended" => "the last paid subscription is over",
            "renewed" => "it was renewed",
            "renewal_due" => "the renewal is to be made",
            "new_opportunity" => "the opportunity is new",
            _ => "",
        };
        if !phrase.is_empty() {
            to.push_str(phrase);
            if let Some(at) = &self.at {
                let _ = write!(to, " ({})", &at[..10]);
            }
            return;
        }
        let name = if self.measure == "nps_score" {
            "NPS".to_owned()
        } else {
            self.measure.replace('_', " ")
        };
        let (must, is) = (
            if self.value.is_none() && !self.unknown_will_do { "must be " } else { "" },
            self.is.replace('_', " "),
        );
        let value = self.value.map_or("unknown".to_owned(), |it| {
            format!("{it:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
        });
        let _ = write!(to, "{name} {value}, {must}{is} {}", self.bound);
    }
}

impl Move {
    pub fn reason(&self) -> String {
        let mut text = String::new();
        for (place, it) in self.figures.iter().enumerate() {
            if place > 0 {
                text.push_str("; ");
            }
            it.say(&mut text);
        }
        text
    }
}

pub fn workflows(stage: &str) -> &'static [&'static str] {
    match stage {
        "trial" => &["trial_welcome_sequence"],
        "onboarding" => &["onboarding_kickoff", "assign_csm"],
        "adopting" => &["adoption_check_in", "30_day_review"],
        "growing" => &["qbr_scheduling", "success_story_outreach"],
        "renewing" => &["renewal_sequence", "value_recap"],
        "expanding" => &["expansion_proposal"],
        "advocating" => &["advocacy_program_invite"],
        "at_risk" => &["at_risk_intervention", "executive_escalation"],
        _ => &["exit_interview", "win_back_sequence"],
    }
}

//! What follows from the rules by hand, written with statements that are prepared once a page.

use crate::floor::{Counts, Id, Ids, Journey, One, Opportunity, State};
use crate::rules::{self, Figures, Health, Inputs, MODEL, SIGNALS, Standing};
use crate::support::Result;
use rusqlite::{CachedStatement, Connection, params};
use serde::Serialize;
use std::collections::BTreeMap;
use tenure::store::sqlite::rusqlite;
use uuid::Uuid;

const MODEL_ID: Id = [7; 16];
const MODEL_HASH: &str = "c3336dd9a4a7d6d2";
const STAGES: [&str; 7] =
    ["trial", "onboarding", "adopting", "growing", "renewing", "expanding", "advocating"];

pub struct Write<'db> {
    org: &'db Id,
    now: i64,
    ids: &'db mut Ids,
    outbox: CachedStatement<'db>,
    record: CachedStatement<'db>,
    state: CachedStatement<'db>,
    new_state: CachedStatement<'db>,
    customer: CachedStatement<'db>,
    standing: CachedStatement<'db>,
    open: CachedStatement<'db>,
    close: CachedStatement<'db>,
    moved: CachedStatement<'db>,
    journey: CachedStatement<'db>,
    offer: CachedStatement<'db>,
    refresh: CachedStatement<'db>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Scored {
    before: Option<u32>,
    drop: u32,
    grade: Option<&'static str>,
    record_id: Uuid,
    score: Option<u32>,
    trend: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alerted {
    before: Option<u32>,
    drop: u32,
    grade: &'static str,
    kind: &'static str,
    message: String,
    occasion: Option<&'static str>,
    record_id: Uuid,
    score: u32,
    severity: &'static str,
}

#[derive(Serialize)]
struct Detected<'s> {
    description: &'s str,
    kind: &'s str,
    metric: &'s str,
    severity: &'s str,
    threshold: f64,
    value: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed<'s> {
    from: &'s str,
    reason: &'s str,
    rule: &'s str,
    to: &'s str,
    transition_id: Uuid,
    triggered_by: &'s str,
}

#[derive(Serialize)]
struct Requested<'s> {
    occasion: &'s str,
    stage: &'s str,
    workflow: &'s str,
}

#[derive(Serialize)]
struct FromTo<T> {
    from: T,
    to: T,
}

#[derive(Serialize)]
struct Component {
    name: &'static str,
    score: Option<u32>,
}

#[derive(Serialize)]
struct Reason {
    kind: &'static str,
    threshold: f64,
    value: f64,
    weight: f64,
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

impl<'db> Write<'db> {
    pub fn new(db: &'db Connection, org: &'db Id, now: i64, ids: &'db mut Ids) -> Result<Self> {
        Ok(Self {
            org,
            now,
            ids,
            outbox: db.prepare_cached(
                "INSERT INTO outbox (org, name, subject, customer, performed_by, data, at)
                 VALUES (?, ?, ?, ?, 'system', ?, ?)",
            )?,
            record: db.prepare_cached(
                "INSERT INTO health_record (org, id, customer_id, calculated_at, model_id,
                     model_hash, score, grade, trend, previous_score, points, coverage, components,
                     inputs, risk_factors, opportunities)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            state: db.prepare_cached(
                "UPDATE health_state SET record_id = ?3, score = ?4, components = ?5,
                     previous_score = ?6, previous_components = ?7, fingerprint = ?8
                 WHERE org = ?1 AND id = ?2",
            )?,
            new_state: db.prepare_cached(
                "INSERT INTO health_state (org, id, record_id, score, components, previous_score,
                     previous_components, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            customer: db.prepare_cached(
                "UPDATE customer SET health_score = ?3, risk_level = ?4, engagement_score = ?5,
                     stage = ?6, updated_at = ?7, version = version + 1
                 WHERE org = ?1 AND id = ?2",
            )?,
            standing: db.prepare_cached(
                "UPDATE customer SET status = ?3 WHERE org = ?1 AND id = ?2",
            )?,
            open: db.prepare_cached(
                "INSERT INTO churn_signal (org, id, customer_id, kind, severity, description, metric,
                     value, threshold, detected_at, open_for)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?3)",
            )?,
            close: db.prepare_cached(
                "UPDATE churn_signal SET closed_at = ?3, open_for = NULL WHERE org = ?1 AND id = ?2",
            )?,
            moved: db.prepare_cached(
                "INSERT INTO stage_transition (org, id, customer_id, number, \"from\", \"to\", at,
                     rule, reason, figures, triggered_by, performed_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'automatic', 'system')",
            )?,
            journey: db.prepare_cached(
                "REPLACE INTO journey (org, id, stage, since, furthest, latest, total, moves,
                     returned_at, left_expanding_at, status_set_at, status_owed)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            offer: db.prepare_cached(
                "INSERT INTO expansion_opportunity (org, id, customer_id, open_for, csm_id, kind,
                     target_tier, features, estimated_value, probability, signals,
                     recommended_action, timing, status, detected_at, updated_at)
                 VALUES (?1, ?2, ?3, ?3, ?4, 'upsell', 'enterprise', '[]', ?5, ?6, ?7, ?8, ?9, 'open',
                     ?10, ?10)",
            )?,
            refresh: db.prepare_cached(
                "UPDATE expansion_opportunity SET estimated_value = ?3, probability = ?4,
                     signals = ?5, recommended_action = ?6, timing = ?7, updated_at = ?8
                 WHERE org = ?1 AND id = ?2",
            )?,
        })
    }

    fn announce(&mut self, name: &str, subject: &Id, customer: &Id, data: &str) -> Result<()> {
        self.outbox.execute(params![self.org, name, subject, customer, data, self.now])?;
        Ok(())
    }

    pub fn evaluate(
        &mut self,
        one: &One<'_>,
        known: Option<&State>,
        signals: &[(Id, String)],
        opportunity: Option<Opportunity>,
        journey: Option<Journey>,
        counts: &mut Counts,
    ) -> Result<()> {
        counts.customers += 1;
        let (customer, id) = (one.customer, &one.customer.id);
        let health = rules::score(&one.figures, self.now);
        counts.scored += u64::from(health.score.is_some());
        let overridden = known.and_then(|it| {
            it.override_score.filter(|_| it.override_until.is_none_or(|until| self.now < until))
        });
        if known.is_none_or(|it| it.print != health.print) {
            self.keep_score(id, &health, &one.figures, known)?;
        }
        let score = overridden.or(health.score);
        let engagement = one.figures.value(rules::ENGAGEMENT).map(|it| it.round() as u32);
        if engagement != customer.engagement {
            let data = json(&FromTo { from: customer.engagement, to: engagement })?;
            self.announce("customer.engagement_changed", id, id, &data)?;
        }
        let has_left = customer.status == "churned" || customer.stage == "churned";
        let risk = if has_left {
            assert!(signals.is_empty());
            None
        } else {
            Some(self.keep_signals(one, signals, score, counts)?)
        };
        if customer.risk_level.as_deref() != risk
            && (customer.risk_level.as_deref(), risk) != (None, Some("low"))
        {
            let data = json(&FromTo { from: customer.risk_level.as_deref(), to: risk })?;
            self.announce("customer.risk_changed", id, id, &data)?;
        }
        let opportunity = self.keep_opportunity(one, opportunity)?;
        counts.opportunities += u64::from(opportunity.is_some());
        let (stage, status) = self.keep_stage(one, score, opportunity, journey, counts)?;
        let stage = stage.unwrap_or(&customer.stage);
        if health.score != customer.health_score
            || customer.risk_level.as_deref() != risk
            || engagement != customer.engagement
            || stage != customer.stage
            || status.is_some()
        {
            let at = self.now;
            let values = params![self.org, id, health.score, risk, engagement, stage, at];
            self.customer.execute(values)?;
            if let Some(status) = status {
                self.standing.execute(params![self.org, id, status])?;
            }
        }
        Ok(())
    }

    fn keep_score(
        &mut self,
        id: &Id,
        health: &Health,
        figures: &Figures,
        state: Option<&State>,
    ) -> Result<()> {
        let (now, record) = (self.now, self.ids.next());
        let (mut before, mut last, mut known) = (None, [None; 5], BTreeMap::new());
        if let Some(state) = state {
            before = state.score.or(state.previous_score);
            known = serde_json::from_str::<BTreeMap<&str, u32>>(&state.previous_components)?;
            known.extend(serde_json::from_str::<BTreeMap<&str, u32>>(&state.components)?);
            last = MODEL.map(|(name, ..)| known.get(name).copied());
        }
        let trend = health.score.zip(before).map(|(now, before)| rules::trend(now, before));
        let grade = health.score.map(rules::grade);
        let component = |((name, ..), score): (&(&'static str, f64, _), &Option<u32>)| Component {
            name,
            score: *score,
        };
        let components: Vec<_> = MODEL.iter().zip(&health.components).map(component).collect();
        self.record.execute(params![
            self.org,
            record,
            id,
            now,
            MODEL_ID,
            MODEL_HASH,
            health.score,
            grade,
            trend,
            before,
            health.points,
            health.coverage,
            json(&components)?,
            json(&Inputs(figures))?,
            json(&rules::risks(health, &last, figures, now))?,
            json(&rules::chances(figures, now))?,
        ])?;
        let scores = components.iter().filter_map(|it| Some((it.name, it.score?)));
        let scores = json(&scores.collect::<BTreeMap<_, _>>())?;
        let statement = if state.is_some() { &mut self.state } else { &mut self.new_state };
        let (score, print) = (health.score, health.print);
        let known = json(&known)?;
        statement.execute(params![self.org, id, record, score, scores, before, known, print])?;
        let drop = before.zip(score).map_or(0, |(was, is)| was.saturating_sub(is));
        let record_id = Uuid::from_bytes(record);
        let data = json(&Scored { before, drop, grade, record_id, score, trend })?;
        self.announce("health.scored", id, id, &data)?;
        let Some((score, grade)) = score.zip(grade) else { return Ok(()) };
        if drop > 15 {
            let message = format!("the health score fell by {drop} points to {score}");
            let occasion = (drop >= 20).then_some("health_score_dropped_20");
            let (kind, severity) = ("health_score_drop", "high");
            let alert = Alerted {
                before,
                drop,
                grade,
                kind,
                message,
                occasion,
                record_id,
                score,
                severity,
            };
            self.announce("health.alerted", id, id, &json(&alert)?)?;
        }
        if grade >= "D" && before.is_none_or(|before| rules::grade(before) < grade) {
            let message = format!("the health score is {score}: {grade}");
            let (kind, severity, occasion) = ("customer_at_risk", "critical", None);
            let alert = Alerted {
                before,
                drop,
                grade,
                kind,
                message,
                occasion,
                record_id,
                score,
                severity,
            };
            self.announce("health.alerted", id, id, &json(&alert)?)?;
        }
        Ok(())
    }

    /// Opens and closes signals. Returns the risk.
    fn keep_signals(
        &mut self,
        one: &One<'_>,
        known: &[(Id, String)],
        score: Option<u32>,
        counts: &mut Counts,
    ) -> Result<&'static str> {
        let id = &one.customer.id;
        assert!(!one.customer.cancelling && !one.competitor, "nobody does");
        let (mut high, mut all) = (0, 0);
        for (place, (kind, severity, name, threshold)) in SIGNALS.into_iter().enumerate() {
            let known = known.iter().find(|it| it.1 == kind);
            let judged = rules::judged(place, &one.figures, self.now);
            match (known, judged) {
                (Some((signal, _)), Some((_, false))) => {
                    counts.closed += 1;
                    self.close.execute(params![self.org, signal, self.now])?;
                    let data = format!(r#"{{"kind":"{kind}"}}"#);
                    self.announce("churn_signal.closed", signal, id, &data)?;
                    continue;
                }
                (None, Some((value, true))) => {
                    counts.opened += 1;
                    let signal = self.ids.next();
                    let (description, metric) =
                        (rules::described(place, value), rules::NAMES[name]);
                    let description = description.as_str();
                    let values = params![
                        self.org,
                        signal,
                        id,
                        kind,
                        severity,
                        description,
                        metric,
                        value,
                        threshold,
                        self.now
                    ];
                    self.open.execute(values)?;
                    let data = Detected { description, kind, metric, severity, threshold, value };
                    self.announce("churn_signal.detected", &signal, id, &json(&data)?)?;
                }
                (Some(_), _) => {}
                (None, _) => continue,
            }
            all += 1;
            high += u32::from(severity == "high");
        }
        Ok(match (high, all, score) {
            (2.., ..) => "critical",
            (1, ..) | (_, _, Some(..20)) => "high",
            (_, 1.., _) | (_, _, Some(..40)) => "medium",
            _ => "low",
        })
    }

    /// What is offered to the customer. Returns since when, and whether now.
    fn keep_opportunity(
        &mut self,
        one: &One<'_>,
        open: Option<Opportunity>,
    ) -> Result<Option<(i64, bool)>> {
        let (customer, id) = (one.customer, &one.customer.id);
        let (mut reasons, mut weight) = (Vec::new(), 0.0);
        let mut reason = |kind, value: Option<f64>, is: fn(f64, f64) -> bool, threshold, own| {
            if let Some(value) = value.filter(|it| is(*it, threshold)) {
                weight += own;
                reasons.push(Reason { kind, threshold, value, weight: own });
            }
        };
        let days = one.contract.renewal_at.map(|at| (at - self.now) as f64 / rules::DAY);
        let figure = |name| one.figures.value(name);
        reason("approaching_limit", figure(rules::USAGE), |a, b| a > b, 0.8, 0.9);
        reason("high_engagement", figure(rules::ENGAGEMENT), |a, b| a > b, 80.0, 0.6);
        reason("nps_promoter", figure(rules::NPS), |a, b| a >= b, 9.0, 0.5);
        let days = days.filter(|it| *it >= 0.0);
        reason("renewal_approaching", days, |a, b| a <= b, 60.0, 0.4);
        let before = open.as_ref().map(|it| (it.detected_at, it.timing == "now"));
        if customer.tier == "enterprise"
            || matches!(customer.status.as_str(), "suspended" | "inactive" | "churned")
        {
            return Ok(before);
        }
        let is = |kind| reasons.iter().any(|it| it.kind == kind);
        let tier = &customer.tier;
        let (timing, action) = if is("approaching_limit") {
            ("now", format!("Offer the tier enterprise: usage approaches a limit of {tier}."))
        } else if !is("nps_promoter") && !is("high_engagement") {
            return Ok(before);
        } else if is("renewal_approaching") {
            let action =
                format!("Offer the tier enterprise with the renewal: {tier} serves them well.");
            ("at_renewal", action)
        } else {
            let action =
                format!("Plan to offer the tier enterprise next quarter: {tier} serves them well.");
            ("next_quarter", action)
        };
        let probability = (weight / 4.6 * 100.0 + 0.5_f64).floor() / 100.0;
        let kinds = json(&reasons.iter().map(|it| it.kind).collect::<Vec<_>>())?;
        let value = one.contract.mrr.as_deref().map(|mrr| {
            // `{"amount":2475,"currency":"EUR"}`
            let digits = mrr.trim_start_matches(|it: char| !it.is_ascii_digit());
            let end = digits.find(',').unwrap_or(digits.len());
            let half = digits[..end].parse::<i64>().map_or(0, |it| (it + 1) / 2);
            format!(r#"{{"amount":{half}{}"#, &digits[end..])
        });
        let shown = value.as_deref().unwrap_or("null");
        let (triggered, now) = (json(&reasons)?, self.now);
        let Some(open) = open else {
            let new = self.ids.next();
            self.offer.execute(params![
                self.org,
                new,
                id,
                customer.csm,
                value,
                probability,
                kinds,
                action,
                timing,
                now
            ])?;
            let data = format!(
                r#"{{"estimatedValue":{shown},"kind":"upsell","probability":{probability},"recommendedAction":"{action}","signals":{triggered},"timing":"{timing}"}}"#
            );
            self.announce("expansion_opportunity.detected", &new, id, &data)?;
            return Ok(Some((now, timing == "now")));
        };
        if open.probability != probability
            || open.value != value
            || open.signals != kinds
            || open.action != action
            || open.timing != timing
        {
            let values = params![self.org, open.id, value, probability, kinds, action, timing, now];
            self.refresh.execute(values)?;
            let data = format!(
                r#"{{"estimatedValue":{shown},"probability":{probability},"signals":{triggered},"timing":"{timing}"}}"#
            );
            self.announce("expansion_opportunity.updated", &open.id, id, &data)?;
        }
        Ok(Some((open.detected_at, timing == "now")))
    }

    /// Moves the customer. Returns its new stage and standing, if it has one.
    fn keep_stage(
        &mut self,
        one: &One<'_>,
        health: Option<u32>,
        opportunity: Option<(i64, bool)>,
        journey: Option<Journey>,
        counts: &mut Counts,
    ) -> Result<(Option<&'static str>, Option<&'static str>)> {
        let (customer, id, now) = (one.customer, &one.customer.id, self.now);
        let is_now = opportunity.filter(|it| it.1).map(|it| it.0);
        let known = journey.as_ref();
        let standing = Standing {
            figures: &one.figures,
            health,
            now,
            stage: &customer.stage,
            since: known.map_or(customer.created_at, |it| it.since),
            customer_since: known
                .and_then(|it| it.returned_at)
                .map_or(customer.created_at, |back| back.max(customer.created_at)),
            paid_active: one.contract.active,
            paid_ended_at: one.contract.ended_at,
            renewal_at: one.contract.renewal_at,
            renewed_at: one.contract.renewed_at,
            left_expanding_at: known.and_then(|it| it.left_expanding_at),
            open: u32::from(is_now.is_some()),
            opened_at: is_now,
        };
        let next = standing.next();
        let owed = known.is_some_and(|it| it.status_owed.is_some());
        if next.is_none() && !owed {
            return Ok((None, None));
        }
        let mut journey = journey.unwrap_or_else(|| Journey {
            since: customer.created_at,
            furthest: Some(customer.stage.clone()),
            latest: "{}".to_owned(),
            total: "{}".to_owned(),
            moves: 0,
            returned_at: None,
            left_expanding_at: None,
            status_set_at: None,
            status_owed: None,
        });
        if let Some(next) = &next {
            counts.moved += 1;
            self.note_move(one, next, &mut journey)?;
        }
        let held = journey.status_set_at.is_some_and(|at| (now - at) as f64 <= 7.0 * rules::DAY);
        let mut status = None;
        if !held && let Some(owed) = journey.status_owed.take() {
            status = match (owed.as_str(), customer.status.as_str()) {
                ("flag_at_risk", "active" | "reactivated") => Some("at_risk"),
                ("recover", "at_risk") => Some("active"),
                _ => None,
            };
            if let Some(to) = status {
                let data = json(&FromTo { from: customer.status.as_str(), to })?;
                let is_risk = to == "at_risk";
                let name = if is_risk { "customer.at_risk_flagged" } else { "customer.recovered" };
                self.announce(name, id, id, &data)?;
            }
        } else if next.is_none() {
            return Ok((None, None));
        }
        let to = next.map(|it| it.to);
        self.journey.execute(params![
            self.org,
            id,
            to.unwrap_or(&customer.stage),
            journey.since,
            journey.furthest,
            journey.latest,
            journey.total,
            journey.moves,
            journey.returned_at,
            journey.left_expanding_at,
            journey.status_set_at,
            journey.status_owed
        ])?;
        Ok((to, status))
    }

    fn note_move(
        &mut self,
        one: &One<'_>,
        next: &rules::Move,
        journey: &mut Journey,
    ) -> Result<()> {
        let (customer, id, now) = (one.customer, &one.customer.id, self.now);
        let (from, to) = (customer.stage.as_str(), next.to);
        let stay = now - journey.since;
        let mut latest: BTreeMap<&str, i64> = serde_json::from_str(&journey.latest)?;
        let mut total: BTreeMap<&str, i64> = serde_json::from_str(&journey.total)?;
        latest.insert(from, stay);
        *total.entry(from).or_default() += stay;
        let (latest, total) = (json(&latest)?, json(&total)?);
        (journey.latest, journey.total) = (latest, total);
        match from {
            "churned" => journey.returned_at = Some(now),
            "expanding" => journey.left_expanding_at = Some(now),
            _ => {}
        }
        let rank = |stage: &str| STAGES.iter().position(|it| *it == stage);
        if rank(to) > journey.furthest.as_deref().and_then(rank) {
            journey.furthest = Some(to.to_owned());
        }
        (journey.since, journey.moves) = (now, journey.moves + 1);
        let (moved, reason) = (self.ids.next(), next.reason());
        self.moved.execute(params![
            self.org,
            moved,
            id,
            journey.moves,
            from,
            to,
            now,
            next.rule,
            reason,
            json(&next.figures)?
        ])?;
        let transition_id = Uuid::from_bytes(moved);
        let (rule, triggered_by) = (next.rule, "automatic");
        let changed = Changed { from, reason: &reason, rule, to, transition_id, triggered_by };
        self.announce("customer.stage_changed", id, id, &json(&changed)?)?;
        let occasion = format!("stage/{}/{transition_id}", Uuid::from_bytes(*id));
        for workflow in rules::workflows(to) {
            let data = json(&Requested { occasion: &occasion, stage: to, workflow })?;
            self.announce("workflow.requested", &moved, id, &data)?;
        }
        match (from, to) {
            (_, "at_risk") => journey.status_owed = Some("flag_at_risk".to_owned()),
            (_, "churned") => journey.status_owed = None,
            ("at_risk", _) => journey.status_owed = Some("recover".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

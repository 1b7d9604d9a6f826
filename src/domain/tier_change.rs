//! What a change of tier alters, before it is made.

use super::draft::{Change, replace};
use super::feature::Excess;
use super::quantity::Quantity;
use super::text::Code;
use super::tier::TierFeature;
use crate::record::words;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

words! {
    /// When a change takes effect.
    pub enum When {
        /// At once.
        Now = "now",
        /// With the end of the running period.
        PeriodEnd = "period_end",
    }
}

words! {
    /// What helps when usage exceeds what the new tier allows.
    pub enum SuggestedAction {
        /// Usage starts again from zero with the next period.
        WaitForReset = "wait_for_reset",
        /// Usage must come down.
        ReduceUsage = "reduce_usage",
        /// The feature will be gone: export what is in it.
        ExportData = "export_data",
    }
}

/// What a change of tier alters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TierChange {
    /// The tier before.
    pub from: Code,
    /// The tier after.
    pub to: Code,
    /// When it takes effect.
    #[serde(with = "time::serde::rfc3339")]
    pub effective_at: OffsetDateTime,
    /// Features that can be used only after it.
    pub gained: Vec<Code>,
    /// Features that can be used only before it.
    pub lost: Vec<Code>,
    /// Features that go on with another limit or included quantity.
    pub changed: Vec<FeatureChange>,
    /// Usage that exceeds what the new tier allows.
    pub over_limit: Vec<OverLimit>,
}

/// A feature that goes on with another limit or included quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FeatureChange {
    /// The feature.
    pub feature: Code,
    /// The limit before; none for any amount.
    pub limit_before: Option<Quantity>,
    /// The limit after; none for any amount.
    pub limit_after: Option<Quantity>,
    /// The included quantity before.
    pub included_before: Quantity,
    /// The included quantity after.
    pub included_after: Quantity,
}

/// Usage that exceeds what a tier allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OverLimit {
    /// The feature.
    pub feature: Code,
    /// What is used.
    pub used: Quantity,
    /// What the tier allows.
    pub allowed: Quantity,
    /// By how much it is exceeded.
    pub over_by: Quantity,
    /// What helps.
    pub suggested_action: SuggestedAction,
    /// What becomes of the excess, as the feature says.
    pub policy: Excess,
    /// Until when everything stays usable, where the policy gives days of grace.
    #[serde(with = "time::serde::rfc3339::option")]
    pub grace_until: Option<OffsetDateTime>,
    /// When usage starts again from zero, where that helps.
    #[serde(with = "time::serde::rfc3339::option")]
    pub reset_at: Option<OffsetDateTime>,
}

impl OverLimit {
    /// What is used beyond `allowed` from `at` on; none if nothing is.
    pub(crate) fn of(
        feature: &Code,
        usage: Usage,
        allowed: Quantity,
        suggested_action: SuggestedAction,
        at: OffsetDateTime,
    ) -> Option<Self> {
        let Usage { used, excess: policy, reset_at } = usage;
        let grace_until = match policy {
            Excess::GraceDays(days) => Some(at.saturating_add(Duration::days(days.into()))),
            Excess::BlockNew | Excess::ReadOnly => None,
        };
        let helps = suggested_action == SuggestedAction::WaitForReset;
        (used > allowed).then(|| Self {
            feature: feature.clone(),
            used,
            allowed,
            over_by: used.beyond(allowed),
            suggested_action,
            policy,
            grace_until,
            reset_at: reset_at.filter(|_| helps),
        })
    }
}

/// What was used of a feature, when that starts again from zero, and what becomes of an excess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) used: Quantity,
    pub(crate) excess: Excess,
    pub(crate) reset_at: Option<OffsetDateTime>,
}

/// What a customer keeps of a feature whatever its tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The limit that was set by hand in place of the tier's; cleared, it is for any amount.
    pub(crate) by_hand: Change<Quantity>,
    /// What was granted on top: none for any amount.
    pub(crate) on_top: Option<Quantity>,
}

impl Kept {
    /// What may be used with a tier that allows `tier`: none for any amount.
    fn allowed(&self, tier: Option<Quantity>) -> Option<Quantity> {
        let mut base = tier;
        replace(&self.by_hand, &mut base);
        // A sum beyond the range of a quantity is as good as the greatest.
        Some(base?.checked_add(self.on_top?).unwrap_or(Quantity::MAX))
    }
}

/// What changes for a customer when its features are `after` instead of `before`; `usage` tells what
/// it has used of a feature and what it keeps of it. Usage that starts again from zero by then
/// exceeds nothing.
pub(crate) fn compare<E>(
    (from, before): (Code, &[TierFeature]),
    (to, after): (Code, &[TierFeature]),
    effective_at: OffsetDateTime,
    mut usage: impl FnMut(&Code) -> Result<(Usage, Kept), E>,
) -> Result<TierChange, E> {
    let on = |features: &[TierFeature], code: &Code| {
        features.iter().find(|it| it.code == *code && it.is_enabled).cloned()
    };
    let enabled = |features: &'_ [TierFeature]| -> Vec<Code> {
        features.iter().filter(|it| it.is_enabled).map(|it| it.code.clone()).collect()
    };
    let (had, has) = (enabled(before), enabled(after));
    let mut change = TierChange {
        from,
        to,
        effective_at,
        gained: has.iter().filter(|code| !had.contains(code)).cloned().collect(),
        lost: had.iter().filter(|code| !has.contains(code)).cloned().collect(),
        changed: Vec::new(),
        over_limit: Vec::new(),
    };
    for feature in had {
        let Some(old) = on(before, &feature) else { continue };
        let new = on(after, &feature);
        if let Some(new) = &new
            && (old.quantity_limit, old.included_quantity)
                != (new.quantity_limit, new.included_quantity)
        {
            change.changed.push(FeatureChange {
                feature: feature.clone(),
                limit_before: old.quantity_limit,
                limit_after: new.quantity_limit,
                included_before: old.included_quantity,
                included_after: new.included_quantity,
            });
        }
        let allowed = match &new {
            Some(new) => new.quantity_limit,
            None => Some(Quantity::ZERO),
        };
        let (usage, kept) = usage(&feature)?;
        let is_gone =
            new.is_none() && kept.by_hand.is_keep() && kept.on_top == Some(Quantity::ZERO);
        let allowed = kept.allowed(allowed);
        if usage.reset_at.is_some_and(|reset_at| reset_at <= effective_at) {
            continue;
        }
        let suggested_action = match &new {
            _ if is_gone => SuggestedAction::ExportData,
            Some(new) if new.reset_period.cycle().is_some() => SuggestedAction::WaitForReset,
            _ => SuggestedAction::ReduceUsage,
        };
        let over = allowed.and_then(|allowed| {
            OverLimit::of(&feature, usage, allowed, suggested_action, effective_at)
        });
        change.over_limit.extend(over);
    }
    Ok(change)
}

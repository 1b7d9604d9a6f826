//! The playbooks that tenure brings along: four as customer success is taught, four of its own in
//! the same form. A host changes one by defining it anew.

use super::playbook::{ActionTiming as Timing, Condition, PlaybookOwner};
use super::playbook_draft::{ActionDraft, PlaybookDraft};
use super::signals::SignalKind as K;
use crate::domain::channel::ChannelKind::{Call, Email, InApp, Meeting};

/// The playbook of a signal, as tenure brings it along.
///
/// ```
/// use tenure::SignalKind;
/// use tenure::domain::churn::presets::preset;
///
/// let cancellation = preset(SignalKind::CancellationRequest);
/// assert_eq!(cancellation.actions.len(), 4);
/// assert_eq!(cancellation.escalation_path, ["csm", "cs_manager", "executive"]);
/// ```
#[must_use]
pub fn preset(signal: K) -> PlaybookDraft {
    let book = |hours| PlaybookDraft::new(signal).timeline_hours(hours);
    let act = ActionDraft::new;
    match signal {
        K::NoLogin7Days => book(48)
            .name("No login for 7 days")
            .escalation_path(&["csm", "cs_manager"])
            .action(
                act("send_reengagement_email", Email, Timing::Immediately)
                    .template("reengagement_7_days"),
            )
            .action(
                act("welcome_back_message", InApp, Timing::NextLogin)
                    .template("welcome_back_message"),
            )
            .action(
                act("check_in_call", Call, Timing::after_hours(48)).only_if(Condition::NoResponse),
            ),
        K::NoLogin14Days => book(24)
            .name("No login for 14 days")
            .escalation_path(&["csm", "cs_manager", "executive"])
            .action(act("urgent_call", Call, Timing::SameDay))
            .action(
                act("send_value_recap", Email, Timing::AfterPrevious)
                    .template("value_recap_urgent"),
            )
            .action(act("offer_training", Meeting, Timing::within_hours(48))),
        K::UsageDrop50 => book(48)
            .name("Usage dropped by half")
            .escalation_path(&["csm", "cs_manager"])
            .action(
                act("send_usage_check_in", Email, Timing::Immediately).template("usage_check_in"),
            )
            .action(act("show_usage_tips", InApp, Timing::NextLogin).template("usage_tips"))
            .action(
                act("check_in_call", Call, Timing::after_hours(48)).only_if(Condition::NoResponse),
            ),
        K::NpsDetractor => book(24)
            .name("Detractor")
            .escalation_path(&["csm", "cs_manager", "product"])
            .action(act("feedback_call", Call, Timing::within_hours(24)))
            .action(act("document_feedback_and_plan", Call, Timing::AfterPrevious))
            .action(
                act("send_nps_followup", Email, Timing::within_hours(72)).template("nps_followup"),
            ),
        K::MultipleSupportTickets => book(24)
            .name("Several open tickets")
            .owner(PlaybookOwner::Support)
            .escalation_path(&["support", "csm", "cs_manager"])
            .action(act("ticket_review_call", Call, Timing::within_hours(24)))
            .action(
                act("send_ticket_update", Email, Timing::AfterPrevious).template("ticket_update"),
            )
            .action(
                act("offer_ticket_review", Meeting, Timing::after_hours(72))
                    .only_if(Condition::NoResponse),
            ),
        K::FailedPayment => book(72)
            .name("Failed payment")
            .escalation_path(&["csm", "cs_manager"])
            .action(
                act("send_payment_failed", Email, Timing::Immediately).template("payment_failed"),
            )
            .action(act("show_payment_failed", InApp, Timing::NextLogin).template("payment_failed"))
            .action(
                act("send_payment_reminder", Email, Timing::after_hours(72))
                    .template("payment_reminder")
                    .only_if(Condition::NoResponse),
            )
            .action(
                act("payment_call", Call, Timing::after_hours(120)).only_if(Condition::NoResponse),
            ),
        K::CancellationRequest => book(0)
            .name("Cancellation request")
            .escalation_path(&["csm", "cs_manager", "executive"])
            .action(act("save_call", Call, Timing::within_hours(2)))
            .action(act("document_reasons", Call, Timing::DuringPrevious))
            .action(
                act("present_save_offer", Call, Timing::DuringPrevious)
                    .only_if(Condition::OpenToOffer),
            )
            .action(
                act("escalate_to_executive", Meeting, Timing::Immediately)
                    .only_if(Condition::SaveOfferRejected),
            ),
        K::CompetitorMention => book(48)
            .name("Competitor mentioned")
            .escalation_path(&["csm", "cs_manager", "executive"])
            .action(act("discovery_call", Call, Timing::within_hours(48)))
            .action(
                act("send_value_comparison", Email, Timing::AfterPrevious)
                    .template("value_comparison"),
            )
            .action(
                act("offer_roadmap_review", Meeting, Timing::after_hours(168))
                    .only_if(Condition::NoResponse),
            ),
    }
}

//! The whole schema on one page: which nouns are kept, in which tables, found by which indexes.
//!
//! The columns are the fields of each noun, in its file in `domain/`. The org leads the primary key
//! and every index without being named. A `sparse` index leaves out rows with a null in it.
//! A host keeps tables of its own beside these: what it is likely to call one itself has another name.

use crate::domain::activity::{ActiveUser, Activity, DailyActivity};
use crate::domain::alias::Alias;
use crate::domain::balance::{Balance, Burn};
use crate::domain::blocked::BlockedAttempts;
use crate::domain::churn::intervention::{Intervention, InterventionAction};
use crate::domain::churn::playbook::Playbook;
use crate::domain::churn::signals::ChurnSignal;
use crate::domain::contact::Contact;
use crate::domain::customer::Customer;
use crate::domain::delivery::{Delivery, DeliveryQueue};
use crate::domain::display_name::DisplayName;
use crate::domain::entitlement::Entitlement;
use crate::domain::evaluation::{EvaluationDue, EvaluationSweep};
use crate::domain::event::{Counter, Event};
use crate::domain::expansion::{ExpansionHistory, ExpansionOpportunity};
use crate::domain::feature::Feature;
use crate::domain::flair::Flair;
use crate::domain::health::{HealthModelVersion, HealthRecord, HealthState};
use crate::domain::hold::Hold;
use crate::domain::invoice::Invoice;
use crate::domain::key_run::{KeyBlock, KeyManifest};
use crate::domain::lead::{LeadQualification, LeadScore};
use crate::domain::lifecycle::{Journey, StageTransition, WORKFLOW};
use crate::domain::link::Link;
use crate::domain::link_index::{LinkBlock, LinkManifest, LinkProfile};
use crate::domain::meter::Meter;
use crate::domain::metric::{LatestMetrics, Metric};
use crate::domain::mrr::{CustomerRevenue, MrrMovement};
use crate::domain::nps::{NpsResponse, NpsStanding, NpsSurvey};
use crate::domain::order::Order;
use crate::domain::org::Org;
use crate::domain::pulse::Pulse;
use crate::domain::subscription::Subscription;
use crate::domain::task::Task;
use crate::domain::ticket::SupportTicket;
use crate::domain::tier::Tier;
use crate::domain::usage::{Refund, UsageEvent, UsageSnapshot, UsageWindow};
use crate::domain::usage_page::UsagePage;
use crate::domain::usage_period::UsagePeriod;
use crate::domain::usage_record::UsageRecord;
use crate::domain::user::User;
use crate::noun::{Describe, Noun};
use crate::record::Record;
use crate::store::schema::{Index, Reference, Table};

/// A record that has a table.
pub(crate) trait Stored: Record + Describe {
    const TABLE: &'static Table;
}

macro_rules! sealed {
    () => {
        false
    };
    (sealed) => {
        true
    };
}

macro_rules! tables {
    ($($noun:ident $table:literal $($sealed:ident)? {
        $(unique $([$($unique:literal),+])+;)?
        $(index $([$($index:literal),+])+;)?
        $(sparse $([$($sparse:literal),+])+;)?
        $(references $($column:literal -> $target:literal),+;)?
    })+) => {
        $(impl Stored for $noun {
            const TABLE: &'static Table = {
                // One place for all: backends find a table again by its address.
                static TABLE: Table = Table {
                    name: $table,
                    columns: <$noun as Record>::COLUMNS,
                    indexes: &[
                        $($(Index { columns: &[$($unique),+], unique: true, sparse: false },)+)?
                        $($(Index { columns: &[$($index),+], unique: false, sparse: false },)+)?
                        $($(Index { columns: &[$($sparse),+], unique: false, sparse: true },)+)?
                    ],
                    references: &[$($(Reference { column: $column, table: $target }),+)?],
                    sealed: sealed!($($sealed)?),
                };
                // A misspelt column does not compile.
                $($($(let _ = TABLE.col($unique);)+)+)?
                $($($(let _ = TABLE.col($index);)+)+)?
                $($($(let _ = TABLE.col($sparse);)+)+)?
                $($(let _ = TABLE.col($column);)+)?
                &TABLE
            };
        })+

        /// Every table, parents before children.
        pub(crate) const TABLES: &[&Table] = &[$(<$noun as Stored>::TABLE),+];

        /// Every noun, described: what it is, its properties, relationships, actions and events.
        ///
        /// ```
        /// let customer = tenure::nouns().iter().find(|noun| noun.singular == "customer");
        /// let email = customer.and_then(|noun| noun.properties.iter().find(|it| it.name == "email"));
        /// assert!(email.is_some_and(|email| email.optional && email.kind == "string"));
        /// ```
        #[must_use]
        pub const fn nouns() -> &'static [Noun] {
            // Workflows are asked for, and not kept.
            const { &[$(<$noun as Describe>::NOUN),+, WORKFLOW] }
        }
    };
}

tables! {
    Org "org" {}
    Counter "counter" sealed {}
    Event "event" sealed {}
    User "user" { unique ["key"]; }
    Customer "customer" {
        unique ["name_key"] ["short_id"] ["external_id"];
        index ["created_at"] ["status"];
        sparse ["email_key"] ["domain"] ["assigned_to"] ["csm_id"];
    }
    DisplayName "display_name" {
        index ["customer_id", "created_at"];
        references "customer_id" -> "customer";
    }
    Flair "flair" {
        index ["customer_id", "earned_at"];
        references "customer_id" -> "customer";
    }
    Contact "contact" {
        unique ["customer_id", "email_key"] ["short_id"];
        index ["customer_id", "created_at"];
        sparse ["email_key"];
        references "customer_id" -> "customer";
    }
    Alias "alias" {
        index ["customer_id", "created_at"];
        references "customer_id" -> "customer";
    }
    Link "link" {
        index ["customer_id", "created_at"] ["product_id", "created_at"];
        references "customer_id" -> "customer";
    }
    LinkProfile "link_profile" { unique ["customer_id"]; }
    LinkManifest "link_manifest" sealed {}
    LinkBlock "link_block" {}
    Feature "feature" { index ["code"]; }
    Tier "tier" { index ["code", "version"]; }
    Subscription "subscription" {
        unique ["stripe_subscription_id"] ["checkout_session_id"];
        index ["customer_id", "created_at"];
        sparse ["status", "renewal_date"] ["status", "end_date"] ["status", "trial_ends_at"];
        references "customer_id" -> "customer";
    }
    Entitlement "entitlement" sealed {
        index ["customer_id", "feature_code", "has_room", "turn"]
            ["customer_id", "feature_code", "next_change"]
            ["customer_id", "feature_code", "in_use", "valid_until"] ["feature_code"];
        sparse ["status", "valid_until"];
        references "customer_id" -> "customer";
    }
    // Those below are written with every use: their references are kept by the operations, not
    // checked again by the store.
    Meter "meter" sealed { index ["customer_id"] ["fresh_until"]; }
    Balance "balance" sealed {}
    Burn "burn" sealed { index ["meter_id", "window_start", "created_at"] ["entitlement_id", "created_at"]; }
    Hold "hold" sealed { index ["meter_id", "status", "expires_at"] ["status", "expires_at"]; }
    UsageEvent "usage_event" sealed { index ["meter_id", "event_time"]; }
    Refund "refund" sealed {}
    UsageWindow "usage_window" sealed { index ["meter_id", "window_start"]; }
    UsagePage "usage_page" { index ["section", "meter_id", "is_wide", "last_time"]; }
    KeyManifest "key_manifest" sealed {}
    KeyBlock "key_block" {}
    UsageSnapshot "usage_snapshot" sealed { index ["meter_id", "created_at"]; }
    // Only what is billed and not delivered yet.
    Delivery "delivery" sealed { index ["customer_id", "sequence"]; }
    DeliveryQueue "delivery_queue" sealed { index ["due_at"]; }
    UsagePeriod "usage_period" sealed {
        index ["customer_id", "period_type", "period_start"]
            ["customer_id", "status", "period_end"] ["status", "period_end"];
        references "customer_id" -> "customer";
    }
    UsageRecord "usage_record" sealed {
        index ["customer_id", "used_at"];
        references "customer_id" -> "customer";
    }
    // What customers do, and what is known of them. Written often, referring to customers that the
    // operations have read.
    Metric "customer_metric" { index ["customer_id", "name", "at"]; }
    LatestMetrics "latest_metrics" {}
    Activity "customer_activity" { index ["customer_id", "at"]; }
    DailyActivity "daily_activity" { index ["customer_id", "day"]; }
    ActiveUser "customer_active_user" { index ["customer_id", "month"]; }
    Order "customer_order" { index ["customer_id", "placed_at"]; }
    Invoice "customer_invoice" {
        index ["customer_id", "issued_at"];
        sparse ["unpaid_for"];
    }
    SupportTicket "support_ticket" {
        index ["customer_id", "opened_at"];
        sparse ["open_for"];
    }
    Pulse "pulse" {}
    BlockedAttempts "blocked_attempts" {
        index ["customer_id", "day"];
        sparse ["recent_for"];
    }
    HealthModelVersion "health_model" { index ["name"]; }
    HealthRecord "health_record" {
        index ["customer_id", "calculated_at"];
        references "customer_id" -> "customer";
    }
    HealthState "health_state" {}
    Journey "journey" {}
    StageTransition "stage_transition" {
        index ["customer_id", "number"];
        references "customer_id" -> "customer";
    }
    EvaluationSweep "evaluation_sweep" {}
    EvaluationDue "evaluation_due" {}
    ChurnSignal "churn_signal" {
        unique ["open_for", "kind"];
        index ["customer_id", "detected_at"];
        sparse ["open_for"];
        references "customer_id" -> "customer";
    }
    Playbook "playbook" { index ["signal", "version"]; }
    Intervention "intervention" {
        unique ["open_for", "signal"];
        index ["customer_id", "started_at"];
        sparse ["open_for"] ["owner_id", "status", "started_at"] ["escalates_at"];
        references "customer_id" -> "customer";
    }
    InterventionAction "intervention_action" {
        index ["intervention_id", "order"];
        sparse ["next_attempt_at"] ["announce_at"];
    }
    Task "success_task" {
        index ["customer_id", "created_at"] ["status", "due_at"] ["created_at"];
        sparse ["assignee", "created_at"] ["assignee", "status", "due_at"];
        references "customer_id" -> "customer";
    }
    NpsSurvey "nps_survey" {
        index ["customer_id", "sent_at"] ["sent_at"];
        sparse ["due_at"];
        references "customer_id" -> "customer";
    }
    NpsResponse "nps_response" {
        index ["customer_id", "submitted_at"] ["submitted_at"];
        references "customer_id" -> "customer";
    }
    NpsStanding "nps_standing" {}
    MrrMovement "mrr_movement" sealed {
        index ["customer_id"] ["at"];
        references "customer_id" -> "customer";
    }
    CustomerRevenue "customer_revenue" sealed { references "id" -> "customer"; }
    ExpansionOpportunity "expansion_opportunity" {
        index ["customer_id", "detected_at"] ["status", "probability"];
        sparse ["open_for"] ["csm_id", "status", "probability"];
        references "customer_id" -> "customer";
    }
    ExpansionHistory "expansion_history" {}
    LeadScore "lead_score" {
        index ["customer_id", "calculated_at"];
        references "customer_id" -> "customer";
    }
    LeadQualification "lead_qualification" {
        index ["customer_id", "created_at"];
        references "customer_id" -> "customer";
    }
}

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod billing;
mod builder;
pub mod channel;
mod config;
mod denials;
pub mod domain;
mod error;
mod hash;
mod ids;
pub mod noun;
mod ops;
mod page;
mod record;
#[cfg(feature = "report")]
pub mod report;
pub mod store;
mod tables;
mod tenure;
mod tracker;
mod tx;
pub mod value;
mod warm;

pub use builder::Builder;
pub use config::Config;
pub use domain::access::{Access, CustomerRef, Denial, DenialReason, Remedy};
pub use domain::activity::{
    ActiveUser, ActiveUserId, Activity, ActivityId, DailyActivity, DailyActivityId, NewActivity,
};
pub use domain::alias::{Alias, AliasId, AliasKind, AliasSource};
pub use domain::balance::{Balance, Burn, BurnId, BurnedShare};
pub use domain::billing::{
    ActiveSubscription, BillingGateway, BillingLink, BillingStatus, CheckoutSession,
    GatewaySubscription, MeterEvent, MeterFailure,
};
pub use domain::blocked::{BlockedAttempts, BlockedAttemptsId};
pub use domain::calendar::{PeriodType, ResetPeriod};
pub use domain::channel::{Channel, ChannelFailure, ChannelKind, Delivered, OutboundMessage};
pub use domain::churn::intervention::{
    ActionStatus, Intervention, InterventionAction, InterventionActionId, InterventionId,
    InterventionStatus, OfferAnswer,
};
pub use domain::churn::playbook::{
    ActionTiming, Condition, Playbook, PlaybookAction, PlaybookId, PlaybookOwner,
};
pub use domain::churn::playbook_draft::{ActionDraft, PlaybookDraft};
pub use domain::churn::rules::ChurnRules;
pub use domain::churn::signals::{ChurnSignal, ChurnSignalId, SignalKind, SignalSeverity};
pub use domain::cloud_event::CloudEvents;
pub use domain::clues::Hints;
pub use domain::cohort::{Cohort, CohortBy, CohortReport};
pub use domain::contact::{Contact, ContactDraft, ContactId};
pub use domain::customer::{
    Address, Customer, CustomerAction, CustomerDraft, CustomerId, CustomerKind, CustomerSize,
    CustomerStatus, RiskLevel, Stage,
};
pub use domain::delivery::{Delivery, DeliveryAction, DeliveryQueue, DeliveryReport};
pub use domain::display_name::DisplayName;
pub use domain::document::Document;
pub use domain::domain_name::DomainName;
pub use domain::draft::Change;
pub use domain::duplicate::Duplicate;
pub use domain::email::Email;
pub use domain::engagement::{
    Engagement, EngagementChange, EngagementLevel, EngagementMetrics, EngagementPortfolio,
};
pub use domain::entitlement::{
    AccessPatch, Entitlement, EntitlementId, EntitlementSource, EntitlementStatus, NewGrant,
};
pub use domain::evaluation::{EvaluationDue, EvaluationSweep, EvaluationSweepId};
pub use domain::event::{Event, EventId};
pub use domain::expansion::{
    ExpansionHistory, ExpansionOpportunity, ExpansionRules, ExpansionSignal, ExpansionSignalKind,
    ExpansionSignals, OpportunityAction, OpportunityId, OpportunityKind, OpportunityStatus,
    OpportunityTiming, SignalRule,
};
pub use domain::facts::{
    ContractFacts, CustomerFacts, ExpansionFacts, Figure, FigureSource, Figures,
};
pub use domain::feature::{Excess, Feature, FeatureDraft, FeatureKind, Grace, Measure, Overage};
pub use domain::flair::{Flair, FlairId};
pub use domain::health::{
    ComponentHealth, ComponentScore, ComponentScores, ComponentTrend, Grade, GradeThresholds,
    Health, HealthAlert, HealthAlertKind, HealthAlertSeverity, HealthComponent, HealthExplanation,
    HealthFormula, HealthMetric, HealthModel, HealthModelId, HealthModelVersion, HealthOpportunity,
    HealthOpportunityKind, HealthRecord, HealthRecordId, HealthScope, HealthState, HealthStateId,
    HealthThresholds, HealthTrend, MetricDirection, MetricGain, MetricHealth, MetricShare,
    MetricState, PreviousHealth, RiskFactor, RiskFactorKind, UnknownPolicy, Unscored,
    UnscoredReason,
};
pub use domain::hold::{Commit, Committed, Hold, HoldId, HoldStatus, Reserve};
pub use domain::invoice::{Invoice, InvoiceDraft, InvoiceId, InvoiceStatus};
pub use domain::lead::{
    BantAnswers, LeadFactor, LeadQualification, LeadQualificationId, LeadRules, LeadScore,
    LeadScoreId, LeadValues,
};
pub use domain::lifecycle::{
    Journey, JourneyId, JourneyReport, LifecycleRules, Move, STAGES, StageCondition, StageGuide,
    StageMeasure, StageMilestone, StageReason, StageRelation, StageRule, StageTimes,
    StageTransition, TransitionId, TriggeredBy, next_stage,
};
pub use domain::link::{Link, LinkId, LinkKind, LinksReset, ProductId, SyncStatus};
pub use domain::link_check::{LinkDiscrepancy, LinkDiscrepancyKind, LinkIndexCheck};
pub use domain::measured::{Interval, Measured, Method, Severity, Source, Unit, Warning};
pub use domain::meter::{Meter, MeterId};
pub use domain::metering::{
    Correction, Discrepancy, DiscrepancyKind, HistoryFilter, LimitExceeded, Reconciliation, Track,
    UsageResult, Verification,
};
pub use domain::metric::{LatestMetrics, Metric, MetricId, NewMetric, Readings};
pub use domain::money::{Currency, Money};
pub use domain::mrr::{CustomerRevenue, MrrKind, MrrMovement, MrrMovementId, RevenuePart};
pub use domain::nps::{
    NpsAsked, NpsComparison, NpsContext, NpsMonth, NpsPercentages, NpsPopulation, NpsQuery,
    NpsReport, NpsResponse, NpsResponseDraft, NpsResponseId, NpsRules, NpsStanding, NpsStandingId,
    NpsSurvey, NpsSurveyDraft, NpsSurveyId, NpsSurveyStatus, NpsTarget, NpsTest, NpsVerdict, Theme,
};
pub use domain::onboarding::{
    BackfillProgress, BillingOutcome, LinkStatus, Onboard, Onboarded, SmartLink, Suggestion,
};
pub use domain::order::{Order, OrderDraft, OrderId, OrderStatus};
pub use domain::org::Org;
pub use domain::period::Period;
#[cfg(feature = "report")]
pub use domain::portfolio::PortfolioQuery;
pub use domain::pulse::{Pulse, Tallies};
pub use domain::quantity::Quantity;
pub use domain::revenue::{
    CurrencyRevenue, MovementSum, RevenueChanges, RevenueReport, RevenueTargets, Share, Standing,
    Target,
};
pub use domain::smart_link::{Evidence, EvidenceKind};
pub use domain::statistics::nps::{NpsClass, NpsCounts};
pub use domain::subscription::{
    BillingCycle, NewSubscription, Subscription, SubscriptionAction, SubscriptionId,
    SubscriptionKind, SubscriptionStatus,
};
pub use domain::survival::{LogRank, Survival, SurvivalBy, SurvivalGroup, SurvivalReport};
pub use domain::task::{NewTask, Task, TaskFilter, TaskId, TaskPriority, TaskStatus};
pub use domain::text::{
    Code, Country, ExternalId, IdempotencyKey, Line, Locale, Malformed, Name, Note,
};
pub use domain::ticket::{SupportTicket, TicketDraft, TicketId, TicketSeverity, TicketStatus};
pub use domain::tier::{Fee, Tier, TierDraft, TierFeature, TierId, TierOverride};
pub use domain::tier_change::{FeatureChange, OverLimit, SuggestedAction, TierChange, When};
pub use domain::usage::{
    DeliveryStatus, SnapshotType, UsageEvent, UsageEventId, UsageEventType, UsageSnapshot,
    UsageSource,
};
pub use domain::usage_period::{UsagePeriod, UsagePeriodId, UsagePeriodStatus};
pub use domain::usage_record::{
    NewUsageRecord, UsageByFigure, UsageByResource, UsageFigure, UsageRecord, UsageRecordId,
};
pub use domain::usage_report::{GroupBy, UsageQuery, UsageReport, UsageRow};
pub use domain::user::{User, UserDraft, UserId};
pub use domain::validation::{
    Check, CheckStatus, Comparison, EvidenceLimits, FreshnessLevel, MetricAccuracy,
    SourceFreshness, Validation,
};
pub use domain::window::{LimitWindow, Rollover, Window, WindowKind};
pub use domain::zone::TimeZone;
pub use error::{Error, ErrorCode, Fault, Faults, Result};
pub use noun::Noun;
pub use ops::{
    BackfillReport, ContactUpsert, ContactsUpsert, Evaluated, EvaluationFailure, EvaluationReport,
    ExpansionOutlook, ExpansionPipeline, HealthBackTest, HealthDifference, HealthOverride,
    HealthPortfolio, HealthScore, MetricMove, NewFlair, NewLink, PipelineSum, PlaybookCompletion,
    SignalsKept, Ticked, TierApplied,
};
pub use page::{Cursor, PAGE_MAX, Page};
pub use store::{OrgId, Outcome, Store};
pub use tables::nouns;
pub use tenure::{Preview, Tenure};
pub use tracker::{Ticket, Tracker, TrackerOptions};
pub use tx::{Tx, View};

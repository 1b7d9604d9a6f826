//! The customer: who it is, how to reach it, where it stands.

use super::contact::ContactDraft;
use super::document::Document;
use super::domain_name::DomainName;
use super::draft::{Change, draft, replace, replace_or_default};
use super::email::Email;
use super::link::ProductId;
use super::money::{Currency, Money};
use super::text::{Code, Country, ExternalId, Line, Locale, Name, Note};
use super::user::UserId;
use super::zone::TimeZone;
use crate::error::Faults;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

pub use super::customer_status::{CustomerAction, CustomerStatus};

id! {
    /// Identifies a customer.
    CustomerId;
}

words! {
    /// What a customer is.
    pub enum CustomerKind {
        /// A person.
        Individual = "individual",
        /// A company.
        Business = "business",
        /// A large company, with contracts of its own.
        Enterprise = "enterprise",
        /// A company that resells or refers.
        Partner = "partner",
    }
}

words! {
    /// How large a customer is.
    pub enum CustomerSize {
        /// Just starting.
        Startup = "startup",
        /// Small or medium.
        Smb = "smb",
        /// Between small and enterprise.
        MidMarket = "mid_market",
        /// Large.
        Enterprise = "enterprise",
    }
}

words! {
    /// How likely a customer is to leave.
    pub enum RiskLevel {
        /// No sign of it.
        Low = "low",
        /// A medium signal, or health grade D.
        Medium = "medium",
        /// One open high signal, or health grade F.
        High = "high",
        /// Two open high signals, or a cancellation asked for.
        Critical = "critical",
    }
}

words! {
    /// Where a customer is on its journey; beside, not instead of, its [`CustomerStatus`].
    pub enum Stage {
        /// Trying it out.
        Trial = "trial",
        /// Being set up.
        Onboarding = "onboarding",
        /// Making it a habit.
        Adopting = "adopting",
        /// Getting more out of it.
        Growing = "growing",
        /// About to renew.
        Renewing = "renewing",
        /// Buying more.
        Expanding = "expanding",
        /// Recommending it.
        Advocating = "advocating",
        /// In danger of leaving.
        AtRisk = "at_risk",
        /// Gone.
        Churned = "churned",
    }
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Address {
    /// Street and house number.
    pub street: Option<Line>,
    /// City.
    pub city: Option<Line>,
    /// State, province or canton.
    pub state: Option<Line>,
    /// Postal code.
    pub zip_code: Option<Line>,
    /// Country.
    pub country: Option<Country>,
}

json_field!(Address, Vec<Line>);

noun! {
    /// A person or a business that uses the org's products.
    pub struct Customer(CustomerId), "customer", "customers", "account" {
        /// Identifies the customer.
        id: CustomerId => ["0198c5c1-9a70-7c3b-b6f5-3f1b2c9d4e5f"],
        /// The host's own id for it, unique in the org.
        external_id: Option<ExternalId> => ["acct_1042"],
        /// A slug of the name, unique in the org.
        short_id: String => ["acme-inc", "acme-inc-2"],
        /// A friendly name made for it, unique in the org.
        display_name: String => ["WildTiger42"],
        /// What it is called, 1–200 characters, unique in the org without regard to case, Unicode
        /// form and surrounding space.
        name: Name => ["Acme Inc."],
        /// The form of the name that is unique.
        name_key: String => ["acme inc."],
        /// The company, when the customer is a person there.
        company_name: Option<Name> => ["Acme Holdings"],
        /// Its main email address.
        email: Option<Email> => ["billing@acme.com"],
        /// The form of the email address by which it is found.
        email_key: Option<String> => ["billing@acme.com"],
        /// Its phone number.
        phone: Option<Line> => ["+49 30 123456"],
        /// Its web site.
        website: Option<Line> => ["https://acme.com/"],
        /// Its registrable domain.
        domain: Option<DomainName> => ["acme.com"],
        /// Whether it is a person or what sort of business.
        kind: CustomerKind => ["business"],
        /// What it does.
        industry: Option<Line> => ["logistics"],
        /// How large it is.
        size: Option<CustomerSize> => ["smb"],
        /// How it found the org.
        source: Option<Line> => ["conference"],
        /// Free labels, at most 100.
        tags: Vec<Line> => ["[\"vip\"]"],
        /// Where it is.
        address: Option<Address>,
        /// The country that it is in.
        country: Option<Country> => ["DE"],
        /// Where its days begin: resets of its limits follow it.
        timezone: Option<TimeZone> => ["Europe/Berlin"],
        /// The language it speaks.
        locale: Option<Locale> => ["de-DE"],
        /// Where invoices go by email.
        billing_email: Option<Email> => ["invoices@acme.com"],
        /// Where invoices go by post.
        billing_address: Option<Address>,
        /// Its tax number.
        tax_id: Option<Line> => ["DE123456789"],
        /// The currency that it pays in.
        default_currency: Option<Currency> => ["EUR"],
        /// How it pays; nothing secret.
        payment_method: Option<Document> => ["{\"type\":\"card\",\"last4\":\"4242\"}"],
        /// How well it is doing, 0–100, as it was computed last; none if too little is known.
        health_score: Option<u32> => ["82"],
        /// How likely it is to leave.
        risk_level: Option<RiskLevel> => ["low"],
        /// What it has paid so far, never negative.
        lifetime_value: Option<Money> => ["{\"amount\":120000,\"currency\":\"EUR\"}"],
        /// What it pays in a month, never negative.
        monthly_spend: Option<Money> => ["{\"amount\":4900,\"currency\":\"EUR\"}"],
        /// How much it uses the product, 0–100.
        engagement_score: Option<u32> => ["64"],
        /// When anybody there last did anything.
        last_activity_at: Option<OffsetDateTime>,
        /// When anybody last spoke with it.
        last_contact: Option<OffsetDateTime>,
        /// When it is to be spoken with again.
        next_follow_up: Option<OffsetDateTime>,
        /// The user who looks after the account.
        assigned_to: Option<UserId>,
        /// The user who looks after its success.
        csm_id: Option<UserId>,
        /// Who created the record.
        created_by: String => ["system"],
        /// When it became a customer; can be set, to record the past.
        created_at: OffsetDateTime => ["2026-01-31T12:00:00Z"],
        /// When the record last changed.
        updated_at: OffsetDateTime => ["2026-01-31T12:00:00Z"],
        /// When it first bought.
        first_purchase_at: Option<OffsetDateTime>,
        /// The standing of the account.
        status: CustomerStatus => ["active"],
        /// Where it is on its journey.
        stage: Stage => ["onboarding"],
        /// The code of its tier, which follows its subscriptions.
        tier: Code => ["free"],
        /// Whether it may be served: not suspended, inactive or churned.
        is_active: bool => ["true"],
        /// Anything worth knowing, at most 10,000 characters.
        notes: Option<Note>,
        /// What the host configures for it.
        config: Document => ["{\"allowedOrigins\":[\"https://acme.com\"]}"],
        /// Feature flags of the host's own.
        features: Document => ["{\"betaEditor\":true}"],
        /// Anything else of the host's.
        metadata: Document,
        /// The product whose sign-up created it.
        product_id: ProductId => ["default"],
        /// Counts the changes of the record, from 1.
        version: i64 => ["3"],
        /// When it asked to cancel, if that still stands.
        cancellation_requested_at: Option<OffsetDateTime>,
        /// Why, in its own words.
        cancellation_reason: Option<Note> => ["Too expensive"],
        /// When it was deleted; a deleted customer is hidden and can be restored.
        deleted_at: Option<OffsetDateTime>,
    }
    relationships {
        contacts: "contact" many "the people who work there",
        aliases: "alias" many "its other names and domains",
        links: "link" many "the products' own organisations that are this customer",
        subscriptions: "subscription" many "what it subscribes to, now and before",
        entitlements: "entitlement" many "what it may use",
        meters: "meter" many "what it has used of each feature",
        journey: "journey" one "where it is on its journey, and has been",
        stage_transitions: "stage transition" many "its moves from stage to stage",
        flairs: "flair" many "the distinctions that it earned",
        display_names: "display name" many "the friendly names it has had",
        assigned_to: "user" one "who looks after the account",
        csm: "user" one "who looks after its success",
    }
    actions {
        create => created, update => updated, qualify => qualified, activate => activated,
        flag_at_risk => at_risk_flagged, recover => recovered, suspend => suspended,
        reactivate => reactivated, deactivate => deactivated, churn => churned,
        merge => merged, unmerge => unmerged, delete => deleted, restore => restored,
        erase => erased,
    }
    events {
        converted, stage_changed, tier_changed, risk_changed, display_name_changed, flair_awarded, flair_removed,
        cancellation_requested, cancellation_withdrawn, engagement_changed,
    }
}

draft! {
    /// What a caller wants of a customer. What is not named stays as it is.
    pub struct CustomerDraft {
        /// See [`Customer::name`]. Required to create one.
        name: String,
        /// See [`Customer::external_id`].
        external_id: String,
        /// See [`Customer::company_name`].
        company_name: String,
        /// See [`Customer::email`].
        email: String,
        /// See [`Customer::phone`].
        phone: String,
        /// See [`Customer::website`].
        website: String,
        /// See [`Customer::domain`]; a URL or host name will do, its registrable domain is kept.
        domain: String,
        /// See [`Customer::kind`].
        kind: String,
        /// See [`Customer::industry`].
        industry: String,
        /// See [`Customer::size`].
        size: String,
        /// See [`Customer::source`].
        source: String,
        /// See [`Customer::tags`].
        tags: Vec<String>,
        /// See [`Customer::address`].
        address: Address,
        /// See [`Customer::country`].
        country: String,
        /// See [`Customer::timezone`].
        timezone: String,
        /// See [`Customer::locale`].
        locale: String,
        /// See [`Customer::billing_email`].
        billing_email: String,
        /// See [`Customer::billing_address`].
        billing_address: Address,
        /// See [`Customer::tax_id`].
        tax_id: String,
        /// See [`Customer::default_currency`].
        default_currency: String,
        /// See [`Customer::payment_method`].
        payment_method: Document,
        /// See [`Customer::lifetime_value`].
        lifetime_value: Money,
        /// See [`Customer::monthly_spend`].
        monthly_spend: Money,
        /// See [`Customer::assigned_to`].
        assigned_to: UserId,
        /// See [`Customer::csm_id`].
        csm_id: UserId,
        /// See [`Customer::created_at`].
        created_at: Moment,
        /// See [`Customer::first_purchase_at`].
        first_purchase_at: Moment,
        /// The standing to start in; only when created, [`CustomerAction`] moves it later.
        status: String,
        /// See [`Customer::notes`].
        notes: String,
        /// See [`Customer::config`]; replaces it whole.
        config: Document,
        /// See [`Customer::features`]; replaces it whole.
        features: Document,
        /// See [`Customer::metadata`]; replaces it whole.
        metadata: Document,
        /// The product's own id for the customer's organisation; only when created: it is linked in
        /// the same transaction.
        external_org_id: String,
        /// The address of the customer's first contact; only when created.
        contact_email: String,
        /// The name of the customer's first contact; only when created.
        contact_name: String,
        /// The version that the record is expected to have; another is a conflict.
        if_version: i64,
    }
}

/// An instant in a draft: RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl From<OffsetDateTime> for Change<Moment> {
    fn from(at: OffsetDateTime) -> Self {
        Self::Set(Moment(at))
    }
}

impl CustomerDraft {
    /// A draft of a customer with this name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self::default().name(name.into())
    }

    /// A draft from JSON as any version of tenure, or of the systems before it, wrote it: the legacy
    /// `plan` is not a field of the customer and is returned beside it, as the tier to give.
    ///
    /// # Errors
    ///
    /// When a field is unknown or of the wrong type.
    pub fn from_json(mut json: Map<String, Value>) -> Result<(Self, Option<String>), Faults> {
        let plan = json.remove("plan");
        let tier = json.remove("tier").or(plan);
        let tier = tier.as_ref().and_then(Value::as_str).map(ToOwned::to_owned);
        match serde_json::from_value(Value::Object(json)) {
            Ok(draft) => Ok((draft, tier)),
            Err(error) => {
                let mut faults = Faults::default();
                faults.add("customer", &error.to_string(), "is not a customer");
                Err(faults)
            }
        }
    }

    /// The first contact of a new customer, if the draft names one.
    pub(crate) fn contact(&self) -> Option<ContactDraft> {
        let mut contact = ContactDraft::default();
        if let Change::Set(email) = &self.contact_email {
            contact = contact.email(email.as_str());
        }
        if let Change::Set(name) = &self.contact_name {
            contact = contact.name(name.as_str());
        }
        (contact != ContactDraft::default()).then_some(contact)
    }

    /// Applies the draft to a customer, noting every fault.
    pub(crate) fn apply(&self, to: &mut Customer, faults: &mut Faults) {
        faults.required("name", &self.name, &mut to.name, Name::parse);
        faults.required("kind", &self.kind, &mut to.kind, str::parse);
        faults.optional("externalId", &self.external_id, &mut to.external_id, ExternalId::parse);
        faults.optional("companyName", &self.company_name, &mut to.company_name, Name::parse);
        faults.optional("email", &self.email, &mut to.email, Email::parse);
        faults.optional("phone", &self.phone, &mut to.phone, Line::parse);
        faults.optional("website", &self.website, &mut to.website, Line::parse);
        faults.optional("domain", &self.domain, &mut to.domain, DomainName::parse);
        faults.optional("industry", &self.industry, &mut to.industry, Line::parse);
        faults.optional("size", &self.size, &mut to.size, str::parse);
        faults.optional("source", &self.source, &mut to.source, Line::parse);
        faults.optional("country", &self.country, &mut to.country, Country::parse);
        faults.optional("timezone", &self.timezone, &mut to.timezone, str::parse);
        faults.optional("locale", &self.locale, &mut to.locale, Locale::parse);
        faults.optional("billingEmail", &self.billing_email, &mut to.billing_email, Email::parse);
        faults.optional("taxId", &self.tax_id, &mut to.tax_id, Line::parse);
        let currency = &mut to.default_currency;
        faults.optional("defaultCurrency", &self.default_currency, currency, str::parse);
        faults.optional("notes", &self.notes, &mut to.notes, Note::parse);
        self.apply_tags(to, faults);
        replace(&self.address, &mut to.address);
        replace(&self.billing_address, &mut to.billing_address);
        replace(&self.payment_method, &mut to.payment_method);
        replace(&self.lifetime_value, &mut to.lifetime_value);
        replace(&self.monthly_spend, &mut to.monthly_spend);
        replace(&self.assigned_to, &mut to.assigned_to);
        replace(&self.csm_id, &mut to.csm_id);
        replace_or_default(&self.config, &mut to.config);
        replace_or_default(&self.features, &mut to.features);
        replace_or_default(&self.metadata, &mut to.metadata);
        if let Change::Set(Moment(at)) = self.created_at {
            to.created_at = super::instant::utc(at);
        }
        let mut first_purchase = to.first_purchase_at.map(Moment);
        replace(&self.first_purchase_at, &mut first_purchase);
        to.first_purchase_at = first_purchase.map(|Moment(at)| super::instant::utc(at));
        super::instant::check_year("createdAt", to.created_at, faults);
        if let Some(at) = to.first_purchase_at {
            super::instant::check_year("firstPurchaseAt", at, faults);
        }
        for (field, money) in
            [("lifetimeValue", to.lifetime_value), ("monthlySpend", to.monthly_spend)]
        {
            if let Some(money) = money.filter(|money| money.amount < 0) {
                faults.add(field, &money.to_string(), "must not be negative");
            }
        }
        to.name_key = super::company_name::name_key(to.name.as_str());
        to.email_key = to.email.as_ref().map(Email::key);
    }

    fn apply_tags(&self, to: &mut Customer, faults: &mut Faults) {
        const TAGS_MAX: usize = 100;
        let mut tags = Vec::new();
        let texts = match &self.tags {
            Change::Keep => return,
            Change::Clear => &[],
            Change::Set(texts) => texts.as_slice(),
        };
        if texts.len() > TAGS_MAX {
            faults.add("tags", &texts.len().to_string(), "must be at most 100");
            return;
        }
        for (place, text) in texts.iter().enumerate() {
            let tag = faults.note(&format!("tags[{place}]"), Line::parse(text));
            tags.extend(tag.filter(|tag| !tags.contains(tag)));
        }
        to.tags = tags;
    }
}

impl Customer {
    /// What keeps the customer from using anything at all.
    #[must_use]
    pub const fn barred(&self) -> Option<super::access::DenialReason> {
        use super::access::DenialReason;
        match self.status {
            _ if self.deleted_at.is_some() => Some(DenialReason::UnknownCustomer),
            CustomerStatus::Suspended => Some(DenialReason::CustomerSuspended),
            CustomerStatus::Churned => Some(DenialReason::CustomerChurned),
            _ => None,
        }
    }
}

//! What each step does, through the public operations.

use super::glass::Rows;
use super::steps::{Given, NOBODY, Nth, Paid, Person, Profile, STRANGER, Signup, Step, Text, Use};
use tenure::billing::FakeBilling;
use tenure::{
    AccessPatch, Change, CheckoutSession, ContactDraft, Correction, CustomerDraft, CustomerId,
    CustomerRef, Error, EventId, FeatureDraft, GatewaySubscription, Grace, Hints, HistoryFilter,
    Money, NewFlair, NewGrant, NewLink, NewSubscription, Onboard, Overage, Quantity, Result,
    Tenure, TierDraft, TierFeature, TierOverride, Track, Tx, UsageEventId, UsageResult, UserDraft,
    View,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The ids that steps choose from.
pub struct Known {
    customers: Ids,
    contacts: Ids,
    aliases: Ids,
    users: Ids,
    subscriptions: Ids,
    entitlements: Ids,
    usage: Ids,
    events: Ids,
}

struct Ids {
    here: Vec<Uuid>,
    elsewhere: Vec<Uuid>,
}

impl Known {
    pub fn of(here: &Rows, elsewhere: &Rows) -> Self {
        let ids = |table| Ids { here: here.ids(table), elsewhere: elsewhere.ids(table) };
        Self {
            customers: ids("customer"),
            contacts: ids("contact"),
            aliases: ids("alias"),
            users: ids("user"),
            subscriptions: ids("subscription"),
            entitlements: ids("entitlement"),
            usage: ids("usage_event"),
            events: ids("event"),
        }
    }

    fn customer(&self, nth: Nth) -> CustomerId {
        self.customers.nth(nth)
    }
}

impl Ids {
    fn nth<I: From<Uuid>>(&self, nth: Nth) -> I {
        let from = if nth == STRANGER { &self.elsewhere } else { &self.here };
        let known = from.get(usize::from(nth) % from.len().max(1)).filter(|_| nth != NOBODY);
        I::from(known.copied().unwrap_or(Uuid::from_u128(u128::from(nth))))
    }
}

/// What a metering call answered, and under which key.
pub struct Counted {
    pub key: Option<Text>,
    pub result: UsageResult,
}

/// What a step answered.
pub struct Answer {
    pub text: String,
    pub failed: bool,
    pub counted: Vec<Counted>,
}

fn said<T: std::fmt::Debug>(outcome: &Result<T>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{} {error}", error.code()),
    }
}

/// Does a step.
pub fn perform(tenure: &Tenure, billing: &FakeBilling, step: &Step, known: &Known) -> Answer {
    let mut counted = Vec::new();
    let outcome: Result<String> = match step {
        Step::Clock(_) => Ok(String::new()),
        Step::Tick => tenure.tick().map(|it| format!("{it:?}")),
        Step::Onboard(signup) => tenure.onboard(&request(signup)).map(|it| format!("{it:?}")),
        Step::Backfill(signups) => {
            let mut reports = Vec::new();
            let requests: Vec<Onboard> = signups.iter().map(request).collect();
            let done = tenure.backfill(requests, |it| reports.push((it.row, said(&it.outcome))));
            done.map(|it| format!("{it:?} {reports:?}"))
        }
        Step::Claim(who, session) => {
            tenure.claim_checkout(known.customer(*who), session).map(|it| format!("{it:?}"))
        }
        Step::TakeUp(who, id, tier) => tenure
            .link_subscription(known.customer(*who), id, None, *tier, None)
            .map(|it| format!("{it:?}")),
        Step::Session(..) | Step::Gateway(..) | Step::GatewayDown(_) => {
            instruct(billing, step, tenure.now());
            Ok(String::new())
        }
        Step::Read(who, feature) => tenure.read(|view| read(view, known.customer(*who), feature)),
        Step::Check(who, feature) => check(tenure, known.customer(*who), feature),
        Step::Preview(step) => {
            let preview = tenure.preview(|tx| act(tx, step, known, &mut Vec::new()));
            preview.map(|it| format!("{} {:?}", it.outcome, it.events))
        }
        step => tenure.write(|tx| {
            counted.clear();
            act(tx, step, known, &mut counted)
        }),
    };
    if outcome.is_err() {
        counted.clear();
    }
    Answer { text: said(&outcome), failed: outcome.is_err(), counted }
}

fn instruct(billing: &FakeBilling, step: &Step, now: OffsetDateTime) {
    match step {
        Step::Session(id, is_complete, subscription) => billing.put_session(CheckoutSession {
            id: (*id).to_owned(),
            is_complete: *is_complete,
            status: "open".to_owned(),
            subscription_id: subscription.map(ToOwned::to_owned),
            customer_id: None,
        }),
        Step::Gateway(id, price, status) => billing.put_subscription(GatewaySubscription {
            id: (*id).to_owned(),
            customer_id: "cus_1".to_owned(),
            status: *status,
            price_ids: vec![(*price).to_owned()],
            quantity: 2,
            started_at: now - Duration::hours(5),
        }),
        Step::GatewayDown(down) => billing.fail_with(down.then_some("no answer")),
        _ => {}
    }
}

/// A check, which must say what a track would do.
fn check(tenure: &Tenure, customer: CustomerId, feature: Text) -> Result<String> {
    let access = tenure.read(|view| view.check(customer, feature))?;
    let tried = tenure.preview(|tx| tx.track(&Track::new(customer, feature)));
    // A counter that is full to its last millionth takes no more, without any limit.
    if !matches!(tried, Err(Error::Overflow(_))) {
        let tried = tried.map(|it| it.outcome);
        assert_eq!(access.can_use, tried.is_ok(), "{access:?} but {tried:?}");
    }
    Ok(format!("{access:?}"))
}

fn quantity(text: Text) -> Quantity {
    text.parse().unwrap()
}

fn ago(now: OffsetDateTime, seconds: i64) -> OffsetDateTime {
    now.saturating_add(Duration::seconds(seconds))
}

fn request(signup: &Signup) -> Onboard {
    let mut request = Onboard::org(signup.external);
    let own = |text: Option<Text>| text.map(ToOwned::to_owned);
    request.hints.company_name = own(signup.company);
    request.hints.domain = own(signup.domain);
    request.contact_email = own(signup.email);
    request.contact_name = own(signup.person);
    request.tier_code = own(signup.tier);
    request.checkout_session_id = own(signup.session);
    request.stripe_subscription_id = own(signup.subscription);
    request
}

/// What a profile wants of a field, as a draft takes it.
fn own(change: &Change<Text>) -> Change<String> {
    match change {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        Change::Set(text) => Change::from(*text),
    }
}

fn draft(profile: &Profile, known: &Known, now: OffsetDateTime) -> CustomerDraft {
    let mut draft = CustomerDraft::default()
        .external_id(own(&profile.external))
        .company_name(own(&profile.company))
        .email(own(&profile.email))
        .billing_email(own(&profile.billing_email))
        .domain(own(&profile.domain));
    if let Some(name) = profile.name {
        draft = draft.name(name);
    }
    if let Some(kind) = profile.kind {
        draft = draft.kind(kind);
    }
    if let Some(zone) = profile.zone {
        draft = draft.timezone(zone);
    }
    if let Some(csm) = profile.csm {
        draft = draft.csm_id(known.users.nth::<tenure::UserId>(csm));
    }
    if let Some(since) = profile.since {
        draft = draft.created_at(ago(now, since));
    }
    draft
}

fn contact(person: &Person) -> ContactDraft {
    let mut draft = ContactDraft::default();
    if let Some(name) = person.name {
        draft = draft.name(name);
    }
    if let Some(email) = person.email {
        draft = draft.email(email);
    }
    if let Some(primary) = person.primary {
        draft = draft.is_primary(primary);
    }
    draft
}

fn overage(word: Text) -> Overage {
    match word {
        "allow" => Overage::Allow,
        "clamp" => Overage::Clamp,
        "grace" => Overage::Grace(Grace::Quantity(quantity("2"))),
        "less" => Overage::Grace(Grace::Quantity(quantity("-1"))),
        "percent" => Overage::Grace(Grace::Percent(10)),
        _ => Overage::Reject,
    }
}

fn overrides(lift: Option<(Text, Option<Text>)>) -> Vec<TierOverride> {
    lift.into_iter()
        .map(|(feature, limit)| TierOverride::of(feature).limit(limit.map(quantity)))
        .collect()
}

fn subscription(paid: &Paid, now: OffsetDateTime) -> NewSubscription {
    let mut new = NewSubscription::to(paid.tier);
    new.kind = paid.kind;
    new.status = paid.status;
    new.start_date = paid.start.map(|at| ago(now, at));
    new.end_date = paid.end.map(|at| ago(now, at));
    new.stripe_subscription_id = paid.stripe.map(ToOwned::to_owned);
    new.quantity = paid.seats;
    new.overrides = overrides(paid.lift);
    new
}

fn tier(step: &Step) -> Option<TierDraft> {
    let Step::Tier { code, rank, gives, fee, price } = step else { return None };
    let mut draft = TierDraft::new(*code);
    draft.rank = *rank;
    for given in gives {
        let mut feature = TierFeature::new(given.feature).unwrap();
        feature.quantity_limit = given.limit.map(quantity);
        feature.reset_period = given.reset;
        draft = draft.feature(feature);
    }
    if let Some(fee) = fee {
        let fee = Money::new(*fee, "EUR".parse().unwrap());
        draft = draft.fee(fee, tenure::BillingCycle::Monthly);
    }
    if let Some(price) = price {
        draft = draft.stripe_price(price.parse().unwrap());
    }
    Some(draft)
}

fn hints(name: Option<Text>, domain: Option<Text>) -> Hints {
    let mut hints = Hints::new();
    hints.company_name = name.map(ToOwned::to_owned);
    hints.domain = domain.map(ToOwned::to_owned);
    hints
}

fn patch(gives: &Given, enabled: Option<bool>) -> AccessPatch {
    let mut patch = AccessPatch::new().limit(gives.limit.map(quantity)).resets(gives.reset);
    patch.is_enabled = enabled;
    patch
}

fn correction(usage: &Use, known: &Known) -> Correction {
    let customer = known.customer(usage.who);
    let mut correction =
        Correction::new(customer, usage.feature, quantity(usage.quantity), "it was wrong");
    correction.idempotency_key = usage.key.map(ToOwned::to_owned);
    correction
}

/// What a step does in a transaction.
fn act(tx: &mut Tx<'_>, step: &Step, known: &Known, counted: &mut Vec<Counted>) -> Result<String> {
    let now = tx.now();
    let mut note = |key: Option<Text>, result: UsageResult| {
        let text = format!("{result:?}");
        counted.push(Counted { key, result });
        text
    };
    match step {
        Step::Track(usage) => {
            let mut track = Track::new(known.customer(usage.who), usage.feature);
            track = track.quantity(quantity(usage.quantity));
            track.idempotency_key = usage.key.map(ToOwned::to_owned);
            track.event_time = usage.at.map(|at| ago(now, at));
            tx.track(&track).map(|it| note(usage.key, it))
        }
        Step::SetUsage(usage) => {
            tx.set_usage(&correction(usage, known)).map(|it| note(usage.key, it))
        }
        Step::Adjust(usage, of) => {
            let mut correction = correction(usage, known);
            correction.adjusts_event_id = of.map(|of| known.usage.nth::<UsageEventId>(of));
            if usage.at.is_some() {
                correction.quantity = Quantity::ZERO.checked_sub(correction.quantity).unwrap();
            }
            tx.adjust_usage(&correction).map(|it| note(usage.key, it))
        }
        Step::Both(first, second, over) => {
            let first = act(tx, first, known, counted);
            let first = if *over { Ok(said(&first)) } else { first }?;
            let second = act(tx, second, known, counted);
            let second = if *over { Ok(said(&second)) } else { second }?;
            Ok(format!("{first} {second}"))
        }
        Step::Reconcile(who, feature) => {
            let found = tx.reconcile(known.customer(*who), feature)?;
            assert!(found.discrepancies.is_empty(), "{:?}", found.discrepancies);
            Ok(format!("{found:?}"))
        }
        Step::Acknowledge(count) => {
            let events = known.events.here.iter().take(usize::from(*count));
            tx.acknowledge(events.map(|id| EventId::from(*id))).map(|it| format!("{it:?}"))
        }
        Step::Onboard(signup) => tx.onboard(&request(signup)).map(|it| format!("{it:?}")),
        Step::Check(who, feature) => {
            tx.view().check(known.customer(*who), feature).map(|it| format!("{it:?}"))
        }
        step => act_on_customer(tx, step, known)
            .or_else(|| act_on_people(tx, step, known))
            .or_else(|| act_on_rights(tx, step, known, now))
            .unwrap_or_else(|| Ok("not in a transaction".to_owned())),
    }
}

fn told<T: std::fmt::Debug>(outcome: Result<T>) -> Result<String> {
    outcome.map(|value| format!("{value:?}"))
}

fn act_on_customer(tx: &mut Tx<'_>, step: &Step, known: &Known) -> Option<Result<String>> {
    let now = tx.now();
    let customer = |who: &Nth| known.customer(*who);
    Some(match step {
        Step::Create(profile) => told(tx.create_customer(&draft(profile, known, now))),
        Step::Update(who, profile, version) => {
            let mut draft = draft(profile, known, now);
            if let Some(version) = version {
                draft = draft.if_version(*version);
            }
            told(tx.update_customer(customer(who), &draft))
        }
        Step::Move(who, action) => told(tx.move_customer(customer(who), *action)),
        Step::Delete(who) => told(tx.delete_customer(customer(who))),
        Step::Restore(who) => told(tx.restore_customer(customer(who))),
        Step::Ensure(email, name) => told(tx.ensure_account(email, *name)),
        Step::RenameAnew(who) => told(tx.regenerate_display_name(customer(who))),
        Step::Rename(who, name) => told(tx.set_display_name(customer(who), name)),
        Step::Award(who, flair) => {
            let mut new = NewFlair::default();
            (new.flair_id, new.name) = ((*flair).to_owned(), "A flair".to_owned());
            told(tx.award_flair(customer(who), &new))
        }
        Step::Unaward(who, flair) => told(tx.remove_flair(customer(who), flair)),
        Step::Link(who, org, label, name, domain) => {
            let mut new = NewLink::to(*org).hints(hints(*name, *domain));
            new.label = label.map(ToOwned::to_owned);
            told(tx.link(customer(who), &new))
        }
        Step::Alias(who, kind, value) => told(tx.add_alias(customer(who), *kind, value)),
        Step::DropAlias(nth) => told(tx.remove_alias(known.aliases.nth(*nth))),
        Step::Unlink(org) => told(tx.unlink(org)),
        Step::Smart(org, name, domain) => told(tx.smart_link(org, &hints(*name, *domain), None)),
        Step::ResetLinks(contacts, mrr) => told(tx.reset_links(*contacts, *mrr)),
        _ => return None,
    })
}

fn act_on_people(tx: &mut Tx<'_>, step: &Step, known: &Known) -> Option<Result<String>> {
    Some(match step {
        Step::Contact(who, person) => {
            told(tx.upsert_contact(known.customer(*who), &contact(person)))
        }
        Step::Contacts(who, people) => {
            let drafts: Vec<ContactDraft> = people.iter().map(contact).collect();
            told(tx.upsert_contacts(known.customer(*who), &drafts))
        }
        Step::EditContact(nth, person) => {
            told(tx.update_contact(known.contacts.nth(*nth), &contact(person)))
        }
        Step::DropContact(nth) => told(tx.remove_contact(known.contacts.nth(*nth))),
        Step::Register(key, role) => told(tx.register_user(key, &UserDraft::default().role(*role))),
        Step::Reassign(from, to) => told(tx.reassign(known.users.nth(*from), known.users.nth(*to))),
        Step::Leave(user, successor) => {
            let successor = successor.map(|nth| known.users.nth(nth));
            told(tx.deactivate_user(known.users.nth(*user), successor))
        }
        _ => return None,
    })
}

fn act_on_rights(
    tx: &mut Tx<'_>,
    step: &Step,
    known: &Known,
    now: OffsetDateTime,
) -> Option<Result<String>> {
    let customer = |who: &Nth| known.customer(*who);
    Some(match step {
        Step::Feature { code, overage: word, active } => {
            let mut draft = FeatureDraft::default();
            if let Some(word) = word {
                draft = draft.overage(overage(word));
            }
            if let Some(active) = active {
                draft = draft.is_active(*active);
            }
            told(tx.define_feature(code, &draft))
        }
        Step::Tier { .. } => told(tx.define_tier(&tier(step)?)),
        Step::Subscribe(who, paid) => {
            told(tx.add_subscription(customer(who), &subscription(paid, now)))
        }
        Step::Apply(who, tier, lift) => told(tx.apply_tier(customer(who), tier, &overrides(*lift))),
        Step::Upgrade(who, tier) => told(tx.upgrade(customer(who), tier)),
        Step::Downgrade(who, tier, when) => told(tx.downgrade(customer(who), tier, *when)),
        Step::Cancel(nth, when) => {
            told(tx.cancel_subscription(known.subscriptions.nth(*nth), *when))
        }
        Step::MoveSubscription(nth, action) => {
            told(tx.move_subscription(known.subscriptions.nth(*nth), *action))
        }
        Step::Migrate(who) => told(tx.migrate_tier(customer(who))),
        Step::SetAccess { who, gives, enabled, from, until } => {
            let mut patch = patch(gives, *enabled);
            if let Some(from) = from {
                patch = patch.valid_from(Some(ago(now, *from)));
            }
            if let Some(until) = until {
                patch = patch.valid_until(Some(ago(now, *until)));
            }
            told(tx.set_access(customer(who), gives.feature, &patch))
        }
        Step::Grant { who, gives, source, key, until } => {
            let mut grant = NewGrant::of(gives.feature, 0).source(*source);
            grant.limit = gives.limit.map(quantity);
            grant.key = key.map(ToOwned::to_owned);
            grant.valid_until = until.map(|at| ago(now, at));
            told(tx.grant(customer(who), &grant))
        }
        Step::Suspend(nth) => told(tx.suspend_entitlement(known.entitlements.nth(*nth))),
        Step::Resume(nth) => told(tx.resume_entitlement(known.entitlements.nth(*nth))),
        Step::Revoke(nth) => told(tx.revoke_entitlement(known.entitlements.nth(*nth))),
        _ => return None,
    })
}

/// Every read that there is, about one customer and one feature.
fn read(view: &View<'_>, who: CustomerId, feature: Text) -> Result<String> {
    let mut all = Vec::new();
    let filter = HistoryFilter::default();
    let mut cursor: Option<tenure::Cursor> = None;
    loop {
        let page = view.customers(None, 2, cursor.as_ref())?;
        all.push(format!("{:?}", page.items));
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    all.push(said(&view.customer(who)));
    all.push(said(&view.customer_by_name("acme inc.")));
    all.push(said(&view.customer_by_short_id("acme-inc")));
    all.push(said(&view.customer_by_external_id("org_1")));
    all.push(said(&view.customer_by_email("ada@acme.com")));
    all.push(said(&view.customer_by_display_name("WildTiger42")));
    all.push(said(&view.customer_by_link("org_1")));
    all.push(said(&view.link("org_2")));
    all.push(said(&view.links(who, 2, None)));
    all.push(said(&view.aliases(who, 2, None)));
    all.push(said(&view.contacts(who, false, 1, None)));
    all.push(said(&view.contacts(who, true, 1, None)));
    all.push(said(&view.primary_contact(who)));
    all.push(said(&view.display_names(who)));
    all.push(said(&view.validate_display_name(who, "WildTiger42")));
    all.push(said(&view.flairs(who, None)));
    all.push(said(&view.users(10, None)));
    all.push(said(&view.features(2, None)));
    all.push(said(&view.feature(feature)));
    all.push(said(&view.tiers()));
    all.push(said(&view.tier_version("pro", 2)));
    all.push(said(&view.subscriptions(who)));
    all.push(said(&view.preview_tier(who, "pro", &[])));
    all.push(said(&view.entitlements(who)));
    all.push(said(&view.list_access(who)));
    all.push(said(&view.check_many(CustomerRef::from("org_1"), &[feature, "credits"])));
    all.push(said(&view.billing_status(who)));
    all.push(said(&view.usage_history(who, feature, &filter, 3, None)));
    all.push(said(&view.usage_snapshots(who, feature, 3, None)));
    all.push(said(&view.events(None, 5)));
    all.push(said(&view.next_due()));
    let hints = hints(Some("Globex"), Some("acme.com"));
    let found = view.find_match(&hints, 0.6);
    assert!(!matches!(found, Err(Error::NotFound { .. })), "{found:?}");
    all.push(said(&found));
    Ok(all.join("\n"))
}
